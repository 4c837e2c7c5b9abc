"""`delivery.ports.World` on the sandbox, for whole rollouts in seconds.

What the drive loop asks AWS for is real: ledger, artifacts, target, metrics, alarms, and the probes. Source,
registry, signer and people are in memory. Time runs as in the sandbox: with a time scale of 20 a minute of
analysis takes three seconds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from delivery.adapters.aws.alarms import CloudWatchAlarms
from delivery.adapters.aws.artifacts import S3Artifacts
from delivery.adapters.aws.ledger import S3Ledger
from delivery.adapters.aws.metrics import CloudWatchMetrics
from delivery.adapters.aws.session import Aws
from delivery.adapters.ecs.prober import PreviewProber
from delivery.adapters.ecs.target import EcsTarget
from delivery.core.infra import DeployContract
from delivery.core.service import ServiceSpec
from delivery.ports import EnvironmentPorts
from delivery.world import LiveEnvironment
from delivery_tests.conftest import RunningSandbox
from delivery_tests.contract.cloud import new_bucket
from delivery_tests.contract.faulty import FaultyLine
from delivery_tests.fakes import FakeWorld


class SandboxClock:
    """The sandbox's time, which may run faster than ours."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self._scale = sandbox.config.time_scale
        self._began, self._from = sandbox.now(), time.monotonic()

    def now(self) -> datetime:
        """The present moment in the sandbox."""
        return datetime.fromtimestamp(self._began + (time.monotonic() - self._from) * self._scale, UTC)

    def sleep_until(self, moment: datetime) -> None:
        """Return at that moment."""
        left = (moment - self.now()).total_seconds() / self._scale
        if left > 0:
            time.sleep(left)


class SandboxWorld:
    """Implements `delivery.ports.World`: what the drive loop asks AWS for is real, the rest in memory."""

    def __init__(self, sandbox: RunningSandbox, service: ServiceSpec, line: FaultyLine) -> None:
        fake = FakeWorld(service)
        self.fake, self.bucket = fake, new_bucket(sandbox)
        self._make = lambda: Aws(sandbox.endpoints.region, line.url, sandbox.environment)
        self.clock = SandboxClock(sandbox)
        self.source, self.gates, self.builder, self.registry = (
            fake.source, fake.gates, fake.builder, fake.registry,
        )  # fmt: skip
        self.signer, self.planner, self.dns = fake.signer, fake.planner, fake.dns
        self.notifier = fake.notifier
        self.renew()

    def renew(self) -> None:
        """New clients, as a new process has them."""
        self.aws = self._make()
        self.ledger = S3Ledger(self.aws, self.bucket)
        self.artifacts = S3Artifacts(self.aws, self.bucket)
        self.alarms = CloudWatchAlarms(self.aws)

    def environment(self, contract: DeployContract, variables: Mapping[str, str]) -> EnvironmentPorts:
        """As `delivery.world` makes it."""
        target, metrics = (
            EcsTarget(self.aws, contract, variables),
            CloudWatchMetrics(self.aws, contract),
        )
        return LiveEnvironment(target, metrics, PreviewProber(contract))
