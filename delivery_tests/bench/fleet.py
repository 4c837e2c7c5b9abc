"""Environments that are delivered to side by side: real flows and adapters, counted AWS, virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from delivery.adapters.aws.alarms import CloudWatchAlarms
from delivery.adapters.aws.artifacts import S3Artifacts
from delivery.adapters.aws.ledger import S3Ledger
from delivery.adapters.aws.metrics import CloudWatchMetrics
from delivery.adapters.aws.shared import SharedReads
from delivery.adapters.ecs.target import EcsTarget
from delivery.core.analysis import ProbeResult, Rule
from delivery.core.infra import DeployContract
from delivery.core.ledger import LedgerRecord
from delivery.core.release import Slot
from delivery.core.rollout import Limits, Rollout
from delivery.core.service import ServiceSpec
from delivery.core.strategy import Strategy
from delivery.flows.watch import alarms_to_judge, promotable, unfinished
from delivery.world import LiveEnvironment
from delivery_tests.fakes import FakeWorld, sample_contract, sample_environment, sample_service
from delivery_tests.fakes.cloud import CountedAws
from delivery_tests.flows.journey import Journey
from delivery_tests.flows.properties.hub import Hub

BUCKET, ENVIRONMENT = "delivery", "production"
#: The three triggers of the source design, as they are by default.
RULES = (
    Rule("response_time", "TargetResponseTime", "Average", ">", 5.0, per=60, duration=300),
    Rule("target_5xx", "HTTPCode_Target_5XX_Count", "Sum", ">", 10, per=60, duration=60, no_data="zero"),
    Rule("healthy_hosts", "HealthyHostCount", "Minimum", "<", 1, per=60, duration=120, no_data="fail"),
)


class Member(FakeWorld):
    """The world of one run worker: source, builds and people are in memory, AWS is the counted one."""

    def __init__(self, fleet: Fleet, service: ServiceSpec) -> None:
        super().__init__(service, fleet.hub)
        self.fleet = fleet
        self.reads = fleet.reads()
        self._ports: LiveEnvironment | None = None
        self.ledger = S3Ledger(fleet.aws, BUCKET, self.reads)  # type: ignore[assignment]
        self.artifacts = S3Artifacts(fleet.aws, BUCKET)  # type: ignore[assignment]
        self.alarms = CloudWatchAlarms(fleet.aws)  # type: ignore[assignment]

    def record(self, name: str = ENVIRONMENT) -> LedgerRecord:
        """Its ledger as it is now."""
        return self.ledger.load(self.service.name, name).record

    def environment(  # type: ignore[override]
        self, contract: DeployContract, variables: Mapping[str, str] | None = None
    ) -> LiveEnvironment:
        """The real adapters, and preview requests that are always answered."""
        if self._ports is None:
            target = EcsTarget(self.fleet.aws, contract, variables or {}, self.reads)
            metrics = CloudWatchMetrics(self.fleet.aws, contract, self.reads)
            self._ports = LiveEnvironment(target, metrics, _Answered())
        return self._ports


class _Answered:
    """Preview requests that go well."""

    def probe(self, path: str, count: int, timeout: float) -> tuple[ProbeResult, ...]:
        return tuple(ProbeResult(f"http://preview{path}", 200, 0.05) for _ in range(count))


class Fleet:
    """`size` services with one environment each, under one strategy; each worker a process of its own."""

    def __init__(self, folder: Path, size: int, strategy: Strategy, rules: tuple[Rule, ...] = RULES) -> None:
        self.folder, self.hub = folder, Hub()
        self.aws = CountedAws(self.hub)
        self.rollouts: list[Rollout] = []
        self.members: list[tuple[Journey, str]] = []
        for number in range(size):
            spec = replace(sample_environment(ENVIRONMENT, strategy), rules=rules, limits=Limits())
            service = replace(sample_service(f"s{number}"), environments=(spec,))
            journey = Journey(Member(self, service), ENVIRONMENT)
            self.aws.add(sample_contract(service.name, ENVIRONMENT))
            self.members.append((journey, journey.push(f"commit {number}").sha))
        self.services = [journey.world.service for journey, _ in self.members]
        self.aws.counts.clear()

    def reads(self) -> SharedReads:
        """What a process of its own would have."""
        return SharedReads(self.aws, self.folder, self.moment, self._sleep)

    def moment(self) -> float:
        """Seconds since the epoch, virtual."""
        return self.hub.now().timestamp()

    def start(self, apart: float = 0.37) -> None:
        """Everybody begins its delivery, a moment after the other."""
        for number, (journey, sha) in enumerate(self.members):
            self.hub.at(number * apart, self._starting(journey, sha))

    def _starting(self, journey: Journey, sha: str) -> Callable[[], None]:
        def deliver() -> None:
            self.rollouts.append(journey.deploy(sha))

        return lambda: void(self.hub.start_worker(journey.world.service.name, deliver))

    def watch(self, period: float = 5.0) -> None:
        """The sensors of the control plane, in one process, from now on for ten hours."""
        member = Member(self, self.services[0])
        last = [0.0]

        def tick() -> None:
            alarms_to_judge(member, self.services, void)
            promotable(member, self.services, self.hub.now())
            if self.hub.seconds() - last[0] >= 30:
                last[0] = self.hub.seconds()
                unfinished(member, self.services, self.hub.now(), void)

        for number in range(int(3600 / period)):
            self.hub.at(number * period, tick)

    def weight(self, number: int) -> int:
        """Percent of the traffic that environment's candidate has, at the load balancer."""
        contract = sample_contract(self.services[number].name, ENVIRONMENT)
        (action,) = self.aws.rules[contract.production_rule_arn]["Actions"]
        listed = {t["TargetGroupArn"]: t["Weight"] for t in action["ForwardConfig"]["TargetGroups"]}
        return int(listed[contract.target_groups[Slot.GREEN]])

    def minute(self, after: float) -> Counter[str]:
        """The calls of one minute, `after` seconds from now."""
        return self.counted(after, 60.0)

    def counted(self, after: float, seconds: float) -> Counter[str]:
        """The calls of so many seconds, `after` seconds from now."""
        self.hub.advance(after)
        before = Counter(self.aws.counts)
        self.hub.advance(seconds)
        return self.aws.counts - before

    def _sleep(self, seconds: float) -> None:
        self.hub.sleep_until(self.hub.now() + timedelta(seconds=seconds))


def void(*_: object) -> None:
    """Nobody listens."""
