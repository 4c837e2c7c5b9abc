"""A person returns to a verified release: no verdict is needed, and none is given."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from delivery.core import journal
from delivery.core.leaving import goods_from, leaving
from delivery.core.ledger import Hold, LedgerRecord, Outcome, ReleaseRecord, Restoration
from delivery.core.release import Release
from delivery.core.rollback import RollbackChoice
from delivery.core.rollout import RolloutPhase
from delivery.core.standing import failing, open_restoration
from delivery.errors import NotFoundError, RefusedError
from delivery.flows.control import abort_rollout
from delivery.flows.operation import Operation
from delivery.flows.patience import for_a_rollback
from delivery.flows.quarantine import elsewhere
from delivery.flows.restoring import conclude, finish_open, remembered, restore
from delivery.flows.session import Session, lock
from delivery.flows.settling import refuse_paused, return_again, settle
from delivery.flows.takeoff import look_until_whole

#: So many seconds after a rollback the next one has to say where to: most likely it means what is gone.
JUST_NOW = 60.0


@dataclass(frozen=True, slots=True)
class _Order:
    """What a person saw who asked for it: the release to leave, and the last rollback away from that."""

    left: Release | None
    before: Restoration | None
    to: str | None
    reason: str
    at: datetime


def return_to(op: Operation, environment: str, to: str | None, reason: str) -> Restoration:
    """Take the release that people see off without judging it: one on its way with traffic, else the live.

    A rollout in flight is given up first, by its own run, if that lives: it is waited for. One order takes
    one release off, whatever else does so at the same moment. Called again by the same holder (a killed
    run's retry) it ends what was begun, and goes back no further. RefusedError when there is nothing to
    leave or to return to, NotFoundError when `to` is none of those.
    """
    record = op.record(environment)
    left = leaving(record, f"{reason} ({op.holder})" if op.run_id else "")
    before = record.restoration_of(left.id) if left is not None else None
    order = _Order(left, before, to, reason, op.world.clock.now())
    _refuse_the_next(op, record, order)
    _give_up_in_flight(op, record, order)
    with lock(op, environment, for_a_rollback(op.spec(environment))) as session:
        if open_restoration(session.record) is not None:
            return_again(session)  # what stands on its way back is tried again by whoever comes by
        refuse_paused(session.record)
        known = _ours(session)
        if known is not None:
            return known
        refused = elsewhere(op, environment)
        _choose(session.record, order, refused)  # a refusal touches nothing, not even a rollout in flight
        settle(session, reason)
        targets = _choose(session.record, order, refused)
        return _done(session, order, targets) or _leave(session, order, targets)


def _refuse_the_next(op: Operation, record: LedgerRecord, order: _Order) -> None:
    """Nobody who sees a bad release go means the good one that has just come back in its place."""
    newest = next(reversed(record.restorations), None)
    retried = bool(op.run_id) and newest is not None and newest.by == op.holder
    if order.to is not None or order.left is None or newest is None or newest.finished_at is None or retried:
        return
    if not newest.restored or newest.good != order.left.id:
        return
    ago = (order.at - newest.finished_at).total_seconds()
    if ago < JUST_NOW:
        raise RefusedError(
            f"{record.service}/{record.environment} was not rolled back again",
            f"{newest.good} came back {ago:.0f} s ago by a rollback of {newest.bad} ({newest.by})",
            "To leave that one as well, say where to with `--to`, or wait a minute.",
        )  # fmt: skip


def _give_up_in_flight(op: Operation, record: LedgerRecord, order: _Order) -> None:
    """Ask for it in the ledger, where whoever drives the rollout reads it. A refusal touches nothing."""
    rollout = record.in_flight
    if rollout is None or rollout.kind == "restore" or rollout.phase is not RolloutPhase.PROGRESSING:
        return
    _choose(record, order, elsewhere(op, record.environment))
    op.progress(f"giving up the unfinished rollout of {rollout.release.id}: {order.reason}")
    with suppress(NotFoundError):  # it has ended meanwhile
        abort_rollout(op, record.environment, order.reason)


def _ours(session: Session) -> Restoration | None:
    """What this very holder began: ended now, if need be; of a run also what it ended."""
    op, begun = session.op, open_restoration(session.record)
    if begun is not None and begun.by == op.holder:
        op.progress(f"finishing the rollback of {begun.bad}, which was begun already")
        return finish_open(session)
    newest = next(reversed(session.record.restorations), None)
    return newest if op.run_id and newest is not None and newest.by == op.holder else None


def _done(session: Session, order: _Order, targets: tuple[Release, ...]) -> Restoration | None:
    """What somebody else did since this was asked for, if it is the same; deployments are held as well."""
    found = session.record.restoration_of(order.left.id) if order.left is not None else None
    if found is None or found == order.before or not found.restored:
        return None
    if order.to is not None and found.good != targets[0].id:
        return None
    session.op.progress(f"{found.bad} was rolled back meanwhile, by {found.by}")
    hold = _hold(session, order)
    session.write(lambda now: journal.impose_hold(now, hold))
    return found


def _leave(session: Session, order: _Order, targets: tuple[Release, ...]) -> Restoration:
    """Go from the release that has the traffic to the first target; verified only, if it is there already."""
    op, live, left, hold = session.op, session.record.live, order.left, _hold(session, order).reason
    assert live is not None  # `_choose` has refused otherwise
    returned = left is not None and targets[0].id == live.id
    off = left if returned and left is not None else live
    outcome, entry = _on_record(session, off, order.reason)
    begun = Restoration(off.id, "", order.reason, order.at, by=op.holder, hold=hold)
    if returned:
        seen = look_until_whole(session, off)
        stable = seen.slot(seen.stable)
        if stable.release == live.id and stable.weight == 100 and stable.healthy:
            ended = replace(begun, good=live.id, finished_at=session.now(), reflex=True)
            return conclude(session, ended, live, outcome, hold, entry)
    return restore(session, begun, RollbackChoice(targets, hold=hold), off, outcome, entry)


def _on_record(session: Session, off: Release, reason: str) -> tuple[Outcome, ReleaseRecord | None]:
    """What becomes of the release that is left, and the entry that the ledger needs of it, if any. One that
    was judged bad does not get away with it."""
    op, record, now = session.op, session.record, session.now()
    bad = failing(record, off)
    if bad is not None:
        session.write(lambda written: remembered(written, bad, op, now))
        return Outcome.FAILED, None
    entry = ReleaseRecord(off, Outcome.RESTORED_AWAY, now, reason, op.run_id)
    newest = record.record_of(off.id)
    known = newest is not None and (newest.outcome, newest.reason) == (entry.outcome, reason)
    needed = not known and (record.live is None or record.live.id != off.id)
    return Outcome.RESTORED_AWAY, entry if needed else None


def _hold(session: Session, order: _Order) -> Hold:
    by = session.op.holder
    return Hold(f"rolled back by {by}: {order.reason}", order.at, by)


def _choose(record: LedgerRecord, order: _Order, refused: Collection[str]) -> tuple[Release, ...]:
    """Where to return to, best first: `to` alone, if it is given."""
    what, live, to = f"{record.service}/{record.environment} was not rolled back", record.live, order.to
    if live is None:
        raise RefusedError(what, "nothing was ever verified here", "There is nothing to return to.")
    off = order.left or live
    good = tuple(goods_from(record, off, refused))
    known = ", ".join(release.id for release in good) or "none"
    fits = tuple(r for r in good if to is None or r.id == to or (len(to) >= 4 and r.commit.startswith(to)))
    if fits and (to is None or len(fits) == 1):
        return fits
    why = f"the verified releases before {off.id}, not quarantined, are: {known}"
    if to is None:
        raise RefusedError(what, why, "Deploy a good commit instead.")
    raise NotFoundError(what, f"{to} fits {len(fits)} of them: {why}", "Name one of these.")
