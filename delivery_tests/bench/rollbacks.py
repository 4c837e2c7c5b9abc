"""Where the time of a bad canary's end goes, and what a switch between two good releases costs its users.

Nothing of it is taken from the system's own word alone: a spy asks CloudWatch, the ledger and the load
balancer all the time, and a load of 200 requests a second keeps its own book.
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from rich.console import Group
from rich.table import Table

from delivery.catalog.loader import load_services
from delivery.cli.demo import edits
from delivery.cli.demo.setting import Venue
from delivery.cli.demo.story import PRODUCTION, Edit, Stage
from delivery.core.analysis import Rule, VerdictPhase
from delivery.core.judging import judge_rule
from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.sample import Reading
from delivery.core.service import EnvironmentSpec
from delivery.errors import DeliveryError
from delivery.flows.operation import contract_of
from delivery.ports import EnvironmentPorts, World
from delivery.settings import Settings
from delivery.world import build_world
from delivery_tests.bench.journey import deliver
from delivery_tests.bench.theatre import small_change, theatre

ROUNDS, RATE = 5, 200.0
#: Seconds between two questions of the spy, each kind in a thread of its own.
GLANCE = 0.05
BREAKDOWN = (
    ("data delay: first bad answer → breach in CloudWatch", "first_bad", "published"),
    ("detect: in CloudWatch → judged", "published", "judged"),
    ("decide: judged → written down", "judged", "written"),
    ("act: written down → weight 0 at the load balancer", "written", "weightless"),
    ("verify: weight 0 → read back, and written down", "weightless", "verified"),
)


@dataclass
class Moments:
    """When what was first seen, from outside."""

    seen: dict[str, datetime] = field(default_factory=dict)

    def mark(self, name: str, at: datetime | None = None) -> None:
        """The first time counts."""
        self.seen.setdefault(name, at or datetime.now(UTC))

    def between(self, one: str, other: str) -> float:
        """Seconds from the one to the other. The spy's glances may overtake each other by one."""
        return (self.seen[other] - self.seen[one]).total_seconds()


