"""Random histories. Small and cheap: ten thousands of them are played in every run of the suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from delivery.core.strategy import BlueGreen, Canary, CanaryStep, Linear, Pause, Rolling, Strategy
from delivery_tests.flows.properties.dice import Dice, Drawn, Plain, up_to
from delivery_tests.flows.properties.history import (
    BEHAVIOURS,
    COMMITS,
    Breaking,
    Doing,
    Event,
    Fault,
    History,
    Turn,
)

#: As often as they stand here.
DOINGS: tuple[Doing, ...] = (
    "deploy", "deploy", "deploy", "deploy", "deploy", "deploy", "sour", "sour", "sour", "judge", "rollback",
    "return", "return", "abort", "abort", "pause", "pause", "continue", "continue", "accept", "accept",
    "hold", "unhold", "lift", "lift", "approve", "alarm", "calm", "dark", "light", "gone", "scale", "weight",
    "drain", "foreign", "end task", "late alarm", "late alarm",
    "away",
)  # fmt: skip
NAMES = (
    "ledger.store", "ledger.store", "ledger.store", "ledger.load", "target.apply", "target.apply",
    "target.apply", "target.observe", "target.observe", "metrics.read", "metrics.alarms", "prober.probe",
    "ledger.tag", "alarms.firing", "registry.exists", "artifacts.load", "artifacts.save", "notifier.send",
    "source.set_status", "signer.verify",
)  # fmt: skip
BREAKINGS: tuple[Breaking, ...] = (
    "refuse",
    "lose",
    "error",
    "stall",
    "late",
    "late",
    "kill",
    "kill",
    "die",
    "die",
)
#: A worker may be away for longer than the deploy lock lasts, but no single change of ECS takes that long.
AWAY, AWAY_IN_APPLY = (5, 30, 70, 200), (5, 15)
#: Whose turn it is, counted from the first commit that is not verified when the history begins.
WHOSE = (0, 0, 0, 0, 1, 1, 2, -1)
BEHAVES = ("good", "good", "good", *BEHAVIOURS, "errors", "crashes", "sick", "failing task", "slower")
BASELINES = (None, None, None, None, None, "stable", "stable", "previous", "both")
#: From which score a candidate passes, and from which it is marginal.
SCORES = ((95, 75), (95, 40), (95, 40), (40, 20))

PAUSES = (None, None, None, None, Pause(10, "continue"), Pause(10, "abort"), Pause(20, "stop"))


def history(dice: Dice) -> History:
    """One history."""
    verified = dice.one_of((1, 2, 0))

    def whose(number: int) -> str:
        return COMMITS[max(0, verified + number)]

    first = dice.one_of(BEHAVES)
    events = sorted(up_to(dice, 5, _event))
    turns = sorted(up_to(dice, 2, _turn))
    if any(do == "accept" and number % 2 for _, do, _, number in events):
        first = "one bad preview"  # so that there is something to accept
    begin = [Turn(0, whose(0), first)] if first != "good" else []
    return History(
        strategy=_strategy(dice),
        events=(
            Event(0, "deploy", whose(0)),
            *(Event(at, do, whose(w), number) for at, do, w, number in events),
        ),
        turns=(*begin, *(Turn(at, whose(w), behaviour) for at, w, behaviour in turns)),
        faults=tuple(up_to(dice, 4, _fault)),
        verified=verified,
        **_rest(dice),
    )


def rolled(seed: int, number: int) -> History:
    """The history with that number among those of a seed."""
    return history(Plain(f"{seed}:{number}"))


@st.composite
def histories(draw: Callable[[st.SearchStrategy[Any]], Any]) -> History:
    """For hypothesis."""
    return history(Drawn(draw))


def _strategy(dice: Dice) -> Strategy:
    match dice.number(0, 3):
        case 0:
            return BlueGreen(
                bake=dice.one_of((0.0, 4.0, 10.0)),
                preview_for=dice.one_of((0.0, 4.0)),
                pause=dice.one_of(PAUSES),
            )
        case 1:
            return Linear(dice.one_of((30, 50)), interval=dice.one_of((0.0, 4.0)), bake=4.0)
        case 2:
            found = dict(up_to(dice, 3, lambda d: (d.number(1, 99), d.one_of(PAUSES))))
            return Canary(
                steps=(*(CanaryStep(w, pause=p) for w, p in sorted(found.items())), 100),
                analyze_for=dice.one_of((0.0, 2.0, 6.0)),
                bake=dice.one_of((0.0, 4.0)),
            )
        case _:
            return Rolling(bake=dice.one_of((0.0, 4.0, 10.0)))


def _event(dice: Dice) -> tuple[int, Doing, int, int]:
    return dice.number(0, 90), dice.one_of(DOINGS), dice.one_of(WHOSE), dice.number(0, 100)


def _turn(dice: Dice) -> tuple[int, int, str]:
    return dice.number(0, 60), dice.one_of(WHOSE), dice.one_of(BEHAVES)


def _fault(dice: Dice) -> Fault:
    name, on, breaking = dice.one_of(NAMES), dice.number(1, 40), dice.one_of(BREAKINGS)
    times, away = dice.one_of((1, 1, 1, 2, 3, 8)), dice.number(0, len(AWAY) - 1)
    if name == "target.apply":
        return Fault(name, 1 + on % 12, breaking, times, AWAY_IN_APPLY[away % len(AWAY_IN_APPLY)])
    if name == "ledger.store" and breaking in ("refuse", "error") and on % 2:
        breaking = "race"
    return Fault(name, on, breaking, times, AWAY[away])


def _rest(dice: Dice) -> dict[str, Any]:
    """Everything that is not an event."""
    flags = dice.number(0, 31)
    return {
        "patience": dice.one_of((20, 30)),
        "budget": dice.number(0, 3),
        "rollback_shows": dice.one_of((1000, 1, 3)),
        "propagation": dice.one_of((0, 0, 0, 3, 5)),
        "lag": dice.one_of((0, 4, 60)),
        "strict": bool(flags & 1),
        "queue": bool(flags & 2),
        "backstop": bool(flags & 4),
        "rescue": bool(flags & 8),
        "task": flags >= 16,
        "baseline": dice.one_of(BASELINES),
        "score": dice.one_of(SCORES),
        "skew": dice.one_of((0, 0, 0, 3)),
        "orders": dice.one_of(("", "run", "direct")),
        "quick": dice.one_of((False, False, False, True)),
        "watched": dice.one_of((False, True)),
    }
