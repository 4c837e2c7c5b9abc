"""The way back of a rollout: its traffic is returned, read back, then its tasks are drained."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from delivery.core import moves
from delivery.core.analysis import Verdict
from delivery.core.rollout import Decision, Rollout, RolloutPhase
from delivery.core.target import Drain, ShiftTraffic, TargetState


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
    )
    return abort(moves.told(aborting, seen, f"failed: {verdict.reason}", now), seen, now)


def abort(rollout: Rollout, seen: TargetState, now: datetime) -> Decision:
    """Traffic back, read back, then the candidate drained; never onto a slot where nothing answers.

    A rolling update has no other slot to return to, and a first release none before it: there the traffic
    stays, and what follows is decided by `flows.rollback`.
    """
    candidate, stable = seen.slot(rollout.candidate), seen.slot(rollout.candidate.other)
    if rollout.in_place:
        return moves.aborted(rollout, seen, "", now)
    if candidate.weight > 0 and rollout.previous is None:
        return moves.aborted(rollout, seen, "no earlier release to return to, traffic stays", now)
    if candidate.weight > 0 and moves.waited(rollout, now) >= rollout.limits.launch_timeout:
        reason = f"could not return the traffic: {stable.healthy} healthy targets in {stable.slot}"
        return moves.pause(rollout, seen, f"{reason} ({rollout.reason})", now)
    if candidate.weight > 0 and stable.healthy == 0 and candidate.healthy > 0:
        told = f"waiting for a healthy target in {stable.slot} to return the traffic to"
        return moves.wait(rollout, told, now)
    if candidate.weight > 0:
        shift = ShiftTraffic(rollout.candidate, 0)
        return moves.act(rollout, seen, (shift,), f"returning all traffic to {stable.slot}", now)
    if candidate.desired > 0 and moves.waited(rollout, now) < rollout.limits.launch_timeout:
        told = f"traffic is back, draining {candidate.slot}"
        return moves.act(rollout, seen, (Drain(rollout.candidate),), told, now)
    left = f"{candidate.slot} could not be drained" if candidate.desired > 0 else ""
    return moves.aborted(rollout, seen, left, now)
