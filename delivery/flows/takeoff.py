"""Taking a failing release off: what its own rollout gave back is verified, the rest is restored."""

from __future__ import annotations

from datetime import datetime, timedelta

from delivery.core.ledger import LedgerRecord, Outcome, Restoration
from delivery.core.release import Release
from delivery.core.rollback import choose
from delivery.core.rollout import Rollout
from delivery.core.standing import Failing
from delivery.core.target import TargetState
from delivery.flows import telling
from delivery.flows.quarantine import elsewhere
from delivery.flows.restoring import conclude, remembered, restore
from delivery.flows.session import Session, patiently


def take_off(session: Session, bad: Failing) -> Restoration:
    """Remember the failure, refuse its digest, return to the last verified good release, tell people."""
    now = session.now()
    session.write(lambda record: remembered(record, bad, session.op, now))
    reflex = _verify_reflex(session, bad) if not bad.late else None
    restoration = reflex or _restore(session, bad)
    tell(session, restoration)
    return restoration


def _verify_reflex(session: Session, bad: Failing) -> Restoration | None:
    """The rollout gave its traffic back itself: read that back and ask the targets.

    None when the bad release still has traffic (a rolling update has no other slot): it must be taken off.
    """
    rollout = session.record.rollout
    seen = look_until_whole(session, bad.release)
    stable = seen.slot(seen.stable)
    if stable.release == bad.release.id:
        return None
    good = _known(session.record, stable.release)
    refused = ""
    if stable.release is None or rollout is None or rollout.previous is None:
        refused = "no verified release to return to; the failing one has no traffic"
    elif stable.weight != 100 or stable.healthy == 0:
        refused = f"the traffic is with {stable.release}, {stable.weight} %, {stable.healthy} targets healthy"
    elif good is None:
        refused = f"{stable.release} has the traffic back, which was never verified"
    returned = _returned_at(rollout, bad.at) if rollout is not None else session.now()
    ended = Restoration(
        bad.release.id, stable.release or "", bad.reason, bad.at, max(returned, bad.at),
        session.op.holder, refused, reflex=True,
    )  # fmt: skip
    return conclude(session, ended, good if not refused else None, Outcome.FAILED, "")


def _restore(session: Session, bad: Failing) -> Restoration:
    """Choose the last verified good release and return to it; a refusal touches nothing."""
    now = session.now()
    refused_elsewhere, policy = elsewhere(session.op, session.spec.name), session.spec.rollback
    choice = choose(session.record, bad.release, bad.at, now, refused_elsewhere, policy)
    begun = Restoration(bad.release.id, "", bad.reason, now, by=session.op.holder, hold=choice.hold)
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


def look_until_whole(session: Session, bad: Release) -> TargetState:
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
    """The verified release that serves: the live one, or an earlier one that nobody refuses."""
    if record.live is not None and record.live.id == release_id:
        return record.live
    entry = record.record_of(release_id) if release_id is not None else None
    if entry is None or entry.outcome not in (Outcome.VERIFIED, Outcome.SUPERSEDED):
        return None
    return None if record.quarantined(entry.release.image.digest) else entry.release


def _returned_at(rollout: Rollout, condemned_at: datetime) -> datetime:
    """When the traffic was first read back as returned."""
    after = [line.at for line in rollout.history if line.at >= condemned_at and line.weight == 0]
    return after[0] if after else rollout.history[-1].at


def tell(session: Session, ended: Restoration) -> None:
    """People hear how it ended: restored in so many seconds, or not and why."""
    op, name = session.op, session.spec.name
    if ended.refused:
        title = f"{op.service.name} {name}: {ended.bad} was not rolled back"
        telling.notice(op, "rollback_refused", name, title, ended.refused)
        return
    seconds = ((ended.finished_at or ended.started_at) - ended.started_at).total_seconds()
    title = f"{op.service.name} {name}: {ended.bad} was rolled back to {ended.good} in {seconds:.0f} s"
    telling.notice(op, "rolled_back", name, title, ended.reason)
