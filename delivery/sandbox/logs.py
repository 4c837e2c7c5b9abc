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


@dataclass
class LogShipper:
    """Collects lines from many containers and writes them in batches."""

    backend: Callable[[], Any]
    _lines: queue.SimpleQueue[tuple[str, str, datetime, str]] = field(default_factory=queue.SimpleQueue)
    _flushing: threading.Lock = field(default_factory=threading.Lock)

    def follow(self, containers: Containers, task: Task) -> None:
        """Ship what the task writes from now on."""
        spec = task.container
        if spec.log_group:
            stream = f"{spec.log_prefix}/{spec.name}/{task.task_id}"
            containers.follow(
                task.container_id, lambda at, text: self._lines.put((spec.log_group, stream, at, text))
            )

    def finish(self, task: Task) -> None:
        """Ship the last words of a task that ended."""
        if task.container.log_group:
            threading.Event().wait(0.3)  # the follower's thread reads the end of the stream
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
