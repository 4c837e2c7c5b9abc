"""A history as data: the strategy, how releases behave, what people and sensors do, what breaks when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from delivery.core.comparison import Baseline
from delivery.core.strategy import Strategy
from delivery_tests.fakes import Behaviour

#: Commits of a history, oldest first; the last one comes when all is over, and is good.
COMMITS = ("a", "b", "c", "d", "e", "z")

_UP = {"start": 1.0, "healthy": 2.0}
BEHAVIOURS = {
    "good": Behaviour(**_UP),
    "slow": Behaviour(start=3.0, healthy=9.0),
    "crashes": Behaviour(**_UP, crash=True),
    "sick": Behaviour(**_UP, unhealthy=True),
    "errors": Behaviour(**_UP, error_rate=0.5),
    "few errors": Behaviour(**_UP, error_rate=0.04),
    "hangs": Behaviour(**_UP, latency=9.0),
    "bad preview": Behaviour(**_UP, preview_error_rate=1.0),
    "one bad preview": Behaviour(**_UP, preview_error_rate=0.2),
    "slow task": Behaviour(**_UP, task_takes=12.0, task_starts=3.0),
    "failing task": Behaviour(**_UP, task="fails"),
    "hanging task": Behaviour(**_UP, task="hangs"),
    "task without image": Behaviour(**_UP, task="does not start"),
    "hungry task": Behaviour(**_UP, task="out of memory"),
    "slower": Behaviour(**_UP, latency=0.08),
}

Doing = Literal[
    "deploy", "judge", "rollback",  # runs
    "return", "hold", "unhold", "lift", "pause", "continue", "accept", "abort", "approve",  # persons
    "weight", "drain", "foreign", "scale", "end task",  # somebody at the AWS console
    "sour", "alarm", "late alarm", "calm", "dark", "light", "gone", "away",  # the world outside
]  # fmt: skip
Breaking = Literal["refuse", "lose", "error", "stall", "late", "kill", "die", "race"]


@dataclass(frozen=True, slots=True)
class Turn:
    """From that second on the commit behaves so."""

    at: float
    commit: str
    behaviour: str


@dataclass(frozen=True, slots=True)
class Event:
    """Somebody does something at that second. `number` is a weight, a count, or which slot.

    `accept`: a person looks every few seconds, and continues what is paused because nobody can tell.

    `sour`: what is live begins to fail, and is judged again ten seconds later. `late alarm`: an alarm of
    what serves fires, and the alarm sensor has its health judged again. `away`: AWS refuses the next actions.
    """

    at: int
    doing: Doing
    commit: str = "b"
    number: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """The `on`-th call of a port's method (and the `times - 1` after it) breaks.

    refuse  UnavailableError, nothing was done      lose   UnavailableError, but it was done
    error   ProviderError, nothing was done         race   somebody else writes the ledger just before
    stall   `seconds` before it is done             late   `seconds` between the effect and the answer
    kill    the worker is killed before it          die    … and after it
    """

    name: str
    on: int
    breaking: Breaking
    times: int = 1
    seconds: int = 5


@dataclass(frozen=True, slots=True)
class History:
    """`verified` releases are live or were, when it begins. `queue`: one run at a time, as Dagster has it;
    else there are several control planes. `backstop`: it ticks from the beginning, not only at the end.
    `rescue`: in the end a person takes over, and a last good commit must get through.

    score    from which a compared candidate passes, and from which it is marginal
    skew     seconds that the clock of every second run is ahead, and of the others behind
    orders   how persons speak: `run`, through a Dagster run, `direct`, without one; empty: straight to the
             ledger, as the run of a kept order does
    quick    every run asks for the quick way
    watched  whoever holds the lock and was killed is known to be dead
    """

    strategy: Strategy
    events: tuple[Event, ...] = ()
    turns: tuple[Turn, ...] = ()
    faults: tuple[Fault, ...] = ()
    verified: int = 1
    strict: bool = True  # silence about healthy hosts is a failure
    patience: int = 20  # seconds: launch, shift and inconclusive time-outs follow from it
    budget: int = 2
    rollback_shows: int = 1000
    propagation: int = 0
    lag: int = 0  # seconds that a look may be old where one may be
    queue: bool = True
    backstop: bool = True
    rescue: bool = False
    task: bool = False  # a task runs before the switch
    baseline: Baseline | None = None  # the candidate's times and errors are compared with it
    score: tuple[int, int] = (95, 75)
    skew: int = 0
    orders: str = ""
    quick: bool = False
    watched: bool = False
