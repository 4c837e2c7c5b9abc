"""The ways a decision can come out: act, wait, go on, pause, end; each with its line in the story."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from delivery.core.analysis import Verdict
from delivery.core.rollout import Decision, Rollout, RolloutPhase, Transition
from delivery.core.target import Action, ShiftTraffic, SlotState, TargetState

#: The part of a tick after which traffic that goes back is read back for the first time.
SOON = 0.25


def act(
    rollout: Rollout, seen: TargetState, actions: tuple[Action, ...], reason: str, now: datetime
) -> Decision:
    """Act; told once, however often it has to be asked for.

    Traffic that goes back does so at once, and users wait for it: it is read back before a tick is over.
    """
    pause = rollout.limits.tick
    if rollout.pending != actions:
        rollout = told(replace(rollout, pending=actions, errors=0), seen, reason, now)
        if rollout.returning and all(isinstance(action, ShiftTraffic) for action in actions):
            pause *= SOON
    return Decision(rollout, actions, reason, now + timedelta(seconds=pause))


def wait(rollout: Rollout, reason: str, now: datetime) -> Decision:
    """Nothing to do before the next look."""
    wake_at = now + timedelta(seconds=rollout.limits.tick)
    return Decision(replace(rollout, pending=(), errors=0), (), reason, wake_at)


def retry(rollout: Rollout, reason: str, now: datetime, ticks: int) -> Decision:
    """The same again after some ticks; what is pending and the errors counted so far stay."""
    return Decision(rollout, (), reason, now + timedelta(seconds=rollout.limits.tick * ticks))


def go_on(
    rollout: Rollout, seen: TargetState, verdict: Verdict | None, message: str, now: datetime
) -> Decision:
    """To the next step, at once."""
    text = line(rollout, seen, verdict, message)
    onward = replace(
        rollout,
        index=rollout.index + 1,
        entered_at=now,
        verdict=verdict or rollout.verdict,
        pending=(),
        errors=0,
        reason=rollout.reason if rollout.stopped_by else "",  # why it stood is over
    )
    return Decision(told(onward, seen, text, now), (), text, now)


def pause(rollout: Rollout, seen: TargetState | None, reason: str, now: datetime) -> Decision:
    """Stop where it stands; a person looks."""
    paused = replace(rollout, phase=RolloutPhase.PAUSED, reason=reason, pending=())
    return Decision(told(paused, seen, f"paused: {reason}", now), (), reason, now)


def succeed(rollout: Rollout, seen: TargetState, reason: str, now: datetime) -> Decision:
    """All is done."""
    done = replace(rollout, phase=RolloutPhase.SUCCEEDED, reason=reason, pending=(), errors=0)
    return Decision(told(done, seen, reason, now), (), reason, now)


def aborted(rollout: Rollout, seen: TargetState, also: str, now: datetime) -> Decision:
    """Given up, as far as anything could be given back."""
    reason = "; ".join(part for part in (rollout.reason, also) if part)
    done = replace(rollout, phase=RolloutPhase.ABORTED, reason=reason, pending=(), errors=0)
    return Decision(told(done, seen, f"aborted: {reason}", now), (), reason, now)


def told(rollout: Rollout, seen: TargetState | None, message: str, now: datetime) -> Rollout:
    """The rollout with one more line of its story."""
    last = rollout.history[-1].weight if rollout.history else rollout.weight
    weight = seen.slot(rollout.candidate).weight if seen else last
    return replace(rollout, history=(*rollout.history, Transition(now, weight, message)))


def line(rollout: Rollout, seen: TargetState, verdict: Verdict | None, message: str) -> str:
    """`10 % · 4 of 4 targets healthy · response_time: TargetResponseTime 0.02 of 5 …`"""
    slot = seen.slot(rollout.candidate)
    parts = [message, f"{slot.weight} %", healthy(slot)]
    if verdict:
        parts += [f"{r.rule}: {r.reason}" for r in verdict.results if r.rule != "targets" and not r.part_of]
    return " · ".join(parts)


def healthy(slot: SlotState) -> str:
    """`2 of 4 targets healthy`."""
    return f"{slot.healthy} of {slot.desired} targets healthy"


def waited(rollout: Rollout, now: datetime, seen: TargetState | None = None) -> float:
    """Seconds in the present step, as far as the look tells of them."""
    return seconds_since(rollout.entered_at, now, seen)


def had(rollout: Rollout, since: datetime, now: datetime, seen: TargetState | None) -> float:
    """Seconds since that moment in which the world could do what it was told.

    What a provider refused, or could not be asked, was told to nobody: from there they count anew. The error
    budget bounds how often.
    """
    again = rollout.again_at if rollout.errors else None
    return seconds_since(max(since, again) if again else since, now, seen)


def seconds_since(moment: datetime, now: datetime, seen: TargetState | None) -> float:
    """Seconds from the moment to when the look was asked for."""
    return (now - moment).total_seconds() - (seen.age if seen else 0.0)
