"""What the ECS scheduler does next for one service: start, stop, complete, give up. Pure.

Source: "Deploy Amazon ECS services by replacing tasks" and "How the Amazon ECS deployment circuit
breaker detects failures" in the ECS developer guide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """Where a task's life stands, as far as the scheduler cares."""

    STARTING = "starting"  # wanted, container not yet known to serve
    SERVING = "serving"  # running and, where a load balancer is attached, healthy
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class TaskView:
    """One living task."""

    task_id: str
    revision: str
    stage: Stage
    unhealthy: bool = False


@dataclass(frozen=True, slots=True)
class ServiceView:
    """What a service wants; percentages are of `desired`."""

    revision: str
    desired: int
    minimum_percent: int = 100
    maximum_percent: int = 200
    startable: bool = True  # false while backing off after failures


@dataclass(frozen=True, slots=True)
class Moves:
    """How many tasks to start, which to stop, and whether the service has settled."""

    start: int
    stop: tuple[str, ...]
    settled: bool


def next_moves(service: ServiceView, tasks: Sequence[TaskView]) -> Moves:
    """Decide from what is there: never below the minimum of healthy tasks, never above the maximum."""
    alive = [t for t in tasks if t.stage is not Stage.STOPPING]
    current = [t for t in alive if t.revision == service.revision and not t.unhealthy]
    sick = [t for t in alive if t.revision == service.revision and t.unhealthy]
    old = [t for t in alive if t.revision != service.revision]
    ceiling = max(1, math.floor(service.desired * service.maximum_percent / 100)) if service.desired else 0
    floor = math.ceil(service.desired * service.minimum_percent / 100)
    missing = max(0, service.desired - len(current))
    start = min(missing, max(0, ceiling - len(alive))) if service.startable else 0
    stop = [t.task_id for t in sick]
    serving_new = sum(t.stage is Stage.SERVING for t in current)
    serving_old = [t for t in old if t.stage is Stage.SERVING]
    # An old task that serves nobody goes at once; a serving one only while enough others serve.
    stop += [t.task_id for t in old if t.stage is not Stage.SERVING or t.unhealthy]
    spare = serving_new + len(serving_old) - floor
    stop += [t.task_id for t in serving_old[: max(0, spare)]]
    surplus = len(current) - service.desired
    newest_last = sorted(current, key=lambda t: t.stage is Stage.SERVING)
    stop += [t.task_id for t in newest_last[: max(0, surplus)]]
    settled = serving_new == service.desired and not old and not sick and surplus <= 0
    return Moves(start, tuple(dict.fromkeys(stop)), settled)


def breaker_threshold(desired: int) -> int:
    """Failed tasks after which the circuit breaker trips: half the desired count, within 3 and 200."""
    return max(3, min(200, math.ceil(desired * 0.5)))


def backoff(failures: int) -> float:
    """Seconds to wait before the next start after consecutive failures (ECS throttles restarts)."""
    return min(30.0, 0.5 * 2 ** max(0, failures - 2)) if failures > 2 else 0.0
