"""Autoscaling goes on during a rollout: what it adds is kept, and what it takes away is its own business."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from delivery.core.release import Slot
from delivery.core.rollout import RolloutPhase
from delivery.core.strategy import BlueGreen, Canary, Linear, Rolling, Strategy
from delivery.core.target import Action, Drain
from delivery_tests.fakes import FakeTarget, sample_environment
from delivery_tests.flows.journey import Journey

STRATEGIES: tuple[Strategy, ...] = (
    Canary((10, 50, 100), analyze_for=8, bake=8), BlueGreen(bake=12), Linear(50, interval=8, bake=8),
    Rolling(bake=20),
)  # fmt: skip


@dataclass
class Watch:
    """Every action, and the desired counts before and after it."""

    target: FakeTarget
    lowered: list[Action] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._do = self.target.do
        self.target.do = self._watched  # type: ignore[method-assign]

    def _wanted(self) -> dict[Slot, int]:
        seen = self.target.look()
        return {slot: seen.slot(slot).desired for slot in Slot}

    def _watched(self, action: Action) -> None:
        before = self._wanted()
        self._do(action)
        after = self._wanted()
        drained = action.slot if isinstance(action, Drain) else None
        if any(after[slot] < before[slot] for slot in Slot if slot is not drained):
            self.lowered.append(action)


@pytest.mark.parametrize("when", [1, 6, 12, 20, 28])
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s.kind)
def test_a_scale_out_of_what_serves_survives(strategy: Strategy, when: float) -> None:
    """Whatever is added to the slot with the larger share, at whatever step, is there in the end as well."""
    journey = Journey.start(sample_environment("production", strategy))
    journey.deliver("a")
    sha, watch = journey.push("b").sha, Watch(journey.target)
    scaled: list[Slot] = []

    def scale_out() -> None:
        scaled.append(journey.target.look().stable)
        journey.target.scale(scaled[0], 4)

    journey.world.clock.at(when, scale_out)
    rollout = journey.deploy(sha)
    seen = journey.target.look()
    assert rollout.phase is RolloutPhase.SUCCEEDED and scaled and watch.lowered == []
    assert seen.slot(seen.stable).desired == 4 and seen.slot(seen.stable).healthy == 4


@pytest.mark.parametrize("strategy", STRATEGIES[:3], ids=lambda s: s.kind)
def test_a_scale_out_of_the_candidate_survives(strategy: Strategy) -> None:
    """Tasks that the candidate's own scaling added are not taken away by the next share."""
    journey = Journey.start(sample_environment("production", strategy))
    journey.deliver("a")
    sha, watch = journey.push("b").sha, Watch(journey.target)
    candidate = journey.target.look().stable.other
    journey.world.clock.at(12, lambda: journey.target.scale(candidate, 3))
    rollout = journey.deploy(sha)
    assert rollout.phase is RolloutPhase.SUCCEEDED and watch.lowered == []
    assert journey.target.look().slot(candidate).desired == 3


def test_a_scale_in_is_left_to_autoscaling() -> None:
    """The count is only raised when traffic needs it: an idle time in the bake may end tasks."""
    journey = Journey.start(sample_environment("production", BlueGreen(bake=30)))
    journey.deliver("a")
    stable = journey.target.look().stable
    journey.target.scale(stable, 4)
    journey.world.clock.advance(30)
    sha = journey.push("b").sha
    journey.world.clock.at(25, lambda: journey.target.scale(stable.other, 2))
    rollout = journey.deploy(sha)
    assert rollout.phase is RolloutPhase.SUCCEEDED
    assert journey.target.look().slot(stable.other).desired == 2
