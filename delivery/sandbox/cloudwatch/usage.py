"""CPU and memory of the tasks as AWS/ECS metrics, in percent of what the task reserved."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from docker.errors import APIError

from delivery.sandbox.cloudwatch.store import MetricStore
from delivery.sandbox.ecs.containers import Containers
from delivery.sandbox.ecs.model import Task


@dataclass
class UsageMeter:
    """Asks Docker for each living task's counters and stores the difference to the last time."""

    containers: Containers
    store: MetricStore
    living: Callable[[], Iterable[Task]]
    _last: dict[str, tuple[float, float]] = field(default_factory=dict)

    def tick(self) -> None:
        """Measure every task once."""
        living = [t for t in self.living() if t.service]
        for task in living:
            # A container that ended meanwhile has no counters: Docker answers with an error or with nothing.
            with contextlib.suppress(APIError, ValueError):
                self._measure(task)
        kept = {t.container_id for t in living}
        self._last = {k: v for k, v in self._last.items() if k in kept}

    def _measure(self, task: Task) -> None:
        stats: dict[str, Any] = self.containers.client.api.stats(
            task.container_id, stream=False, one_shot=True
        )
        memory, cpu = stats.get("memory_stats") or {}, stats.get("cpu_stats") or {}
        if "usage" not in memory:
            return
        now, used = time.time(), cpu["cpu_usage"]["total_usage"] / 1e9
        dimensions = {"ClusterName": task.cluster, "ServiceName": task.service}
        share = 100 * memory["usage"] / task.container.memory
        self.store.add("AWS/ECS", "MemoryUtilization", dimensions, now, share)
        before = self._last.get(task.container_id)
        self._last[task.container_id] = (now, used)
        if before is not None and now > before[0]:
            cores = (used - before[1]) / (now - before[0])
            self.store.add("AWS/ECS", "CPUUtilization", dimensions, now, 100 * cores / task.container.cores)
