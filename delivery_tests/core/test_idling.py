"""When a rollout only waits, and what makes every look a fresh one again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from delivery.core.analysis import Basis, Rule, RuleResult, Sample, Verdict, VerdictPhase
from delivery.core.idling import LOCK_SECONDS, LONGEST_LOCK, calm, lock_for, only_waits
from delivery.core.release import Slot
from delivery.core.rollout import Decision, Rollout, RolloutPhase
from delivery.core.strategy import Analyze, Bake, CheckPreview, Pause, SetWeight, Step
from delivery.core.target import Drain, SlotState, TargetState
from delivery_tests.fakes import EPOCH, sample_release

RULE = Rule("response_time", "TargetResponseTime", "Average", ">", 5.0, per=60, duration=300)


def rollout(step: Step, **changes: Any) -> Rollout:
    """A rollout at that step."""
    return replace(Rollout(sample_release("b"), (step,), Slot.GREEN, EPOCH, EPOCH), **changes)


def seen(**changes: Any) -> TargetState:
    """Green serves with two tasks, unless changed."""
    green = SlotState(Slot.GREEN, 100, "b", desired=2, running=2, healthy=2)
    return TargetState(SlotState(Slot.BLUE), replace(green, **changes), Slot.GREEN)


def verdict(phase: VerdictPhase, value: float = 1.0, dry_run: bool = False) -> Verdict:
    """Of one rule with one sample."""
    samples = (Sample(EPOCH, value),)
    result = RuleResult("response_time", phase, "", samples, dry_run=dry_run, basis=Basis(RULE, None, None))
    return Verdict(phase, "", EPOCH, (result,))


GOOD = verdict(VerdictPhase.SUCCESSFUL)


@pytest.mark.parametrize("step", [Bake(60), Analyze(60), Pause(60)])
def test_where_a_rollout_waits_it_may_be_calm(step: Step) -> None:
    """An analysis, a bake and a pause, with a slot that serves and no bad verdict."""
    assert calm(rollout(step), seen(), GOOD) and calm(rollout(step), seen(), None)
    assert calm(rollout(step), seen(), verdict(VerdictPhase.INCONCLUSIVE))


@pytest.mark.parametrize("step", [SetWeight(50), CheckPreview()])
def test_where_something_is_on_its_way_nothing_is_calm(step: Step) -> None:
    """A shift and a launch are looked at afresh."""
    assert not calm(rollout(step), seen(), GOOD)


@pytest.mark.parametrize(
    "changes",
    [{"pending": (Drain(Slot.BLUE),)}, {"errors": 1}, {"phase": RolloutPhase.ABORTING}],
    ids=["pending", "errors", "aborting"],
)
def test_what_is_unfinished_is_not_calm(changes: dict[str, Any]) -> None:
    """Something that was ordered, that failed, or that is given back."""
    assert not calm(rollout(Bake(60), **changes), seen(), GOOD)


@pytest.mark.parametrize(
    "changes", [{"healthy": 1}, {"unhealthy": 1}, {"settled": False}, {"failed": True}, {"failed_tasks": 1}]
)
def test_a_slot_that_is_not_quite_well_is_not_calm(changes: dict[str, Any]) -> None:
    """A target that is missing or ill, a deployment on its way, a task that failed."""
    assert not calm(rollout(Bake(60)), seen(**changes), GOOD)


@pytest.mark.parametrize(
    ("judged", "expected"),
    [
        (verdict(VerdictPhase.FAILED), False),
        (verdict(VerdictPhase.ERROR), False),
        (verdict(VerdictPhase.SUCCESSFUL, value=9.0), False),
        (verdict(VerdictPhase.FAILED, dry_run=True), True),
    ],
    ids=["failed", "error", "newest sample over the limit", "dry run"],
)
def test_a_suspicious_measurement_is_not_calm(judged: Verdict, expected: bool) -> None:
    """Also one sample over the limit, though it takes several for a verdict; rules that only watch do not
    count."""
    assert calm(rollout(Bake(60)), seen(), judged) is expected


def test_only_a_decision_that_changes_nothing_is_a_wait() -> None:
    """Neither an action nor anything to write down."""
    bake = rollout(Bake(60))
    assert only_waits(bake, Decision(bake, (), "", EPOCH))
    assert not only_waits(bake, Decision(bake, (Drain(Slot.BLUE),), "", EPOCH))
    assert not only_waits(bake, Decision(replace(bake, index=1), (), "", EPOCH))


def test_the_lock_grows_with_the_time_that_was_waited() -> None:
    """From a minute on, and never beyond what a dead worker may cost."""
    assert lock_for(0) == LOCK_SECONDS
    assert [lock_for(s) for s in (30, 60, 1000)] == [120, 180, LONGEST_LOCK]
