"""Histories for hypothesis. Small and cheap: ten thousands of them are played in every run of the suite."""

from __future__ import annotations

from hypothesis import strategies as st

from delivery.core.comparison import Baseline
from delivery.core.strategy import BlueGreen, Canary, CanaryStep, Linear, Pause, Rolling, Strategy
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
    "return", "return", "abort", "abort", "pause", "pause", "continue", "continue", "hold", "unhold",
    "lift", "lift", "approve", "alarm", "calm", "dark", "light", "gone", "scale", "weight", "drain",
    "foreign", "end task",
)  # fmt: skip
NAMES = (
    "ledger.store", "ledger.store", "ledger.store", "ledger.load", "target.apply", "target.apply",
    "target.apply", "target.observe", "target.observe", "metrics.read", "metrics.alarms", "prober.probe",
    "alarms.firing", "registry.exists", "artifacts.load", "artifacts.save", "notifier.send",
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
BEHAVES = ("good", "good", "good", *BEHAVIOURS, "errors", "crashes", "sick", "failing task")

_PAUSES: st.SearchStrategy[Pause | None] = st.sampled_from(
    (None, None, None, None, Pause(10, "continue"), Pause(10, "abort"), Pause(20, "stop"))
)
_STRATEGIES: st.SearchStrategy[Strategy] = st.one_of(
    st.builds(
        BlueGreen,
        bake=st.sampled_from((0.0, 4.0, 10.0)),
        preview_for=st.sampled_from((0.0, 4.0)),
        pause=_PAUSES,
    ),
    st.builds(Linear, st.sampled_from((30, 50)), interval=st.sampled_from((0.0, 4.0)), bake=st.just(4.0)),
    st.builds(
        Canary,
        steps=st.lists(st.tuples(st.integers(1, 99), _PAUSES), max_size=3).map(
            lambda found: (*(CanaryStep(w, pause=p) for w, p in sorted(dict(found).items())), 100)
        ),
        analyze_for=st.sampled_from((0.0, 2.0, 6.0)),
        bake=st.sampled_from((0.0, 4.0)),
    ),
    st.builds(Rolling, bake=st.sampled_from((0.0, 4.0, 10.0))),
)
_TURNS = st.tuples(st.integers(0, 60), st.sampled_from(WHOSE), st.sampled_from(BEHAVES))
_EVENTS = st.tuples(
    st.integers(0, 90), st.sampled_from(DOINGS), st.sampled_from(WHOSE), st.integers(0, 100)
)  # fmt: skip


def _fault(name: str, on: int, breaking: Breaking, times: int, away: int) -> Fault:
    if name == "target.apply":
        return Fault(name, 1 + on % 12, breaking, times, AWAY_IN_APPLY[away % len(AWAY_IN_APPLY)])
    if name == "ledger.store" and breaking in ("refuse", "error") and on % 2:
        breaking = "race"
    return Fault(name, on, breaking, times, AWAY[away])


_FAULTS = st.builds(
    _fault, st.sampled_from(NAMES), st.integers(1, 40), st.sampled_from(BREAKINGS),
    st.sampled_from((1, 1, 1, 2, 3, 8)), st.integers(0, len(AWAY) - 1),
)  # fmt: skip


def _history(
    strategy: Strategy,
    first: str,
    events: list[tuple[int, Doing, int, int]],
    turns: list[tuple[int, int, str]],
    faults: list[Fault],
    rest: tuple[int, ...],
    baseline: Baseline | None,
) -> History:
    verified, patience, budget, shows, propagation, flags = rest

    def whose(number: int) -> str:
        return COMMITS[max(0, verified + number)]

    begin = [Turn(0, whose(0), first)] if first != "good" else []
    return History(
        strategy=strategy,
        events=(
            Event(0, "deploy", whose(0)),
            *(Event(at, do, whose(w), n) for at, do, w, n in sorted(events)),
        ),
        turns=(*begin, *(Turn(at, whose(w), behaviour) for at, w, behaviour in sorted(turns))),
        faults=tuple(faults),
        verified=verified,
        patience=patience,
        budget=budget,
        rollback_shows=shows,
        propagation=propagation,
        strict=bool(flags & 1),
        queue=bool(flags & 2),
        backstop=bool(flags & 4),
        rescue=bool(flags & 8),
        task=flags >= 16,
        baseline=baseline,
    )


_REST = st.tuples(
    st.sampled_from((1, 2, 0)),
    st.sampled_from((20, 30)),
    st.integers(0, 3),
    st.sampled_from((1000, 1, 3)),
    st.sampled_from((0, 0, 0, 3, 5)),
    st.integers(0, 31),
)

_BASELINES: st.SearchStrategy[Baseline | None] = st.sampled_from(
    (None, None, None, None, None, "stable", "previous", "both")
)

HISTORIES: st.SearchStrategy[History] = st.builds(
    _history, _STRATEGIES, st.sampled_from(BEHAVES), st.lists(_EVENTS, max_size=5),
    st.lists(_TURNS, max_size=2), st.lists(_FAULTS, max_size=4), _REST, _BASELINES,
)  # fmt: skip
