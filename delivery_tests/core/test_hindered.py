"""A provider that refuses, or cannot be asked, does not use up the time that a step gives the world."""

from __future__ import annotations

from dataclasses import replace

from delivery.core.advance import could_not_look
from delivery.core.release import Slot
from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.strategy import BlueGreen, Canary
from delivery.core.target import TargetState
from delivery_tests.core.states import NEW, OLD, at, canary, seen, slot, started, step, until
from delivery_tests.fakes import FAST_LIMITS

CANARY, SWITCH = Canary((10, 50, 100), analyze_for=20, bake=30), BlueGreen(bake=30)
SHORT = replace(FAST_LIMITS, shift_timeout=10, launch_timeout=10)


def shifting() -> Rollout:
    """It serves, and is to have its first share."""
    return replace(until(started(CANARY), 1, canary(0), 10), limits=SHORT)


def refused(rollout: Rollout, state: TargetState, times: int, when: float) -> tuple[Rollout, float]:
    """Each order is refused that often, and waited for as long as it says; where that ends, and when."""
    for _ in range(times):
        decision = step(rollout, state, None, when)
        assert decision.actions, decision.reason
        trouble = could_not_look(decision.rollout, "Throttling", at(when), what="act")
        rollout, when = trouble.rollout, (trouble.wake_at - at(0)).total_seconds()
    return rollout, when


def test_a_refused_shift_ends_as_a_refusal() -> None:
    """Its back-off outlasts the shift time-out long before the budget is spent: the provider's trouble."""
    ended, when = refused(shifting(), canary(0), 6, 12)
    assert when - 12 > 6 * SHORT.shift_timeout
    assert ended.phase is RolloutPhase.PAUSED and ended.reason == "could not act 6 times in a row: Throttling"
    assert not ended.condemned


def test_an_accepted_shift_has_its_whole_time_after_a_refusal() -> None:
    """The load balancer is given as long as ever, from when it was told, and no longer."""
    rollout, when = refused(shifting(), canary(0), 3, 12)
    assert when - 12 > SHORT.shift_timeout  # the back-off alone was longer
    told = step(rollout, canary(0), None, when)
    assert told.actions and told.rollout.phase is RolloutPhase.PROGRESSING
    assert step(told.rollout, canary(0), None, when + SHORT.shift_timeout).actions
    late = step(told.rollout, canary(0), None, when + SHORT.shift_timeout + 1).rollout
    assert late.phase is RolloutPhase.PAUSED
    assert late.reason.endswith("the load balancer still gives 0 % (3 orders before were refused)")


def test_a_look_that_fails_counts_like_a_refusal() -> None:
    """Nobody could see whether the weights had changed: the next look is not the last one."""
    told = step(shifting(), canary(0), None, 12)
    blind = could_not_look(told.rollout, "Throttling", at(20))
    when = (blind.wake_at - at(0)).total_seconds()
    assert step(blind.rollout, canary(0), None, when).actions


def test_so_it_is_with_a_launch() -> None:
    """Refused for longer than a launch may take: nobody was told to launch anything."""
    ended, _ = refused(replace(started(SWITCH), limits=SHORT), seen(), 6, 1)
    assert ended.phase is RolloutPhase.PAUSED and ended.reason.startswith("could not act 6 times")
    assert not ended.condemned


def test_so_it_is_with_the_last_drain() -> None:
    """All the traffic is with the new release, and the order to drain the old slot is refused."""
    state = seen(slot(Slot.BLUE, OLD, 0), slot(Slot.GREEN, NEW, 100))
    ended, _ = refused(replace(until(started(SWITCH), 3, state, 10), limits=SHORT), state, 6, 12)
    assert ended.phase is RolloutPhase.PAUSED and ended.reason.startswith("could not act 6 times")


def test_refusals_of_an_earlier_order_are_forgotten() -> None:
    """Once something moved, a step has its own time again, and no more."""
    rollout, when = refused(shifting(), canary(0), 3, 12)
    forgiven = replace(rollout, errors=0)
    assert step(forgiven, canary(0), None, when).rollout.phase is RolloutPhase.PAUSED
