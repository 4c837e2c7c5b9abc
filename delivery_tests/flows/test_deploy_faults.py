"""What a rollout makes of a world that answers badly, late, or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.core.release import Slot
from delivery.core.rollout import RolloutPhase
from delivery.core.service import EnvironmentSpec
from delivery.core.strategy import BlueGreen, Canary, Strategy
from delivery.errors import RefusedError
from delivery_tests.fakes import FAST_LIMITS, sample_environment
from delivery_tests.flows.journey import Journey


def patient(strategy: Strategy) -> EnvironmentSpec:
    """Production without the rule to which silence is a failure."""
    environment = sample_environment("production", strategy)
    return replace(environment, rules=tuple(r for r in environment.rules if r.no_data != "fail"))


def test_provider_errors_say_nothing_of_the_release() -> None:
    """A few failing looks, reads and actions are waited out; the release goes live."""
    journey = Journey.start()
    journey.deliver("a")
    commit = journey.push("b")
    for name in ("target.observe", "target.apply", "metrics.read", "prober.probe", "ledger.store"):
        journey.world.wire.fail(name, on=3, times=2)
    journey.world.wire.fail("target.apply", on=1, after=True)
    ended = journey.finish(commit.sha, journey.deploy(commit.sha))
    assert ended.live is not None
    assert any("could not look" in line for line in journey.said)
    assert any("could not act" in line for line in journey.said)


def test_a_provider_that_stays_away_pauses_and_condemns_nothing() -> None:
    """When the error budget is spent, the rollout pauses: no verdict, no quarantine, people told."""
    journey = Journey.start()
    journey.deliver("a")
    commit = journey.push("b")
    journey.world.wire.fail("metrics.read", on=1, times=1000)
    with pytest.raises(RefusedError, match="paused") as raised:
        journey.deploy(commit.sha)
    assert "delivery continue web production" in raised.value.hint
    rollout = journey.record.rollout
    assert rollout is not None and rollout.phase is RolloutPhase.PAUSED and not rollout.condemned
    assert journey.record.quarantine == () and journey.record.lock is None
    assert journey.world.notifier.kinds()[-1] == "paused"
    assert journey.world.source.status(commit.sha, "delivery/production") == "error"


def test_actions_that_keep_failing_pause_and_condemn_nothing() -> None:
    """A launch that the provider refuses for ever is not the release's fault, however often we can look."""
    environment = sample_environment("production", BlueGreen())
    journey = Journey.start(replace(environment, limits=replace(FAST_LIMITS, launch_timeout=600)))
    commit = journey.push("a")
    journey.world.wire.fail("target.apply", on=1, times=1000)
    with pytest.raises(RefusedError, match="paused"):
        journey.deploy(commit.sha)
    rollout = journey.record.rollout
    assert rollout is not None and not rollout.condemned and "could not act" in rollout.reason


def test_metrics_that_report_errors_are_not_a_pass() -> None:
    """A series that could not be read is an error: it pauses, and never counts as healthy."""
    journey = Journey.start()
    commit = journey.push("a")
    journey.world.at().metrics.error = "AccessDenied"
    with pytest.raises(RefusedError, match="AccessDenied"):
        journey.deploy(commit.sha)


def test_no_data_is_never_success() -> None:
    """Metrics that stay dark: inconclusive, then paused; nothing goes live and nothing is condemned."""
    journey = Journey.start(patient(BlueGreen(bake=20)))
    commit = journey.push("a")
    journey.world.at().metrics.dark = True
    with pytest.raises(RefusedError, match="inconclusive"):
        journey.deploy(commit.sha)
    assert journey.record.live is None and journey.record.quarantine == ()


def test_data_that_stops_in_the_middle_is_not_success() -> None:
    """Metrics seen at 10 % do not pass the step at 50 % when they go dark meanwhile."""
    journey = Journey.start(patient(Canary((10, 50, 100), analyze_for=20, bake=30)))
    journey.deliver("a")
    commit = journey.push("b")
    metrics = journey.world.at().metrics
    journey.world.clock.at(45, lambda: setattr(metrics, "dark", True))
    with pytest.raises(RefusedError, match="inconclusive"):
        journey.deploy(commit.sha)
    rollout = journey.record.rollout
    assert rollout is not None and rollout.phase is RolloutPhase.PAUSED and rollout.weight == 50


def test_no_requests_is_not_zero_errors() -> None:
    """An error count without a datapoint is zero only where requests were counted in this very step."""
    journey = Journey.start()
    journey.deliver("a")
    commit = journey.push("b")
    metrics = journey.world.at().metrics
    journey.world.clock.at(33, lambda: setattr(metrics, "requests_per_second", 0.0))
    with pytest.raises(RefusedError, match="inconclusive"):
        journey.deploy(commit.sha)
    assert journey.record.quarantine == ()


def test_an_alarm_that_fired_before_is_ignored_a_new_one_is_not() -> None:
    """Alarms count from the release's first traffic on."""
    journey = Journey.start()
    journey.deliver("a")
    world = journey.world
    for slot in ("blue", "green"):
        world.alarms.fire(f"web-production-{slot}-healthy-hosts", world.clock.now(), "idle slot")
    assert journey.deliver("b").live is not None
    commit = journey.push("c")
    world.clock.at(20, lambda: world.alarms.fire("web-production-green-5xx", world.clock.now(), "errors"))
    ended = journey.finish(commit.sha, journey.deploy(commit.sha))
    assert ended.rollout.condemned and "web-production-green-5xx" in ended.rollout.reason


def test_somebody_elses_traffic_change_pauses() -> None:
    """Weights that we did not set stop the rollout where it stands."""
    journey = Journey.start()
    journey.deliver("a")
    commit = journey.push("b")
    journey.world.clock.at(20, lambda: journey.target.set_weight(Slot.BLUE, 30))
    with pytest.raises(RefusedError, match="somebody else moved the traffic"):
        journey.deploy(commit.sha)


def test_a_slow_load_balancer_is_waited_for() -> None:
    """A shift counts when it is read back, not when it was asked for."""
    journey = Journey.start()
    journey.deliver("a")
    journey.target.propagation = 6.0
    ended = journey.deliver("b")
    assert ended.live is not None


def test_scale_out_in_the_middle_survives() -> None:
    """Autoscaling grows the stable slot during the canary: the candidate grows before its next step."""
    journey = Journey.start()
    first = journey.deliver("a")
    commit = journey.push("b")
    journey.world.clock.at(20, lambda: journey.target.scale(first.rollout.candidate, 4))
    rollout = journey.deploy(commit.sha)
    assert rollout.phase is RolloutPhase.SUCCEEDED
    assert journey.target.look().slot(rollout.candidate).desired == 4
