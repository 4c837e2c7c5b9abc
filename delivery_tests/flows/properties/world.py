"""The world of a history: in memory, without JSON, every action and every ledger write watched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import count
from typing import Any

from delivery.core import journal
from delivery.core.analysis import Rule, RuleResult, Verdict, VerdictPhase
from delivery.core.build import PushedImage
from delivery.core.comparison import CanaryAnalysis, Comparison, Score
from delivery.core.infra import DeployContract
from delivery.core.ledger import LedgerRecord, Outcome, ReleaseRecord
from delivery.core.release import Release, Slot
from delivery.core.rollout import Limits
from delivery.core.service import ServiceSpec
from delivery.core.strategy import RunTask
from delivery.core.target import Action, TargetState
from delivery.flows import keys
from delivery.flows.alarmed import Unheard, tell_people
from delivery.flows.deployable import release_for
from delivery.flows.operation import Operation
from delivery.ports import Stored, World
from delivery_tests.fakes import (
    EPOCH,
    FakeEnvironment,
    FakeTarget,
    FakeWorld,
    MemoryLedger,
    sample_contract,
    sample_environment,
    sample_service,
    sample_sha,
    with_environment,
)
from delivery_tests.flows.journey import Journey
from delivery_tests.flows.properties.faults import FaultyWire
from delivery_tests.flows.properties.history import BEHAVIOURS, COMMITS, History
from delivery_tests.flows.properties.hub import Hub, worker
from delivery_tests.flows.properties.promises import Promises
from delivery_tests.flows.properties.skew import Askew

ENVIRONMENT = "production"
CONTRACT = sample_contract("web", ENVIRONMENT)


class WatchedTarget(FakeTarget):
    """Every look is remembered by its worker, every effect goes through the promises."""

    promises: Promises

    def observe(self, task: str = "", within: float = 0.0) -> TargetState:
        """One look."""
        seen = super().observe(task, within)
        who = worker()
        if who is not None:
            who.seen = seen
        return seen

    def do(self, action: Action) -> None:
        """The effect of one action."""
        self.promises.acted(worker(), action, lambda: FakeTarget.do(self, action))


class WatchedLedger(MemoryLedger):
    """Every write goes through the promises."""

    promises: Promises

    def put(self, record: LedgerRecord, etag: str | None) -> Stored:
        """Write if nobody wrote since `etag`."""
        old = self.peek(record.service, record.environment).record
        stored = super().put(record, etag)
        self.promises.wrote(worker(), old, record)
        return stored


class HistoryWorld(FakeWorld):
    """One environment on a hub. `said` is every line of progress, with its second and its worker."""

    def __init__(self, history: History) -> None:
        self.history, self.hub = history, Hub()
        self.faulty = FaultyWire(self.hub, history.faults, self._race)
        super().__init__(_service(history), self.hub, self.faulty, as_json=False)
        contents, images = _prepared()
        self.artifacts.contents.update(contents)
        self.registry.images.update(images)
        self.ledger: WatchedLedger = WatchedLedger(self.wire, as_json=False)
        self.watched = WatchedTarget(self.clock, self.wire, self.behaviours)
        self.watched.tasks.rollback_shows = history.rollback_shows
        self.watched.propagation = history.propagation
        self.watched.lag = float(history.lag)
        self.promises = Promises(history, self.hub, self.watched, self.written, self.judged)
        self.ledger.promises = self.watched.promises = self.promises
        self.faulty.on_spin = lambda: self.promises.fail("3: somebody spins")
        self.said: list[str] = []
        self.strangers = self._ops = 0
        self.heard: set[tuple[str, datetime]] = set()
        self.looks = count(1)  # no two of them have the same name, as no two control planes have
        self._begin()

    def new_target(self) -> FakeTarget:
        """The one target."""
        return self.watched

    def environment(
        self, contract: DeployContract, variables: Mapping[str, str] | None = None
    ) -> FakeEnvironment:
        """Its measurements may be old as well, but never as old as a look."""
        ports = super().environment(contract, variables)
        ports.metrics.lag = min(4.0, float(self.history.lag))
        return ports

    def written(self) -> LedgerRecord:
        """The ledger, uncounted."""
        return self.record(ENVIRONMENT)

    def judged(self, sha: str) -> bool:
        """Whether there is a verdict on that commit."""
        return keys.of_environment("web", sha, ENVIRONMENT, "health") in self.artifacts.contents

    def op(self, holder: str, dead: str = "") -> Operation:
        """One piece of work of that holder, by its clock; `dead` is known to be gone."""
        self._ops += 1
        skew = self.history.skew * (1 if self._ops % 2 else -1)
        world: World = Askew(self, timedelta(seconds=skew)) if skew else self
        return Operation(
            world, self.service, holder, lambda line: self.say(holder, line), run_id=holder,
            quick=self.history.quick, dead=dead,
        )  # fmt: skip

    def calm(self) -> None:
        """No alarm fires any more."""
        for slot in Slot:
            self.alarms.clear(f"web-production-{slot}-5xx")

    def tell_alarms(self, found: Sequence[Unheard]) -> None:
        """The alarm sensor tells people; each firing once."""
        name = f"sensor {next(self.looks)}"
        op = Operation(self, self.service, name, lambda line: self.say("sensor", line))
        for one in found:
            fired = {(alarm.name, alarm.since) for alarm in one.alarms}
            if not tell_people(op, one):
                continue
            if fired & self.heard:
                self.promises.fail(f"9: told twice: {fired & self.heard}")
            self.heard |= fired

    def say(self, who: str, line: str) -> None:
        """A line of the story."""
        self.said.append(f"{self.hub.seconds():6g} {who}: {line}")

    def release(self, name: str) -> Release:
        """The release of the commit with that short name."""
        return _releases()[name]

    def _begin(self) -> None:
        """What was verified before the history begins, newest live in blue."""
        for name in COMMITS:
            self.behave(sample_sha(name), BEHAVIOURS["good"])
        record = LedgerRecord("web", ENVIRONMENT, contract=CONTRACT)
        for number, name in enumerate(COMMITS[: self.history.verified]):
            at = EPOCH - timedelta(days=2) + timedelta(hours=number)
            verdict = Verdict(
                VerdictPhase.SUCCESSFUL, "good", at, (RuleResult("targets", VerdictPhase.SUCCESSFUL, "good"),)
            )
            entry = ReleaseRecord(self.release(name), Outcome.VERIFIED, at, "good", "run 0", verdict, True)
            record = journal.record_outcome(record, entry)
            self.promises.verified.add(entry.release.id)
            self.watched.seed(Slot.BLUE, entry.release)
        self.ledger.put(record, None)

    def _race(self) -> None:
        """Somebody else writes the ledger."""
        self.strangers += 1
        stored = self.ledger.peek("web", ENVIRONMENT)
        approved = journal.approve(stored.record, "0" * 40, f"stranger {self.strangers}", self.hub.now())
        self.ledger.put(approved, stored.etag)


def rules(strict: bool) -> tuple[Rule, ...]:
    """The three triggers of the source design, quick enough for a history of a minute."""
    hosts = Rule("healthy_hosts", "HealthyHostCount", "Minimum", "<", 1, per=2, duration=4)
    return (
        Rule("response_time", "TargetResponseTime", "Average", ">", 5.0, per=2, duration=4),
        Rule("target_5xx", "HTTPCode_Target_5XX_Count", "Sum", ">", 3, per=2, duration=2, no_data="zero"),
        replace(hosts, no_data="fail" if strict else "inconclusive"),
    )


def analysis(history: History) -> CanaryAnalysis | None:
    """Times and errors compared, second by second."""
    comparisons = (
        Comparison("response_time", "TargetResponseTime", "Average", per=1, minimum_samples=5),
        Comparison("target_5xx", "HTTPCode_Target_5XX_Count", "Sum", per=1, minimum_samples=5, critical=True),
    )
    score = Score(*map(float, history.score))
    return CanaryAnalysis(comparisons, history.baseline, score) if history.baseline else None


def _service(history: History) -> ServiceSpec:
    patience = float(history.patience)
    limits = Limits(
        launch_timeout=patience, shift_timeout=patience / 2, inconclusive_timeout=patience,
        error_budget=history.budget, tick=2,
    )  # fmt: skip
    environment = replace(
        sample_environment(ENVIRONMENT, history.strategy),
        rules=rules(history.strict),
        limits=limits,
        compare=analysis(history),
        before=RunTask(("python", "-m", "migrate"), timeout=15.0) if history.task else None,
    )
    return with_environment(_sample(), environment)


@lru_cache(maxsize=1)
def _sample() -> ServiceSpec:
    return sample_service()


@lru_cache(maxsize=1)
def _prepared() -> tuple[Mapping[str, Any], Mapping[tuple[str, str], PushedImage]]:
    """Every commit built, scanned and signed; done once for all histories."""
    journey = Journey(FakeWorld(as_json=False), ENVIRONMENT)
    for name in COMMITS:
        journey.push(name)
    return dict(journey.world.artifacts.contents), dict(journey.world.registry.images)


@lru_cache(maxsize=1)
def _releases() -> Mapping[str, Release]:
    journey = Journey(FakeWorld(as_json=False), ENVIRONMENT)
    journey.world.artifacts.contents.update(_prepared()[0])
    record = LedgerRecord("web", ENVIRONMENT, contract=CONTRACT)
    return {name: release_for(journey.op(), record, sample_sha(name))[0] for name in COMMITS}
