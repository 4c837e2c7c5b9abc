"""Waiting for a person in the middle of a rollout, with the candidate judged all the time."""

from __future__ import annotations

from datetime import datetime, timedelta

from delivery.core import moves
from delivery.core.aborting import abort
from delivery.core.analysis import Verdict, VerdictPhase
from delivery.core.rollout import Decision, Rollout, give_up
from delivery.core.strategy import Pause
from delivery.core.target import TargetState


def wait_for_a_person(
    rollout: Rollout, seen: TargetState, verdict: Verdict | None, step: Pause, now: datetime
) -> Decision:
    """Go on when a person has said so, do what the pause says when nobody has in time.

    An inconclusive verdict is shown and waited with: it is a person who decides here, and no time-out goes on
    with it.
    """
    meddled = meddling(rollout, seen)
    if meddled:
        return moves.pause(rollout, seen, meddled, now)
    if rollout.answered == rollout.index:
        return moves.go_on(rollout, seen, verdict, "continued by a person", now)
    end = rollout.entered_at + timedelta(seconds=step.timeout)
    if now < end:
        told = moves.line(rollout, seen, verdict, f"waiting until {end:%Y-%m-%d %H:%M} UTC for `continue`")
        return moves.wait(rollout, told, now)
    silence = f"nobody answered within {step.timeout:g} s"
    match step.then:
        case "continue" if verdict is None or verdict.phase is VerdictPhase.SUCCESSFUL:
            return moves.go_on(rollout, seen, verdict, f"{silence}, going on", now)
        case "continue":
            return _unsure(rollout, seen, verdict, silence, end, now)
        case "abort":
            return abort(give_up(rollout, silence, now), seen, now)
        case _:
            return moves.pause(rollout, seen, silence, now)


def _unsure(
    rollout: Rollout, seen: TargetState, verdict: Verdict | None, silence: str, end: datetime, now: datetime
) -> Decision:
    """Nobody answered, and nobody can say that it is healthy: that takes a person's word."""
    told = f"{silence}, and it is not known to be good: {verdict.reason if verdict else 'not judged'}"
    if moves.seconds_since(end, now, seen) < rollout.limits.inconclusive_timeout:
        return moves.wait(rollout, told, now)
    return moves.pause(rollout, seen, told, now)


def meddling(rollout: Rollout, seen: TargetState) -> str:
    """What somebody else did to traffic or slot while nothing of ours was on its way; empty: nothing."""
    slot = seen.slot(rollout.candidate)
    if slot.weight != rollout.weight:
        return f"somebody else moved the traffic: {rollout.weight} % expected, {slot.weight} % found"
    if rollout.launched_at is not None and slot.release != rollout.release.id:
        return f"somebody else changed the slot {slot.slot}: it runs {slot.release or 'nothing'}"
    return ""
