"""Where to go back to, and when not to: the last *verified good* release, never "the one before"."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from delivery.core.ledger import LedgerRecord, Outcome
from delivery.core.release import Release

_GOOD = (Outcome.VERIFIED, Outcome.SUPERSEDED)


@dataclass(frozen=True, slots=True)
class RollbackPolicy:
    """When the way back is left to a person; seconds.

    max_age         a failure older than this is not acted on: people have got used to it, or mended it
    flapping_count  this many restorations within `flapping_span` are flapping: the last one is done, and
    flapping_span   the next deployment waits for a person
    """

    max_age: float = 24 * 3600.0
    flapping_count: int = 3
    flapping_span: float = 3600.0


@dataclass(frozen=True, slots=True)
class RollbackChoice:
    """What a rollback may do: the candidates to return to, best first, or why it may not.

    `hold` asks for deployments to wait for a person afterwards, and says why.
    """

    targets: tuple[Release, ...] = ()
    refused: str = ""
    hold: str = ""


def choose(
    record: LedgerRecord,
    bad: Release,
    failed_at: datetime,
    now: datetime,
    elsewhere: Collection[str] = (),
    policy: RollbackPolicy = RollbackPolicy(),
) -> RollbackChoice:
    """Decide an automatic rollback of `bad`, which was judged bad at `failed_at`.

    Refused: an old failure; a release that is itself the result of a rollback (the next one back may be
    worse, so a person looks); nothing good to return to. A refusal touches nothing. `elsewhere`: digests
    that other environments have in quarantine.
    """
    if (now - failed_at).total_seconds() > policy.max_age:
        return RollbackChoice(
            refused=f"the failure is from {failed_at:%Y-%m-%d %H:%M} UTC, too old to act on "
            f"(older than {_span(policy.max_age)})"
        )
    if _was_restored(record, bad.id):
        reason = f"{bad.id} is itself the result of a rollback"
        return RollbackChoice(refused=f"{reason}; a rollback is never rolled back", hold=reason)
    targets = tuple(goods_before(record, bad, elsewhere))
    if not targets:
        return RollbackChoice(refused="no verified release to return to", hold="")
    moved = [r for r in record.restorations if r.restored and not r.reflex]
    recent = [r for r in moved if now - r.started_at <= timedelta(seconds=policy.flapping_span)]
    flapping = len(recent) + 1 >= policy.flapping_count
    hold = f"{len(recent) + 1} rollbacks within {_span(policy.flapping_span)}" if flapping else ""
    return RollbackChoice(targets, hold=hold)


def goods_before(record: LedgerRecord, bad: Release, elsewhere: Collection[str] = ()) -> Iterator[Release]:
    """Verified releases other than `bad`, newest first, not quarantined here or `elsewhere`, each once.

    Those that were verified by a person's word alone come last: what was measured to be good is safer.
    What was recorded after `bad` had been verified itself is not "before" it.
    """
    entries = list(record.releases)
    verified = [i for i, r in enumerate(entries) if r.release.id == bad.id and r.outcome in _GOOD]
    if verified:
        entries = entries[: verified[-1]]
    seen, by_word = {bad.id}, []
    for entry in reversed(entries):
        release = entry.release
        digest = release.image.digest
        refused = digest in elsewhere or record.quarantined(digest) is not None
        fit = digest != bad.image.digest and not refused
        if entry.outcome in _GOOD and fit and release.id not in seen:
            seen.add(release.id)
            if entry.by_word:
                by_word.append(release)
            else:
                yield release
    yield from by_word


def _span(seconds: float) -> str:
    """`24 h`, `90 s`: in hours where it is one or more."""
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds:g} s"


def _was_restored(record: LedgerRecord, release_id: str) -> bool:
    """The newest thing that happened to the release that serves is a restoration to it.

    A reflex is none: there a candidate gave traffic back to a release that had stayed live.
    """
    newest = next((r for r in reversed(record.restorations) if r.restored and not r.reflex), None)
    if newest is None or newest.good != release_id or newest.finished_at is None:
        return False
    verified = [r.at for r in record.releases if r.release.id == release_id and r.outcome in _GOOD]
    return not verified or verified[-1] <= newest.finished_at
