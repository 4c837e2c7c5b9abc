"""Every change of the ledger, as a pure function from one record to the next.

They are small on purpose: a writer that loses the race for the document loads it again and applies the
same change to what is there now.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from delivery.core.ledger import (
    Hold,
    LedgerRecord,
    Lifted,
    Lock,
    Outcome,
    Quarantine,
    ReleaseRecord,
    Restoration,
)
from delivery.core.release import Release
from delivery.core.rollout import Rollout

KEEP_RELEASES = 100
#: Of how many the samples that were compared are kept, for the next release to be compared with.
KEEP_COMPARED = 10
KEEP_RESTORATIONS = 50
KEEP_LIFTED = 20


def acquire_lock(
    record: LedgerRecord,
    holder: str,
    now: datetime,
    ttl: float,
    dead: str = "",
    url: str = "",
    retried: bool = True,
) -> LedgerRecord | None:
    """The record with `holder` in possession for `ttl` seconds; None while somebody else is.

    `url` is where people find it. `dead` is one known to be gone: the end of its lock is not waited for.
    The fence grows with every acquisition, also by the same holder: its earlier self is then a late writer.
    `retried`: whoever has that name is an earlier self, and not a person's other terminal.
    """
    lock, gone = record.lock, (holder, dead) if retried else (dead,)
    if lock is not None and lock.holder not in gone and now < lock.expires_at:
        return None
    fence = record.fence + 1
    taken = Lock(holder, now, now + timedelta(seconds=ttl), fence, url)
    return replace(record, lock=taken, fence=fence)


def renew_lock(record: LedgerRecord, fence: int, now: datetime, ttl: float) -> LedgerRecord | None:
    """The record with a later expiry; None when the lock is no longer the one with this fence."""
    if record.lock is None or record.lock.fence != fence:
        return None
    return replace(record, lock=replace(record.lock, expires_at=now + timedelta(seconds=ttl)))


def release_lock(record: LedgerRecord, fence: int) -> LedgerRecord:
    """The record without this lock; unchanged when somebody else has it by now."""
    if record.lock is None or record.lock.fence != fence:
        return record
    return replace(record, lock=None)


def put_rollout(record: LedgerRecord, rollout: Rollout) -> LedgerRecord:
    """Write down where the rollout stands."""
    return replace(record, rollout=rollout)


def record_outcome(record: LedgerRecord, entry: ReleaseRecord) -> LedgerRecord:
    """Record how a release ended. A newly verified one becomes `live` and supersedes the one before."""
    releases = record.releases
    live = record.live
    if entry.outcome is Outcome.VERIFIED:
        if live is not None and live.id != entry.release.id:
            releases = _with_outcome(releases, live.id, Outcome.SUPERSEDED, {Outcome.VERIFIED})
        live = entry.release
    return prune(replace(record, releases=(*releases, entry), live=live))


def mark_told(record: LedgerRecord, entry: ReleaseRecord) -> LedgerRecord:
    """Note that people heard of this outcome, so that nobody tells it again and the backstop need not."""
    return replace(
        record, releases=tuple(replace(r, told=True) if r == entry else r for r in record.releases)
    )


def mark_alarms(record: LedgerRecord, alarms: Iterable[tuple[str, datetime]], by: str) -> LedgerRecord:
    """Note who tells people of these firings; who was first stays, so that nobody tells one twice.

    The newest firing of each alarm is kept, of however many fire at once.
    """
    new = [one for one in alarms if not record.alarm_told_by(*one)]
    if not new:
        return record
    names = {name for name, _ in new}
    kept = [told for told in record.alarms_told if told[0] not in names]
    told = tuple((name, since.isoformat(), by) for name, since in new)
    return replace(record, alarms_told=(*kept, *told))


def impose_quarantine(record: LedgerRecord, entry: Quarantine) -> LedgerRecord:
    """Refuse this digest from now on; the first reason stays."""
    if record.quarantined(entry.digest):
        return record
    return replace(record, quarantine=(*record.quarantine, entry))


def lift_quarantine(record: LedgerRecord, digest: str, by: str, reason: str, now: datetime) -> LedgerRecord:
    """Allow this digest again (a person decided it), and keep who it was, and why."""
    entry = record.quarantined(digest)
    if entry is None:
        return record
    lifted = (*record.lifted, Lifted(entry, by, reason, now))[-KEEP_LIFTED:]
    kept = tuple(q for q in record.quarantine if q.digest != digest)
    return replace(record, quarantine=kept, lifted=lifted)


def begin_restoration(record: LedgerRecord, entry: Restoration) -> LedgerRecord:
    """Write down that a rollback begins; the one already begun for this release stays."""
    open_one = record.restoration_of(entry.bad)
    if open_one is not None and open_one.finished_at is None:
        return record
    return prune(replace(record, restorations=(*record.restorations, entry)))


def finish_restoration(
    record: LedgerRecord, ended: Restoration, good: Release | None, outcome: Outcome
) -> LedgerRecord:
    """Write down how the restoration of `ended.bad` ended; `good` is live again when it was verified.

    `outcome` is what becomes of the release that was taken off, if it had been verified before.
    """
    others = tuple(r for r in record.restorations if r.bad != ended.bad or r.finished_at is not None)
    changed = replace(record, restorations=(*others, ended))
    if good is None:
        return prune(changed)
    gone = {Outcome.VERIFIED, Outcome.SUPERSEDED}
    releases = _with_outcome(changed.releases, ended.bad, outcome, gone, ended.reason)
    releases = _with_outcome(releases, good.id, Outcome.VERIFIED, {Outcome.SUPERSEDED, Outcome.RESTORED_AWAY})
    return prune(replace(changed, live=good, releases=releases))


def impose_hold(record: LedgerRecord, hold: Hold) -> LedgerRecord:
    """Make deployments wait for a person; the first reason stays."""
    return record if record.hold else replace(record, hold=hold)


def lift_hold(record: LedgerRecord) -> LedgerRecord:
    """Let deployments go on (a person decided it)."""
    return replace(record, hold=None)


def approve(record: LedgerRecord, commit: str, by: str, now: datetime) -> LedgerRecord:
    """Add one person's approval of a commit; the same person counts once."""
    if any(c == commit and who == by for c, who, _ in record.approvals):
        return record
    return replace(record, approvals=(*record.approvals, (commit, by, now.isoformat())))


