"""Linear steps, shares with a time of their own, and pauses in which a person decides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.core.pausing import halt, let_go
from delivery.core.release import Slot
from delivery.core.rollout import Rollout, RolloutPhase, give_up, resume, taken_over
from delivery.core.strategy import (
    Analyze,
    Bake,
    BlueGreen,
    Canary,
    CanaryStep,
    CheckPreview,
    Linear,
    Pause,
    SetWeight,
    Then,
    steps_for,
)
from delivery.core.target import ShiftTraffic
from delivery_tests.core.states import FAILED, GOOD, UNKNOWN, at, canary, started, step, until

ASKED = Canary((10, CanaryStep(50, 40, Pause(600, "abort")), 100), analyze_for=20, bake=30)


def waiting(then: Then = "abort") -> Rollout:
    """A canary that waits at 50 % since second 100, for 600 s."""
    strategy = replace(ASKED, steps=(10, CanaryStep(50, 40, Pause(600, then)), 100))
    rollout = until(started(strategy), 5, canary(50), 100)
    assert rollout.step == Pause(600, then)
    return rollout


def test_steps_of_a_linear_rollout() -> None:
    """Equal shares, the last one is what is left, each judged for the interval."""
    assert Linear(30).weights == (30, 60, 90, 100)
    assert Linear(25).weights == (25, 50, 75, 100)
    steps = steps_for(Linear(50, interval=7, bake=9))
    assert steps == (CheckPreview(), SetWeight(50), Analyze(7), SetWeight(100), Analyze(7), Bake(9))
    assert steps_for(Linear(50, interval=7, bake=9), first=True) == (*steps[:1], *steps[3:])


@pytest.mark.parametrize("share", [0, -1, 101])
def test_impossible_linear_steps_are_refused(share: int) -> None:
    """A step is a share of the traffic."""
    with pytest.raises(ValueError, match="1 to 100 percent"):
        Linear(share)


def test_a_share_has_its_own_time_and_its_pause() -> None:
    """What one step says of itself goes before what the strategy says; the first release waits for nobody."""
    assert steps_for(ASKED)[3:7] == (SetWeight(50), Analyze(40), Pause(600, "abort"), SetWeight(100))
    assert not any(isinstance(s, Pause) for s in steps_for(ASKED, first=True))
    assert not any(isinstance(s, Pause) for s in steps_for(ASKED, known_good=True))
    blue_green = steps_for(BlueGreen(pause=Pause(5)))
    assert blue_green[:3] == (CheckPreview(), Pause(5), SetWeight(100))


def test_a_pause_waits_for_an_answer() -> None:
    """Nothing is done before a person says so, however good the verdict; then the next step begins."""
    rollout = waiting()
    for verdict in (GOOD, UNKNOWN, None):
        decision = step(rollout, canary(50), verdict, 699)
        assert decision.actions == () and decision.rollout.index == 5
        assert "waiting until 2026-03-02 10:11 UTC" in decision.reason
    answered = resume(rollout, at(650))
    assert step(answered, canary(50), GOOD, 651).rollout.step == SetWeight(100)


def test_an_answer_is_for_one_pause() -> None:
    """The next pause asks again."""
    asks_twice = Canary((CanaryStep(10, 1, Pause()), CanaryStep(50, 1, Pause()), 100), analyze_for=1)
    answered = resume(until(started(asks_twice), 3, canary(10), 0), at(1))
    second = until(answered, 6, canary(50), 10)
    assert second.step == Pause() and step(second, canary(50), GOOD, 11).rollout.index == 6


@pytest.mark.parametrize(
    ("then", "phase", "index"),
    [
        ("continue", RolloutPhase.PROGRESSING, 6),
        ("abort", RolloutPhase.ABORTING, 5),
        ("stop", RolloutPhase.PAUSED, 5),
    ],
)
def test_silence_has_its_consequence(then: Then, phase: RolloutPhase, index: int) -> None:
    """Nobody answered in time: on, back, or stop. The release is not condemned for it."""
    ended = step(waiting(then), canary(50), GOOD if then == "continue" else UNKNOWN, 700)
    assert (ended.rollout.phase, ended.rollout.index) == (phase, index)
    told = [line.message for line in ended.rollout.history[-2:]]
    assert not ended.rollout.condemned and any("nobody answered within 600 s" in line for line in told)
    if then == "abort":
        assert ended.actions == (ShiftTraffic(Slot.GREEN, 0),)


def test_silence_does_not_go_on_with_what_nobody_knows() -> None:
    """It may become known for a while, then a person has to say so."""
    unsure = step(waiting("continue"), canary(50), UNKNOWN, 700)
    assert unsure.rollout.phase is RolloutPhase.PROGRESSING and unsure.rollout.index == 5
    assert step(unsure.rollout, canary(50), GOOD, 702).rollout.index == 6
    late = 700 + unsure.rollout.limits.inconclusive_timeout
    ended = step(unsure.rollout, canary(50), UNKNOWN, late)
    assert ended.rollout.phase is RolloutPhase.PAUSED and "not known to be good" in ended.rollout.reason


def test_a_stopped_pause_can_be_continued() -> None:
    """After `stop` a person's `continue` goes to the next step, not into the same pause."""
    stopped = step(waiting("stop"), canary(50), GOOD, 700).rollout
    assert step(resume(stopped, at(9000)), canary(50), GOOD, 9001).rollout.step == SetWeight(100)


def test_a_bad_candidate_does_not_wait_for_an_answer() -> None:
    """It is judged all the time."""
    ended = step(waiting(), canary(50), FAILED, 200)
    assert ended.rollout.condemned and ended.actions == (ShiftTraffic(Slot.GREEN, 0),)


def test_a_pause_ends_when_it_was_said_to_end() -> None:
    """A successor does not begin it anew: 600 s are 600 s, also over a restart."""
    taken = taken_over(waiting(), "run 2", at(650))
    assert step(taken, canary(50), GOOD, 690).actions == ()
    assert step(taken, canary(50), GOOD, 700).rollout.phase is RolloutPhase.ABORTING


def test_who_stopped_it_is_a_field_and_no_phrase() -> None:
    """Only a person's stop can be let go before it is reached, whatever the reason says."""
    moving = until(started(ASKED), 3, canary(10), 0)
    assert moving.step == SetWeight(50)
    stopped = halt(moving, "person ada", "let me look", at(1))
    assert stopped is not None and stopped.stopped_by == "person ada"
    assert stopped.reason == "paused by person ada: let me look"
    gone = let_go(replace(stopped, reason="another story"))
    assert gone is not None and (gone.stopped_by, gone.answered) == ("", 4)
    assert let_go(replace(stopped, stopped_by="")) is None
    again = resume(replace(stopped, index=4), at(2))
    assert again.stopped_by == "" and give_up(stopped, "no", at(3)).stopped_by == ""


def test_traffic_that_somebody_else_moved_stops_the_pause() -> None:
    """What a person would say yes to is no longer what is there."""
    stopped = step(waiting(), canary(90), GOOD, 200).rollout
    assert stopped.phase is RolloutPhase.PAUSED and "somebody else moved the traffic" in stopped.reason
