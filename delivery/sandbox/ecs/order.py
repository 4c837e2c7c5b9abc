"""Which containers of a task may start now, and in what order they stop; decided without Docker.

Source: "Container dependency" (`dependsOn`) in the ECS task definition parameters: START, COMPLETE, SUCCESS,
HEALTHY; what one depends on at startup is reversed for shutdown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from delivery.sandbox.ecs.definition import ContainerSpec


class Condition(StrEnum):
    """What a container waits for in another."""

    START = "START"
    COMPLETE = "COMPLETE"
    SUCCESS = "SUCCESS"
    HEALTHY = "HEALTHY"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a container is: not started, running, or exited with a code."""

    started: bool = False
    exited: bool = False
    exit_code: int | None = None
    health: str = "UNKNOWN"


class Step(NamedTuple):
    """What to start now; whether anything waits; and why a waiting one can never start (empty: it can)."""

    start: tuple[str, ...]
    waiting: tuple[str, ...]
    hopeless: str


def next_step(specs: Sequence[ContainerSpec], seen: Mapping[str, Progress]) -> Step:
    """Decide from how far each container is."""
    start, waiting, hopeless = [], [], ""
    for spec in specs:
        if seen.get(spec.name, Progress()).started:
            continue
        answers = [_holds(Condition(c), name, seen.get(name, Progress())) for name, c in spec.depends_on]
        if all(answer is True for answer in answers):
            start.append(spec.name)
            continue
        waiting.append(spec.name)
        never = next((a for a in answers if isinstance(a, str)), "")
        hopeless = hopeless or (f"{spec.name} cannot start: {never}" if never else "")
    return Step(tuple(start), tuple(waiting), hopeless)


def _holds(condition: Condition, name: str, other: Progress) -> bool | str:
    """True, not yet, or why it never will."""
    match condition:
        case Condition.START:
            return other.started
        case Condition.COMPLETE:
            return other.exited
        case Condition.SUCCESS:
            if other.exited and other.exit_code != 0:
                return f"its dependency {name} did not complete with success (exit code {other.exit_code})"
            return other.exited
        case Condition.HEALTHY:
            if other.exited:
                return f"its dependency {name} exited before it was healthy"
            return other.health == "HEALTHY"


def stop_levels(specs: Sequence[ContainerSpec]) -> list[list[str]]:
    """Who stops first: those nobody depends on; what others depend on stops after them."""
    left = {s.name: {name for name, _ in s.depends_on} for s in specs}
    levels = []
    while left:
        needed = set().union(*left.values())
        level = [name for name in left if name not in needed]
        if not level:  # a circle, which RegisterTaskDefinition refuses
            level = list(left)
        levels.append(level)
        left = {k: v for k, v in left.items() if k not in level}
    return levels
