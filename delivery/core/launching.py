"""Bringing the candidate up: how many tasks, how long to wait, and when ECS's failure is the release's."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

from delivery.core import moves
from delivery.core.aborting import condemn
from delivery.core.analysis import RuleResult, Verdict, VerdictPhase
from delivery.core.judging import failure_of
from delivery.core.rollout import Decision, Rollout
from delivery.core.strategy import UpdateInPlace
from delivery.core.target import Launch, SlotState, TargetState


def until_serving(rollout: Rollout, seen: TargetState, needed: int, now: datetime) -> Decision | None:
    """Launch the candidate and wait for it; None once it serves with at least `needed` tasks.

    A launch that was done by half (tasks, but the preview rule points elsewhere) is asked for again.

    A slot that was never seen running the release says nothing of it: that is a provider's trouble, and
    pauses. One that ran it and does not get healthy condemns it.
    """
    slot, limits = seen.slot(rollout.candidate), rollout.limits
    ready = slot.serving and (slot.settled or not rollout.in_place or _came_back(rollout, slot))
    asked = moves.had(rollout, rollout.entered_at, now, seen)
    if not ready and rollout.launched_at is None and asked > limits.launch_timeout:
        reason = f"{slot.slot} does not run the release {limits.launch_timeout:g} s after it was asked to"
        return moves.pause(rollout, seen, reason, now)
    # Tasks that autoscaling adds have a time of their own.
    began = (rollout.entered_at, rollout.launched_at, rollout.grown_at)
    since = max(moment for moment in began if moment is not None)
    ran = rollout.launched_at is not None
    if not ready and ran and moves.seconds_since(since, now, seen) > limits.launch_timeout:
        reason = f"{moves.healthy(slot)} after {limits.launch_timeout:g} s"
        return condemn(rollout, seen, launch_verdict(f"{reason}: {failure_of(slot)}", now), now)
    unseen = rollout.kind == "deploy" and seen.preview is not rollout.candidate
    if not runs(rollout, slot) or slot.desired < needed or unseen:
        launch = Launch(rollout.candidate, rollout.release, max(needed, slot.desired))
        told = f"launching {rollout.release.id} in {slot.slot} with {launch.count} tasks"
        return moves.act(rollout, seen, (launch,), told, now)
    if not ready:
        return moves.wait(rollout, f"{moves.healthy(slot)} in {slot.slot}", now)
    return None


def noted(rollout: Rollout, slot: SlotState, now: datetime) -> Rollout:
    """The rollout with what this look tells of its candidate: launched, serving, grown."""
    running = runs(rollout, slot)
    return replace(
        rollout,
        launched_at=rollout.launched_at or (now if running else None),
        served_at=(rollout.served_at or now) if running and slot.serving else None,
        tasks=slot.desired,
        grown_at=now if slot.desired > rollout.tasks else rollout.grown_at,
    )


def failed_launch(rollout: Rollout, seen: TargetState, now: datetime) -> Verdict | None:
    """ECS gave up on the candidate, or its tasks keep dying.

    Only once the slot was seen running this release: an earlier deployment's failure is not ours. A
    restoration that already has the traffic is not taken back to the release it replaces, and nothing is
    taken back to a slot that was drained when all steps had passed.
    """
    slot, old = seen.slot(rollout.candidate), seen.slot(rollout.candidate.other)
    if rollout.launched_at is None or (rollout.kind == "restore" and slot.weight > 0):
        return None
    if rollout.step is None and old.desired == 0:
        return None
    if _came_back(rollout, slot):
        return None
    if slot.failed or slot.rolled_back:
        back = "; ECS went back to the revision before it" if slot.rolled_back else ""
        return launch_verdict(f"ECS gave up the deployment: {failure_of(slot)}{back}", now)
    if isinstance(rollout.step, UpdateInPlace) and slot.release == rollout.previous != rollout.release.id:
        # ECS tells of its way back only while it is on it; nobody else puts the previous release back.
        return launch_verdict(f"ECS put {slot.release} back in {slot.slot}", now)
    if slot.failed_tasks >= rollout.limits.failed_tasks:
        return launch_verdict(f"{slot.failed_tasks} tasks died in a row: {failure_of(slot)}", now)
    return None


def launch_verdict(reason: str, now: datetime) -> Verdict:
    """The verdict on a release that does not come up."""
    return Verdict(VerdictPhase.FAILED, reason, now, (RuleResult("launch", VerdictPhase.FAILED, reason),))


def _came_back(rollout: Rollout, slot: SlotState) -> bool:
    """Another release's failure made ECS bring this one back. What died, and that ECS gave up, is told of
    that one for as long as ECS tells it."""
    return slot.rolled_back and slot.release == rollout.release.id


def runs(rollout: Rollout, slot: SlotState) -> bool:
    """Whether the slot runs the release."""
    return slot.release == rollout.release.id and slot.desired > 0


def capacity(seen: TargetState, rollout: Rollout) -> int:
    """Tasks the candidate starts with: what serves now, a scale-out in flight included."""
    stable = seen.slot(rollout.candidate.other)
    return max(1, seen.min_capacity, min(max(stable.running, stable.desired), seen.max_capacity))


def share(seen: TargetState, rollout: Rollout, percent: int) -> int:
    """Tasks that carry `percent` of the traffic, should the stable slot have grown meanwhile."""
    return math.ceil(capacity(seen, rollout) * percent / 100)
