"""A strategy, where a rollout stands in it, and a span of time, as people read them in terminal and UI."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from delivery.core.accepting import what_abort_means, what_continue_means
from delivery.core.ledger import LedgerRecord
from delivery.core.rollout import Rollout
from delivery.core.service import EnvironmentSpec
from delivery.core.strategy import (
    Analyze,
    Bake,
    BlueGreen,
    Canary,
    CanaryStep,
    CheckPreview,
    Linear,
    Pause,
    Rolling,
    RunTask,
    SetWeight,
    Step,
    Strategy,
    UpdateInPlace,
    has_shares,
)

_THEN = {"continue": "goes on", "abort": "gives up", "stop": "waits on"}


def described(environment: EnvironmentSpec) -> str:
    """All of it: `first runs …, then canary 10 % (judged 5 min) → 100 % (judged 5 min), bake 10 min`."""
    before = environment.before
    first = f"first runs `{' '.join(before.command)}`, then " if before else ""
    full = has_shares(environment.strategy) and environment.quick == "never"
    return first + _strategy(environment.strategy) + (", never the quick way" if full else "")


def where(rollout: Rollout, now: datetime) -> str:
    """`step 3 of 9, analysis since 15:40:11, until 15:45:11 UTC`; empty when all steps are passed.

    A step that is judged ends when it can be: that its time is over is said.
    """
    step, since, count = rollout.step, rollout.entered_at, len(rollout.steps)
    if step is None:
        return ""
    told = f"step {rollout.index + 1} of {count}, {_step(step)} since {since:%H:%M:%S}"
    lasts = _lasts(step)
    if lasts is None or rollout.phase.completed or rollout.returning:
        return f"{told} UTC"
    end = since + timedelta(seconds=lasts)
    day = f"{end:%Y-%m-%d} " if end.date() != since.date() else ""
    if now > end:
        return f"{told}, due at {day}{end:%H:%M:%S} UTC and not yet conclusive"
    return f"{told}, until {day}{end:%H:%M:%S} UTC"


def answers(record: LedgerRecord, rollout: Rollout) -> str:
    """Both answers to a rollout that waits for a person as commands, and what each of them does."""
    name = f"{record.service} {record.environment}"
    onward, back = what_continue_means(rollout), what_abort_means(rollout)
    return f"`delivery continue {name}` ({onward}) or `delivery abort {name}` ({back})."


def _step(step: Step) -> str:
    match step:
        case RunTask():
            return "task before the switch"
        case CheckPreview():
            return "launch and preview"
        case SetWeight(percent=percent):
            return f"shift to {percent} %"
        case Analyze():
            return "analysis"
        case Bake():
            return "bake"
        case Pause():
            return "waiting for a person"
        case UpdateInPlace():
            return "update in place"
        case _:
            assert_never(step)


def _lasts(step: Step) -> float | None:
    """Seconds after its beginning at which it ends, where that is set."""
    match step:
        case Analyze(seconds=seconds) | Bake(seconds=seconds):
            return seconds
        case Pause(timeout=seconds):
            return seconds
        case _:
            return None


def span(seconds: float) -> str:
    """`15 s`, `10 min`, `4 h`; what is no whole number of the larger unit stays in the smaller one."""
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds / unit:g} {name}"
    return f"{seconds:g} s"


def _strategy(strategy: Strategy) -> str:
    match strategy:
        case Rolling(bake=bake):
            return f"rolling, bake {span(bake)}"
        case BlueGreen(bake=bake, preview_for=preview, pause=pause):
            seen = f", preview {span(preview)}" if preview else ""
            return f"blue/green{seen}{_pause(pause)}, bake {span(bake)}"
        case Canary(bake=bake):
            return f"canary {' → '.join(map(_share, strategy.planned))}, bake {span(bake)}"
        case Linear(step=step, interval=seconds, bake=bake):
            return f"linear, {step} % more every {span(seconds)}, bake {span(bake)}"
        case _:
            assert_never(strategy)


def _share(step: CanaryStep) -> str:
    """`50 % (judged 5 min, waits up to 4 h for a person, then gives up)`."""
    return f"{step.weight} % (judged {span(step.analyze_for or 0)}{_pause(step.pause)})"


def _pause(pause: Pause | None) -> str:
    if pause is None:
        return ""
    return f", waits up to {span(pause.timeout)} for a person, then {_THEN[pause.then]}"
