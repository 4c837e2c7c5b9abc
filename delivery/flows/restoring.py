"""The way back to a verified release: begun in the ledger, driven like a rollout, concluded in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from delivery.core import journal
from delivery.core.ledger import (
    Hold,
    LedgerRecord,
    Outcome,
    Quarantine,
    ReleaseRecord,
    Restoration,
)
from delivery.core.preparing import left_behind
from delivery.core.release import Release
from delivery.core.returning import options, tried_again
from delivery.core.rollback import RollbackChoice, goods_before
from delivery.core.rollout import Rollout, RolloutPhase, begin
from delivery.core.standing import Failing, failing, handled, on_record, open_restoration
from delivery.errors import ConflictError, RefusedError
from delivery.flows import telling
from delivery.flows.driving import drive, take_over
from delivery.flows.operation import Operation
from delivery.flows.quarantine import elsewhere
from delivery.flows.session import Session, patiently


def closed(record: LedgerRecord, op: Operation, now: datetime) -> LedgerRecord:
    """The record in which what is known of the last rollout's release does not depend on that rollout."""
    rollout = record.rollout
    if rollout is None or rollout.kind == "restore":
        return record
    bad = failing(record, rollout.release)
    if bad is not None:
        # Once: a person may have lifted its quarantine since.
        return record if on_record(record, bad) else remembered(record, bad, op, now)
    if handled(record, rollout) or rollout.phase is not RolloutPhase.SUCCEEDED:
        return record
    reason = "had all the traffic and was never verified"
    return journal.record_outcome(
        record, ReleaseRecord(rollout.release, Outcome.RESTORED_AWAY, now, reason, op.run_id)
    )


def remembered(record: LedgerRecord, bad: Failing, op: Operation, now: datetime) -> LedgerRecord:
    """The failure on record and the digest in quarantine; once, however often it is applied."""
    if not on_record(record, bad):
        entry = ReleaseRecord(bad.release, Outcome.FAILED, now, bad.reason, op.run_id, bad.verdict)
        record = journal.record_outcome(record, entry)
    image = bad.release.image.digest
    return journal.impose_quarantine(
        record, Quarantine(image, bad.release.commit, bad.reason, op.holder, now)
    )


def restore(
    session: Session,
    begun: Restoration,
    choice: RollbackChoice,
    bad: Release,
    outcome: Outcome,
    left: ReleaseRecord | None = None,
) -> Restoration:
    """Return to the first of `choice.targets` that comes up; what ended, written down.

    `outcome` is what becomes of `bad`; `left` is its entry, if the ledger has none yet. It is written with
    the beginning of the way back, for alone it would make the next order leave another release.

    RefusedError when the way back had to stop: people are told, once, and it is tried again
    (`core.returning`). When no target comes up, the restoration is refused and deployments are held; when a
    person gives the way back up, it is refused and goes no further back.
    """
    for good in _targets(session, begun, choice):
        started = open_restoration(session.record) or replace(begun, good=good.id)
        stood = False
        if _returning_to(session.record, good):
            stood = session.record.rollout is not None and tried_again(session.record.rollout)
            ended = take_over(session)
        else:
            _begin(session, replace(started, good=good.id), good, left)
            ended = drive(session)
        if ended.phase is RolloutPhase.PAUSED:
            raise _stands(session, bad, ended, told=stood)
        if ended.phase is RolloutPhase.SUCCEEDED:
            done = replace(started, good=good.id, finished_at=session.now())
            return conclude(session, done, good, outcome, choice.hold, left)
        if ended.condemned:
            session.op.progress(f"{good.id} did not come up: {ended.reason}")
    given_up = _given_up(session.record)
    why = f"given up: {given_up}" if given_up else "no verified release could be brought up"
    refused = replace(begun, refused=why, finished_at=session.now())
    return conclude(session, refused, None, outcome, "" if given_up else why, left)


def _stands(session: Session, bad: Release, rollout: Rollout, told: bool) -> RefusedError:
    """The error of a way back that had to stop; people are told why, and what happens by itself."""
    op, name = session.op, session.spec.name
    next_steps = options(session.record, rollout, session.spec.rollback)
    if not told:
        title = f"{op.service.name} {name}: the way back from {bad.id} to {rollout.release.id} stands"
        telling.notice(op, "paused", name, title, f"{rollout.reason.rstrip('.')}. {next_steps}")
    return RefusedError(f"The rollback of {bad.id} is paused", rollout.reason, f"Look. {next_steps}")


