"""A person stops a rollout where it stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from delivery.core.rollout import Rollout, Transition
from delivery.core.strategy import Analyze, Bake, Pause

#: Seconds after which a rollout that a person stopped and nobody continued waits for a look (PAUSED).
PATIENCE = 86400.0


def unanswered(rollout: Rollout) -> bool:
    """At a pause that no person has said `continue` to yet."""
    return rollout.waiting and rollout.answered != rollout.index


def let_go(rollout: Rollout) -> Rollout | None:
    """The rollout that goes through the pause it was on its way to, as if a person had answered there.

    None when nobody stopped it.
    """
    after = rollout.index + 1
    following = rollout.steps[after] if after < len(rollout.steps) else None
    ahead = isinstance(following, Pause) and following.then == "stop" and not rollout.waiting
    if not ahead or not rollout.stopped_by:
        return None
    return replace(rollout, answered=after, reason="", stopped_by="")


def halt(rollout: Rollout, by: str, why: str, now: datetime, patience: float = PATIENCE) -> Rollout | None:
    """The rollout with a pause before its next share; None when no step is left to wait before.

    `by` is the person who wants it.

    It is a step like the pauses of a strategy: the candidate keeps its share and is judged all the time, and
    given up as soon as it fails. It never goes on by itself. A launch, a shift or a task on its way is
    brought to its end first, for half of one is no place to stand; an analysis begins anew afterwards.
    """
    step, at = rollout.step, rollout.index
    if step is None:
        return None
    rest = rollout.steps[at + 1 :] if isinstance(step, Pause) else rollout.steps[at:]
    before = rollout.steps[:at]
    if not isinstance(step, Pause | Analyze | Bake):
        before, rest = (*before, step), rest[1:]
    weight = rollout.history[-1].weight if rollout.history else 0
    reason = f"paused by {by}: {why}"
    return replace(
        rollout,
        steps=(*before, Pause(patience, "stop"), *rest),
        entered_at=rollout.entered_at if len(before) > at else now,
        answered=-1,
        reason=reason,
        stopped_by=by,
        history=(*rollout.history, Transition(now, weight, reason)),
    )
