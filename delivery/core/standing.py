"""Which release of a commit is meant in an environment, and how it stands there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from delivery.core.analysis import Verdict
from delivery.core.ledger import LedgerRecord, Outcome, ReleaseRecord, Restoration
from delivery.core.release import Release
from delivery.core.rollout import Rollout, RolloutPhase


@dataclass(frozen=True, slots=True)
class Failing:
    """A release judged bad: since when, why, and whether it was live then (`late`) or still on its way."""

    release: Release
    at: datetime
    reason: str
    verdict: Verdict | None
    late: bool


def subject(record: LedgerRecord, sha: str) -> Release | None:
    """The release of this commit that is spoken of: on its way, else live, else the newest one recorded."""
    rollout, live = record.rollout, record.live
    moving = rollout is not None and rollout.release.commit == sha
    if rollout is not None and moving and rollout.kind == "deploy" and not handled(record, rollout):
        return rollout.release
    if live is not None and live.commit == sha:
        return live
    if rollout is not None and moving:
        return rollout.release
    return next((r.release for r in reversed(record.releases) if r.release.commit == sha), None)


def handled(record: LedgerRecord, rollout: Rollout) -> bool:
    """Whether everything that follows from an ended rollout was done: made live, taken back, or refused.

    Nothing follows from one that was given up without a judgement.
    """
    if rollout.phase is RolloutPhase.SUCCEEDED:
        if record.live is not None and record.live.id == rollout.release.id:
            return True
        entry = record.record_of(rollout.release.id)
        return entry is not None and entry.at >= rollout.started_at and _settled(record, entry)
    if rollout.phase is not RolloutPhase.ABORTED:
        return False
    verdict = rollout.verdict if rollout.condemned else None
    return verdict is None or settled_since(record, rollout.release.id, verdict.judged_at) is not None


def _settled(record: LedgerRecord, entry: ReleaseRecord) -> bool:
    """The release is on record as not live, and what follows from a failure was done."""
    if entry.outcome is not Outcome.FAILED:
        return True
    return settled_since(record, entry.release.id, failed_at(entry)) is not None


def settled_since(record: LedgerRecord, release_id: str, moment: datetime) -> Restoration | None:
    """The restoration away from a release that ended, or was refused, at `moment` or later."""
    found = record.restoration_of(release_id)
    if found is None or found.finished_at is None or found.finished_at < moment:
        return None
    return found


def failing(record: LedgerRecord, release: Release) -> Failing | None:
    """Why this release counts as bad here, if it does: a condemned rollout, or its newest record says so."""
    rollout = record.rollout
    if rollout is not None and rollout.release.id == release.id and rollout.kind == "deploy":
        verdict = rollout.verdict
        ended = rollout.phase is RolloutPhase.ABORTED
        if ended and rollout.condemned and verdict is not None:
            return Failing(release, verdict.judged_at, rollout.reason, verdict, late=False)
    entry = newest_failure(record, release)
    if entry is None or _deployed_since(record, release, entry):
        return None
    late = _was_verified(record, release)
    return Failing(release, failed_at(entry), entry.reason, entry.verdict, late)


def open_restoration(record: LedgerRecord) -> Restoration | None:
    """The rollback that was begun and has not ended."""
    return next((r for r in reversed(record.restorations) if r.finished_at is None), None)


def going_back(record: LedgerRecord) -> bool:
    """Whether traffic is on its way back, or has to go: a rollback was begun or follows from a failure."""
    rollout = record.in_flight
    if open_restoration(record) is not None:
        return True
    if rollout is not None:
        return rollout.kind == "restore" or rollout.phase is RolloutPhase.ABORTING
    ended = record.rollout
    releases = [ended.release] if ended is not None and ended.kind == "deploy" else []
    releases += [record.live] if record.live is not None else []
    found = ((release, failing(record, release)) for release in releases)
    return any(bad and settled_since(record, release.id, bad.at) is None for release, bad in found)


def newest_failure(record: LedgerRecord, release: Release) -> ReleaseRecord | None:
    """The newest record of the release, if it says that it failed."""
    entry = record.record_of(release.id)
    return entry if entry is not None and entry.outcome is Outcome.FAILED else None


def owed(record: LedgerRecord, release: Release) -> ReleaseRecord | None:
    """A failure that ended and that nobody was told of before a person let the release try again, in vain."""
    entry, rollout = newest_failure(record, release), record.rollout
    if entry is None or entry.told or rollout is None or failing(record, release) is not None:
        return None
    over = rollout.phase is RolloutPhase.ABORTED and settled_since(record, release.id, failed_at(entry))
    return entry if over else None


def on_record(record: LedgerRecord, bad: Failing) -> bool:
    """Whether this very failure is on record, and not only an earlier one of the same release."""
    entry = newest_failure(record, bad.release)
    return entry is not None and failed_at(entry) >= bad.at


def failed_at(entry: ReleaseRecord) -> datetime:
    """When it was judged bad."""
    return entry.verdict.judged_at if entry.verdict else entry.at


def _deployed_since(record: LedgerRecord, release: Release, failure: ReleaseRecord) -> bool:
    """A person let the release try again: an earlier failure no longer speaks of it."""
    rollout = record.rollout
    ours = rollout is not None and rollout.kind == "deploy" and rollout.release.id == release.id
    return rollout is not None and ours and failure.at <= rollout.started_at


def _was_verified(record: LedgerRecord, release: Release) -> bool:
    if record.live is not None and record.live.id == release.id:
        return True
    good = (Outcome.VERIFIED, Outcome.SUPERSEDED)
    return any(r.release.id == release.id and r.outcome in good for r in record.releases)
