"""The nodes of the graph in their order, as the orchestration calls them, on a world in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from delivery.core.analysis import Verdict, VerdictPhase
from delivery.core.ledger import LedgerRecord, ReleaseRecord, Restoration
from delivery.core.release import Commit
from delivery.core.rollout import Rollout
from delivery.core.service import EnvironmentSpec
from delivery.errors import DeploymentFailedError
from delivery.flows.build import build, image, quality, source
from delivery.flows.deploy import deploy
from delivery.flows.dns import point_dns
from delivery.flows.health import judge
from delivery.flows.operation import Operation
from delivery.flows.plan import infrastructure, plan
from delivery.flows.report import incident, live
from delivery.flows.rollback import rollback
from delivery_tests.fakes import FakeTarget, FakeWorld, sample_service, with_environment


@dataclass
class Ended:
    """How one commit's way through one environment ended."""

    rollout: Rollout
    verdict: Verdict
    live: ReleaseRecord | None = None
    restoration: Restoration | None = None
    error: DeploymentFailedError | None = None


@dataclass
class Journey:
    """One service in one environment. `said` is every line of progress."""

    world: FakeWorld
    environment: str = "production"
    said: list[str] = field(default_factory=list)
    attempts: int = 0

    @classmethod
    def start(cls, environment: EnvironmentSpec | None = None) -> Journey:
        """A new world; with another environment in place of the sample's of that name."""
        service = sample_service()
        if environment is not None:
            service = with_environment(service, environment)
        return cls(FakeWorld(service), environment.name if environment else "production")

    @property
    def target(self) -> FakeTarget:
        return self.world.at(self.environment).target

    @property
    def record(self) -> LedgerRecord:
        return self.world.record(self.environment)

    def op(self, holder: str = "") -> Operation:
        """Each call is another run unless the holder is named."""
        self.attempts += 1
        who = holder or f"run {self.attempts:08x}"
        return Operation(self.world, self.world.service, who, self.said.append, run_id=who)

    def push(self, name: str) -> Commit:
        """A commit, built, signed and with its infrastructure."""
        commit = self.world.source.push(name)
        op = self.op()
        source(op, commit.sha)
        quality(op, commit.sha)
        build(op, commit.sha)
        image(op, commit.sha)
        self.push_infrastructure(commit.sha)
        return commit

    def push_infrastructure(self, sha: str) -> None:
        """The plan of that commit, applied here."""
        op = self.op()
        plan(op, self.environment, sha)
        infrastructure(op, self.environment, sha)

    def deploy(self, sha: str, holder: str = "") -> Rollout:
        return deploy(self.op(holder), self.environment, sha)

    def finish(self, sha: str, rollout: Rollout, op: Operation | None = None) -> Ended:
        """Health and what follows from it."""
        op = op or self.op()
        verdict = judge(op, self.environment, sha)
        ended = Ended(rollout, verdict)
        if verdict.phase is VerdictPhase.SUCCESSFUL:
            point_dns(op, self.environment, sha)
            ended.live = live(op, self.environment, sha)
        elif verdict.phase is VerdictPhase.FAILED:
            ended.restoration = rollback(op, self.environment, sha)
            ended.error = incident(op, self.environment, sha)
        return ended

    def deliver(self, name: str) -> Ended:
        """The whole way of a new commit."""
        commit = self.push(name)
        op = self.op()
        return self.finish(commit.sha, deploy(op, self.environment, commit.sha), op)

    def rejudge(self, sha: str) -> Ended:
        """The run that an alarm starts: health and what follows."""
        assert self.record.rollout is not None
        return self.finish(sha, self.record.rollout)
