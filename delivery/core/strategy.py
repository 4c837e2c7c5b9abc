"""Strategies are data; `steps_for` turns one into the steps that `rollout.advance` walks.

Durations are seconds; weights are percent of production traffic on the candidate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, assert_never


@dataclass(frozen=True, slots=True)
class Rolling:
    """The stable slot is updated in place under ECS's deployment circuit breaker."""

    bake: float = 120.0
    kind: Literal["rolling"] = "rolling"


#: What happens when nobody answers a pause in time: go on, give the rollout up, or stop until somebody does.
Then = Literal["continue", "abort", "stop"]


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait until a person says `continue` or `abort`, at most `timeout` seconds; then do `then`.

    The candidate is judged all the time, and given up as soon as it fails.
    """

    timeout: float = 86400.0
    then: Then = "abort"
    kind: Literal["pause"] = "pause"


@dataclass(frozen=True, slots=True)
class BlueGreen:
    """Candidate at full size, preview checks, one switch 0 → 100, bake, old slot drained.

    `pause`: a person looks at the preview before the switch.
    """

    bake: float = 120.0
    preview_for: float = 0.0
    pause: Pause | None = None
    kind: Literal["blue_green"] = "blue_green"


@dataclass(frozen=True, slots=True)
class CanaryStep:
    """One share of the traffic, judged for `analyze_for` seconds (None: the strategy's), then the pause."""

    weight: int
    analyze_for: float | None = None
    pause: Pause | None = None


@dataclass(frozen=True, slots=True)
class Canary:
    """Any rising list of weights ending in 100, each analysed for `analyze_for`, then the bake.

    A step is a weight, or a `CanaryStep` with more to say. Raises ValueError when the weights do not rise
    from above 0 to exactly 100.
    """

    steps: tuple[int | CanaryStep, ...] = (10, 50, 100)
    analyze_for: float = 300.0
    bake: float = 600.0
    kind: Literal["canary"] = "canary"

    def __post_init__(self) -> None:
        if wrong := not_rising(self.weights):
            raise ValueError(wrong)

    @property
    def weights(self) -> tuple[int, ...]:
        """The shares in percent."""
        return tuple(s.weight if isinstance(s, CanaryStep) else s for s in self.steps)

    @property
    def planned(self) -> tuple[CanaryStep, ...]:
        """Every step with its own time."""
        whole = (s if isinstance(s, CanaryStep) else CanaryStep(s) for s in self.steps)
        return tuple(
            replace(s, analyze_for=self.analyze_for if s.analyze_for is None else s.analyze_for)
            for s in whole
        )


@dataclass(frozen=True, slots=True)
class Linear:
    """Equal shares of `step` percent, each judged for `interval` seconds, then the bake.

    Raises ValueError when the step is no share of the traffic.
    """

    step: int = 10
    interval: float = 60.0
    bake: float = 600.0
    kind: Literal["linear"] = "linear"

    def __post_init__(self) -> None:
        if not 1 <= self.step <= 100:
            raise ValueError(f"a linear step is 1 to 100 percent, not {self.step}")

    @property
    def weights(self) -> tuple[int, ...]:
        """The shares in percent; the last one is what is left."""
        return (*range(self.step, 100, self.step), 100)


Strategy = Rolling | BlueGreen | Canary | Linear


@dataclass(frozen=True, slots=True)
class RunTask:
    """Before anything else: a task of the release (a migration), whose exit code decides.

    `command` replaces the container's own. `timeout`: seconds it may take once it was seen. `cpu` (CPU units)
    and `memory` (MiB): None is what the release has. It may run again with the next rollout of the same
    release, so it has to be repeatable.
    """

    command: tuple[str, ...]
    timeout: float = 600.0
    cpu: int | None = None
    memory: int | None = None
    kind: Literal["run_task"] = "run_task"


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


Step = RunTask | CheckPreview | SetWeight | Analyze | Pause | Bake | UpdateInPlace


def steps_for(
    strategy: Strategy,
    *,
    first: bool = False,
    known_good: bool = False,
    before: RunTask | None = None,
    quick: bool = False,
) -> tuple[Step, ...]:
    """The steps of a strategy.

    `before`: a task that runs first, also for the first release, but not for a restoration.
    `quick`: a release that is known to be good goes without the shares in between, their analyses and pauses.

    `first`: nothing serves yet, so there is nothing to compare with and partial weights would only
    send users to an empty slot: traffic goes to the candidate in one step, analysis and bake remain.
    `known_good`: a restoration of a verified release: no analysis, straight back, through the idle slot
    whatever the strategy (a rolling release has no warm slot of its own to return to).
    """
    if known_good:
        return (SetWeight(100),)
    prepared = () if before is None else (before,)
    return (*prepared, *(_quick(strategy) if quick else _steps(strategy, first)))


def not_rising(weights: Sequence[int]) -> str:
    """Why these shares are no canary's, in percent; empty when they rise from above 0 to exactly 100."""
    rising = all(a < b for a, b in pairwise((0, *weights)))
    if rising and weights and weights[-1] == 100:
        return ""
    return f"canary steps must rise from above 0 to 100, not {list(weights)}"


def has_shares(strategy: Strategy) -> bool:
    """Whether the strategy gives the candidate shares of the traffic, so that a quick way leaves some out."""
    return isinstance(strategy, Canary | Linear)


def _quick(strategy: Strategy) -> tuple[Step, ...]:
    if isinstance(strategy, Canary | Linear):
        return (CheckPreview(), SetWeight(100), Bake(strategy.bake))
    return _steps(strategy, first=False)


def _steps(strategy: Strategy, first: bool) -> tuple[Step, ...]:
    match strategy:
        case Rolling(bake=bake):
            return (UpdateInPlace(), Bake(bake))
        case BlueGreen(bake=bake, preview_for=preview_for, pause=pause):
            asked = () if pause is None or first else (pause,)
            return (CheckPreview(preview_for), *asked, SetWeight(100), Bake(bake))
        case Canary(bake=bake):
            return (CheckPreview(), *_shares(strategy.planned, first), Bake(bake))
        case Linear(interval=seconds, bake=bake):
            planned = tuple(CanaryStep(weight, seconds) for weight in strategy.weights)
            return (CheckPreview(), *_shares(planned, first), Bake(bake))
        case _:
            assert_never(strategy)


def _shares(planned: Sequence[CanaryStep], first: bool) -> Iterator[Step]:
    """Each share set, judged, and waited at; the first release has no other to share with."""
    for share in planned[-1:] if first else planned:
        yield SetWeight(share.weight)
        yield Analyze(share.analyze_for or 0.0)
        if share.pause is not None and not first:
            yield share.pause