def conclude(
    session: Session,
    ended: Restoration,
    good: Release | None,
    outcome: Outcome,
    hold: str,
    left: ReleaseRecord | None = None,
) -> Restoration:
    """Write down how a restoration ended, and what it left; hold deployments if that was asked for."""
    now = session.now()

    def change(record: LedgerRecord) -> LedgerRecord:
        if ended in record.restorations:
            return record
        record = journal.finish_restoration(_with(record, left), ended, good, outcome)
        if hold:
            record = journal.impose_hold(record, Hold(hold, now, session.op.holder))
        return record

    session.write(change)
    return ended


def finish_open(session: Session) -> Restoration:
    """Go on with the restoration that a killed worker left."""
    begun = open_restoration(session.record)
    entry = session.record.record_of(begun.bad) if begun is not None else None
    if begun is None or entry is None:
        raise ConflictError(
            "The unfinished rollback is not in the ledger", "what it goes away from is not known",
            f"`delivery abort {session.op.service.name} {session.spec.name}`, then look.",
        )  # fmt: skip
    refused = elsewhere(session.op, session.spec.name)
    choice = RollbackChoice(tuple(goods_before(session.record, entry.release, refused)), hold=begun.hold)
    outcome = Outcome.FAILED if entry.outcome is Outcome.FAILED else Outcome.RESTORED_AWAY
    return restore(session, begun, choice, entry.release, outcome)


def _targets(session: Session, begun: Restoration, choice: RollbackChoice) -> Iterator[Release]:
    """The releases to try, the one on its way first, without those that did not come up or are gone.

    None any more as soon as a person has given the way back up.
    """
    if _given_up(session.record):
        return
    rollout = session.record.rollout
    resumed = (
        open_restoration(session.record) is not None and rollout is not None and rollout.kind == "restore"
    )
    tried = {rollout.release.id} if resumed and rollout is not None else set()
    if resumed and rollout is not None and rollout.phase is not RolloutPhase.ABORTED:
        yield rollout.release
    for good in choice.targets:
        if _given_up(session.record):
            return
        if good.id in tried:
            continue
        tried.add(good.id)
        if not _exists(session, good):
            session.op.progress(f"the registry no longer has the image of {good.id}, looking further back")
            continue
        yield good


def _given_up(record: LedgerRecord) -> str:
    """Why a person gave the way back up that is open; empty if nobody did."""
    rollout = record.rollout
    if rollout is None or rollout.kind == "deploy" or open_restoration(record) is None:
        return ""
    return rollout.reason if rollout.phase is RolloutPhase.ABORTED and not rollout.condemned else ""


def _exists(session: Session, good: Release) -> bool:
    return patiently(session.op, session.spec, lambda: session.op.world.registry.exists(good.image))


def _returning_to(record: LedgerRecord, good: Release) -> bool:
    """Whether the ledger's rollout is already the way back to this release."""
    rollout = record.rollout
    return (
        rollout is not None
        and rollout.kind == "restore"
        and rollout.release.id == good.id
        and rollout.phase is not RolloutPhase.ABORTED
        and open_restoration(record) is not None
    )


def _with(record: LedgerRecord, left: ReleaseRecord | None) -> LedgerRecord:
    """The record with that entry, once."""
    return record if left is None or left in record.releases else journal.record_outcome(record, left)


def _begin(session: Session, begun: Restoration, good: Release, left: ReleaseRecord | None) -> Rollout:
    """Write down the way back, then tell people, then nothing but the driving is left."""
    op, spec = session.op, session.spec
    seen, now = patiently(op, spec, session.ports.target.observe), session.now()
    rollout = begin(good, spec.strategy, seen, now, spec.limits, kind="restore")
    rollout = replace(rollout, earlier_task=left_behind(session.record.rollout))

    def change(record: LedgerRecord) -> LedgerRecord:
        record = closed(_with(record, left), op, now)
        return journal.put_rollout(journal.begin_restoration(record, begun), rollout)

    session.write(change)
    title = f"{op.service.name} {spec.name}: {begun.bad} goes back to {good.id}"
    telling.notice(op, "rollback_started", spec.name, title, begun.reason)
    return rollout
