"""A person returns to a verified release: no verdict is needed, and none is given."""

from __future__ import annotations

from contextlib import suppress

from delivery.core.ledger import LedgerRecord, Outcome, Restoration
from delivery.core.release import Release
from delivery.core.rollback import RollbackChoice, goods_before
from delivery.core.rollout import RolloutPhase
from delivery.core.standing import open_restoration
from delivery.errors import NotFoundError, RefusedError
from delivery.flows.control import abort_rollout
from delivery.flows.operation import Operation
from delivery.flows.patience import for_a_rollback
from delivery.flows.restoring import finish_open, restore
from delivery.flows.session import Session, lock
from delivery.flows.settling import refuse_paused, settle


def return_to(op: Operation, environment: str, to: str | None, reason: str) -> Restoration:
    """Take the live release off without judging it; a rollout in flight is given up first.

    By its own run, if that lives: it is waited for. Called again by the same holder (a killed run's retry) it
    ends what was begun, and goes back no further. RefusedError when there is nothing to leave or to return
    to, NotFoundError when `to` is none of those.
    """
    _give_up_in_flight(op, environment, to, reason)
    with lock(op, environment, for_a_rollback(op.spec(environment))) as session:
        refuse_paused(session.record)
        known = _ours(session)
        if known is not None:
            return known
        _choose(session.record, to)  # a refusal touches nothing, not even a rollout in flight
        settle(session, reason)
        live, targets = _choose(session.record, to)
        begun = Restoration(live.id, "", reason, session.now(), by=op.holder)
        choice = RollbackChoice(targets, hold=f"rolled back by {op.holder}: {reason}")
        return restore(session, begun, choice, live, Outcome.RESTORED_AWAY)


def _give_up_in_flight(op: Operation, environment: str, to: str | None, reason: str) -> None:
    """Ask for it in the ledger, where whoever drives the rollout reads it. A refusal touches nothing."""
    record = op.record(environment)
    rollout = record.in_flight
    if rollout is None or rollout.kind == "restore" or rollout.phase is not RolloutPhase.PROGRESSING:
        return
    _choose(record, to)
    op.progress(f"giving up the unfinished rollout of {rollout.release.id}: {reason}")
    with suppress(NotFoundError):  # it has ended meanwhile
        abort_rollout(op, environment, reason)


def _ours(session: Session) -> Restoration | None:
    """What this very holder began: ended now, if need be; of a run also what it ended."""
    op, begun = session.op, open_restoration(session.record)
    if begun is not None and begun.by == op.holder:
        op.progress(f"finishing the rollback of {begun.bad}, which was begun already")
        return finish_open(session)
    newest = next(reversed(session.record.restorations), None)
    return newest if op.run_id and newest is not None and newest.by == op.holder else None


def _choose(record: LedgerRecord, to: str | None) -> tuple[Release, tuple[Release, ...]]:
    """The release to leave, and where to return to, best first: `to` alone, if it is given."""
    what, live = f"{record.service}/{record.environment} was not rolled back", record.live
    if live is None:
        raise RefusedError(what, "nothing was ever verified here", "There is nothing to return to.")
    good = tuple(goods_before(record, live))
    known = ", ".join(release.id for release in good) or "none"
    fits = tuple(r for r in good if to is None or r.id == to or (len(to) >= 4 and r.commit.startswith(to)))
    if fits and (to is None or len(fits) == 1):
        return live, fits
    why = f"the verified releases before {live.id}, not quarantined, are: {known}"
    if to is None:
        raise RefusedError(what, why, "Deploy a good commit instead.")
    raise NotFoundError(what, f"{to} fits {len(fits)} of them: {why}", "Name one of these.")
