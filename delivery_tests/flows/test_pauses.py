"""A rollout that asks a person: told, answered, or not, also over a restart."""

from __future__ import annotations

import pytest

from delivery.core.rollout import RolloutPhase
from delivery.core.strategy import BlueGreen, Canary, CanaryStep, Pause, Strategy, Then
from delivery.flows.control import abort_rollout, continue_rollout
from delivery_tests.fakes import Behaviour, Killed, sample_environment
from delivery_tests.flows.journey import Journey


def asking(pause: Pause, strategy: Strategy | None = None) -> Journey:
    """A service with a verified release, whose next one asks at 10 %."""
    chosen = strategy or Canary((CanaryStep(10, 10, pause), 100), analyze_for=10, bake=10)
    journey = Journey.start(sample_environment("production", chosen))
    journey.deliver("a")
    return journey


def test_people_are_told_what_to_answer() -> None:
    """One notice, with both commands, the end of the patience and what follows then."""
    journey = asking(Pause(300, "abort"))
    journey.world.clock.at(200, lambda: continue_rollout(journey.op("person ada"), "production"))
    ended = journey.deliver("b")
    assert ended.live is not None
    (notice,) = [n for _, n in journey.world.notifier.sent if n.kind == "waiting"]
    assert (
        "waits at 10 % for a person" in notice.title and "`delivery continue web production`" in notice.body
    )
    assert "`delivery abort web production`" in notice.body and "it is given up" in notice.body


def test_a_person_looks_before_the_switch() -> None:
    """Blue/green: the preview is up, no traffic has moved, and an abort leaves nothing behind."""
    journey = asking(Pause(300), BlueGreen(bake=10, pause=Pause(300)))
    weights = []
    clock, op = journey.world.clock, journey.op("person ada")

    def no() -> None:
        weights.append(journey.target.look().slot(journey.target.preview).weight)
        abort_rollout(op, "production", "ugly")

    clock.at(100, no)
    ended = journey.deploy(journey.push("b").sha)
    assert weights == [0] and ended.phase is RolloutPhase.ABORTED and "ugly" in ended.reason
    assert journey.record.quarantine == ()


@pytest.mark.parametrize(
    ("then", "phase"), [("continue", RolloutPhase.SUCCEEDED), ("abort", RolloutPhase.ABORTED)]
)
def test_silence_is_answered_after_a_restart_too(then: Then, phase: RolloutPhase) -> None:
    """The worker dies while it waits; its successor keeps to the hour that was told."""
    journey = asking(Pause(600, then))
    sha = journey.push("b").sha

    def die() -> None:
        raise Killed("kill -9")

    journey.world.clock.at(300, die)
    with pytest.raises(Killed):
        journey.deploy(sha)
    begun = journey.record.rollout
    assert begun is not None and begun.waiting
    ended = journey.deploy(sha)
    waited = next(line.at for line in ended.history if "nobody answered" in line.message) - begun.entered_at
    assert ended.phase is phase and 600 <= waited.total_seconds() < 610


def test_a_candidate_that_turns_bad_is_not_waited_with() -> None:
    """Errors at 10 % while a person thinks: back within seconds, and in quarantine."""
    journey = asking(Pause(3600))
    commit = journey.push("b")
    bad = Behaviour(error_rate=0.5)
    journey.world.clock.at(100, lambda: journey.world.behave(commit.sha, bad))
    ended = journey.finish(commit.sha, journey.deploy(commit.sha))
    assert ended.rollout.condemned and ended.restoration is not None
    assert (ended.rollout.history[-1].at - ended.rollout.started_at).total_seconds() < 200
