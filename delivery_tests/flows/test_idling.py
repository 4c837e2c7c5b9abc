"""Looks that may be old: they find everything, a little later, and decide nothing but to go on waiting."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.strategy import BlueGreen, Canary, Rolling, Strategy
from delivery.core.target import Launch, ShiftTraffic
from delivery.errors import RefusedError
from delivery.flows import control
from delivery_tests.fakes import (
    Behaviour,
    FakeWorld,
    sample_environment,
    sample_service,
    sample_sha,
    with_environment,
)
from delivery_tests.flows.journey import Journey

LAG, METRICS_LAG = 60.0, 4.0
CANARY = Canary((10, 50, 100), analyze_for=20, bake=100)


def begun(strategy: Strategy, lag: float = LAG) -> Journey:
    """A first release live, and looks that are as old as they may be from now on."""
    service = with_environment(sample_service(), sample_environment("production", strategy))
    journey = Journey(FakeWorld(service, as_json=False))
    journey.deliver("a")
    journey.target.lag = lag
    journey.world.at("production").metrics.lag = min(lag, METRICS_LAG)
    return journey


def story(rollout: Rollout) -> list[tuple[float, int]]:
    """Seconds since the start and weight of every line."""
    return [((line.at - rollout.started_at).total_seconds(), line.weight) for line in rollout.history]


@pytest.mark.parametrize("strategy", [Rolling(bake=100), BlueGreen(bake=100), CANARY])
def test_old_looks_make_no_good_release_slower(strategy: Strategy) -> None:
    """The story is the same to the second, with looks a minute old and with fresh ones."""
    stories = []
    for lag in (0.0, LAG):
        journey = begun(strategy, lag)
        commit = journey.push("b")
        stories.append(story(journey.deploy(commit.sha)))
    assert stories[0] == stories[1]


@pytest.mark.parametrize("behaviour", [Behaviour(error_rate=0.5), Behaviour(latency=9.0)])
def test_old_looks_find_a_bad_release_a_look_later(behaviour: Behaviour) -> None:
    """It is condemned, and all traffic returned, within the age of a measurement and one interval."""
    ends = []
    for lag in (0.0, LAG):
        journey = begun(CANARY, lag)
        commit = journey.push("b")
        journey.world.clock.at(100, partial(journey.world.behave, sample_sha("b"), behaviour))
        ended = journey.deploy(commit.sha)
        assert ended.phase is RolloutPhase.ABORTED and ended.condemned
        ends.append((ended.history[-1].at - ended.started_at).total_seconds())
    assert 0 <= ends[1] - ends[0] <= METRICS_LAG + 2


def test_what_is_seen_in_an_old_look_is_looked_at_again_before_it_is_believed() -> None:
    """Somebody moves the traffic for a moment: an old look shows it, the fresh one does not."""
    journey = begun(BlueGreen(bake=140))
    commit, target = journey.push("b"), journey.target

    def meddle(weight: int) -> None:
        target.set_weight(target.look().stable, weight)

    journey.world.clock.at(61, lambda: meddle(70))
    journey.world.clock.at(64, lambda: meddle(100))
    assert journey.deploy(commit.sha).phase is RolloutPhase.SUCCEEDED


def test_traffic_that_stays_moved_pauses_the_rollout() -> None:
    """The rollout stops with what a fresh look found, not later than an old look may be."""
    journey = begun(BlueGreen(bake=140))
    commit, target = journey.push("b"), journey.target
    at = journey.world.clock.now() + timedelta(seconds=61)
    journey.world.clock.at(61, lambda: target.set_weight(target.look().stable, 70))
    with pytest.raises(RefusedError, match="somebody else moved the traffic"):
        journey.deploy(commit.sha)
    rollout = journey.record.rollout
    assert rollout is not None and (rollout.history[-1].at - at).total_seconds() <= LAG + 4


def test_a_persons_order_is_found_while_the_rollout_only_waits() -> None:
    """An abort in the bake is obeyed at the next look, though the lock needs no renewal for minutes."""
    journey = begun(BlueGreen(bake=400))
    commit, clock = journey.push("b"), journey.world.clock
    at = clock.now() + timedelta(seconds=300)
    clock.at(300, lambda: control.abort_rollout(journey.op("person ada"), "production", "no time"))
    ended = journey.deploy(commit.sha)
    assert ended.phase is RolloutPhase.ABORTED
    back = next(line.at for line in ended.history if line.at >= at and line.weight == 0)
    assert (back - at).total_seconds() <= 6


def test_a_ledger_that_cannot_be_listed_stops_nothing() -> None:
    """The order is then found when the lock is renewed."""
    journey = begun(BlueGreen(bake=100))
    commit = journey.push("b")
    journey.world.wire.fail("ledger.tag", times=1000)
    assert journey.deploy(commit.sha).phase is RolloutPhase.SUCCEEDED


def test_the_lock_is_long_where_a_rollout_only_waits_and_short_where_it_acts() -> None:
    """A bake of ten minutes renews it some six times; whatever is done is done under a lock of a minute."""
    journey = begun(BlueGreen(bake=600))
    commit, clock = journey.push("b"), journey.world.clock
    lasts: list[float] = []

    def look() -> None:
        held = journey.record.lock
        assert held is not None
        lasts.append((held.expires_at - clock.now()).total_seconds())

    for second in range(60, 600, 10):
        clock.at(second, look)
    writes = journey.world.ledger.writes
    journey.deploy(commit.sha)
    assert 120 < max(lasts) <= 180 and min(lasts) >= 25
    assert journey.world.ledger.writes - writes < 30
    acted = [action for _, action in journey.target.effects if isinstance(action, Launch | ShiftTraffic)]
    assert acted


def test_a_kept_look_is_never_from_before_the_last_fresh_one() -> None:
    """How old a look may be grows from the last one that was measured, and begins anew with every step."""
    journey = begun(CANARY)
    commit, asked = journey.push("b"), []
    observe = journey.target.observe

    def note(task: str = "", within: float = 0.0) -> object:
        asked.append((journey.world.clock.now(), within))
        return observe(task, within)

    journey.target.observe = note  # type: ignore[method-assign, assignment]
    journey.deploy(commit.sha)
    fresh = asked[0][0]
    for at, within in asked:
        assert at - timedelta(seconds=within) >= fresh
        fresh = at if within == 0 else fresh
    assert sum(within == 0 for _, within in asked) < len(asked) / 2
