"""The task before the switch: once, watched to its end, and its exit code decides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.core.preparing import STILL_SHOWN, left_behind
from delivery.core.rollout import Decision, Rollout, RolloutPhase, begin, give_up, resume, taken_over
from delivery.core.strategy import (
    BlueGreen,
    Canary,
    CheckPreview,
    Rolling,
    RunTask,
    SetWeight,
    Strategy,
    UpdateInPlace,
    steps_for,
)
from delivery.core.target import EndTask, OneOff, OneOffPhase, RunOnce, TargetState, TaskFailure
from delivery_tests.core.states import NEW, at, seen, step
from delivery_tests.fakes import FAST_LIMITS

BEFORE = RunTask(("python", "-m", "migrate"), timeout=100, memory=1024)
FAILURE = TaskFailure("1", "Essential container in task exited", 3, last_log_lines=("no such table: users",))


def ready(strategy: Strategy | None = None) -> Rollout:
    """A rollout whose first step is the task."""
    return begin(NEW, strategy or Canary(), seen(), at(0), FAST_LIMITS, before=BEFORE)


def shown(phase: OneOffPhase, **more: object) -> TargetState:
    """Both slots as they were, and the task."""
    task = OneOff(ready().token, phase)
    return replace(seen(), task=replace(task, **more))  # type: ignore[arg-type]


def asked(when: float = 0) -> Decision:
    """The task was asked for."""
    return step(ready(), seen(), None, when)


def running(when: float = 2) -> Rollout:
    """The task was seen running."""
    return step(asked().rollout, shown("running"), None, when).rollout


def test_the_task_comes_first_whatever_the_strategy() -> None:
    """Also for a first release and a rolling update; not for a restoration, which goes back at once."""
    for strategy, then in ((Canary(), CheckPreview), (BlueGreen(), CheckPreview), (Rolling(), UpdateInPlace)):
        for first in (True, False):
            steps = steps_for(strategy, first=first, before=BEFORE)
            assert steps[0] == BEFORE and isinstance(steps[1], then)
        assert steps_for(strategy, known_good=True, before=BEFORE) == (SetWeight(100),)


def test_it_is_asked_for_with_a_token_of_its_rollout() -> None:
    """The same token for whoever drives the rollout, another one for the next rollout of the release."""
    decision = asked()
    assert decision.actions == (RunOnce(ready().token, NEW, BEFORE.command, None, 1024),)
    assert taken_over(decision.rollout, "run 2", at(50)).token == ready().token
    assert replace(ready(), started_at=at(1)).token != ready().token
    assert len(ready().token) <= 36 and replace(ready(), index=1).token == ""


def test_exit_code_zero_goes_on() -> None:
    """On to the next step, and the story says so."""
    decision = step(running(), shown("succeeded"), None, 9)
    assert decision.rollout.index == 1 and "exit code 0" in decision.reason


def test_another_exit_code_condemns_with_its_cause() -> None:
    """The verdict has the exit code, ECS's reason and the last log lines; nothing was launched."""
    decision = step(running(), shown("failed", failure=FAILURE), None, 9)
    assert decision.rollout.condemned
    for part in ("exit code 3", "Essential container", "no such table"):
        assert part in decision.rollout.reason
    ended = step(decision.rollout, shown("failed", failure=FAILURE), None, 11)
    assert ended.rollout.phase is RolloutPhase.ABORTED and ended.actions == ()


def test_a_failure_before_it_was_seen_running_counts_as_well() -> None:
    """A task that could not start condemns; it was shown at once as stopped."""
    failure = TaskFailure("1", "CannotPullContainerError: no such image")
    decision = step(asked().rollout, shown("failed", started=False, failure=failure), None, 2)
    assert decision.rollout.condemned and "CannotPull" in decision.rollout.reason


def test_a_task_that_takes_too_long_is_stopped_and_condemns() -> None:
    """The time counts from when it was seen; its end is ours, and says nothing more."""
    assert step(running(2), shown("running"), None, 101).actions == ()
    late = step(running(2), shown("running"), None, 102)
    assert late.rollout.condemned and "not ended after 100 s" in late.rollout.reason
    assert late.actions == (EndTask(ready().token),)
    ended = step(late.rollout, shown("interrupted"), None, 104)
    assert ended.rollout.phase is RolloutPhase.ABORTED and ended.rollout.condemned


def test_a_task_that_never_starts_pauses() -> None:
    """No place to run is the provider's trouble; with a person's word it is waited for anew."""
    begun = step(asked().rollout, shown("running", started=False), None, 2).rollout
    stuck = step(begun, shown("running", started=False, reason="it is PENDING"), None, 103)
    assert stuck.rollout.phase is RolloutPhase.PAUSED and "PENDING" in stuck.reason
    again = step(resume(stuck.rollout, at(200)), shown("running", started=False), None, 202)
    assert again.rollout.phase is RolloutPhase.PROGRESSING


def test_a_task_that_somebody_stopped_pauses() -> None:
    """Neither a pass nor a failure."""
    decision = step(running(), shown("interrupted", reason="Task stopped by user"), None, 9)
    assert decision.rollout.phase is RolloutPhase.PAUSED and not decision.rollout.condemned
    assert "stopped by user" in decision.reason


