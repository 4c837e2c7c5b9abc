"""Container output into CloudWatch Logs, under the awslogs driver's stream names."""

from __future__ import annotations

import queue
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from delivery.sandbox.ecs.containers import Containers
from delivery.sandbox.ecs.model import Task
from delivery.sandbox.server import STATE

#: Seconds to wait for the end of a dead container's output.
LAST_WORDS = 10.0


@dataclass
class LogShipper:
    """Collects lines from many containers and writes them in batches."""

    backend: Callable[[], Any]
    _lines: queue.SimpleQueue[tuple[str, str, datetime, str]] = field(default_factory=queue.SimpleQueue)
    _flushing: threading.Lock = field(default_factory=threading.Lock)
    _readers: dict[str, threading.Thread] = field(default_factory=dict)

    def follow(self, containers: Containers, task: Task, container_id: str) -> None:
        """Ship what the task's container writes, from its first line."""
        spec = task.container
        if spec.log_group:
            stream = f"{spec.log_prefix}/{spec.name}/{task.task_id}"
            self._readers[task.arn] = containers.follow(
                container_id, lambda at, text: self._lines.put((spec.log_group, stream, at, text))
            )

    def finish(self, task: Task) -> None:
        """Ship the last words of a task whose container ended, before anybody is told that it ended."""
        reader = self._readers.pop(task.arn, None)
        if reader is not None:
            reader.join(LAST_WORDS)
            self.flush()

    def flush(self) -> None:
        """Write everything collected. Lines for a group that does not exist are dropped, as by awslogs."""
        with self._flushing:
            batches: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
            while not self._lines.empty():
                group, stream, at, text = self._lines.get_nowait()
                batches[group, stream].append({"timestamp": int(at.timestamp() * 1000), "message": text})
            with STATE:
                groups = self.backend().groups
                for (group, stream), events in batches.items():
                    if group in groups:
                        self.backend().ensure_log_stream(group, stream)
                        self.backend().put_log_events(group, stream, events)
