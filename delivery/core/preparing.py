"""The task before the switch: asked for once, watched until it ends, and its exit code decides.

ECS shows a stopped task for at least an hour ("Viewing stopped task errors", ECS developer guide). What was
asked for within that time and is not shown was never made, and may be asked for (again): the token makes it
one task. What is not shown later than that is not known to anybody: no pass, no failure, no second run.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from delivery.core import moves
from delivery.core.aborting import condemn
from delivery.core.analysis import RuleResult, Verdict, VerdictPhase
from delivery.core.rollout import Decision, Rollout, TaskNotes
from delivery.core.strategy import RunTask
from delivery.core.target import EndTask, OneOff, RunOnce, TargetState

#: Seconds in which ECS certainly shows a task that ran: its hour, less what clocks and answers may be late.
STILL_SHOWN = 3000.0
_AGAIN = "`delivery abort`, and a new run of `deployment` runs it anew"


def run_before(rollout: Rollout, seen: TargetState, step: RunTask, now: datetime) -> Decision:
    """Ask for the task, wait for its end, go on with exit code 0. An earlier one must not run beside it."""
    if rollout.earlier_task:
        if seen.task is not None and seen.task.phase == "running":
            return _end_earlier(rollout, seen, step, now)
        rollout, seen = replace(rollout, earlier_task="", entered_at=now), replace(seen, task=None)
    task = seen.task
    if task is None:
        return _not_shown(rollout, seen, step, now)
    notes = rollout.task or TaskNotes(now)
    rollout = replace(rollout, task=replace(notes, seen_at=notes.seen_at or now, missed_at=None))
    match task.phase:
        case "succeeded":
            return moves.go_on(rollout, seen, None, "the task before the switch ended with exit code 0", now)
        case "failed":
            return condemn(
                rollout,
                seen,
                _verdict(task.failure.with_last_words() if task.failure else task.reason, now),
                now,
            )
        case "interrupted":
            reason = f"the task before the switch was interrupted ({task.reason}), it says nothing"
            return moves.pause(rollout, seen, f"{reason}; {_AGAIN}", now)
        case _:
            return _running(rollout, seen, step, task, now)


def left_behind(last: Rollout | None) -> str:
    """The token of a one-off task that may still run after its rollout was ended; empty: none.

    A rollout that is ended where it stands does not wait for its task, for then AWS could not be asked.
    """
    if last is None:
        return ""
    return last.earlier_task or (last.token if last.task is not None else "")


def _end_earlier(rollout: Rollout, seen: TargetState, step: RunTask, now: datetime) -> Decision:
    """It may end within this one's time, then it is stopped."""
    waited, limits = moves.waited(rollout, now, seen), rollout.limits
    if waited < step.timeout:
        told = f"the task of an earlier rollout may end first, {waited:.0f} of {step.timeout:g} s"
        return moves.wait(rollout, told, now)
    if waited >= step.timeout + limits.launch_timeout:
        return moves.pause(rollout, seen, "could not stop the task of an earlier rollout", now)
    end = EndTask(rollout.earlier_task)
    return moves.act(rollout, seen, (end,), "stopping the task of an earlier rollout", now)


def _not_shown(rollout: Rollout, seen: TargetState, step: RunTask, now: datetime) -> Decision:
    notes = rollout.task or TaskNotes(now)
    if notes.seen_at is not None:
        missed = replace(rollout, task=replace(notes, missed_at=notes.missed_at or now))
        since = moves.seconds_since(notes.missed_at or now, now, seen)
        if since <= rollout.limits.shift_timeout:
            return moves.wait(missed, "the task before the switch is not shown at the moment", now)
        return moves.pause(missed, seen, f"{_lost('is no longer shown')}; {_AGAIN}", now)
    if (now - notes.asked_at).total_seconds() > STILL_SHOWN:
        return moves.pause(rollout, seen, f"{_lost('was asked for too long ago')}; {_AGAIN}", now)
    if rollout.task is not None and moves.waited(rollout, now, seen) > rollout.limits.launch_timeout:
        reason = (
            f"the task before the switch was asked for since {rollout.limits.launch_timeout:g} s, no sign"
        )
        return moves.pause(rollout, seen, f"{reason} of it", now)
    asked = RunOnce(rollout.token, rollout.release, step.command, step.cpu, step.memory)
    told = f"running before the switch: {' '.join(step.command)}"
    return moves.act(replace(rollout, task=notes), seen, (asked,), told, now)


def _running(rollout: Rollout, seen: TargetState, step: RunTask, task: OneOff, now: datetime) -> Decision:
    """Time over is the release's fault only if its container ran."""
    assert rollout.task is not None and rollout.task.seen_at is not None
    taken = moves.seconds_since(rollout.task.seen_at, now, seen)
    if taken >= step.timeout and task.started:
        return condemn(rollout, seen, _verdict(f"not ended after {step.timeout:g} s", now), now)
    if min(taken, moves.waited(rollout, now, seen)) >= step.timeout:
        reason = f"the task before the switch did not start within {step.timeout:g} s: {task.reason}"
        return moves.pause(rollout, seen, f"{reason.rstrip(': ')}; {_AGAIN}", now)
    state = "running" if task.started else "starting"
    return moves.wait(rollout, f"the task before the switch is {state}, {taken:.0f} s", now)


def _lost(how: str) -> str:
    return f"the task before the switch {how}: nobody can tell whether it passed"


def _verdict(why: str, now: datetime) -> Verdict:
    """The verdict on a release whose task failed; under `launch`, for it is about coming up at all."""
    reason = f"the task before the switch failed: {why}"
    return Verdict(VerdictPhase.FAILED, reason, now, (RuleResult("launch", VerdictPhase.FAILED, reason),))
