"""What a person's rollback goes away from, and where to: not what happens to be recorded as live, but the
newest release that people see."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from delivery.core.ledger import LedgerRecord
from delivery.core.release import Release
from delivery.core.rollback import goods_before
from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.standing import handled, open_restoration
from delivery.core.strategy import SetWeight


def leaving(record: LedgerRecord, order: str = "") -> Release | None:
    """The release that a person who orders a rollback now wants to be rid of; None before any was live.

    What a rollback under way is leaving already, else a release on its way that has a share of the traffic,
    else the live one. `order`: how the reason of a rollout begins that this very order gave up (a killed
    run's retry).
    """
    begun, rollout = open_restoration(record), record.rollout
    entry = record.record_of(begun.bad) if begun is not None else None
    if entry is not None:
        return entry.release
    if rollout is None or rollout.kind == "restore" or record.live is None:
        return record.live
    given_up = rollout.phase is RolloutPhase.ABORTED and not rollout.condemned
    ours = bool(order) and given_up and rollout.reason.startswith(order)
    shown = _has_traffic(rollout) and not handled(record, rollout)
    return rollout.release if ours or shown else record.live


def goods_from(record: LedgerRecord, left: Release, elsewhere: Collection[str] = ()) -> Iterator[Release]:
    """Where to go from `left`, best first: the live release, if that is another, then those before it."""
    live = record.live
    if live is None:
        return
    refused = live.image.digest in elsewhere or record.quarantined(live.image.digest) is not None
    if live.id != left.id and not refused:
        yield live
    yield from (good for good in goods_before(record, live, elsewhere) if good.id != left.id)


def _has_traffic(rollout: Rollout) -> bool:
    """It had production traffic, or that was just ordered."""
    in_place = rollout.in_place and rollout.launched_at is not None
    return rollout.traffic_at is not None or isinstance(rollout.step, SetWeight) or in_place
