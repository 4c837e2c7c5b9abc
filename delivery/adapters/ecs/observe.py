"""From what ECS and ELB say to the state of a slot. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from delivery.adapters.ecs.services import (
    Service,
    complaint,
    completed,
    decisive,
    gave_up,
    goes_back,
    primary,
    returns,
    settled,
)
from delivery.adapters.ecs.traffic import state_of
from delivery.core.release import Slot
from delivery.core.target import SlotState, TaskFailure


def healthy_of(targets: Sequence[dict[str, Any]], present: set[str] | None = None) -> tuple[int, int]:
    """Healthy and unhealthy targets; of those with an address in `present` when it is given."""
    states = [state_of(t) for t in targets if present is None or t["Target"]["Id"] in present]
    return states.count("healthy"), states.count("unhealthy")


def is_suspicious(service: Service) -> bool:
    """Worth asking for stopped tasks: some failed, or fewer run than are wanted."""
    bad = decisive(service)
    failed = int(bad.get("failedTasks") or 0) > 0 or gave_up(bad)
    return failed or int(service["runningCount"]) < int(service["desiredCount"])


def release_name(service: Service, tagged: str | None) -> str | None:
    """The release a service runs. Something that is not ours but runs has its revision's name: it is not
    "nothing", and must not be treated as a place nobody uses."""
    if tagged is not None:
        return tagged
    busy = int(service["desiredCount"]) > 0 or int(service["runningCount"]) > 0
    return str(service["taskDefinition"]).rsplit("/", 1)[-1] if busy else None


def slot_state(
    slot: Slot,
    service: Service,
    weight: int,
    release: str | None,
    health: tuple[int, int],
    failures: tuple[int, TaskFailure | None] = (0, None),
) -> SlotState:
    """One slot, from all that was read of it. `failures`: stopped tasks of the decisive deployment."""
    present, bad = primary(service), decisive(service)
    arrived = completed(service)
    healthy, unhealthy = health
    # A completed deployment has got over its first failures. Where nothing is healthy the stopped tasks
    # are counted too: ECS does not count those that died after they once ran.
    counted = 0 if arrived else int(bad.get("failedTasks") or 0)
    seen, failure = failures
    return SlotState(
        slot=slot,
        weight=weight,
        release=release,
        desired=int(service["desiredCount"]),
        running=int(service["runningCount"]),
        healthy=healthy,
        unhealthy=unhealthy,
        settled=settled(service),
        failed=gave_up(present) or (returns(present) and not arrived),
        rolled_back=goes_back(service),
        failed_tasks=counted if healthy else max(counted, seen),
        failure=failure,
        reason=complaint(service),
    )
