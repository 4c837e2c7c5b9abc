"""Errors, pauses and successors: patience is spent on what somebody looked at, and never on the release."""

from __future__ import annotations

from dataclasses import replace

from delivery.core.advance import could_not_look
from delivery.core.analysis import VerdictPhase
from delivery.core.release import Slot
from delivery.core.rollout import RolloutPhase, give_up, resume, taken_over
from delivery.core.strategy import Canary
from delivery.core.target import Drain, ShiftTraffic
from delivery_tests.core.states import ERROR, FAILED, GOOD, UNKNOWN, at, canary, seen, started, step, until

CANARY = Canary((10, 50, 100), analyze_for=20, bake=30)


def test_each_error_is_waited_for_longer() -> None:
    """2, 4, 8 … ticks, and the count is told."""
    rollout, waits = started(CANARY), []
    for _ in range(4):
        decision = could_not_look(rollout, "throttled", at(0))
        rollout = decision.rollout
        waits.append((decision.wake_at - at(0)).total_seconds())
    assert waits == [4, 8, 16, 32] and "4 of 5" in decision.reason


def test_the_budget_ends_in_a_pause_never_in_a_verdict() -> None:
    """After the budget a person looks; the release is neither condemned nor passed."""
    rollout = replace(started(CANARY), errors=5)
    paused = could_not_look(rollout, "throttled", at(0)).rollout
    assert paused.phase is RolloutPhase.PAUSED and not paused.condemned and paused.index == 0


def test_a_verdict_of_error_counts_like_an_error() -> None:
    """A judgement that could not be made neither passes nor fails the step."""
    rollout = until(started(CANARY), 2, canary(10), 10)
    decision = step(rollout, canary(10), ERROR, 40)
    assert decision.rollout.index == 2 and decision.rollout.errors == 1 and not decision.rollout.condemned


def test_a_good_look_forgives_the_errors_before() -> None:
    """Errors count in a row."""
    rollout = replace(until(started(CANARY), 2, canary(10), 10), errors=4)
    assert step(rollout, canary(10), GOOD, 12).rollout.errors == 0


def test_a_look_between_two_refused_actions_forgives_nothing() -> None:
    """An action that is refused again and again spends the budget although looking works."""
    rollout = started(CANARY)
    for number in range(1, 7):
        decision = step(rollout, seen(), None, number)
        rollout = could_not_look(decision.rollout, "AccessDenied", at(number), what="act").rollout
    assert rollout.phase is RolloutPhase.PAUSED and "could not act" in rollout.reason


def test_a_way_back_is_not_left_for_a_budgets_sake() -> None:
    """Returning traffic keeps trying for the launch time-out, often."""
    aborting = step(until(started(CANARY), 2, canary(10), 10), canary(10), FAILED, 12).rollout
    many = replace(aborting, errors=20)
    decision = could_not_look(many, "throttled", at(30))
    assert decision.rollout.phase is RolloutPhase.ABORTING
    assert (decision.wake_at - at(30)).total_seconds() == 16
    assert could_not_look(many, "throttled", at(73)).rollout.phase is RolloutPhase.PAUSED


def test_a_drain_that_never_ends_does_not_keep_the_lock() -> None:
    """The traffic is back; tasks that cannot be drained are told, and it ends."""
    aborting = step(until(started(CANARY), 2, canary(10), 10), canary(10), FAILED, 12).rollout
    tried = step(aborting, canary(0), None, 73)
    assert tried.actions == (Drain(Slot.GREEN),)
    ended = step(tried.rollout, canary(0), None, 75).rollout
    assert ended.phase is RolloutPhase.ABORTED and "could not be drained" in ended.reason


def test_a_pause_on_the_way_forward_goes_forward() -> None:
    """`continue` renews the patience of the step."""
    paused = step(until(started(CANARY), 2, canary(10), 10), canary(10), UNKNOWN, 91).rollout
    resumed = resume(paused, at(1000))
    assert resumed.phase is RolloutPhase.PROGRESSING and resumed.entered_at == at(1000)
    assert step(resumed, canary(10), GOOD, 1021).rollout.index == 3


def test_a_pause_on_the_way_back_goes_back() -> None:
    """Condemned or given up: after a pause it still only returns its traffic."""
    for way_back in (
        step(until(started(CANARY), 2, canary(10), 10), canary(10), FAILED, 12).rollout,
        give_up(until(started(CANARY), 2, canary(10), 10), "superseded", at(12)),
    ):
        paused = could_not_look(replace(way_back, errors=9), "throttled", at(80)).rollout
        assert paused.phase is RolloutPhase.PAUSED
        resumed = resume(paused, at(100))
        assert resumed.phase is RolloutPhase.ABORTING
        assert step(resumed, canary(10), GOOD, 101).actions == (ShiftTraffic(Slot.GREEN, 0),)


def test_giving_up_says_nothing_of_the_release() -> None:
    """No verdict, the traffic goes back."""
    given_up = give_up(until(started(CANARY), 2, canary(10), 10), "superseded", at(12))
    decision = step(given_up, canary(10), None, 12)
    assert decision.actions == (ShiftTraffic(Slot.GREEN, 0),) and not decision.rollout.condemned
    assert decision.rollout.verdict is None or decision.rollout.verdict.phase is not VerdictPhase.FAILED


def test_a_successor_inherits_no_spent_patience() -> None:
    """Nobody looked for an hour: the shift is asked for again, the way back is tried before it pauses."""
    shifting = until(started(CANARY), 1, canary(0), 6)
    assert step(shifting, canary(0), None, 3600).rollout.phase is RolloutPhase.PAUSED
    taken = taken_over(shifting, "run two", at(3600))
    assert step(taken, canary(0), None, 3600).actions == (ShiftTraffic(Slot.GREEN, 10),)
    aborting = step(until(started(CANARY), 2, canary(10), 10), canary(10), FAILED, 12).rollout
    taken = taken_over(aborting, "run two", at(3600))
    assert step(taken, canary(10), None, 3600).actions == (ShiftTraffic(Slot.GREEN, 0),)
    assert "taken over by run two" in taken.history[-1].message


def test_a_successor_keeps_the_analysis_already_served() -> None:
    """An analysis is not begun anew, and what nobody measured after its end is not yet inconclusive."""
    analysing = until(started(CANARY), 2, canary(10), 10)
    assert taken_over(analysing, "run two", at(15)).entered_at == at(10)
    late = taken_over(analysing, "run two", at(3600))
    assert step(late, canary(10), UNKNOWN, 3600).rollout.phase is RolloutPhase.PROGRESSING
    assert step(late, canary(10), GOOD, 3600).rollout.index == 3
