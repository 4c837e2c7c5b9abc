"""AWS calls per rollout, per idle minute of a bake and of the sensors: counted, in virtual time.

The flows and adapters are the real ones, each worker with its own session and its own view of the
shared file; only boto3's clients are replaced by ones that count.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Group
from rich.table import Table

from delivery.core.release import Slot
from delivery.core.rollout import RolloutPhase
from delivery.core.strategy import BlueGreen, Canary, Rolling, Strategy
from delivery_tests.bench.fleet import ENVIRONMENT, Fleet
from delivery_tests.fakes import sample_contract

#: Calls of one rollout, from its start to its end, with a bake of two minutes.
ROLLOUTS: Mapping[str, tuple[Strategy, int]] = {
    "rolling": (Rolling(bake=120), 350),
    "blue/green": (BlueGreen(bake=120, preview_for=10), 400),
    "canary 10-50-100": (Canary((10, 50, 100), analyze_for=60, bake=120), 1500),
}
#: Calls in a minute of a bake in which nothing happens, by how many bake at once: 5 a second for a hundred.
BAKING = {1: 120, 10: 220, 100: 300}
#: Calls in a minute of the sensors for a hundred environments in which nothing happens.
SENSORS = 60
#: Seconds from a bad sample's publication to the last request of the bad release, while so many others bake.
RESTORED, OTHERS = 5.0, 30


@dataclass(frozen=True, slots=True)
class Row:
    """One figure with its bound, and the calls behind it by API."""

    what: str
    figure: float
    bound: float
    by_name: Counter[str]

    @property
    def over(self) -> bool:
        """Beyond the bound."""
        return self.figure > self.bound


def run() -> Group:
    """The table; exit code 1 when a bound is broken."""
    rows = [rollout(name, *wanted) for name, wanted in ROLLOUTS.items()]
    rows += [baking(size) for size in BAKING]
    rows += [everything(), sensors(), restored()]
    told = Group(_figures(rows), _by_name(rows))
    if any(row.over for row in rows):
        from rich.console import Console

        Console().print(told)
        raise SystemExit(1)
    return told


def rollout(name: str, strategy: Strategy, bound: int) -> Row:
    """One rollout, alone on its machine."""
    with _fleet(1, strategy) as fleet:
        fleet.start()
        counts = fleet.counted(0, 1800)
        (ended,) = fleet.rollouts
        assert ended.phase is RolloutPhase.SUCCEEDED, ended.reason
    return Row(f"a rollout, {name}", sum(counts.values()), bound, counts)


def baking(size: int) -> Row:
    """A minute of so many bakes, three minutes after they began, the mean of two."""
    with _fleet(size, BlueGreen(bake=7200)) as fleet:
        fleet.start()
        counts = _half(fleet.counted(180, 120))
    return Row(f"a minute of {size} idle bakes", sum(counts.values()), BAKING[size], counts)


def everything() -> Row:
    """A minute of a hundred bakes, with the sensors beside them."""
    with _fleet(100, BlueGreen(bake=7200)) as fleet:
        fleet.start()
        fleet.watch()
        counts = _half(fleet.counted(180, 120))
    return Row("a minute of 100 idle bakes and the sensors", sum(counts.values()), BAKING[100], counts)


def sensors(size: int = 100) -> Row:
    """A minute of the sensors when everything has been delivered."""
    with _fleet(size, BlueGreen(bake=0)) as fleet:
        fleet.start()
        fleet.hub.advance(300)
        fleet.watch()
        counts = fleet.minute(60)
    return Row(f"a minute of the sensors, {size} idle environments", sum(counts.values()), SENSORS, counts)


def restored(others: int = OTHERS) -> Row:
    """One release of many that bake turns bad: from when CloudWatch shows it to when it has no traffic."""
    with _fleet(others + 1, BlueGreen(bake=7200)) as fleet:
        fleet.start()
        fleet.hub.advance(300)
        seconds = turn_bad(fleet, others // 2)
    return Row(f"bad sample → weight 0, {others} others baking (seconds)", seconds, RESTORED, Counter())


def turn_bad(fleet: Fleet, number: int) -> float:
    """Seconds from the first moment at which CloudWatch shows enough to judge by, to weight 0."""
    service = fleet.services[number]
    contract, rule = sample_contract(service.name, ENVIRONMENT), service.environments[0].rules[0]
    begun = fleet.moment()
    fleet.aws.bad_since[f"{contract.cluster}/{contract.services[Slot.GREEN]}"] = begun
    first = -(-begun // rule.per) * rule.per
    shown = first + rule.datapoints * rule.per
    fleet.hub.advance(shown - begun)
    assert fleet.weight(number) == 100
    while fleet.weight(number):
        fleet.hub.advance(0.1)
        assert fleet.moment() < shown + 120, "it was never restored"
    return fleet.moment() - shown


@contextmanager
def _fleet(size: int, strategy: Strategy) -> Iterator[Fleet]:
    with tempfile.TemporaryDirectory() as folder:
        yield Fleet(Path(folder), size, strategy)


def _half(counts: Counter[str]) -> Counter[str]:
    return Counter({name: -(-count // 2) for name, count in counts.items()})


def _figures(rows: list[Row]) -> Table:
    table = Table("what", title="AWS calls, counted")
    for column in ("calls", "a second", "bound"):
        table.add_column(column, justify="right")
    for row in rows:
        minute = f"{row.figure / 60:.2f}" if "minute" in row.what else ""
        style = "red" if row.over else None
        table.add_row(row.what, f"{row.figure:.3g}", minute, f"{row.bound:g}", style=style)
    return table


def _by_name(rows: list[Row]) -> Table:
    table = Table("API", title="by API")
    names = sorted({name for row in rows for name in row.by_name})
    shown = [row for row in rows if row.by_name]
    for row in shown:
        table.add_column(row.what, justify="right")
    for name in names:
        table.add_row(name, *(str(row.by_name[name] or "") for row in shown))
    return table
