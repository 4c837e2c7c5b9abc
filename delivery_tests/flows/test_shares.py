"""Shares of the traffic: given as asked, seen before anything else is done, and taken back at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.strategy import Canary
from delivery.core.target import Drain, Launch, ShiftTraffic
from delivery.errors import RefusedError
from delivery_tests.fakes import Behaviour, sample_environment, sample_sha
from delivery_tests.flows.journey import Journey

BAD = Behaviour(error_rate=0.5)
#: A period of the fast rules, from its beginning, twice (one has begun before), and a tick until the look.
ONE_INTERVAL = 2 * 10 + 2


def canary(*steps: int, analyze_for: float = 20, bake: float = 30) -> Journey:
    """A service with a verified release and that strategy."""
    strategy = Canary(steps, analyze_for=analyze_for, bake=bake)
    journey = Journey.start(sample_environment("production", strategy))
    assert journey.deliver("a").live is not None
    return journey


def when(journey: Journey, weight: int, act: Callable[[], object]) -> None:
    """Do it some seconds after the candidate's share was read back."""
    clock = journey.world.clock

    def look() -> None:
        rollout = journey.record.rollout
        there = rollout is not None and rollout.weight == weight and rollout.release.commit == sample_sha("b")
        clock.at(3, act) if there else clock.at(1, look)

    clock.at(1, look)


def given(journey: Journey, rollout: Rollout, since: int) -> list[int]:
    """The shares the candidate was really given, in order."""
    blue = rollout.candidate == "blue"
    return [100 - green if blue else green for _, green in journey.target.moved[since:]]


@pytest.mark.parametrize(
    "steps", [(100,), (25, 100), (10, 50, 100), (1, 2, 3, 33, 66, 99, 100), tuple(range(5, 101, 5))]
)
def test_any_shares_are_given_as_asked(steps: tuple[int, ...]) -> None:
    """One step, two, ten: what the load balancer got is what was written, and each is in the story."""
    journey = canary(*steps)
    since = len(journey.target.moved)
    rollout = journey.deliver("b").rollout
    assert rollout.phase is RolloutPhase.SUCCEEDED
    assert tuple(given(journey, rollout, since)) == steps
    assert {line.weight for line in rollout.history} >= set(steps)


def test_what_fails_in_the_middle_of_a_step_is_taken_back_within_an_interval() -> None:
    """At 50 % of an analysis of ten minutes: the traffic is back before the next interval is over."""
    journey = canary(10, 50, 100, analyze_for=600)
    began = []

    def turn() -> None:
        began.append(journey.world.clock.now())
        journey.world.behave(sample_sha("b"), BAD)

    when(journey, 50, turn)
    since = len(journey.target.moved)
    ended = journey.deliver("b")
    assert ended.rollout.condemned and given(journey, ended.rollout, since) == [10, 50, 0]
    assert (journey.target.moved[-1][0] - began[0]).total_seconds() <= ONE_INTERVAL


def test_what_fails_in_the_bake_is_taken_back_by_one_change_of_the_rule() -> None:
    """At 100 % the old slot is still warm: nothing is launched, one shift, then the bad slot is drained."""
    journey = canary(10, 100, bake=600)
    began = []

    def turn() -> None:
        began.append((journey.world.clock.now(), len(journey.target.effects)))
        journey.world.behave(sample_sha("b"), BAD)

    when(journey, 100, turn)
    ended = journey.deliver("b")
    moment, before = began[0]
    kinds = [type(action) for _, action in journey.target.effects[before:]]
    assert ended.rollout.condemned and kinds == [ShiftTraffic, Drain]
    assert (journey.target.moved[-1][0] - moment).total_seconds() <= ONE_INTERVAL


@pytest.mark.parametrize("calls", [2, 10_000])
def test_while_the_rule_cannot_be_changed_the_old_slot_is_left_alone(calls: int) -> None:
    """ModifyRule is throttled on the way to 100 %: waited for, or paused; both slots go on serving."""
    journey = canary(10, 50, 100)
    old = journey.target.look().stable
    when(journey, 50, lambda: journey.world.wire.fail("target.apply", times=calls))
    before = len(journey.target.effects)
    commit = journey.push("b")
    if calls > 100:
        with pytest.raises(RefusedError, match="could not act 6 times in a row"):
            journey.deploy(commit.sha)
        journey.world.wire.heal()
        assert [type(a) for _, a in journey.target.effects[before:]] == [Launch, ShiftTraffic, ShiftTraffic]
        slot = journey.target.look().slot(old)
        assert slot.weight == 50 and slot.healthy == slot.desired == 2
        assert journey.record.quarantine == ()
        return
    assert journey.deploy(commit.sha).phase is RolloutPhase.SUCCEEDED
    last = [action for _, action in journey.target.effects[-2:]]
    assert last == [ShiftTraffic(old.other, 100), Drain(old)]


def test_a_shift_that_is_not_seen_drains_nothing() -> None:
    """The load balancer takes the order and keeps the old weights: paused, nothing scaled down."""
    journey = canary(10, 50, 100)
    old = journey.target.look().stable

    def stuck() -> None:
        journey.target.propagation = 10_000.0

    when(journey, 50, stuck)
    commit = journey.push("b")
    with pytest.raises(RefusedError, match="paused"):
        journey.deploy(commit.sha)
    assert not any(isinstance(a, Drain) and a.slot is old for _, a in journey.target.applied)
    assert journey.target.look().slot(old).healthy == 2
