"""One pure `advance` for every strategy: what follows from where a rollout stands and what is seen.

It is level-triggered: every decision compares what should be with what *is* (the listener rule's weights,
the slots' releases), so a killed worker's successor calls the same function and ends in the same place.
Traffic goes before capacity: weights are read back before the next step and before anything is drained.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from delivery.core.analysis import RuleResult, Verdict, VerdictPhase
from delivery.core.judging import failure_of
from delivery.core.rollout import Decision, Rollout, RolloutPhase, Transition
from delivery.core.strategy import Analyze, Bake, CheckPreview, SetWeight, UpdateInPlace
from delivery.core.target import Action, Drain, Launch, ShiftTraffic, SlotState, TargetState


def advance(rollout: Rollout, seen: TargetState, verdict: Verdict | None, now: datetime) -> Decision:
    """Decide the next move. Pure: the same arguments give the same decision.

    `verdict` is None where the present step is not judged.
    """
    if rollout.phase.completed:
        return Decision(rollout, (), rollout.reason, now)
    if rollout.phase is RolloutPhase.ABORTING:
        return _abort(replace(rollout, errors=0), seen, now)
    slot = seen.slot(rollout.candidate)
    rollout = _noted(rollout, slot, now)
    condemned = (
        verdict if verdict and verdict.phase is VerdictPhase.FAILED else _failed_launch(rollout, slot, now)
    )
    if condemned:
        return condemn(rollout, seen, condemned, now)
    if verdict and verdict.phase is VerdictPhase.ERROR:
        return could_not_look(replace(rollout, verdict=verdict), verdict.reason, now)
    return _proceed(replace(rollout, errors=0), seen, verdict, now)


def could_not_look(rollout: Rollout, reason: str, now: datetime) -> Decision:
    """The provider could not be asked: wait longer each time, then pause. It says nothing of the release.

    Traffic that is being returned is not left half way for a budget's sake: an abort keeps trying for
    `launch_timeout`.
    """
    errors = rollout.errors + 1
    trying = replace(rollout, errors=errors)
    if rollout.phase is RolloutPhase.ABORTING:
        if _waited(rollout, now) >= rollout.limits.launch_timeout:
            return _pause(trying, None, f"could not return the traffic: {reason}", now)
        return _wait(trying, f"could not look ({reason}), trying again", now, 2 ** min(errors, 3))
    if errors > rollout.limits.error_budget:
        return _pause(trying, None, f"could not look {errors} times in a row: {reason}", now)
    told = f"could not look ({errors} of {rollout.limits.error_budget}): {reason}"
    return _wait(trying, told, now, 2 ** min(errors, 6))


def condemn(rollout: Rollout, seen: TargetState, verdict: Verdict, now: datetime) -> Decision:
    """The release is bad: give its traffic back, at once."""
    reason = verdict.reason
    aborting = _told(
        replace(
            rollout, phase=RolloutPhase.ABORTING, verdict=verdict, reason=reason, errors=0, entered_at=now
        ),
        seen,
        f"failed: {reason}",
        now,
    )
    return _abort(aborting, seen, now)


def _proceed(rollout: Rollout, seen: TargetState, verdict: Verdict | None, now: datetime) -> Decision:
    """One look at the present step of a rollout nobody has condemned."""
    step = rollout.step
    match step:
        case None:
            return _finish(rollout, seen, now)
        case CheckPreview(seconds=seconds):
            return _check_preview(rollout, seen, verdict, seconds, now)
        case SetWeight(percent=percent):
            return _set_weight(rollout, seen, percent, now)
        case Analyze(seconds=seconds) | Bake(seconds=seconds):
            return _analyze(rollout, seen, verdict, seconds, now)
        case UpdateInPlace():
            return _update_in_place(rollout, seen, now)
        case _:
            assert_never(step)


def _check_preview(
    rollout: Rollout, seen: TargetState, verdict: Verdict | None, seconds: float, now: datetime
) -> Decision:
    waiting = _until_serving(rollout, seen, _capacity(seen, rollout), now)
    if waiting:
        return waiting
    served = rollout.served_at or now
    if now < served + timedelta(seconds=seconds):
        return _wait(rollout, _line(rollout, seen, verdict, "preview"), now)
    if verdict is None or verdict.phase is VerdictPhase.SUCCESSFUL:
        return _next(rollout, seen, verdict, "preview passed", now)
    return _inconclusive(rollout, seen, verdict, served + timedelta(seconds=seconds), now)


def _set_weight(rollout: Rollout, seen: TargetState, percent: int, now: datetime) -> Decision:
    slot = seen.slot(rollout.candidate)
    if slot.weight == percent and _runs(rollout, slot):
        reached = replace(rollout, traffic_at=rollout.traffic_at or now)
        return _next(reached, seen, None, f"{percent} % verified", now)
    needed = _capacity(seen, rollout) if rollout.launched_at is None else _share(seen, rollout, percent)
    waiting = _until_serving(rollout, seen, needed, now)
    if waiting:
        return waiting
    since = max(rollout.entered_at, rollout.served_at or rollout.entered_at)
    if (now - since).total_seconds() > rollout.limits.shift_timeout:
        reason = f"{percent} % was asked for, the load balancer still gives {slot.weight} %"
        return _pause(rollout, seen, reason, now)
    return _act(rollout, seen, (ShiftTraffic(rollout.candidate, percent),), f"shifting to {percent} %", now)


def _analyze(
    rollout: Rollout, seen: TargetState, verdict: Verdict | None, seconds: float, now: datetime
) -> Decision:
    slot = seen.slot(rollout.candidate)
    if slot.weight != rollout.weight:
        reason = f"somebody else moved the traffic: {rollout.weight} % expected, {slot.weight} % found"
        return _pause(rollout, seen, reason, now)
    if slot.release != rollout.release.id:
        reason = f"somebody else changed the slot {slot.slot}: it runs {slot.release or 'nothing'}"
        return _pause(rollout, seen, reason, now)
    end = rollout.entered_at + timedelta(seconds=seconds)
    if now < end:
        return _wait(rollout, _line(rollout, seen, verdict, "analysis"), now)
    if verdict is not None and verdict.phase is VerdictPhase.SUCCESSFUL:
        return _next(rollout, seen, verdict, f"{slot.weight} % healthy", now)
    return _inconclusive(rollout, seen, verdict, end, now)


def _update_in_place(rollout: Rollout, seen: TargetState, now: datetime) -> Decision:
    slot = seen.slot(rollout.candidate)
    waiting = _until_serving(rollout, seen, max(seen.min_capacity, slot.desired), now)
    if waiting:
        return waiting
    return _next(replace(rollout, traffic_at=now), seen, None, "updated in place", now)


def _finish(rollout: Rollout, seen: TargetState, now: datetime) -> Decision:
    """All steps passed: the old slot is drained, last of all, and only behind a slot that serves."""
    slot, old = seen.slot(rollout.candidate), seen.slot(rollout.candidate.other)
    if old.weight > 0:
        return _pause(rollout, seen, f"somebody else gave {old.weight} % to the old slot {old.slot}", now)
    if old.desired > 0:
        if _waited(rollout, now) > rollout.limits.launch_timeout:
            reason = f"{slot.healthy} targets healthy in {slot.slot}, the old slot {old.slot} is not drained"
            return _pause(rollout, seen, reason, now)
        if not slot.serving:
            return _wait(rollout, f"{slot.healthy} of {slot.desired} targets healthy in {slot.slot}", now)
        return _act(rollout, seen, (Drain(old.slot),), f"draining the old slot {old.slot}", now)
    reason = "restored" if rollout.kind == "restore" else "all steps passed"
    done = replace(rollout, phase=RolloutPhase.SUCCEEDED, reason=reason, pending=())
    return Decision(_told(done, seen, reason, now), (), reason, now)


def _abort(rollout: Rollout, seen: TargetState, now: datetime) -> Decision:
    """Traffic back, read back, then the candidate drained; never onto a slot where nothing answers."""
    candidate, stable = seen.slot(rollout.candidate), seen.slot(rollout.candidate.other)
    if rollout.in_place:
        return _aborted(rollout, seen, "", now)
    if candidate.weight > 0 and rollout.previous is None:
        return _aborted(rollout, seen, "no earlier release to return to, traffic stays", now)
    if candidate.weight > 0 and _waited(rollout, now) >= rollout.limits.launch_timeout:
        reason = f"could not return the traffic: {stable.healthy} healthy targets in {stable.slot}"
        return _pause(rollout, seen, f"{reason} ({rollout.reason})", now)
    if candidate.weight > 0 and stable.healthy == 0 and candidate.healthy > 0:
        return _wait(rollout, f"waiting for a healthy target in {stable.slot} to return the traffic to", now)
    if candidate.weight > 0:
        shift = ShiftTraffic(rollout.candidate, 0)
        return _act(rollout, seen, (shift,), f"returning all traffic to {stable.slot}", now)
    if candidate.desired > 0:
        return _act(
            rollout, seen, (Drain(rollout.candidate),), f"traffic is back, draining {candidate.slot}", now
        )
    return _aborted(rollout, seen, "", now)


def _until_serving(rollout: Rollout, seen: TargetState, needed: int, now: datetime) -> Decision | None:
    """Launch the candidate and wait for it; None once it serves with at least `needed` tasks."""
    slot = seen.slot(rollout.candidate)
    ready = slot.serving and (slot.settled or not rollout.in_place)
    if _waited(rollout, now) > rollout.limits.launch_timeout and not ready:
        reason = f"{slot.healthy} of {slot.desired} targets healthy after {rollout.limits.launch_timeout:g} s"
        return condemn(rollout, seen, _launch_verdict(f"{reason}: {failure_of(slot)}", now), now)
    if not _runs(rollout, slot) or slot.desired < needed:
        launch = Launch(rollout.candidate, rollout.release, max(needed, slot.desired))
        told = f"launching {rollout.release.id} in {slot.slot} with {launch.count} tasks"
        return _act(rollout, seen, (launch,), told, now)
    if not ready:
        return _wait(rollout, f"{slot.healthy} of {slot.desired} targets healthy in {slot.slot}", now)
    return None


def _noted(rollout: Rollout, slot: SlotState, now: datetime) -> Rollout:
    """The rollout with what this look tells of its candidate: launched, serving."""
    runs = _runs(rollout, slot)
    return replace(
        rollout,
        launched_at=rollout.launched_at or (now if runs else None),
        served_at=(rollout.served_at or now) if runs and slot.serving else None,
    )


def _failed_launch(rollout: Rollout, slot: SlotState, now: datetime) -> Verdict | None:
    """ECS gave up on the candidate, or its tasks keep dying.

    Only once the slot was seen running this release: an earlier deployment's failure is not ours. A
    restoration that already has the traffic is not taken back to the release it replaces.
    """
    if rollout.launched_at is None or (rollout.kind == "restore" and slot.weight > 0):
        return None
    if slot.failed or slot.rolled_back:
        back = "; ECS put the previous revision back" if slot.rolled_back else ""
        return _launch_verdict(f"ECS gave up the deployment: {failure_of(slot)}{back}", now)
    if slot.failed_tasks >= rollout.limits.failed_tasks:
        return _launch_verdict(f"{slot.failed_tasks} tasks died in a row: {failure_of(slot)}", now)
    return None


def _launch_verdict(reason: str, now: datetime) -> Verdict:
    return Verdict(VerdictPhase.FAILED, reason, now, (RuleResult("launch", VerdictPhase.FAILED, reason),))


def _inconclusive(
    rollout: Rollout, seen: TargetState, verdict: Verdict | None, end: datetime, now: datetime
) -> Decision:
    """The step's time is over and nobody can say that it is healthy: wait a while, then pause."""
    reason = verdict.reason if verdict else "not judged"
    if (now - end).total_seconds() >= rollout.limits.inconclusive_timeout:
        return _pause(replace(rollout, verdict=verdict), seen, f"inconclusive: {reason}", now)
    return _wait(rollout, f"not yet conclusive: {reason}", now)


