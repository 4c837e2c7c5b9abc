"""What does not fit together in how a release gets its traffic, told when the file is read.

On plain data, as `catalog.relations`, which calls it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from delivery.catalog.models.base import seconds
from delivery.catalog.models.quality import megabytes
from delivery.catalog.plain import mapping
from delivery.core.strategy import not_rising

Place = tuple[str | int, ...]
Finding = tuple[Place, str]

KINDS = ("rolling", "blue_green", "canary", "linear")
#: CPU units → MiB of memory: lowest, highest, and the step between. Source: "Task size", ECS developer guide,
#: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#task_size
FARGATE = {
    256: (512, 2048, 0),  # 512, 1024 and 2048
    512: (1024, 4096, 1024),
    1024: (2048, 8192, 1024),
    2048: (4096, 16384, 1024),
    4096: (8192, 30720, 1024),
    8192: (16384, 61440, 4096),
    16384: (32768, 122880, 8192),
}


def findings(environment: Mapping[str, Any], place: Place) -> Iterator[Finding]:
    """Everything about `strategy`, `before` and `quick` of one environment."""
    strategy = mapping(environment.get("strategy"))
    kind = str(next(iter(strategy), ""))
    yield from _one(environment.get("strategy"), (*place, "strategy"))
    yield from _preview(environment, kind, place)
    yield from _rising(mapping(strategy.get("canary")), (*place, "strategy", "canary", "steps"))
    yield from _pauses(mapping(strategy.get("canary")), (*place, "strategy", "canary", "steps"))
    if environment.get("quick") == "known_good" and kind in ("rolling", "blue_green"):
        yield (*place, "quick"), f"{kind} gives no shares of the traffic: there is nothing to leave out"
    yield from _size(mapping(environment.get("before")), (*place, "before"))


def _one(strategy: Any, place: Place) -> Iterator[Finding]:
    """One strategy. A name that none has is told of by its model, with the one that was probably meant."""
    named = [name for name in KINDS if name in mapping(strategy)]
    if isinstance(strategy, Mapping) and len(named) != 1 and (named or not strategy):
        yield place, f"needs exactly one of {', '.join(KINDS)}, and has {', '.join(named) or 'none'}"


def _rising(canary: Mapping[str, Any], place: Place) -> Iterator[Finding]:
    """Said of the shares that can be read: what is wrong with another step is told beside it."""
    steps = canary.get("steps")
    if not isinstance(steps, list):
        return
    weights = [mapping(step).get("weight", step) for step in steps]
    readable = [w for w in weights if isinstance(w, int) and not isinstance(w, bool)]
    last = weights[-1:] == readable[-1:]
    wrong = not_rising(readable)
    if wrong and not_rising(readable if last else [*readable, 100]):
        yield place, wrong


def _preview(environment: Mapping[str, Any], kind: str, place: Place) -> Iterator[Finding]:
    """A preview that nobody asks anything is no check."""
    if kind != "blue_green" or environment.get("probe") is not False:
        return
    lasts = mapping(mapping(environment.get("strategy")).get("blue_green")).get("preview_for")
    if isinstance(lasts, str) and _positive(lasts):
        yield (
            (*place, "strategy", "blue_green", "preview_for"),
            "without `probe` nothing is asked of the preview in that time; leave one of the two out",
        )


def _pauses(canary: Mapping[str, Any], place: Place) -> Iterator[Finding]:
    """At 100 % there is nothing left to give: a person who is asked there can only say no."""
    steps = canary.get("steps")
    for index, step in enumerate(steps if isinstance(steps, list) else []):
        whole = mapping(step)
        if whole.get("weight") == 100 and "pause" in whole:
            yield (*place, index, "pause"), "nothing follows 100 % but the bake: pause at the share before it"


def _size(before: Mapping[str, Any], place: Place) -> Iterator[Finding]:
    """Fargate runs some pairs of CPU and memory only, and would refuse others in the middle of a rollout."""
    given = [name for name in ("cpu", "memory") if before.get(name) is not None]
    if len(given) == 1:
        other = "memory" if given == ["cpu"] else "cpu"
        yield (*place, given[0]), f"Fargate runs pairs of CPU and memory only: write `{other}` as well"
    if len(given) != 2:
        return
    cpu, memory = before["cpu"], _megabytes(before["memory"])
    if not isinstance(cpu, int) or memory is None:
        return
    if cpu not in FARGATE:
        yield (*place, "cpu"), f"{cpu} is no size of Fargate: {', '.join(map(str, FARGATE))} CPU units"
        return
    low, high, step = FARGATE[cpu]
    fits = memory in (512, 1024, 2048) if not step else low <= memory <= high and (memory - low) % step == 0
    if not fits:
        steps = "512, 1024 or 2048 MiB" if not step else f"{low} to {high} MiB in steps of {step}"
        yield (*place, "memory"), f"{memory} MiB does not go with {cpu} CPU units on Fargate: {steps}"


def _positive(text: str) -> bool:
    try:
        return seconds(text) > 0
    except ValueError:
        return False


def _megabytes(text: Any) -> int | None:
    try:
        return megabytes(text) if isinstance(text, str) else None
    except ValueError:
        return None
