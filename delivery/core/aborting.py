"""The way back of a rollout: its traffic is returned, read back, then its tasks are drained."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from delivery.core import moves
from delivery.core.analysis import Verdict
from delivery.core.release import Release
from delivery.core.rollout import Decision, Rollout, RolloutPhase
from delivery.core.strategy import RunTask
from delivery.core.target import Drain, EndTask, Launch, ShiftTraffic, SlotState, TargetState


def condemn(rollout: Rollout, seen: TargetState, verdict: Verdict, now: datetime) -> Decision:
    """The release is bad: give its traffic back, at once."""
    aborting = replace(
        rollout,
        phase=RolloutPhase.ABORTING,
        verdict=verdict,
        reason=verdict.reason,
        errors=0,
        entered_at=now,
        returning=True,
        cause=rollout.cause or verdict.reason,
    )
    return abort(moves.told(aborting, seen, f"failed: {verdict.reason}", now), seen, now)


def abort(rollout: Rollout, seen: TargetState, now: datetime) -> Decision:
    """Traffic back, read back, then the candidate drained; never onto a slot where nothing answers.

    A first release has none before it: there the traffic stays. So it does where all steps had passed and
    the old slot was drained already: the rollout then has succeeded, whatever was asked for since.
    """
    task = _task_first(rollout, seen, now)
    if task is not None:
        return task
    candidate, stable = seen.slot(rollout.candidate), seen.slot(rollout.candidate.other)
    if rollout.in_place:
        return _abort_in_place(rollout, seen, now)
    if candidate.weight > 0 and rollout.previous is None:
        return moves.aborted(rollout, seen, "no earlier release to return to, traffic stays", now)
    if candidate.weight == 100 and stable.desired == 0 and rollout.step is None:
        reason = f"too late to give up, all steps had passed and {stable.slot} is drained ({rollout.reason})"
        return moves.succeed(rollout, seen, reason, now)
    if _shifting(rollout) and rollout.previous is not None and stable.healthy > 0:
        # Ordered before the rollout was given up. One look may be too early to tell its effect.
        back, told = ShiftTraffic(rollout.candidate, 0), f"taking the last shift back to {stable.slot}"
        return moves.act(replace(rollout, entered_at=now), seen, (back,), told, now)
    if candidate.weight > 0:
        return _return_traffic(rollout, seen, candidate, stable, now)
    return _drain(rollout, seen, candidate, stable, now)


def _task_first(rollout: Rollout, seen: TargetState, now: datetime) -> Decision | None:
    """A task before the switch is not left behind: it may end within its time, then it is stopped.

    No traffic has moved yet, so nobody waits for it but the next rollout, whose task must not run beside it.
    """
    step, notes, limits = rollout.step, rollout.task, rollout.limits
    if not isinstance(step, RunTask) or notes is None:
        return None
    if seen.task is None:  # ordered a moment ago, one look may be too early
        early = (
            notes.seen_at is None and moves.seconds_since(notes.asked_at, now, seen) < limits.shift_timeout
        )
        return (
            moves.wait(rollout, "looking whether the task before the switch was begun", now)
            if early
            else None
        )
    if seen.task.phase != "running":
        return None
    taken = moves.seconds_since(notes.seen_at or notes.asked_at, now, seen)
    if taken < step.timeout:
        return moves.wait(
            rollout, f"the task before the switch may end, {taken:.0f} of {step.timeout:g} s", now
        )
    patient = moves.waited(rollout, now, seen) < limits.launch_timeout
    if taken >= step.timeout + limits.launch_timeout and rollout.pending and not patient:
        return moves.pause(
            rollout, seen, f"could not stop the task before the switch ({rollout.reason})", now
        )
    return moves.act(rollout, seen, (EndTask(rollout.token),), "stopping the task before the switch", now)


def _drain(
    rollout: Rollout, seen: TargetState, candidate: SlotState, stable: SlotState, now: datetime
) -> Decision:
    """End the candidate's tasks, tried at least once, but not while it alone has healthy targets."""
    patient = moves.waited(rollout, now, seen) < rollout.limits.launch_timeout
    tried = any(isinstance(action, Drain) for action in rollout.pending)
    needed = stable.desired > 0 and stable.healthy == 0 and candidate.healthy > 0
    if candidate.desired > 0 and needed and patient:
        told = f"{candidate.slot} is kept while nothing is healthy in {stable.slot}"
        return moves.wait(rollout, told, now)
    if candidate.desired > 0 and not needed and (patient or not tried):
        told = f"traffic is back, draining {candidate.slot}"
        return moves.act(rollout, seen, (Drain(rollout.candidate),), told, now)
    left = f"{candidate.slot} could not be drained" if candidate.desired > 0 else ""
    return moves.aborted(rollout, seen, left, now)