def prune(record: LedgerRecord) -> LedgerRecord:
    """Keep the document small: the newest releases and restorations, the last verified good always.

    So is what is known of the live one, which may be older: others came after it and were taken back.
    """
    releases, live = record.releases, record.live.id if record.live else None
    if len(releases) > KEEP_RELEASES:
        old, kept = releases[:-KEEP_RELEASES], releases[-KEEP_RELEASES:]
        good = [r for r in old if r.outcome in (Outcome.VERIFIED, Outcome.SUPERSEDED)]
        keeps_one = any(r.outcome in (Outcome.VERIFIED, Outcome.SUPERSEDED) for r in kept)
        also = {id(r) for r in [*([] if keeps_one else good[-1:]), *(r for r in old if r.release.id == live)]}
        releases = (*(r for r in old if id(r) in also), *kept)
    old, new = releases[:-KEEP_COMPARED], releases[-KEEP_COMPARED:]
    releases = (*(e if e.release.id == live else _slim(e) for e in old), *new)
    return replace(record, releases=releases, restorations=record.restorations[-KEEP_RESTORATIONS:])


def _slim(entry: ReleaseRecord) -> ReleaseRecord:
    """Without compared samples, which are many; they stay in the evidence of the commit (`health.json`)."""
    verdict = entry.verdict
    if verdict is None or all(r.compared is None for r in verdict.results):
        return entry
    results = tuple(replace(r, compared=None) for r in verdict.results)
    return replace(entry, verdict=replace(verdict, results=results))


def _with_outcome(
    releases: tuple[ReleaseRecord, ...], release_id: str, outcome: Outcome, only: set[Outcome],
    reason: str = "",
) -> tuple[ReleaseRecord, ...]:  # fmt: skip
    return tuple(
        replace(r, outcome=outcome, reason=reason or r.reason)
        if r.release.id == release_id and r.outcome in only
        else r
        for r in releases
    )
