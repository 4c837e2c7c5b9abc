"""Target states and verdicts for tests of the pure rules, written by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from delivery.core.advance import advance
from delivery.core.analysis import RuleResult, Verdict, VerdictPhase
from delivery.core.release import Release, Slot
from delivery.core.rollout import Decision, Rollout, begin
from delivery.core.strategy import Strategy
from delivery.core.target import SlotState, TargetState
from delivery_tests.fakes import EPOCH, FAST_LIMITS, sample_release

OLD, NEW = sample_release("old"), sample_release("new")


def at(seconds: float) -> datetime:
    """That many seconds after the beginning."""
    return EPOCH + timedelta(seconds=seconds)


def slot(name: Slot, release: Release | None, weight: int = 0, tasks: int = 2, **more: object) -> SlotState:
    """A slot that serves with all its tasks."""
    made = SlotState(
        name,
        weight=weight,
        release=release.id if release else None,
        desired=tasks,
        running=tasks,
        healthy=tasks,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def seen(
    blue: SlotState | None = None, green: SlotState | None = None, preview: Slot = Slot.GREEN
) -> TargetState:
    """Both slots; by default `OLD` serves in blue and green is empty."""
    return TargetState(
        blue or slot(Slot.BLUE, OLD, 100),
        green or slot(Slot.GREEN, None, tasks=0),
        preview=preview,
        min_capacity=2,
        max_capacity=4,
    )


def canary(weight: int, **more: object) -> TargetState:
    """`NEW` runs in green with that weight, `OLD` in blue with the rest."""
    return seen(slot(Slot.BLUE, OLD, 100 - weight), slot(Slot.GREEN, NEW, weight, **more))


def verdict(phase: VerdictPhase, reason: str = "because", when: float = 0) -> Verdict:
    """A verdict of one rule."""
    return Verdict(phase, reason, at(when), (RuleResult("rule", phase, reason),))


GOOD = verdict(VerdictPhase.SUCCESSFUL)
FAILED = verdict(VerdictPhase.FAILED, "errors")
UNKNOWN = verdict(VerdictPhase.INCONCLUSIVE, "no data")
ERROR = verdict(VerdictPhase.ERROR, "throttled")


def started(strategy: Strategy, first: TargetState | None = None) -> Rollout:
    """A rollout of `NEW` begun at the beginning."""
    return begin(NEW, strategy, first or seen(), at(0), FAST_LIMITS)


def until(rollout: Rollout, index: int, state: TargetState, when: float) -> Rollout:
    """The same rollout as if it had just entered its step `index`, launched and serving."""
    traffic = at(when) if state.slot(rollout.candidate).weight else None
    return replace(
        rollout, index=index, entered_at=at(when), launched_at=at(0), served_at=at(0), traffic_at=traffic
    )


def step(rollout: Rollout, state: TargetState, judged: Verdict | None, when: float) -> Decision:
    """One decision."""
    return advance(rollout, state, judged, at(when))