def _next(
    rollout: Rollout, seen: TargetState, verdict: Verdict | None, message: str, now: datetime
) -> Decision:
    told = _line(rollout, seen, verdict, message)
    onward = replace(
        rollout, index=rollout.index + 1, entered_at=now, verdict=verdict or rollout.verdict, pending=()
    )
    return Decision(_told(onward, seen, told, now), (), told, now)


def _act(
    rollout: Rollout, seen: TargetState, actions: tuple[Action, ...], reason: str, now: datetime
) -> Decision:
    """Act; told once, however often it has to be asked for."""
    if rollout.pending != actions:
        rollout = _told(replace(rollout, pending=actions), seen, reason, now)
    return Decision(rollout, actions, reason, now + timedelta(seconds=rollout.limits.tick))


def _wait(rollout: Rollout, reason: str, now: datetime, ticks: int = 1) -> Decision:
    wake_at = now + timedelta(seconds=rollout.limits.tick * ticks)
    return Decision(replace(rollout, pending=()), (), reason, wake_at)


def _pause(rollout: Rollout, seen: TargetState | None, reason: str, now: datetime) -> Decision:
    paused = replace(rollout, phase=RolloutPhase.PAUSED, reason=reason, pending=())
    return Decision(_told(paused, seen, f"paused: {reason}", now), (), reason, now)


