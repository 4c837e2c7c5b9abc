"""A person's word is carried out once: a killed run's retry adds nothing to what was decided since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from delivery.core.rollout import RolloutPhase
from delivery.core.strategy import Canary, CanaryStep, Pause
from delivery.errors import DeliveryError, RefusedError
from delivery.flows.operation import Operation
from delivery.flows.steering import Order, steer
from delivery_tests.fakes import Killed, sample_environment
from delivery_tests.flows.journey import Journey

#: As the steering job does it: the holder names the person and the first of its runs.
ADA = "person ada (run 0000abcd)"


def order_of(journey: Journey, order: Order) -> tuple[Operation, Callable[[], str]]:
    """The operation of that order's retry, and the retry itself: what it tells, or why it came to nothing."""
    op = replace(journey.op(ADA), retries_since=journey.world.clock.now())

    def again() -> str:
        try:
            return steer(op, "production", order).told
        except DeliveryError as error:
            return str(error)

    return op, again


def killed(journey: Journey, op: Operation, order: Order, point: str = "notifier.send") -> None:
    """The first run of the order: its word is written, then its worker dies."""
    journey.world.wire.fail(point, error=Killed())
    with pytest.raises(Killed):
        steer(replace(op, retries_since=None), "production", order)


def test_the_retry_of_a_continue_does_not_answer_the_next_pause() -> None:
    """Said of 10 %, retried while 50 % waits: nobody answered there, so it is given up."""
    waits = Pause(3600, "abort")
    steps = (CanaryStep(10, pause=waits), CanaryStep(50, pause=waits), 100)
    journey = Journey.start(sample_environment("production", Canary(steps, analyze_for=10, bake=10)))
    journey.deliver("a")
    order, told, shares = Order("continue", "ada", "10 % is fine"), list[str](), list[int]()
    op, again = order_of(journey, order)

    def retry() -> None:
        rollout = journey.record.rollout
        assert rollout is not None and rollout.waiting
        shares.append(rollout.weight)
        told.append(again())

    journey.world.clock.at(60, lambda: killed(journey, op, order))
    journey.world.clock.at(160, retry)
    ended = journey.deploy(journey.push("b").sha)
    assert shares == [50] and "continued by ada" in told[0]
    assert ended.phase is RolloutPhase.ABORTED


def test_the_retry_of_a_pause_leaves_another_persons_continue() -> None:
    """Bob let it go on since: it is not stopped again, and the retry says how it is."""
    journey = Journey.start()
    journey.deliver("a")
    order, told = Order("pause", "ada", "let me look"), list[str]()
    op, again = order_of(journey, order)
    onward, bob = Order("continue", "bob", "looked"), journey.op("person bob (run 0000bbbb)")
    journey.world.clock.at(16, lambda: killed(journey, op, order))
    journey.world.clock.at(40, lambda: steer(bob, "production", onward))
    journey.world.clock.at(50, lambda: told.append(again()))
    assert journey.deploy(journey.push("b").sha).phase is RolloutPhase.SUCCEEDED
    assert "was paused by ada; it is progressing by now" in told[0]


def test_the_retry_of_an_abort_leaves_the_next_release_alone() -> None:
    """The next commit's run carried the order out and went on: the retry is refused."""
    journey = Journey.start()
    journey.deliver("a")
    order, told = Order("abort", "ada", "b is bad"), list[str]()
    op, again = order_of(journey, order)
    journey.world.wire.fail("target.observe", on=15, error=Killed())
    with pytest.raises(Killed):
        journey.deploy(journey.push("b").sha)
    journey.world.clock.advance(200)
    killed(journey, op, order, "target.observe")
    journey.world.clock.advance(200)
    journey.world.clock.at(60, lambda: told.append(again()))
    assert journey.deploy(journey.push("c").sha).phase is RolloutPhase.SUCCEEDED
    assert "the rollout you meant has ended" in told[0]


def test_the_retry_of_an_abort_finds_it_ended() -> None:
    """Somebody else carried it out: the retry says how it ended, and is no error."""
    journey = Journey.start()
    journey.deliver("a")
    order = Order("abort", "ada", "b is bad")
    op, again = order_of(journey, order)
    sha = journey.push("b").sha
    journey.world.clock.at(16, lambda: killed(journey, op, order))
    ended = journey.deploy(sha)
    assert ended.phase is RolloutPhase.ABORTED
    assert "was ended by ada: b is bad" in again() and journey.record.rollout == ended


def test_the_retry_of_an_abort_does_not_end_what_stands() -> None:
    """Its way back is stuck by now: a second abort would leave the traffic there, its retry does not."""
    journey = Journey.start()
    journey.deliver("a")
    order = Order("abort", "ada", "b is bad")
    op, again = order_of(journey, order)
    sha = journey.push("b").sha

    def abort() -> None:
        killed(journey, op, order)
        journey.world.wire.fail("target.apply", on=1, times=100000)

    journey.world.clock.at(16, abort)
    with pytest.raises(RefusedError, match="paused"):
        journey.deploy(sha)
    before = journey.record.rollout
    assert before is not None and before.phase is RolloutPhase.PAUSED
    assert "is paused" in again() and journey.record.rollout == before
