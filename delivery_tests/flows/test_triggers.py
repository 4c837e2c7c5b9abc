"""The source design's three triggers on a live release: just above the limit for its whole time, or not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from delivery.core.analysis import DEFAULT_RULES, VerdictPhase
from delivery_tests.fakes import Behaviour, sample_sha, with_environment
from delivery_tests.flows.journey import Ended, Journey

#: 50 requests a second are 3000 in one of CloudWatch's minutes.
PER_MINUTE = 3000
SLOW, LATENCY = "response_time", Behaviour(latency=5.01)
FAULTY, ERRORS = "target_5xx", Behaviour(error_rate=11 / PER_MINUTE)
DEAD, NOBODY = "healthy_hosts", Behaviour(unhealthy=True)


def live_with_the_defaults() -> Journey:
    """Two releases went live; then an hour passed to the start of a minute. The default rules judge."""
    journey = Journey.start()
    for name in "ab":
        assert journey.deliver(name).live is not None
    service = journey.world.service
    production = replace(service.environment("production"), rules=DEFAULT_RULES)
    journey.world.service = with_environment(service, production)
    clock = journey.world.clock
    clock.advance(3600)
    clock.advance(60 - clock.now().timestamp() % 60)
    return journey


def judged_after(journey: Journey, behaviour: Behaviour, seconds: float) -> Ended:
    """The live release behaves so for that long, then an alarm has it judged."""
    journey.world.behave(sample_sha("b"), behaviour)
    journey.world.clock.advance(seconds)
    return journey.rejudge(sample_sha("b"))


def of_rule(ended: Ended, rule: str) -> VerdictPhase:
    """What that rule alone came to."""
    return next(r.phase for r in ended.verdict.results if r.rule == rule)


@pytest.mark.parametrize(
    ("rule", "behaviour", "minutes"), [(SLOW, LATENCY, 5), (FAULTY, ERRORS, 1), (DEAD, NOBODY, 2)]
)
def test_just_above_for_as_long_as_it_says_it_is_taken_off(
    rule: str, behaviour: Behaviour, minutes: int
) -> None:
    """5.01 s for 5 min, 11 errors in a minute, no healthy host for 2 min: back to the release before."""
    journey = live_with_the_defaults()
    ended = judged_after(journey, behaviour, minutes * 60)
    assert of_rule(ended, rule) is VerdictPhase.FAILED
    assert ended.restoration is not None and ended.restoration.restored
    assert journey.record.live is not None and journey.record.live.commit == sample_sha("a")


@pytest.mark.parametrize(
    ("rule", "behaviour", "minutes"), [(SLOW, LATENCY, 5), (FAULTY, ERRORS, 1), (DEAD, NOBODY, 2)]
)
def test_one_second_earlier_it_is_not_yet_bad(rule: str, behaviour: Behaviour, minutes: int) -> None:
    """The last minute is not over: the rule has not fired."""
    ended = judged_after(live_with_the_defaults(), behaviour, minutes * 60 - 1)
    assert of_rule(ended, rule) is not VerdictPhase.FAILED


@pytest.mark.parametrize(
    ("rule", "behaviour"),
    [(SLOW, Behaviour(latency=5.0)), (FAULTY, Behaviour(error_rate=10 / PER_MINUTE))],
)
def test_at_the_limit_it_stays_however_long(rule: str, behaviour: Behaviour) -> None:
    """5 s, and 10 errors a minute, for half an hour: a pass, and nothing is moved."""
    journey = live_with_the_defaults()
    effects = len(journey.target.effects)
    ended = judged_after(journey, behaviour, 1800)
    assert of_rule(ended, rule) is VerdictPhase.SUCCESSFUL and ended.live is not None
    assert len(journey.target.effects) == effects


def test_one_healthy_host_is_enough() -> None:
    """All but one task are gone for half an hour: the rule does not fire."""
    journey = live_with_the_defaults()
    journey.target.scale(journey.target.look().stable, 1)
    ended = judged_after(journey, Behaviour(), 1800)
    assert of_rule(ended, DEAD) is VerdictPhase.SUCCESSFUL


def test_a_streak_that_is_broken_begins_anew() -> None:
    """Slow for four minutes, well for one, slow for four: never five in a row."""
    journey = live_with_the_defaults()
    clock, sha = journey.world.clock, sample_sha("b")
    clock.at(240, lambda: journey.world.behave(sha, Behaviour()))
    clock.at(300, lambda: journey.world.behave(sha, LATENCY))
    began = clock.now()
    ended = judged_after(journey, LATENCY, 540)
    assert clock.now() - began >= timedelta(seconds=540)
    assert of_rule(ended, SLOW) is VerdictPhase.SUCCESSFUL
