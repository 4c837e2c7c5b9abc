"""Traffic that stands on its way back, because AWS or the slot it belongs to was away: it is tried again.

Two ways lead there: a rollout that could not return its traffic, and a way back to a verified release
(`kind="restore"`) that had to stop. In neither is a decision of a person open: the next look may find the
world as it has to be. Whoever comes by tries again at once, the backstop every `AGAIN` seconds.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from delivery.core.ledger import LedgerRecord
from delivery.core.rollback import RollbackPolicy
from delivery.core.rollout import Rollout, RolloutPhase, Transition, resume
from delivery.core.wording import answers, span

#: Seconds to wait before it is tried again.
AGAIN = 300.0
TRYING = "trying again to return the traffic"


def stuck(rollout: Rollout) -> bool:
    """It goes back, or is itself the way back, and stands: only the world was not as it has to be."""
    return rollout.phase is RolloutPhase.PAUSED and (rollout.returning or rollout.kind == "restore")


def may_try_again(rollout: Rollout, policy: RollbackPolicy, now: datetime) -> bool:
    """Whether it is time. A failure that nobody mended for `max_age` is left to a person."""
    if not stuck(rollout) or not rollout.history:
        return False
    last = rollout.history[-1].at
    first = next((line.at for line in rollout.history if line.message == TRYING), last)
    rested = (now - last).total_seconds() >= AGAIN
    return rested and (now - first).total_seconds() <= policy.max_age


def try_again(rollout: Rollout, now: datetime) -> Rollout:
    """The rollout on its way once more, its patience renewed and its cause as it was first told.

    A way back goes on where it stopped. It stays what it is: it is not judged, and nothing is gone back from.
    """
    weight = rollout.history[-1].weight if rollout.history else rollout.weight
    return replace(
        resume(rollout, now),
        reason=_cause(rollout),
        history=(*rollout.history, Transition(now, weight, TRYING)),
    )


def tried_again(rollout: Rollout) -> bool:
    """Whether it was just taken up once more: people were told when it first stood."""
    return bool(rollout.history) and rollout.history[-1].message == TRYING


def options(record: LedgerRecord, rollout: Rollout, policy: RollbackPolicy) -> str:
    """What comes next for a paused rollout, as people are told: by itself, if anything, and by their word."""
    said = answers(record, rollout)
    again = f"Tried again every {span(AGAIN)} for {span(policy.max_age)}"
    return f"{again}; at once by {said}" if stuck(rollout) else f"Answer with {said}"


def _cause(rollout: Rollout) -> str:
    """Why it goes back. A ledger from before `Rollout.cause` knows it only of what was judged bad."""
    if not rollout.returning:
        return ""
    condemned = rollout.verdict if rollout.condemned else None
    return rollout.cause or (condemned.reason if condemned else "given up, as its story says")
