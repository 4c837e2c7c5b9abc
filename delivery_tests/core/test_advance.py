"""`advance`: what follows from where a rollout stands and what is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.core.analysis import VerdictPhase
from delivery.core.release import Slot
from delivery.core.rollout import RolloutPhase, begin
from delivery.core.strategy import (
    Analyze,
    Bake,
    BlueGreen,
    Canary,
    CheckPreview,
    Rolling,
    SetWeight,
    UpdateInPlace,
    steps_for,
)
from delivery.core.target import Drain, Launch, ShiftTraffic, TaskFailure
from delivery_tests.core.states import (
    FAILED,
    GOOD,
    NEW,
    OLD,
    UNKNOWN,
    at,
    canary,
    seen,
    slot,
    started,
    step,
    until,
)
from delivery_tests.fakes import FAST_LIMITS

CANARY = Canary((10, 50, 100), analyze_for=20, bake=30)


def test_steps_of_each_strategy() -> None:
    """Strategies are data: each is a list of steps."""
    assert steps_for(Rolling(5)) == (UpdateInPlace(), Bake(5))
    assert steps_for(BlueGreen(5, 2)) == (CheckPreview(2), SetWeight(100), Bake(5))
    assert steps_for(Canary((10, 100), 3, 5)) == (
        CheckPreview(), SetWeight(10), Analyze(3), SetWeight(100), Analyze(3), Bake(5),
    )  # fmt: skip
    assert steps_for(CANARY, first=True) == (CheckPreview(), SetWeight(100), Analyze(20), Bake(30))
    assert steps_for(CANARY, known_good=True) == (SetWeight(100),)


@pytest.mark.parametrize("weights", [(), (10, 50), (50, 10, 100), (0, 100), (10, 10, 100), (100, 110)])
def test_impossible_canaries_are_refused(weights: tuple[int, ...]) -> None:
    """Weights rise from above 0 to exactly 100."""
    with pytest.raises(ValueError, match="canary steps must rise"):
        Canary(weights)


def test_the_slot_without_traffic_takes_the_candidate() -> None:
    """The listener rule says which slot is stable; rolling works in that one."""
    assert started(CANARY).candidate is Slot.GREEN
    other = seen(slot(Slot.BLUE, None, tasks=0), slot(Slot.GREEN, OLD, 100))
    assert started(CANARY, other).candidate is Slot.BLUE
    assert started(Rolling(), other).candidate is Slot.GREEN
    assert begin(OLD, Rolling(), other, at(0), FAST_LIMITS, kind="restore").candidate is Slot.BLUE


def test_the_candidate_starts_at_the_running_count() -> None:
    """What serves now is what the candidate is launched with, a scale-out in flight included."""
    for running, desired, launched in ((2, 2, 2), (3, 4, 4), (1, 1, 2), (9, 9, 4)):
        state = seen(slot(Slot.BLUE, OLD, 100, running=running, desired=desired))
        (action,) = step(started(CANARY), state, None, 0).actions
        assert action == Launch(Slot.GREEN, NEW, launched)


def test_an_action_is_asked_for_until_it_is_seen_and_told_once() -> None:
    """Level-triggered: the same look gives the same action; the story has one line of it."""
    rollout = started(CANARY)
    for when in (0, 2, 4):
        decision = step(rollout, seen(), None, when)
        rollout = decision.rollout
        assert decision.actions == (Launch(Slot.GREEN, NEW, 2),) == rollout.pending
    assert len(rollout.history) == 1


def test_the_same_arguments_give_the_same_decision() -> None:
    """`advance` is pure."""
    rollout = until(started(CANARY), 2, canary(10), 10)
    assert step(rollout, canary(10), GOOD, 40) == step(rollout, canary(10), GOOD, 40)


def test_no_weight_before_the_candidate_serves() -> None:
    """Targets healthy first, then traffic."""
    rollout = replace(started(CANARY), index=1, launched_at=at(0))
    decision = step(rollout, canary(0, healthy=1), None, 5)
    assert decision.actions == () and decision.rollout.index == 1
    (action,) = step(rollout, canary(0), None, 6).actions
    assert action == ShiftTraffic(Slot.GREEN, 10)


def test_the_candidate_grows_before_it_takes_more() -> None:
    """The stable slot scaled out meanwhile: the candidate is launched larger before the next weight."""
    rollout = until(started(CANARY), 3, canary(10), 30)
    state = seen(slot(Slot.BLUE, OLD, 90, tasks=4), slot(Slot.GREEN, NEW, 10, tasks=1))
    assert step(rollout, state, None, 30).actions == (Launch(Slot.GREEN, NEW, 2),)


def test_a_weight_counts_when_it_is_read_back() -> None:
    """The next step follows the listener rule, not the order given."""
    rollout = until(started(CANARY), 1, canary(0), 6)
    assert step(rollout, canary(0), None, 8).rollout.index == 1
    reached = step(rollout, canary(10), None, 8).rollout
    assert reached.index == 2 and reached.traffic_at == at(8)


def test_a_weight_that_never_comes_pauses() -> None:
    """The load balancer keeps the old weight: a person looks; nothing is said of the release."""
    rollout = until(started(CANARY), 1, canary(0), 6)
    decision = step(rollout, canary(0), None, 27)
    assert decision.rollout.phase is RolloutPhase.PAUSED and not decision.rollout.condemned


def test_analysis_needs_its_time_and_a_success() -> None:
    """Neither time alone nor a verdict alone passes a step."""
    rollout = until(started(CANARY), 2, canary(10), 10)
    assert step(rollout, canary(10), GOOD, 29).rollout.index == 2
    assert step(rollout, canary(10), UNKNOWN, 31).rollout.index == 2
    assert step(rollout, canary(10), None, 31).rollout.index == 2
    assert step(rollout, canary(10), GOOD, 31).rollout.index == 3


def test_inconclusive_for_too_long_pauses() -> None:
    """No data is never a pass and never a condemnation: it waits, then a person looks."""
    rollout = until(started(CANARY), 2, canary(10), 10)
    paused = step(rollout, canary(10), UNKNOWN, 91).rollout
    assert paused.phase is RolloutPhase.PAUSED and "no data" in paused.reason and not paused.condemned


@pytest.mark.parametrize("index", [2, 4, 6, 7])
def test_a_failed_verdict_returns_the_traffic_at_once(index: int) -> None:
    """At every analysed step, the first decision after the verdict is the shift back."""
    rollout = started(CANARY)
    weight = replace(rollout, index=index).weight
    decision = step(until(rollout, index, canary(weight), 10), canary(weight), FAILED, 12)
    assert decision.actions == (ShiftTraffic(Slot.GREEN, 0),)
    assert decision.rollout.phase is RolloutPhase.ABORTING and decision.rollout.returning


def test_traffic_goes_before_capacity_on_the_way_back() -> None:
    """Shift, read back, drain, end."""
    aborting = step(until(started(CANARY), 2, canary(10), 10), canary(10), FAILED, 12).rollout
    again = step(aborting, canary(10), None, 14)
    assert again.actions == (ShiftTraffic(Slot.GREEN, 0),)
    drained = step(again.rollout, canary(0), None, 16)
    assert drained.actions == (Drain(Slot.GREEN),)
    ended = step(drained.rollout, canary(0, desired=0, running=0, healthy=0), None, 18)
    assert ended.rollout.phase is RolloutPhase.ABORTED and ended.rollout.condemned


def test_traffic_is_not_returned_to_a_slot_where_nothing_answers() -> None:
    """The stable slot is dead, the candidate half alive: it waits, then pauses; never zero on purpose."""
    aborting = step(until(started(CANARY), 2, canary(10), 10), canary(10), FAILED, 12).rollout
    dead = seen(slot(Slot.BLUE, OLD, 90, healthy=0), slot(Slot.GREEN, NEW, 10))
    assert step(aborting, dead, None, 14).actions == ()
    assert step(aborting, dead, None, 73).rollout.phase is RolloutPhase.PAUSED


def test_the_old_slot_is_drained_last_and_only_behind_one_that_serves() -> None:
    """All steps passed: drain follows a healthy candidate with all the traffic."""
    rollout = until(started(CANARY), 8, canary(100), 100)
    assert step(rollout, canary(100, healthy=1), None, 102).actions == ()
    assert step(rollout, canary(100), None, 102).actions == (Drain(Slot.BLUE),)
    somebody = step(rollout, canary(90), None, 102).rollout
    assert somebody.phase is RolloutPhase.PAUSED
    done = seen(slot(Slot.BLUE, OLD, 0, tasks=0), slot(Slot.GREEN, NEW, 100))
    assert step(rollout, done, None, 104).rollout.phase is RolloutPhase.SUCCEEDED


def test_an_ended_rollout_stays_as_it_is() -> None:
    """Nothing follows from what succeeded, aborted or paused."""
    for phase in (RolloutPhase.SUCCEEDED, RolloutPhase.ABORTED, RolloutPhase.PAUSED):
        rollout = replace(started(CANARY), phase=phase)
        decision = step(rollout, canary(50), FAILED, 50)
        assert decision.rollout == rollout and decision.actions == ()


def test_ecs_giving_up_condemns_with_the_tasks_words() -> None:
    """The breaker's verdict carries exit code, reason and log lines."""
    rollout = replace(started(CANARY), launched_at=at(1))
    failure = TaskFailure("task/1", "Essential container exited", 137, True, ("a", "b", "no memory"))
    decision = step(rollout, canary(0, healthy=0, failed=True, failure=failure), None, 5)
    assert decision.rollout.condemned
    for told in ("out of memory", "exit code 137", "no memory"):
        assert told in decision.rollout.reason


