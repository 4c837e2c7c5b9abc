"""A worker is killed before it has told people: whoever goes on tells them, rather twice than never."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.core.strategy import Canary, CanaryStep, Pause
from delivery.errors import RefusedError
from delivery.flows.deploy import deploy
from delivery_tests.fakes import Killed, sample_environment
from delivery_tests.flows.journey import Journey


def test_the_question_at_a_pause_is_asked_by_who_takes_over() -> None:
    """Nobody would have been asked, and at the end of its time the rollout would have gone on."""
    asks = Canary((CanaryStep(10, pause=Pause(600, "continue")), 100), analyze_for=10, bake=10)
    journey = Journey.start(sample_environment("production", asks))
    journey.deliver("a")
    told = journey.world.notifier.kinds()
    sha = journey.push("b").sha
    journey.world.wire.fail("notifier.send", error=Killed())
    with pytest.raises(Killed):
        journey.deploy(sha)
    assert journey.world.notifier.kinds() == told
    journey.world.clock.advance(100)
    journey.deploy(sha)
    assert journey.world.notifier.kinds().count("waiting") == 1


def test_a_pause_that_was_not_told_is_told_by_the_retry() -> None:
    """Only by Dagster's own: a person who deploys again reads it in the refusal."""
    journey = Journey.start()
    journey.deliver("a")
    sha, begun = journey.push("b").sha, journey.world.clock.now()
    journey.world.at("production").metrics.dark = True
    journey.world.wire.fail("notifier.send", error=Killed())
    with pytest.raises(Killed):
        journey.deploy(sha)
    journey.world.clock.advance(100)
    with pytest.raises(RefusedError, match="paused"):
        deploy(replace(journey.op(), retries_since=begun), "production", sha)
    assert journey.world.notifier.kinds().count("paused") == 1
    with pytest.raises(RefusedError, match="paused"):
        journey.deploy(sha)
    assert journey.world.notifier.kinds().count("paused") == 1
