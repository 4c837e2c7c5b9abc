"""A strategy, and where a rollout stands in it, as people read them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from delivery.core.release import Slot
from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.strategy import (
    BlueGreen,
    Canary,
    CanaryStep,
    Linear,
    Pause,
    Rolling,
    RunTask,
    Strategy,
    steps_for,
)
from delivery.core.wording import described, span, where
from delivery_tests.fakes import sample_environment, sample_release

NOW = datetime(2026, 11, 24, 15, 40, 11, tzinfo=UTC)
ASKS = Pause(4 * 3600.0, "abort")


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        (Rolling(bake=120), "rolling, bake 2 min"),
        (BlueGreen(bake=600, preview_for=30), "blue/green, preview 30 s, bake 10 min"),
        (
            BlueGreen(bake=600, pause=ASKS),
            "blue/green, waits up to 4 h for a person, then gives up, bake 10 min",
        ),
        (Linear(25, 90, 60), "linear, 25 % more every 90 s, bake 1 min"),
        (
            Canary((CanaryStep(10, 300.0, ASKS), CanaryStep(100, 300.0)), bake=600),
            "canary 10 % (judged 5 min, waits up to 4 h for a person, then gives up) → 100 % (judged 5 min), "
            "bake 10 min",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_strategy_is_told_in_whole(strategy: Strategy, told: str) -> None:
    """Shares, times, pauses with what follows from silence."""
    assert described(sample_environment("production", strategy)) == told


def test_what_comes_first_and_what_is_never_left_out_is_told() -> None:
    """The task before the switch; and that the quick way is not taken, where there is one."""
    task = RunTask(("python", "-m", "migrate"))
    spec = replace(sample_environment("production", Canary()), before=task, quick="never")
    assert described(spec).startswith("first runs `python -m migrate`, then canary ")
    assert described(spec).endswith(", never the quick way")
    assert "quick" not in described(replace(spec, strategy=Rolling()))


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (15, "15 s"), (90, "90 s"), (600, "10 min"), (5400, "90 min"), (7200, "2 h")],
)
def test_a_span_is_told_in_its_largest_whole_unit(seconds: float, told: str) -> None:
    """Never rounded."""
    assert span(seconds) == told


def test_where_a_rollout_stands() -> None:
    """Which step of how many, what it is, since when; until when, if that is set and somebody drives it."""
    strategy = Canary((CanaryStep(10, 300.0, ASKS), CanaryStep(100, 300.0)), bake=600)
    steps = steps_for(strategy, before=RunTask(("migrate",)))
    rollout = Rollout(sample_release("new"), steps, Slot.GREEN, NOW, NOW)
    told = [where(replace(rollout, index=index), NOW) for index in range(len(steps) + 1)]
    assert told == [
        "step 1 of 8, task before the switch since 15:40:11 UTC",
        "step 2 of 8, launch and preview since 15:40:11 UTC",
        "step 3 of 8, shift to 10 % since 15:40:11 UTC",
        "step 4 of 8, analysis since 15:40:11, until 15:45:11 UTC",
        "step 5 of 8, waiting for a person since 15:40:11, until 19:40:11 UTC",
        "step 6 of 8, shift to 100 % since 15:40:11 UTC",
        "step 7 of 8, analysis since 15:40:11, until 15:45:11 UTC",
        "step 8 of 8, bake since 15:40:11, until 15:50:11 UTC",
        "",
    ]  # fmt: skip
    days = replace(rollout, steps=(Pause(2 * 86400.0),))
    assert where(days, NOW).endswith("since 15:40:11, until 2026-11-26 15:40:11 UTC")
    paused = replace(rollout, index=3, phase=RolloutPhase.PAUSED)
    assert where(paused, NOW) == "step 4 of 8, analysis since 15:40:11 UTC"
    late = where(replace(rollout, index=3), NOW + timedelta(minutes=6))
    assert late == "step 4 of 8, analysis since 15:40:11, due at 15:45:11 UTC and not yet conclusive"
