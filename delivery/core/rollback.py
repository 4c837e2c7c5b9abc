"""Where to go back to, and when not to: the last *verified good* release, never "the one before"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from delivery.core.ledger import LedgerRecord, Outcome
from delivery.core.release import Release

#: A failure older than this is left to a person: by then people have got used to it, or mended it.
MAX_AGE = timedelta(hours=24)
#: This many restorations within the span are flapping: the next deployment waits for a person.
FLAPPING_COUNT = 3
FLAPPING_SPAN = timedelta(hours=1)

_GOOD = (Outcome.VERIFIED, Outcome.SUPERSEDED)


@dataclass(frozen=True, slots=True)
class RollbackChoice:
    """What a rollback may do: the candidates to return to, best first, or why it may not.

    `hold` asks for deployments to wait for a person afterwards, and says why.
    """

    targets: tuple[Release, ...] = ()
    refused: str = ""
    hold: str = ""


def choose(record: LedgerRecord, bad: Release, failed_at: datetime, now: datetime) -> RollbackChoice:
    """Decide an automatic rollback of `bad`, which was judged bad at `failed_at`.

    Refused: an old failure; a release that is itself the result of a rollback (the next one back may be
    worse, so a person looks); nothing good to return to. A refusal touches nothing.
    """
    if now - failed_at > MAX_AGE:
        return RollbackChoice(
            refused=f"the failure is from {failed_at:%Y-%m-%d %H:%M} UTC, too old to act on"
        )
    if _was_restored(record, bad.id):
        reason = f"{bad.id} is itself the result of a rollback"
        return RollbackChoice(refused=f"{reason}; a rollback is never rolled back", hold=reason)
    targets = tuple(goods_before(record, bad))
    if not targets:
        return RollbackChoice(refused="no verified release to return to", hold="")
    moved = [r for r in record.restorations if r.restored and not r.reflex]
    recent = [r for r in moved if now - r.started_at <= FLAPPING_SPAN]
    flapping = len(recent) + 1 >= FLAPPING_COUNT
    hold = (
        f"{len(recent) + 1} rollbacks within {FLAPPING_SPAN.total_seconds() / 3600:g} h" if flapping else ""
    )
    return RollbackChoice(targets, hold=hold)


def goods_before(record: LedgerRecord, bad: Release) -> Iterator[Release]:
    """Verified releases other than `bad`, newest first, not quarantined, each once.

    What was recorded after `bad` had been verified itself is not "before" it.
    """
    entries = list(record.releases)
    verified = [i for i, r in enumerate(entries) if r.release.id == bad.id and r.outcome in _GOOD]
    if verified:
        entries = entries[: verified[-1]]
    seen = {bad.id}
    for entry in reversed(entries):
        release = entry.release
        fit = release.image.digest != bad.image.digest and not record.quarantined(release.image.digest)
        if entry.outcome in _GOOD and fit and release.id not in seen:
            seen.add(release.id)
            yield release


def _was_restored(record: LedgerRecord, release_id: str) -> bool:
    """The newest thing that happened to the release that serves is a restoration to it.

    A reflex is none: there a candidate gave traffic back to a release that had stayed live.
    """
    newest = next((r for r in reversed(record.restorations) if r.restored and not r.reflex), None)
    if newest is None or newest.good != release_id or newest.finished_at is None:
        return False
    verified = [r.at for r in record.releases if r.release.id == release_id and r.outcome in _GOOD]
    return not verified or verified[-1] <= newest.finished_at
