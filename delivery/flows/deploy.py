"""Deploy one commit to one environment: begin its rollout, or go on with the one in the ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from delivery.core import journal
from delivery.core.ledger import LedgerRecord
from delivery.core.preparing import left_behind
from delivery.core.release import Release
from delivery.core.returning import options
from delivery.core.rollout import Rollout, RolloutPhase, begin
from delivery.core.standing import handled
from delivery.core.target import TargetState
from delivery.errors import DeliveryError, RefusedError
from delivery.flows import keys, quick, telling
from delivery.flows.deployable import check_before, check_image, check_ledger, release_for
from delivery.flows.driving import drive, take_over
from delivery.flows.operation import Operation, contract_of
from delivery.flows.patience import for_a_rollback
from delivery.flows.quarantine import refusal
from delivery.flows.report import catch_up
from delivery.flows.restoring import closed
from delivery.flows.session import Session, lock, patiently
from delivery.flows.settling import refuse_paused, refuse_unseen, return_again, settle


def deploy(op: Operation, environment: str, sha: str) -> Rollout:
    """Carry this commit's release to all of the traffic, or back.

    Returns the rollout when it SUCCEEDED or ABORTED, at once when it already had. RefusedError: a rule says
    no, or the rollout is paused and a person has to look. LockHeldError: somebody else deploys here; a
    rollback is waited for. Called again after a kill, it goes on where the ledger says.
    """
    try:
        ended = _deploy(op, environment, sha)
    except DeliveryError as error:
        telling.status(op, sha, "error", f"{error.what}: {error.why}", environment)
        raise
    key = keys.of_environment(op.service.name, sha, environment, "deployment")
    patiently(op, op.spec(environment), lambda: op.world.artifacts.save(key, ended))
    return ended


def refuse_given_up(op: Operation, environment: str, rollout: Rollout) -> None:
    """RefusedError if the rollout was given up: nobody judged its release, so that nothing may follow.

    The reason says who gave it up (a person, a pause that nobody answered) and why.
    """
    if rollout.phase is not RolloutPhase.ABORTED or rollout.condemned:
        return
    release = rollout.release
    telling.status(op, release.commit, "error", f"given up: {rollout.reason}", environment)
    raise RefusedError(
        f"The rollout of {release.id} in {environment} was given up", rollout.reason,
        "It was not judged and may come again: materialize `deployment` for that.",
    )  # fmt: skip


def _deploy(op: Operation, environment: str, sha: str) -> Rollout:
    record = patiently(op, op.spec(environment), lambda: op.record(environment))
    release, pushed = release_for(op, record, sha)
    ended = _ended(op, record, release)
    if ended is None:
        if not _in_flight(record, release):
            check_ledger(op, record, release)
            check_before(op, record, release)
            check_image(op, release, pushed)
        return _under_lock(op, environment, release)
    catch_up(op, environment, sha)
    return ended


def _under_lock(op: Operation, environment: str, release: Release) -> Rollout:
    with lock(op, environment, for_a_rollback(op.spec(environment))) as session:
        ours = _in_flight(session.record, release)
        refused = refusal(op, session.record, release) if ours else ""
        again = ours and return_again(session)
        if ours and not refused:
            _tell_again(session)
            refuse_paused(session.record)
            ended = take_over(session)
        else:
            refuse_unseen(settle(session, refused or f"superseded by {release.id}"))
            known = _ended(op, session.record, release)
            if known is not None:
                return known
            check_ledger(op, session.record, release)
            _begin(session, release)
            ended = drive(session)
        if ended.phase is RolloutPhase.PAUSED and not again:  # people know it
            _tell_paused(session, ended)
        refuse_paused(session.record)
        return ended


def _tell_paused(session: Session, rollout: Rollout) -> None:
    op, name = session.op, session.spec.name
    title = f"{op.service.name} {name}: the rollout of {rollout.release.id} is paused"
    body = f"{rollout.reason.rstrip('.')}. {options(session.record, rollout, session.spec.rollback)}"
    telling.notice(op, "paused", name, title, body)


def _tell_again(session: Session) -> None:
    """The retry of a killed run finds the rollout paused by that run: whether people heard of it, nobody
    knows."""
    rollout = session.record.rollout
    paused = rollout is not None and rollout.phase is RolloutPhase.PAUSED
    if rollout is not None and paused and _ended_since(rollout, session.op.retries_since):
        _tell_paused(session, rollout)


def _in_flight(record: LedgerRecord, release: Release) -> bool:
    rollout = record.in_flight
    return rollout is not None and rollout.release.id == release.id and rollout.kind == "deploy"


def _ended(op: Operation, record: LedgerRecord, release: Release) -> Rollout | None:
    """This release's rollout, if it is over and nothing has to be done again.

    Over is: all steps passed, or judged bad with the rollback still to come. What was given up without a
    judgement, or rolled back and released from quarantine by a person, may begin anew, but not by itself: a
    killed run's retry does not undo what a person decided meanwhile. A live release whose rollout the ledger
    no longer holds counts only if it is what serves.
    """
    rollout = record.rollout
    if rollout is not None and rollout.release.id == release.id:
        if rollout.phase is RolloutPhase.SUCCEEDED:
            return rollout
        if rollout.phase is RolloutPhase.ABORTED and rollout.condemned and not handled(record, rollout):
            return rollout
        if rollout.phase is RolloutPhase.ABORTED and _ended_since(rollout, op.retries_since):
            return rollout
    if record.live is None or record.live.id != release.id or record.in_flight is not None:
        return None
    spec = op.spec(record.environment)
    seen = patiently(op, spec, op.ports(contract_of(record)).target.observe)
    slot = seen.slot(seen.stable)
    if slot.release != release.id or slot.weight != 100 or not slot.serving:
        serves = f"{slot.release or 'nothing'} serves with {slot.weight} %, {slot.healthy} targets healthy"
        op.progress(f"{release.id} is recorded as live, but {serves}: deploying it")
        return None
    now = op.world.clock.now()
    return Rollout(
        release, (), slot.slot, now, now, phase=RolloutPhase.SUCCEEDED, reason="already live", traffic_at=now
    )


def _ended_since(rollout: Rollout, begun: datetime | None) -> bool:
    """Whether it ended after the run began whose retry this is."""
    return begun is not None and bool(rollout.history) and rollout.history[-1].at >= begun


def _begin(session: Session, release: Release) -> None:
    """Write down a new rollout. What the ledger holds of the last one's condemnation is kept first."""
    op, spec = session.op, session.spec
    telling.status(op, release.commit, "pending", f"deploying {release.id}", spec.name)
    seen: TargetState = patiently(op, spec, session.ports.target.observe)
    now = session.now()
    fast, why = quick.way(op, session.record, release)
    rollout = begin(
        release, spec.strategy, seen, now, spec.limits, known=session.record.known, before=spec.before,
        quick=fast, why=why,
    )  # fmt: skip

    rollout = replace(rollout, earlier_task=left_behind(session.record.rollout))

    def change(record: LedgerRecord) -> LedgerRecord:
        return journal.put_rollout(closed(record, op, now), rollout)

    session.write(change)
    op.progress(f"{spec.name}: {release.id} goes to {rollout.candidate} by {spec.strategy.kind}")
    if why:
        op.progress(f"{spec.name}: {why}")
