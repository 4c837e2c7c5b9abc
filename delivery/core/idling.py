"""When a rollout only waits, so that a look at it may be a few seconds old.

An old look can only lead to more waiting. Whatever else would follow from it is decided by a fresh one.
"""

from __future__ import annotations

from delivery.core.analysis import RuleResult, Verdict, VerdictPhase
from delivery.core.rollout import Decision, Rollout, RolloutPhase
from delivery.core.strategy import Analyze, Bake, Pause
from delivery.core.target import TargetState

#: Seconds that the deploy lock lasts: at first, and at most while nothing happens.
LOCK_SECONDS, LONGEST_LOCK = 60.0, 180.0


def only_waits(rollout: Rollout, decision: Decision) -> bool:
    """Nothing follows from the look: nothing to do, and nothing to write down."""
    return decision.rollout == rollout and not decision.actions


def calm(rollout: Rollout, seen: TargetState, verdict: Verdict | None) -> bool:
    """Nothing moves and nothing is suspicious, so that the next look may be an old one."""
    if rollout.phase is not RolloutPhase.PROGRESSING or not isinstance(rollout.step, Analyze | Bake | Pause):
        return False
    if rollout.pending or rollout.errors:
        return False
    slot = seen.slot(rollout.candidate)
    well = slot.serving and slot.settled and not (slot.failed or slot.failed_tasks or slot.unhealthy)
    return well and not any(map(_suspicious, verdict.results if verdict else ()))


def lock_for(quiet: float) -> float:
    """How long the lock is taken for, after so many quiet seconds.

    A worker of which nobody knows that it died is missed the longer the longer it waited, and no longer than
    `LONGEST_LOCK`; a hundred that wait for long write the ledger less than once a second.
    """
    return min(LONGEST_LOCK, LOCK_SECONDS + 2 * quiet)


def _suspicious(result: RuleResult) -> bool:
    """It failed, could not be asked, or its newest sample is over the limit."""
    if not result.counts:
        return False
    if result.phase in (VerdictPhase.FAILED, VerdictPhase.ERROR):
        return True
    rule = result.basis.rule if result.basis else None
    return rule is not None and bool(result.samples) and rule.breaches(result.samples[-1].value)
