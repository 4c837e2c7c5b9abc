"""CPU and memory of the tasks as AWS/ECS metrics, in percent of what the task reserved.

Source: "Amazon ECS CloudWatch metrics" in the developer guide: all containers of a task together, of each
task one value; the service's metric is their statistic.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from docker.errors import DockerException

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.cloudwatch.store import MetricStore
from delivery.sandbox.ecs.containers import Containers
from delivery.sandbox.ecs.model import Task


class Counters(NamedTuple):
    """What Docker counted of one container: when (real seconds), CPU seconds so far, bytes in use."""

    at: float
    cpu: float
    memory: float


@dataclass
class UsageMeter:
    """Asks Docker for each living task's counters and stores the difference to the last time."""

    containers: Containers
    store: MetricStore
    living: Callable[[], Iterable[Task]]
    _last: dict[str, Counters] = field(default_factory=dict)

    def tick(self) -> None:
        """Measure every task of a service once."""
        seen: dict[str, Counters] = {}
        for task in [t for t in self.living() if t.service and t.running]:
            counted = {c.container_id: self._count(c.container_id) for c in task.containers if c.running}
            known = {k: v for k, v in counted.items() if v is not None}
            seen.update(known)
            if known and len(known) == len(counted):
                self._store(task, known)
        self._last = seen

    def _count(self, container_id: str) -> Counters | None:
        # A container that ended meanwhile has no counters: Docker answers with an error or with nothing.
        try:
            stats = self.containers.client.api.stats(container_id, stream=False, one_shot=True)
        except (DockerException, OSError, ValueError):
            return None
        return counters_of(stats, time.time())

    def _store(self, task: Task, counted: dict[str, Counters]) -> None:
        names = {"ClusterName": task.cluster, "ServiceName": task.service}
        share = 100 * sum(c.memory for c in counted.values()) / task.spec.memory_bytes
        self.store.add("AWS/ECS", "MemoryUtilization", names, CLOCK.now(), share)
        if all(name in self._last for name in counted):
            cores = sum(cores_between(self._last[name], now) for name, now in counted.items())
            self.store.add("AWS/ECS", "CPUUtilization", names, CLOCK.now(), 100 * cores / task.spec.cores)


def counters_of(stats: dict[str, Any], at: float) -> Counters | None:
    """Read Docker's answer; None when the container had ended."""
    memory, cpu = stats.get("memory_stats") or {}, stats.get("cpu_stats") or {}
    if "usage" not in memory:
        return None
    return Counters(at, cpu["cpu_usage"]["total_usage"] / 1e9, float(memory["usage"]))


def cores_between(before: Counters, now: Counters) -> float:
    """Cores in use between two countings. In real seconds: a core does not run faster with AWS's clock."""
    passed = now.at - before.at
    return (now.cpu - before.cpu) / passed if passed > 0 else 0.0
