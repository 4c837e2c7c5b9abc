"""Who waits for whom: a newer commit for a rollback, a rollback for a rollout. Bounded, and told."""

from __future__ import annotations

import pytest

from delivery.core import journal
from delivery.core.ledger import LedgerRecord
from delivery.core.rollout import RolloutPhase
from delivery.errors import LockHeldError
from delivery.flows.health import judge
from delivery.flows.rollback import rollback
from delivery.flows.session import Change
from delivery_tests.fakes import Behaviour, Killed, sample_sha
from delivery_tests.flows.journey import Journey

BAD = Behaviour(error_rate=0.5)


def failing_live() -> Journey:
    """`a` and `b` went live, `b` was judged bad, `c` is built."""
    journey = Journey.start()
    for name in "ab":
        assert journey.deliver(name).live is not None
    journey.push("c")
    journey.world.clock.advance(3600)
    journey.world.behave(sample_sha("b"), BAD)
    journey.world.clock.advance(60)
    judge(journey.op(), "production", sample_sha("b"))
    return journey


def write(journey: Journey, change: Change) -> LedgerRecord:
    """Another installation's write."""
    stored = journey.world.ledger.peek("web", "production")
    return journey.world.ledger.store(change(stored.record), stored.etag).record


def held_by(journey: Journey, holder: str, seconds: float, then: list[str]) -> None:
    """`holder` takes the lock now, keeps it by renewing it, and gives it back after so many seconds."""
    clock = journey.world.clock

    def take(record: LedgerRecord) -> LedgerRecord:
        taken = journal.acquire_lock(record, holder, clock.now(), 60)
        assert taken is not None
        return taken

    def back() -> None:
        then.append(holder)
        write(journey, lambda record: journal.release_lock(record, record.fence))

    write(journey, take)
    for at in range(10, int(seconds), 10):
        clock.at(at, lambda: write(journey, take))
    clock.at(seconds, back)


def test_a_newer_commit_waits_for_a_rollback_and_then_goes_on() -> None:
    """The run of `c` finds a rollback of `b` under way: it says so, waits minutes, and is not red."""
    journey = failing_live()
    over: list[str] = []
    held_by(journey, "run judge", 200, over)
    ended = journey.deploy(sample_sha("c"))
    assert over == ["run judge"] and ended.phase is RolloutPhase.SUCCEEDED
    (told,) = [line for line in journey.said if "is locked by run judge" in line]
    assert "waiting until it has ended, at most" in told


def test_a_newer_commit_does_not_wait_for_ever() -> None:
    """A rollback that never ends is named with its holder, and nothing is touched."""
    journey = failing_live()
    held_by(journey, "run judge", 6 * 3600, [])
    effects, began = len(journey.target.effects), journey.world.clock.now()
    with pytest.raises(LockHeldError, match="run judge holds it"):
        journey.deploy(sample_sha("c"))
    limits = journey.op().spec("production").limits
    waited = (journey.world.clock.now() - began).total_seconds()
    assert limits.launch_timeout < waited < 2 * (limits.launch_timeout + limits.shift_timeout) + 120
    assert len(journey.target.effects) == effects


def test_another_deployer_is_named_at_once() -> None:
    """What `d` meets is a rollout on its way, which may take hours: whose it is, is said within seconds."""
    journey = Journey.start()
    for name in "ab":
        journey.deliver(name)
    journey.world.wire.fail("target.apply", on=3, error=Killed())
    with pytest.raises(Killed):
        journey.deploy(journey.push("c").sha, "run other")
    journey.push("d")
    held_by(journey, "run other", 3600, [])
    began = journey.world.clock.now()
    with pytest.raises(LockHeldError, match="run other holds it"):
        journey.deploy(sample_sha("d"))
    assert (journey.world.clock.now() - began).total_seconds() < 60


def test_a_rollback_lets_a_rollout_in_flight_settle_first() -> None:
    """`b` is failing while a living run drives `c`: the rollback waits; `c` took over, nothing is moved."""
    journey = failing_live()
    moved: list[int] = []

    def deliver_c() -> None:
        # In one go: the fake's worker does not give way while it sleeps.
        journey.finish(sample_sha("c"), journey.deploy(sample_sha("c"), "run one"))
        moved.append(len(journey.target.moved))

    def take(record: LedgerRecord) -> LedgerRecord:
        return journal.acquire_lock(record, "run one", journey.world.clock.now(), 60) or record

    write(journey, take)
    for at in range(10, 100, 10):
        journey.world.clock.at(at, lambda: write(journey, take))
    journey.world.clock.at(100, deliver_c)
    ended = rollback(journey.op("run judge"), "production", sample_sha("b"))
    assert moved == [len(journey.target.moved)]
    record = journey.record
    assert record.live is not None and record.live.commit == sample_sha("c")
    assert not ended.restored and "serves" in ended.refused


def test_a_rollback_waits_no_longer_than_a_rollout_can_take() -> None:
    """A run that renews its lock and comes to no end is named; the failure stays for the backstop."""
    journey = failing_live()
    held_by(journey, "run one", 24 * 3600, [])
    with pytest.raises(LockHeldError, match="run one holds it"):
        rollback(journey.op("run judge"), "production", sample_sha("b"))
    assert journey.record.restorations == ()