def _shifting(rollout: Rollout) -> bool:
    """Whether more traffic for the candidate was the last thing written down to be done."""
    return any(isinstance(action, ShiftTraffic) and action.percent > 0 for action in rollout.pending)


def _return_traffic(
    rollout: Rollout, seen: TargetState, candidate: SlotState, stable: SlotState, now: datetime
) -> Decision:
    if moves.waited(rollout, now, seen) >= rollout.limits.launch_timeout:
        reason = f"could not return the traffic: {stable.healthy} healthy targets in {stable.slot}"
        return moves.pause(rollout, seen, f"{reason} ({rollout.reason})", now)
    if rollout.back is not None and _gone(stable, rollout.back):
        # Somebody parked it or put something else there: what served before is to serve again.
        launch = Launch(stable.slot, rollout.back, max(1, seen.min_capacity, candidate.desired))
        return moves.act(rollout, seen, (launch,), f"launching {rollout.back.id} in {stable.slot} again", now)
    if stable.healthy == 0 and candidate.healthy > 0:
        told = f"waiting for a healthy target in {stable.slot} to return the traffic to"
        return moves.wait(rollout, told, now)
    shift = ShiftTraffic(rollout.candidate, 0)
    return moves.act(rollout, seen, (shift,), f"returning all traffic to {stable.slot}", now)


def _gone(stable: SlotState, back: Release) -> bool:
    """The slot no longer runs what served before. What has traffic there is not replaced under it."""
    return stable.desired == 0 or (stable.weight == 0 and stable.release != back.id)


def _abort_in_place(rollout: Rollout, seen: TargetState, now: datetime) -> Decision:
    """A rolling update has no other slot to return to.

    One that was given up puts the release before it back in the same way; where that is not known, the
    traffic stays. A condemned one is left to `flows.rollback`, which goes back to the last verified release
    through the idle slot.
    """
    slot, back = seen.slot(rollout.candidate), rollout.back
    if rollout.condemned:
        return moves.aborted(rollout, seen, "", now)
    if back is None and slot.release == rollout.release.id:
        return moves.aborted(rollout, seen, "no earlier release to return to, traffic stays", now)
    if back is None or slot.release not in (rollout.release.id, back.id):
        return moves.aborted(rollout, seen, f"{slot.slot} runs {slot.release or 'nothing'}", now)
    if slot.release == back.id and (slot.serving or rollout.launched_at is None):
        return moves.aborted(rollout, seen, f"{back.id} is back", now)
    if moves.waited(rollout, now, seen) >= rollout.limits.launch_timeout:
        reason = f"could not put {back.id} back: {moves.healthy(slot)} ({rollout.reason})"
        return moves.pause(rollout, seen, reason, now)
    if slot.release == back.id:
        return moves.wait(rollout, f"{moves.healthy(slot)} in {slot.slot}", now)
    launch = Launch(slot.slot, back, max(1, seen.min_capacity, slot.desired))
    ran = replace(rollout, launched_at=rollout.launched_at or now)  # the slot runs it: it has to be replaced
    return moves.act(ran, seen, (launch,), f"putting {back.id} back in {slot.slot}", now)
