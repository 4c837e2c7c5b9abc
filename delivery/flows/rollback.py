"""Rollback: whichever of the five ways led here, one function, once per failing release."""

from __future__ import annotations

from datetime import datetime, timedelta

from delivery.core.ledger import LedgerRecord, Outcome, Restoration
from delivery.core.release import Release
from delivery.core.rollback import choose
from delivery.core.rollout import Rollout
from delivery.core.standing import Failing, failing, open_restoration, settled_since, subject
from delivery.core.target import TargetState
from delivery.errors import NotFoundError, RefusedError
from delivery.flows import keys, telling
from delivery.flows.deploy import refuse_paused, settle
from delivery.flows.operation import Operation
from delivery.flows.restoring import conclude, finish_open, remembered, restore
from delivery.flows.session import Session, lock, patiently


def rollback(op: Operation, environment: str, sha: str) -> Restoration:
    """Take this commit's failing release off, or verify that its own rollout already did.

    Returns how that ended; `refused` says why nothing was moved. Once per failure: called again, also by
    another trigger at the same time, it returns what the first one did. RefusedError when the release was
    not judged bad, or a person has to look first.
    """
    record = op.record(environment)
    restoration = None
    if open_restoration(record) is None:
        restoration = _done(record, _bad(op, record, sha))
    if restoration is None:
        with lock(op, environment) as session:
            restoration = _under_lock(session, sha)
    op.world.artifacts.save(keys.of_environment(op.service.name, sha, environment, "rollback"), restoration)
    return restoration


def _under_lock(session: Session, sha: str) -> Restoration:
    op = session.op
    begun = open_restoration(session.record)
    if begun is not None:
        refuse_paused(session.record)
        entry = session.record.record_of(begun.bad)
        ended = finish_open(session)
        _tell(session, ended)
        if entry is not None and entry.release.commit == sha:
            return ended
    bad = _bad(op, session.record, sha)
    done = _done(session.record, bad)
    if done is not None:
        return done
    _let_others_end(session, bad)
    now = session.now()
    session.write(lambda record: remembered(record, bad, op, now))
    reflex = _verify_reflex(session, bad) if not bad.late else None
    restoration = reflex or _take_off(session, bad)
    _tell(session, restoration)
    return restoration


def _bad(op: Operation, record: LedgerRecord, sha: str) -> Failing:
    """The commit's failing release."""
    release = subject(record, sha)
    if release is None:
        raise NotFoundError(
            f"{sha[:8]} was never deployed to {record.environment}", "the ledger does not know it",
            "Nothing to roll back.",
        )  # fmt: skip
    bad = failing(record, release)
    if bad is None:
        raise RefusedError(
            f"{release.id} was not rolled back", "it was not judged bad",
            "Materialize `health` first: its verdict decides.",
        )  # fmt: skip
    return bad


def _done(record: LedgerRecord, bad: Failing) -> Restoration | None:
    return settled_since(record, bad.release.id, bad.at)


def _let_others_end(session: Session, bad: Failing) -> None:
    """A rollout of another release that nobody drives any more is given up: what serves is failing."""
    rollout = session.record.in_flight
    if rollout is None:
        return
    if rollout.release.id == bad.release.id:
        refuse_paused(session.record)
    settle(session, f"the live release {bad.release.id} is failing")


def _verify_reflex(session: Session, bad: Failing) -> Restoration | None:
    """The rollout gave its traffic back itself: read that back and ask the targets.

    None when the bad release still has traffic (a rolling update has no other slot): it must be taken off.
    """
    rollout = session.record.rollout
    seen = _look_until_whole(session, bad.release)
    stable = seen.slot(seen.stable)
    if stable.release == bad.release.id and stable.desired > 0:
        return None
    good = _known(session.record, stable.release)
    refused = ""
    if stable.release is None or rollout is None or rollout.previous is None:
        refused = "no verified release to return to; the failing one has no traffic"
    elif stable.weight != 100 or stable.healthy == 0:
        refused = f"the traffic is with {stable.release}, {stable.weight} %, {stable.healthy} targets healthy"
    returned = _returned_at(rollout, bad.at) if rollout is not None else session.now()
    ended = Restoration(
        bad.release.id, stable.release or "", bad.reason, bad.at, max(returned, bad.at),
        session.op.holder, refused, reflex=True,
    )  # fmt: skip
    return conclude(session, ended, good if not refused else None, Outcome.FAILED, "")


def _take_off(session: Session, bad: Failing) -> Restoration:
    """Choose the last verified good release and return to it; a refusal touches nothing."""
    now = session.now()
    choice = choose(session.record, bad.release, bad.at, now)
    begun = Restoration(bad.release.id, "", bad.reason, now, by=session.op.holder)
    refused = choice.refused or _not_serving(session, bad.release)
    if refused:
        ended = Restoration(
            bad.release.id, "", bad.reason, now, now, session.op.holder, refused,
        )  # fmt: skip
        return conclude(session, ended, None, Outcome.FAILED, choice.hold)
    return restore(session, begun, choice, bad.release, Outcome.FAILED)


def _not_serving(session: Session, bad: Release) -> str:
    """Why there is nothing to take off: somebody else already put another release in its place."""
    seen = patiently(session.op, session.spec, session.ports.target.observe)
    stable = seen.slot(seen.stable)
    if stable.release == bad.id:
        return ""
    return f"{stable.release or 'nothing'} serves in {stable.slot}, not {bad.id}"


def _look_until_whole(session: Session, bad: Release) -> TargetState:
    """Look until the traffic is with one healthy slot other than the bad one's, or clearly will not be."""
    op, limits = session.op, session.spec.limits
    end = session.now() + timedelta(seconds=limits.shift_timeout)
    while True:
        seen = patiently(op, session.spec, session.ports.target.observe)
        stable = seen.slot(seen.stable)
        whole = stable.weight == 100 and (stable.healthy > 0 or stable.release is None)
        if whole or stable.release == bad.id or session.now() >= end:
            return seen
        session.sleep_until(session.now() + timedelta(seconds=limits.tick))


def _known(record: LedgerRecord, release_id: str | None) -> Release | None:
    """The verified live release, if it is what serves."""
    return record.live if record.live is not None and record.live.id == release_id else None


def _returned_at(rollout: Rollout, condemned_at: datetime) -> datetime:
    """When the traffic was first read back as returned."""
    after = [line.at for line in rollout.history if line.at >= condemned_at and line.weight == 0]
    return after[0] if after else rollout.history[-1].at


def _tell(session: Session, ended: Restoration) -> None:
    """People hear how it ended: restored in so many seconds, or not and why."""
    op, name = session.op, session.spec.name
    if ended.refused:
        title = f"{op.service.name} {name}: {ended.bad} was not rolled back"
        telling.notice(op, "rollback_refused", name, title, ended.refused)
        return
    seconds = ((ended.finished_at or ended.started_at) - ended.started_at).total_seconds()
    title = f"{op.service.name} {name}: {ended.bad} was rolled back to {ended.good} in {seconds:.0f} s"
    telling.notice(op, "rolled_back", name, title, ended.reason)