def _aborted(rollout: Rollout, seen: TargetState, also: str, now: datetime) -> Decision:
    reason = "; ".join(part for part in (rollout.reason, also) if part)
    done = replace(rollout, phase=RolloutPhase.ABORTED, reason=reason, pending=())
    return Decision(_told(done, seen, f"aborted: {reason}", now), (), reason, now)


def _told(rollout: Rollout, seen: TargetState | None, message: str, now: datetime) -> Rollout:
    """The rollout with one more line of its story."""
    weight = seen.slot(rollout.candidate).weight if seen else rollout.weight
    return replace(rollout, history=(*rollout.history, Transition(now, weight, message)))


def _line(rollout: Rollout, seen: TargetState, verdict: Verdict | None, message: str) -> str:
    """`10 % · 4 of 4 targets healthy · response_time: TargetResponseTime 0.02 of 5 …`"""
    slot = seen.slot(rollout.candidate)
    parts = [message, f"{slot.weight} %", f"{slot.healthy} of {slot.desired} targets healthy"]
    if verdict:
        parts += [f"{r.rule}: {r.reason}" for r in verdict.results if r.rule != "targets"]
    return " · ".join(parts)


def _runs(rollout: Rollout, slot: SlotState) -> bool:
    return slot.release == rollout.release.id and slot.desired > 0


def _capacity(seen: TargetState, rollout: Rollout) -> int:
    """Tasks the candidate starts with: what serves now, a scale-out in flight included."""
    stable = seen.slot(rollout.candidate.other)
    return max(1, seen.min_capacity, min(max(stable.running, stable.desired), seen.max_capacity))


def _share(seen: TargetState, rollout: Rollout, percent: int) -> int:
    """Tasks that carry `percent` of the traffic, should the stable slot have grown meanwhile."""
    return math.ceil(_capacity(seen, rollout) * percent / 100)


def _waited(rollout: Rollout, now: datetime) -> float:
    return (now - rollout.entered_at).total_seconds()
