"""One pure `advance` for every strategy: what follows from where a rollout stands and what is seen.

It is level-triggered: every decision compares what should be with what *is* (the listener rule's weights,
the slots' releases), so a killed worker's successor calls the same function and ends in the same place.
Traffic goes before capacity: weights are read back before the next step and before anything is drained.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from delivery.core import accepting, moves
from delivery.core.aborting import abort, condemn
from delivery.core.analysis import Verdict, VerdictPhase
from delivery.core.asking import meddling, wait_for_a_person
from delivery.core.launching import capacity, failed_launch, noted, runs, share, until_serving
from delivery.core.preparing import run_before
from delivery.core.rollout import Decision, Rollout, RolloutPhase
from delivery.core.strategy import Analyze, Bake, CheckPreview, Pause, RunTask, SetWeight, UpdateInPlace
from delivery.core.target import Drain, ShiftTraffic, TargetState


def advance(rollout: Rollout, seen: TargetState, verdict: Verdict | None, now: datetime) -> Decision:
    """Decide the next move. Pure: the same arguments give the same decision.

    `verdict` is None where the present step is not judged.
    """
    if rollout.phase.completed:
        return Decision(rollout, (), rollout.reason, now)
    if rollout.phase is RolloutPhase.ABORTING:
        return abort(rollout, seen, now)
    rollout = noted(rollout, seen.slot(rollout.candidate), now)
    failed = verdict if verdict and verdict.phase is VerdictPhase.FAILED else None
    condemned = failed or failed_launch(rollout, seen, now)
    if condemned:
        return condemn(rollout, seen, condemned, now)
    if verdict and verdict.phase is VerdictPhase.ERROR:
        return could_not_look(replace(rollout, verdict=verdict), verdict.reason, now)
    return _proceed(rollout, seen, verdict, now)


def could_not_look(rollout: Rollout, reason: str, now: datetime, what: str = "look") -> Decision:
    """The provider could not be asked (or, `what="act"`, told): wait longer each time, then pause.

    It says nothing of the release. Errors count until something moves again: a look that succeeds between
    two refused actions does not make the patience endless. Traffic that is being returned is not left half
    way for a budget's sake: an abort keeps trying for `launch_timeout`.
    """
    errors, budget = rollout.errors + 1, rollout.limits.error_budget
    ticks = 2 ** min(errors, 6)
    again = now + timedelta(seconds=rollout.limits.tick * ticks)
    trying = replace(rollout, errors=errors, again_at=again)
    if rollout.phase is RolloutPhase.ABORTING:
        if moves.waited(rollout, now) >= rollout.limits.launch_timeout:
            told = f"could not return the traffic: {reason} ({rollout.reason})"
            return moves.pause(trying, None, told, now)
        return moves.retry(trying, f"could not {what} ({reason}), trying again", now, 2 ** min(errors, 3))
    if errors > budget:
        return moves.pause(trying, None, f"could not {what} {errors} times in a row: {reason}", now)
    told = f"could not {what} ({errors} of {budget}): {reason}"
    return moves.retry(trying, told, now, ticks)


def _proceed(rollout: Rollout, seen: TargetState, verdict: Verdict | None, now: datetime) -> Decision:
    """One look at the present step of a rollout nobody has condemned."""
    step = rollout.step
    match step:
        case None:
            return _finish(rollout, seen, now)
        case RunTask():
            return run_before(rollout, seen, step, now)
        case CheckPreview(seconds=seconds):
            return _check_preview(rollout, seen, verdict, seconds, now)
        case SetWeight(percent=percent):
            return _set_weight(rollout, seen, percent, now)
        case Analyze(seconds=seconds) | Bake(seconds=seconds):
            return _analyze(rollout, seen, verdict, seconds, now)
        case Pause():
            return wait_for_a_person(rollout, seen, verdict, step, now)
        case UpdateInPlace():
            return _update_in_place(rollout, seen, now)
        case _:
            assert_never(step)


def _check_preview(
    rollout: Rollout, seen: TargetState, verdict: Verdict | None, seconds: float, now: datetime
) -> Decision:
    waiting = until_serving(rollout, seen, capacity(seen, rollout), now)
    if waiting:
        return waiting
    end = (rollout.served_at or now) + timedelta(seconds=seconds)
    if now < end:
        return moves.wait(rollout, moves.line(rollout, seen, verdict, "preview"), now)
    if verdict is None or verdict.phase is VerdictPhase.SUCCESSFUL:
        return moves.go_on(rollout, seen, verdict, "preview passed", now)
    return _inconclusive(rollout, seen, verdict, end, now)


def _set_weight(rollout: Rollout, seen: TargetState, percent: int, now: datetime) -> Decision:
    slot = seen.slot(rollout.candidate)
    if slot.weight == percent and runs(rollout, slot):
        reached = replace(rollout, traffic_at=rollout.traffic_at or now)
        return moves.go_on(reached, seen, None, f"{percent} % verified", now)
    needed = capacity(seen, rollout) if rollout.launched_at is None else share(seen, rollout, percent)
    waiting = until_serving(rollout, seen, needed, now)
    if waiting:
        return waiting
    since = max(rollout.entered_at, rollout.served_at or rollout.entered_at)
    if moves.had(rollout, since, now, seen) > rollout.limits.shift_timeout:
        refused = f" ({rollout.errors} orders before were refused)" if rollout.errors else ""
        reason = f"{percent} % was asked for, the load balancer still gives {slot.weight} %{refused}"
        return moves.pause(rollout, seen, reason, now)
    shift = ShiftTraffic(rollout.candidate, percent)
    return moves.act(rollout, seen, (shift,), f"shifting to {percent} %", now)


def _analyze(
    rollout: Rollout, seen: TargetState, verdict: Verdict | None, seconds: float, now: datetime
) -> Decision:
    slot, meddled = seen.slot(rollout.candidate), meddling(rollout, seen)
    if meddled:
        return moves.pause(rollout, seen, meddled, now)
    end = rollout.entered_at + timedelta(seconds=seconds)
    if now < end:
        return moves.wait(rollout, moves.line(rollout, seen, verdict, "analysis"), now)
    if verdict is not None and verdict.phase is VerdictPhase.SUCCESSFUL:
        return moves.go_on(rollout, seen, verdict, f"{slot.weight} % healthy", now)
    return _inconclusive(rollout, seen, verdict, end, now)


def _update_in_place(rollout: Rollout, seen: TargetState, now: datetime) -> Decision:
    slot = seen.slot(rollout.candidate)
    waiting = until_serving(rollout, seen, max(seen.min_capacity, slot.desired), now)
    if waiting:
        return waiting
    return moves.go_on(replace(rollout, traffic_at=now), seen, None, "updated in place", now)


def _finish(rollout: Rollout, seen: TargetState, now: datetime) -> Decision:
    """All steps passed: the old slot is drained, last of all, and only behind a slot that serves."""
    slot, old = seen.slot(rollout.candidate), seen.slot(rollout.candidate.other)
    if old.weight > 0:
        reason = f"somebody else gave {old.weight} % to the old slot {old.slot}"
        return moves.pause(rollout, seen, reason, now)
    if old.desired == 0:
        return moves.succeed(
            rollout, seen, "restored" if rollout.kind == "restore" else "all steps passed", now
        )
    if moves.had(rollout, rollout.entered_at, now, seen) > rollout.limits.launch_timeout:
        reason = f"{slot.healthy} targets healthy in {slot.slot}, the old slot {old.slot} is not drained"
        return moves.pause(rollout, seen, reason, now)
    if not slot.serving:
        return moves.wait(rollout, f"{moves.healthy(slot)} in {slot.slot}", now)
    return moves.act(rollout, seen, (Drain(old.slot),), f"draining the old slot {old.slot}", now)


def _inconclusive(
    rollout: Rollout, seen: TargetState, verdict: Verdict | None, end: datetime, now: datetime
) -> Decision:
    """The step's time is over and nobody can say that it is healthy: wait a while, then pause.

    It goes on by the word of a person who accepted just that at this step.
    """
    words = accepting.words_for(rollout, verdict)
    if words and verdict is not None:
        accepted = replace(verdict, accepted=words)
        return moves.go_on(rollout, seen, accepted, accepting.told(words), now)
    reason = verdict.reason if verdict else "not judged"
    if moves.seconds_since(end, now, seen) >= rollout.limits.inconclusive_timeout:
        asks = replace(rollout, verdict=verdict, undecided=accepting.undecided(verdict))
        return moves.pause(asks, seen, f"inconclusive: {reason}", now)
    return moves.wait(rollout, f"not yet conclusive: {reason}", now)
