"""What the ECS scheduler does next for one service: start, stop, complete, give up. Pure.

Sources, all in the ECS developer guide: "Deploy Amazon ECS services by replacing tasks" (rolling update),
"Amazon ECS services" (how unhealthy tasks are replaced), "How the Amazon ECS deployment circuit breaker
detects failures", "Amazon ECS service throttle logic".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

#: The throttle logic waits no longer than this between two starts of tasks that fail to start: 27 minutes.
LONGEST_BACKOFF = 27 * 60.0


class Stage(StrEnum):
    """Where a task's life stands, as far as the scheduler cares."""

    STARTING = "starting"  # wanted, not yet known to serve
    SERVING = "serving"  # has been healthy: running, its target groups and its containers' checks agree
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class TaskView:
    """One living task. `unhealthy`: a health check fails, and the grace period is over.

    `protected`: UpdateTaskProtection keeps scaling in and deployments from stopping it.
    """

    task_id: str
    revision: str
    stage: Stage
    unhealthy: bool = False
    protected: bool = False


@dataclass(frozen=True, slots=True)
class ServiceView:
    """What a service wants; percentages are of `desired`."""

    revision: str
    desired: int
    minimum_percent: int = 100
    maximum_percent: int = 200
    startable: bool = True  # false while backing off after failures
    given_up: bool = False  # the deployment FAILED: it launches nothing, and replaces nothing

    @property
    def ceiling(self) -> int:
        """Most tasks that may be running or pending: rounded down."""
        return math.floor(self.desired * self.maximum_percent / 100)

    @property
    def floor(self) -> int:
        """Fewest tasks that must stay healthy: rounded up."""
        return math.ceil(self.desired * self.minimum_percent / 100)


@dataclass(frozen=True, slots=True)
class Moves:
    """How many tasks to start, which to stop, whether the service has settled.

    `stuck`: neither a start nor a stop is allowed by the deployment configuration, now or later.
    """

    start: int
    stop: tuple[str, ...]
    settled: bool
    stuck: bool = False


def next_moves(service: ServiceView, tasks: Sequence[TaskView]) -> Moves:
    """Decide from what is there: never below the minimum of healthy tasks, never above the maximum."""
    alive = [t for t in tasks if t.stage is not Stage.STOPPING]
    current = [t for t in alive if t.revision == service.revision]
    good, old = [t for t in current if not t.unhealthy], [t for t in alive if t.revision != service.revision]
    serving = sum(t.stage is Stage.SERVING for t in good)
    missing, room = max(0, service.desired - len(good)), max(0, service.ceiling - len(alive))
    blocked = missing > 0 and room == 0
    start = min(missing, room) if service.startable and not service.given_up else 0
    if service.given_up:
        stop = _surplus_of_all(service, current, old)
    else:
        stop = _sick(service, current, serving, blocked)
        stop += _replaced(service, old, serving, blocked)
        stop += _surplus(good, service.desired)
    leaving = any(t.revision != service.revision for t in tasks)  # also those whose connections drain
    settled = serving == service.desired == len(current) and not leaving
    waiting = len(alive) < len(tasks) or any(t.stage is Stage.STARTING for t in current)
    stuck = blocked and service.startable and not (service.given_up or stop or waiting)
    return Moves(start, tuple(dict.fromkeys(t.task_id for t in stop)), settled, stuck)


def _sick(service: ServiceView, current: list[TaskView], serving: int, blocked: bool) -> list[TaskView]:
    """A task that never served goes at once. One that did stays until its replacement is healthy, unless
    the maximum leaves no room for a replacement: then one at a time makes room."""
    sick = [t for t in current if t.unhealthy]
    never = [t for t in sick if t.stage is Stage.STARTING]
    served = [t for t in sick if t.stage is Stage.SERVING]
    replaced = max(0, serving + len(served) - service.desired)
    quiet = not any(t.stage is Stage.STARTING for t in current)
    return never + served[: max(replaced, 1 if blocked and quiet and not never else 0)]


def _replaced(service: ServiceView, old: list[TaskView], serving: int, blocked: bool) -> list[TaskView]:
    """Tasks of older deployments that may go: those that serve nobody at once, sick ones before healthy
    ones, healthy ones only while enough others are healthy."""
    healthy = [t for t in old if t.stage is Stage.SERVING and not t.unhealthy]
    starting = [t for t in old if t.stage is Stage.STARTING]
    sick = [t for t in old if t.stage is Stage.SERVING and t.unhealthy]
    spare = serving + len(healthy) - service.floor
    loose = [t for t in healthy if not t.protected]
    return starting + (sick if spare >= 0 else sick[: int(blocked)]) + loose[: max(0, spare)]


def _surplus(good: list[TaskView], desired: int) -> list[TaskView]:
    """More than is wanted: those that do not serve yet go first."""
    ordered = sorted((t for t in good if not t.protected), key=lambda t: t.stage is Stage.SERVING)
    return ordered[: max(0, len(good) - desired)]


def _surplus_of_all(service: ServiceView, current: list[TaskView], old: list[TaskView]) -> list[TaskView]:
    """After a failed deployment what runs is kept up to the desired count, what serves before the rest."""

    def worth(task: TaskView) -> bool:
        return task.stage is Stage.SERVING and not task.unhealthy

    ordered = sorted([*current, *old], key=worth)
    return ordered[: max(0, len(ordered) - service.desired)]


def breaker_threshold(desired: int, configured: Mapping[str, Any] | None = None) -> int:
    """Failed tasks after which the circuit breaker trips: half the desired count, within 3 and 200.

    `configured` is deploymentCircuitBreaker.thresholdConfiguration: another percentage, also without those
    bounds (UNBOUNDED_PERCENT), or a number of tasks (COUNT).
    """
    kind, value = "BOUNDED_PERCENT", 50
    if configured:
        kind, value = str(configured["type"]), int(configured["value"])
    if kind == "COUNT":
        return value
    share = math.ceil(desired * value / 100)
    return max(1, share) if kind == "UNBOUNDED_PERCENT" else max(3, min(200, share))


def backoff(failures: int) -> float:
    """AWS seconds until the next start after so many failures in a row (ECS publishes only the maximum)."""
    return min(LONGEST_BACKOFF, 0.5 * 2.0 ** min(failures - 2, 20)) if failures > 2 else 0.0