def test_an_earlier_deployments_failure_is_not_ours() -> None:
    """A slot that still shows the last deployment's failure does not condemn a release it never ran."""
    stale = seen(green=slot(Slot.GREEN, OLD, 0, failed=True, failed_tasks=9))
    decision = step(started(CANARY), stale, None, 0)
    assert not decision.rollout.condemned and decision.actions == (Launch(Slot.GREEN, NEW, 2),)


def test_a_launch_that_never_happened_is_not_the_releases_fault() -> None:
    """The slot was never seen running it: after the time-out a person looks."""
    decision = step(started(CANARY), seen(), None, 61)
    assert decision.rollout.phase is RolloutPhase.PAUSED and not decision.rollout.condemned


def test_a_restoration_with_the_traffic_is_not_taken_back() -> None:
    """Once the good release has the weight, its own trouble does not return traffic to the bad one."""
    rollout = begin(NEW, CANARY, seen(), at(0), FAST_LIMITS, kind="restore")
    assert rollout.steps == (SetWeight(100),)
    state = canary(100, failed=True, healthy=1)
    decision = step(replace(rollout, index=1, launched_at=at(0)), state, None, 10)
    assert decision.actions == () and decision.rollout.phase is RolloutPhase.PROGRESSING


def test_a_rolling_update_waits_for_ecs_to_settle() -> None:
    """Healthy old tasks are not the new ones: in place, settled counts."""
    rollout = started(Rolling(bake=10))
    (launch,) = step(rollout, seen(), None, 0).actions
    assert launch == Launch(Slot.BLUE, NEW, 2)
    rolling = replace(rollout, launched_at=at(1))
    moving = seen(slot(Slot.BLUE, NEW, 100, settled=False), preview=Slot.BLUE)
    assert step(rolling, moving, None, 4).rollout.index == 0
    settled = seen(slot(Slot.BLUE, NEW, 100), preview=Slot.BLUE)
    assert step(rolling, settled, None, 6).rollout.index == 1


def test_a_launch_done_by_half_is_asked_for_again() -> None:
    """Tasks run, but the preview rule still reaches the other slot: no preview is passed unseen."""
    half = seen(green=slot(Slot.GREEN, NEW), preview=Slot.BLUE)
    decision = step(replace(started(CANARY), launched_at=at(0)), half, GOOD, 10)
    assert decision.actions == (Launch(Slot.GREEN, NEW, 2),) and decision.rollout.index == 0


def test_a_slot_somebody_else_changed_pauses() -> None:
    """Another release in our slot, other weights: we do not fight, a person looks."""
    rollout = until(started(CANARY), 2, canary(10), 10)
    foreign = seen(slot(Slot.BLUE, OLD, 90), slot(Slot.GREEN, OLD, 10))
    for state in (foreign, canary(30)):
        paused = step(rollout, state, GOOD, 12).rollout
        assert paused.phase is RolloutPhase.PAUSED and "somebody else" in paused.reason
        assert paused.verdict is None or paused.verdict.phase is not VerdictPhase.FAILED