def test_a_task_that_is_no_longer_shown_pauses_and_never_runs_again() -> None:
    """Not at the first look without it, but after a while; a person's `continue` does not run it again."""
    first = step(running(), seen(), None, 10)
    assert first.actions == () and first.rollout.phase is RolloutPhase.PROGRESSING
    lost = step(first.rollout, seen(), None, 10 + FAST_LIMITS.shift_timeout + 1)
    assert lost.rollout.phase is RolloutPhase.PAUSED and "nobody can tell" in lost.reason
    again = step(resume(lost.rollout, at(9000)), seen(), None, 9000)
    assert again.rollout.phase is RolloutPhase.PAUSED and again.actions == ()


def test_a_look_without_the_task_is_forgotten_when_it_is_shown_again() -> None:
    """Two such looks far apart are no loss."""
    missed = step(running(), seen(), None, 10).rollout
    back = step(missed, shown("running"), None, 12).rollout
    assert step(back, seen(), None, 60).rollout.phase is RolloutPhase.PROGRESSING


def test_a_lost_request_is_repeated_while_ecs_would_show_it() -> None:
    """What ran within the last hour is shown: so it did not run, and may be asked for. Later nobody knows."""
    soon = taken_over(asked().rollout, "run 2", at(STILL_SHOWN - 10))
    assert isinstance(step(soon, seen(), None, STILL_SHOWN - 10).actions[0], RunOnce)
    late = taken_over(asked().rollout, "run 2", at(STILL_SHOWN + 10))
    decision = step(late, seen(), None, STILL_SHOWN + 10)
    assert decision.rollout.phase is RolloutPhase.PAUSED and decision.actions == ()


def test_a_request_without_any_effect_is_not_repeated_for_ever() -> None:
    """After the launch time-out a person looks."""
    decision = step(asked().rollout, seen(), None, FAST_LIMITS.launch_timeout + 1)
    assert decision.rollout.phase is RolloutPhase.PAUSED


@pytest.mark.parametrize("strategy", [Canary(), Rolling()])
def test_a_rollout_that_is_given_up_waits_for_its_task(strategy: Strategy) -> None:
    """The next rollout's task must not run beside it: it may end in its time, then it is stopped."""
    begun = step(ready(strategy), seen(), None, 0).rollout
    begun = step(begun, shown("running"), None, 2).rollout
    up = give_up(begun, "superseded", at(10))
    early = step(up, shown("running"), None, 12)
    assert early.actions == () and early.rollout.phase is RolloutPhase.ABORTING
    late = step(early.rollout, shown("running"), None, 110)
    assert late.actions == (EndTask(ready().token),)
    for ended in ("succeeded", "interrupted"):
        done = step(late.rollout, shown(ended), None, 112)  # type: ignore[arg-type]
        assert done.rollout.phase is RolloutPhase.ABORTED and not done.rollout.condemned


def test_a_task_just_asked_for_is_looked_for_before_a_rollout_is_given_up() -> None:
    """One look may be too early to show it."""
    up = give_up(asked().rollout, "superseded", at(1))
    assert step(up, seen(), None, 2).rollout.phase is RolloutPhase.ABORTING
    assert step(up, seen(), None, 1 + FAST_LIMITS.shift_timeout).rollout.phase is RolloutPhase.ABORTED


def test_a_task_that_cannot_be_stopped_pauses() -> None:
    """An abort does not go on for ever, and does not leave it behind in silence."""
    late = step(running(2), shown("running"), None, 102).rollout
    end = 102 + FAST_LIMITS.launch_timeout
    assert step(late, shown("running"), None, end - 1).rollout.phase is RolloutPhase.ABORTING
    assert step(late, shown("running"), None, end).rollout.phase is RolloutPhase.PAUSED


def test_an_earlier_rollouts_task_ends_first() -> None:
    """It has this one's time to end, then it is stopped; only then the own task is asked for."""
    left = replace(ready(), earlier_task="before-old")
    old = replace(seen(), task=OneOff("before-old", "running", started=True))
    assert left.awaited == "before-old" and left.token == ready().token
    waiting = step(left, old, None, 50)
    assert waiting.actions == () and "earlier rollout may end first" in waiting.reason
    ending = step(left, old, None, 100)
    assert ending.actions == (EndTask("before-old"),)
    stopped = replace(seen(), task=OneOff("before-old", "interrupted"))
    for gone in (stopped, seen()):
        own = step(ending.rollout, gone, None, 102)
        assert own.actions == asked().actions and own.rollout.earlier_task == ""
        assert own.rollout.awaited == ready().token


def test_an_earlier_task_that_cannot_be_stopped_pauses() -> None:
    """No second one is begun beside it."""
    left = replace(ready(), earlier_task="before-old")
    old = replace(seen(), task=OneOff("before-old", "running", started=True))
    late = step(left, old, None, 100 + FAST_LIMITS.launch_timeout)
    assert late.rollout.phase is RolloutPhase.PAUSED and late.actions == ()


def test_what_may_still_run_is_handed_on() -> None:
    """From a rollout that asked for a task, and through those that never came to their own."""
    assert left_behind(None) == "" and left_behind(ready()) == ""
    assert left_behind(running()) == ready().token
    assert left_behind(replace(running(), index=1)) == ""
    assert left_behind(replace(ready(), earlier_task="before-old")) == "before-old"
