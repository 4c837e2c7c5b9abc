"""The smallest history that still breaks the same promise: without what does not matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

from delivery.core.strategy import BlueGreen, Canary, Rolling
from delivery_tests.flows.properties.history import Event, Fault, History, Turn
from delivery_tests.flows.properties.stage import play

#: Histories that are tried at most.
TRIES = 3000
PLAIN = (
    BlueGreen(bake=0.0),
    Rolling(bake=0.0),
    Canary((100,), analyze_for=0.0, bake=0.0),
    BlueGreen(bake=4.0),
)


def outcome(history: History, story: bool = False) -> list[str]:
    """What `play` says; a crash of the product or of a fake is a broken promise as well."""
    try:
        return play(history, story)
    except Exception as error:
        return [f"crash: {type(error).__name__}: {error}"]


def promise_of(broken: list[str]) -> str:
    """Which promise that is, without moment and names: `3`, `once`, `crash`."""
    told = broken[0].split(": ")
    return told[1] if told[0].startswith("at ") else told[0]


def minimised(history: History, tries: int = TRIES) -> History:
    """The same failure, smaller. What broke nothing comes back as it was."""
    broken = outcome(history)
    if not broken:
        return history
    promise, left = promise_of(broken), tries

    def breaks(one: History) -> bool:
        found = outcome(one)
        return bool(found) and promise_of(found) == promise

    smaller: History | None = history
    while smaller is not None and left > 0:
        history, smaller = smaller, None
        for one in _smaller(history):
            left -= 1
            if breaks(one):
                smaller = one
                break
            if left <= 0:
                break
    return history


def _smaller(history: History) -> Iterator[History]:
    """Everything that is one step simpler, the largest steps first."""
    for name in ("events", "faults", "turns"):
        kept = getattr(history, name)
        for number in range(len(kept)):
            yield _with(history, name, (*kept[:number], *kept[number + 1 :]))
    for field in fields(history):
        if field.name in ("strategy", "events", "faults", "turns"):
            continue
        if getattr(history, field.name) != field.default:
            yield _with(history, field.name, field.default)
    rank = PLAIN.index(history.strategy) if history.strategy in PLAIN else len(PLAIN)
    for strategy in PLAIN[:rank]:
        yield replace(history, strategy=strategy)
    yield from _each(history, "events", _event)
    yield from _each(history, "faults", _fault)
    yield from _each(history, "turns", _turn)


def _with(history: History, name: str, value: Any) -> History:
    return replace(history, **{name: value})


def _each(history: History, name: str, simpler: Callable[..., Iterator[object]]) -> Iterator[History]:
    kept = getattr(history, name)
    for number, one in enumerate(kept):
        for other in simpler(one):
            yield _with(history, name, (*kept[:number], other, *kept[number + 1 :]))


def _less(number: int) -> Iterator[int]:
    """Smaller numbers, the smallest first."""
    yield from dict.fromkeys(n for n in (0, number // 2, number - 5, number - 1) if 0 <= n < number)


def _event(event: Event) -> Iterator[Event]:
    yield from (replace(event, at=at) for at in _less(event.at))
    yield from (replace(event, number=number) for number in _less(event.number))
    if event.commit != "b":
        yield replace(event, commit="b")


def _fault(fault: Fault) -> Iterator[Fault]:
    yield from (replace(fault, times=times) for times in _less(fault.times) if times)
    yield from (replace(fault, on=on) for on in _less(fault.on) if on)
    if fault.seconds > 5:
        yield replace(fault, seconds=5)


def _turn(turn: Turn) -> Iterator[Turn]:
    yield from (replace(turn, at=at) for at in _less(turn.at))
