"""Container output into CloudWatch Logs, under the awslogs driver's stream names."""

from __future__ import annotations

import queue
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.ecs.containers import CannotStart, Containers
from delivery.sandbox.ecs.definition import ContainerSpec
from delivery.sandbox.ecs.model import Task
from delivery.sandbox.server import STATE

#: Seconds to wait for the end of a dead container's output.
LAST_WORDS = 10.0
_NO_GROUP = (
    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
    "failed to create Cloudwatch log stream: ResourceNotFoundException: "
    "The specified log group does not exist. : exit status 1"
)


@dataclass
class LogShipper:
    """Collects lines from many containers and writes them in batches."""

    backend: Callable[[], Any]
    _lines: queue.SimpleQueue[tuple[str, str, datetime, str]] = field(default_factory=queue.SimpleQueue)
    _flushing: threading.Lock = field(default_factory=threading.Lock)
    _readers: dict[str, threading.Thread] = field(default_factory=dict)

    def prepare(self, task: Task) -> None:
        """Make the streams of a task that is about to start; CannotStart when a group does not exist.

        `awslogs-create-group` makes the group, as in "Send Amazon ECS logs to CloudWatch".
        """
        with STATE:
            for spec in task.spec.containers:
                if spec.log is None:
                    continue
                if spec.log.group not in self.backend().groups:
                    if not spec.log.create_group:
                        raise CannotStart(_NO_GROUP)
                    self.backend().create_log_group(spec.log.group, {})
                self.backend().ensure_log_stream(spec.log.group, _stream(task, spec))

    def follow(self, containers: Containers, task: Task, spec: ContainerSpec, container_id: str) -> None:
        """Ship what a container writes, from its first line."""
        if spec.log is not None:
            group, stream = spec.log.group, _stream(task, spec)
            self._readers[container_id] = containers.follow(
                container_id, lambda at, text: self._lines.put((group, stream, at, text))
            )

    def finish(self, container_id: str) -> None:
        """Ship the last words of a container that ended, before anybody is told that it ended."""
        reader = self._readers.pop(container_id, None)
        if reader is not None:
            reader.join(LAST_WORDS)
            self.flush()

    def flush(self) -> None:
        """Write everything collected. Lines for a group that is gone meanwhile are dropped, as by awslogs."""
        with self._flushing:
            batches: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
            while not self._lines.empty():
                group, stream, at, text = self._lines.get_nowait()
                told = CLOCK.at(at.timestamp()) + CLOCK.skew
                batches[group, stream].append({"timestamp": int(told * 1000), "message": text})
            if not batches:
                return
            with STATE:
                groups = self.backend().groups
                for (group, stream), events in batches.items():
                    events.sort(key=lambda e: e["timestamp"])  # two outputs of one container may cross
                    if group in groups:
                        self.backend().ensure_log_stream(group, stream)
                        self.backend().put_log_events(group, stream, events)


def _stream(task: Task, spec: ContainerSpec) -> str:
    prefix = spec.log.prefix if spec.log else ""
    return f"{prefix}/{spec.name}/{task.task_id}"
