"""What a person's order waits for, takes up, and says of what had ended already."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.core import journal
from delivery.core.rollout import RolloutPhase
from delivery.core.strategy import Canary, RunTask
from delivery.errors import LockHeldError, RefusedError
from delivery.flows.manual_rollback import return_to
from delivery.flows.patience import to_give_up
from delivery.flows.steering import Order, steer
from delivery_tests.fakes import Behaviour, Killed, sample_environment
from delivery_tests.flows.journey import Journey
from delivery_tests.flows.test_stuck_restore import complained_of, fails_late, stuck


@pytest.mark.parametrize("back", [fails_late, complained_of])
def test_a_standing_way_back_is_taken_up_by_the_order(back: object) -> None:
    """AWS is back before anybody tried again: the order does, and says that it is done."""
    assert callable(back)
    journey = stuck(back)
    journey.world.wire.heal()
    ended = return_to(journey.op("person bob"), "production", None, "get me back")
    assert ended.restored and [r.restored for r in journey.record.restorations] == [True]


def test_an_abort_waits_for_the_task_before_the_switch() -> None:
    """A migration is never broken off: whoever holds the lock until then is waited for."""
    before, spec = RunTask(("migrate",), timeout=7200), sample_environment("production", Canary((10, 100)))
    spec = replace(spec, before=before)
    journey = Journey.start(spec)
    journey.deliver("a")
    sha, clock, ledger = journey.push("b").sha, journey.world.clock, journey.world.ledger
    journey.world.behave(sha, Behaviour(task_takes=3000))
    journey.world.wire.fail("target.observe", on=15, error=Killed())
    with pytest.raises(Killed):
        journey.deploy(sha)
    began = clock.now()

    def renew() -> None:
        stored = ledger.peek("web", "production")
        assert stored.record.lock is not None
        held = journal.renew_lock(stored.record, stored.record.lock.fence, clock.now(), 60)
        if held is not None and (clock.now() - began).total_seconds() < 3000:
            ledger.store(held, stored.etag)
            clock.at(20, renew)

    clock.at(1, renew)
    try:
        done = steer(journey.op("person ada"), "production", Order("abort", "ada", "not today"))
    except LockHeldError as error:
        pytest.fail(f"not waited for: {error}")
    assert "was given up by ada" in done.told
    assert to_give_up(spec) - to_give_up(replace(spec, before=None)) == 7200


def test_what_had_failed_already_was_not_given_up_by_a_person() -> None:
    """Its own analysis condemned it, and its traffic is on its way: that is what the order says."""
    journey = Journey.start()
    journey.deliver("a")
    sha, told = journey.push("b").sha, list[str]()
    journey.world.behave(sha, Behaviour(error_rate=0.5))

    def abort() -> None:
        rollout = journey.record.rollout
        if rollout is None or rollout.phase is not RolloutPhase.ABORTING:
            journey.world.clock.at(0.5, abort)
            return
        op = journey.op("person ada")
        told.append(steer(op, "production", Order("abort", "ada", "ugly")).told)
        raise Killed

    journey.world.clock.at(0.5, abort)
    with pytest.raises(Killed):
        journey.deploy(sha)
    assert " had failed already: " in told[0] and "all its traffic is back with" in told[0]
    assert "given up by" not in told[0]


def test_a_way_back_that_is_given_up_at_the_terminal_is_ended_there() -> None:
    """There is no Dagster to drive it: the order itself ends it, and no further one is tried."""
    journey = stuck(fails_late)
    journey.world.wire.heal()
    order = Order("abort", "bob", "mended by hand")
    done = steer(journey.op("person bob"), "production", order, drive=True)
    assert done.rollout is not None and done.rollout.phase is RolloutPhase.ABORTED
    (ended,) = journey.record.restorations
    assert "mended by hand" in ended.refused and journey.record.lock is None


def test_what_got_through_was_not_given_up() -> None:
    """All steps had passed and the old slot was drained when its worker died: the order came to nothing."""
    refused = 0
    for point in range(1, 12):
        journey = Journey.start()
        journey.deliver("a")
        sha = journey.push("b").sha
        journey.world.wire.kill(point, "after target.apply")
        try:
            journey.deploy(sha)
        except Killed:
            journey.world.wire.heal()
            rollout = journey.record.in_flight
            if rollout is None or rollout.step is not None:
                continue
            with pytest.raises(RefusedError, match="was not given up"):
                steer(journey.op("person ada"), "production", Order("abort", "ada", "ugly"))
            refused += 1
    assert refused == 1
