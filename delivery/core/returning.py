"""Traffic that could not be returned in its time, because AWS or the slot it belongs to was away."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from delivery.core.rollback import RollbackPolicy
from delivery.core.rollout import Rollout, RolloutPhase, Transition, resume

#: Seconds to wait before it is tried again.
AGAIN = 300.0
TRYING = "trying again to return the traffic"


def stuck(rollout: Rollout) -> bool:
    """It goes back, and stands: no decision of a person is open, only the world was not as it has to be."""
    return rollout.phase is RolloutPhase.PAUSED and rollout.returning and rollout.kind == "deploy"


def may_try_again(rollout: Rollout, policy: RollbackPolicy, now: datetime) -> bool:
    """Whether it is time. A failure that nobody mended for `max_age` is left to a person."""
    if not stuck(rollout) or not rollout.history:
        return False
    last = rollout.history[-1].at
    first = next((line.at for line in rollout.history if line.message == TRYING), last)
    rested = (now - last).total_seconds() >= AGAIN
    return rested and (now - first).total_seconds() <= policy.max_age


def try_again(rollout: Rollout, now: datetime) -> Rollout:
    """The rollout on its way back once more, its patience renewed and its cause as it was."""
    condemned = rollout.verdict if rollout.condemned else None
    weight = rollout.history[-1].weight if rollout.history else rollout.weight
    return replace(
        resume(rollout, now),
        reason=condemned.reason if condemned else "given up, as its story says",
        history=(*rollout.history, Transition(now, weight, TRYING)),
    )