@dataclass
class Spy:
    """Looks at one rollout from outside until it is told to stop."""

    world: World
    spec: EnvironmentSpec
    stage: Stage
    sha: str
    moments: Moments = field(default_factory=Moments)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> Spy:
        """Begin; each question in a thread of its own."""
        for question in (self._ledger, self._metrics, self._weight):
            thread = threading.Thread(target=self._ask, args=(question,), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def stop(self) -> None:
        """No more questions."""
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def _ask(self, question: Callable[[Rollout], None]) -> None:
        while not self._over.wait(GLANCE):
            try:
                rollout = self.stage.watcher.record(PRODUCTION).rollout
                if rollout is not None and rollout.release.commit == self.sha:
                    question(rollout)
            except DeliveryError:
                continue  # a spy's question that failed is asked again

    def _ledger(self, rollout: Rollout) -> None:
        if rollout.phase in (RolloutPhase.ABORTING, RolloutPhase.ABORTED):
            self.moments.mark("written")

    def _metrics(self, rollout: Rollout) -> None:
        """The breach is published when the very rules of the environment fail on what CloudWatch has."""
        if rollout.traffic_at is None or "published" in self.moments.seen:
            return
        now = datetime.now(UTC)
        asked = [_reading(rule, rollout, now) for rule in self.spec.rules]
        told = self._ports().metrics.read(asked)
        judged = [
            judge_rule(rule, series, reading.start, reading.end)
            for rule, series, reading in zip(self.spec.rules, told, asked, strict=True)
        ]
        if any(result.phase is VerdictPhase.FAILED for result in judged):
            self.moments.mark("published")

    def _weight(self, rollout: Rollout) -> None:
        given = self._ports().target.observe().slot(rollout.candidate).weight
        if given > 0:
            self.moments.mark("weighted")
        elif "weighted" in self.moments.seen:
            self.moments.mark("weightless")

    def _ports(self) -> EnvironmentPorts:
        return self.world.environment(contract_of(self.stage.watcher.record(PRODUCTION)), {})


def run() -> Group:
    """Both tables."""
    with theatre(RATE) as (venue, stage, _):
        world, spec = _of(venue)
        deliver(stage, edits.good_v1())  # the first one fills caches; not counted
        stage.start_load()
        switched = _switch(stage)
        rounds = [_round(world, spec, stage, number) for number in range(ROUNDS)]
    return Group(_breakdown(rounds), switched)


def _of(venue: Venue) -> tuple[World, EnvironmentSpec]:
    settings = Settings.read(venue.environment)
    service = next(s for s in load_services(settings.defs) if s.name == "web")
    return build_world(settings), next(e for e in service.environments if e.name == PRODUCTION)


def _reading(rule: Rule, rollout: Rollout, now: datetime) -> Reading:
    start = max(rollout.traffic_at or now, now - timedelta(seconds=rule.duration + 2 * rule.per))
    return Reading(
        rule.name,
        rule.metric,
        rule.statistic,
        rule.per,
        rollout.candidate,
        start,
        now,
        rule.no_data == "zero",
    )


def _bad(number: int) -> Edit:
    """The demo's bad commit, each time another one: what was judged bad once is refused."""
    bad = edits.bad()
    files = {**bad.files, **small_change(500 + number).files}
    return Edit(f"{bad.subject}, edition {number}", files)


def _round(world: World, spec: EnvironmentSpec, stage: Stage, number: int) -> Moments:
    with ExitStack() as stack:
        pushed, at = stage.push(_bad(number))
        spy = Spy(world, spec, stage, pushed.sha).start()
        stack.callback(spy.stop)
        stage.wait_run(pushed.sha, stage.teller.act(number, "a bad canary", "Its end is timed."))
    rollout, lost = stage.watcher.record(PRODUCTION).rollout, stage.book.lost(at)
    if rollout is None or rollout.release.commit != pushed.sha or rollout.verdict is None or not lost:
        raise SystemExit("the bad release did no harm: nothing to measure")
    moments = spy.moments
    moments.mark("first_bad", lost[0].at)
    moments.mark("last_bad", lost[-1].at)
    moments.mark("judged", rollout.verdict.judged_at)
    moments.mark("verified", _verified(rollout))
    missing = {"published", "written", "weightless"} - moments.seen.keys()
    if missing:
        raise SystemExit(f"the spy never saw: {', '.join(sorted(missing))}")
    return moments


def _verified(rollout: Rollout) -> datetime:
    """When the weight was read back as 0, by the rollout's own story."""
    lines = iter(rollout.history)
    next(line for line in lines if line.message.startswith("failed:"))
    return next(line.at for line in lines if line.weight == 0)


def _breakdown(rounds: list[Moments]) -> Table:
    table = Table(title=f"a bad canary under {RATE:g} requests/s, {len(rounds)} rounds, seconds")
    table.add_column("what")
    table.add_column("median (minimum to maximum)", justify="right")
    table.add_column("bound", justify="right")
    table.add_column("held")
    for name, one, other in BREAKDOWN:
        table.add_row(name, _spread([m.between(one, other) for m in rounds]), "", "")
    judged = [m.between("judged", "verified") for m in rounds]
    after = [m.between("published", "verified") for m in rounds]
    table.add_section()
    table.add_row("failing verdict → weight 0, read back", _spread(judged), "median ≤ 2", _held(judged, 2.0))
    table.add_row(
        "first bad answer → restored, less the data delay", _spread(after), "median ≤ 5", _held(after, 5.0)
    )
    table.add_row(
        "first → last failed request", _spread([m.between("first_bad", "last_bad") for m in rounds]), "", ""
    )
    return table


def _switch(stage: Stage) -> Table:
    """One good release after another, by the canary's steps."""
    at, _ = deliver(stage, edits.good_v2())
    lost, asked = len(stage.book.lost(at)), len(stage.book.between(at))
    table = Table(title=f"a switch between two good releases under {RATE:g} requests/s")
    table.add_column("what")
    table.add_column("measured", justify="right")
    table.add_column("bound", justify="right")
    table.add_column("held")
    table.add_row("failed requests", f"{lost} of {asked}", "0", "yes" if not lost else "NO")
    return table


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def _held(values: list[float], bound: float) -> str:
    return "yes" if statistics.median(values) <= bound else "NO"
