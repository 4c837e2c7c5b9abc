"""Strategies are data; `steps_for` turns one into the steps that `rollout.advance` walks.

Durations are seconds; weights are percent of production traffic on the candidate.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, assert_never


@dataclass(frozen=True, slots=True)
class Rolling:
    """The stable slot is updated in place under ECS's deployment circuit breaker."""

    bake: float = 120.0
    kind: Literal["rolling"] = "rolling"


@dataclass(frozen=True, slots=True)
class BlueGreen:
    """Candidate at full size, preview checks, one switch 0 → 100, bake, old slot drained."""

    bake: float = 120.0
    preview_for: float = 0.0
    kind: Literal["blue_green"] = "blue_green"


@dataclass(frozen=True, slots=True)
class Canary:
    """Any rising list of weights ending in 100, each analysed for `analyze_for`, then the bake.

    Raises ValueError when the weights do not rise from above 0 to exactly 100.
    """

    steps: tuple[int, ...] = (10, 50, 100)
    analyze_for: float = 300.0
    bake: float = 600.0
    kind: Literal["canary"] = "canary"

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in pairwise((0, *self.steps)))
        if not (rising and self.steps and self.steps[-1] == 100):
            raise ValueError(f"canary steps must rise from above 0 to 100, not {list(self.steps)}")


Strategy = Rolling | BlueGreen | Canary


@dataclass(frozen=True, slots=True)
class CheckPreview:
    """Before any production traffic: targets healthy and preview probes good, for `seconds`."""

    seconds: float = 0.0
    kind: Literal["check_preview"] = "check_preview"


@dataclass(frozen=True, slots=True)
class SetWeight:
    """Give the candidate this share of production traffic, read back before going on."""

    percent: int
    kind: Literal["set_weight"] = "set_weight"


@dataclass(frozen=True, slots=True)
class Analyze:
    """Judge the candidate for this long at the present weight."""

    seconds: float
    kind: Literal["analyze"] = "analyze"


@dataclass(frozen=True, slots=True)
class Bake:
    """At 100 %, old slot still warm: keep judging for this long."""

    seconds: float
    kind: Literal["bake"] = "bake"


@dataclass(frozen=True, slots=True)
class UpdateInPlace:
    """Rolling: give the stable slot the new release and wait for ECS to settle."""

    kind: Literal["update_in_place"] = "update_in_place"


Step = CheckPreview | SetWeight | Analyze | Bake | UpdateInPlace


def steps_for(strategy: Strategy, *, first: bool = False, known_good: bool = False) -> tuple[Step, ...]:
    """The steps of a strategy.

    `first`: nothing serves yet, so there is nothing to compare with and partial weights would only
    send users to an empty slot: traffic goes to the candidate in one step, analysis and bake remain.
    `known_good`: a restoration of a verified release: no analysis, straight back, through the idle slot
    whatever the strategy (a rolling release has no warm slot of its own to return to).
    """
    if known_good:
        return (SetWeight(100),)
    match strategy:
        case Rolling(bake=bake):
            return (UpdateInPlace(), Bake(bake))
        case BlueGreen(bake=bake, preview_for=preview_for):
            return (CheckPreview(preview_for), SetWeight(100), Bake(bake))
        case Canary(steps=weights, analyze_for=seconds, bake=bake):
            shifts = weights[-1:] if first else weights
            analysed = (step for weight in shifts for step in (SetWeight(weight), Analyze(seconds)))
            return (CheckPreview(), *analysed, Bake(bake))
        case _:
            assert_never(strategy)
