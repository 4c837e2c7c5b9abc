"""What must be true when everything has settled: nothing is lost, and what serves is what is written."""

from __future__ import annotations

from collections.abc import Iterator

from delivery.core.ledger import LedgerRecord, Outcome
from delivery.core.release import Slot
from delivery.core.returning import TRYING, stuck
from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.standing import handled, open_restoration
from delivery.core.target import TargetState
from delivery_tests.flows.properties.world import HistoryWorld


def problems(record: LedgerRecord, seen: TargetState, told: bool) -> Iterator[str]:
    """What is wrong with this end.

    `told`: people know why something else may serve than what is live: somebody changed ECS or the weights at
    the console, or a rollout ended with its traffic where it was.
    """
    rollout = record.rollout
    if rollout is not None and rollout.phase is RolloutPhase.PAUSED:
        if not rollout.reason:
            yield "3: paused without a reason"
        if _untried(rollout):
            yield f"3: {rollout.kind} {rollout.release.id} stands on its way back, nobody tries again"
        return
    if record.in_flight is not None:
        yield f"3: the rollout of {record.in_flight.release.id} is {record.in_flight.phase}, nobody drives it"
    if open_restoration(record) is not None:
        yield f"3: the rollback of {open_restoration(record)} was never finished"
    if rollout is not None and rollout.phase is RolloutPhase.ABORTED and not rollout.reason:
        yield "3: aborted without a reason"
    if rollout is not None and rollout.kind == "deploy" and not handled(record, rollout):
        entry = record.record_of(rollout.release.id)
        failed = entry is not None and entry.outcome in (Outcome.FAILED, Outcome.RESTORED_AWAY)
        if not failed:
            yield f"3: the rollout of {rollout.release.id} is {rollout.phase} and nothing followed"
    yield from _untold(record)
    if not told and not _explained(record):
        yield from _serving(record, seen)


def stands(world: HistoryWorld) -> bool:
    """Whether traffic stands that was tried again in vain: it is tried for a day, and that is all."""
    rollout = world.written().rollout
    return rollout is not None and stuck(rollout) and not _untried(rollout)


def locked(world: HistoryWorld) -> bool:
    """Whether somebody has the lock still, alive or dead, or traffic stands and is to be tried again.

    Nothing is settled before.
    """
    record = world.written()
    held = record.lock is not None and world.hub.now() < record.lock.expires_at
    return held or _untried(record.rollout)


def _untried(rollout: Rollout | None) -> bool:
    """Stands on its way back, and nobody has tried it again."""
    return rollout is not None and stuck(rollout) and TRYING not in [told.message for told in rollout.history]


def _untold(record: LedgerRecord) -> Iterator[str]:
    for entry in record.releases:
        newest = record.record_of(entry.release.id) == entry
        if newest and not entry.told and entry.outcome in (Outcome.FAILED, Outcome.VERIFIED):
            yield f"9: nobody was told that {entry.release.id} is {entry.outcome}"


def _explained(record: LedgerRecord) -> bool:
    """A hold, or a rollback that was refused: an incident says what serves."""
    return record.hold is not None or bool(record.restorations and record.restorations[-1].refused)


def _serving(record: LedgerRecord, seen: TargetState) -> Iterator[str]:
    stable = seen.slot(seen.stable)
    if record.live is None:
        return  # nothing was ever verified here, and nothing says that it was
    if stable.release != record.live.id or stable.weight != 100:
        yield f"3: {stable.release} serves with {stable.weight} %, {record.live.id} is recorded as live"
    idle = seen.slot(Slot(seen.stable).other)
    if idle.weight:
        yield f"3: {idle.weight} % are left with {idle.release}"
