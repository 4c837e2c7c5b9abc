"""The whole world in memory, every port of it settable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from delivery.core.infra import DeployContract
from delivery.core.ledger import LedgerRecord
from delivery.core.service import ServiceSpec
from delivery_tests.fakes.build import FakeBuilder, FakeGates, FakeRegistry, FakeSigner
from delivery_tests.fakes.clock import VirtualClock
from delivery_tests.fakes.metrics import FakeAlarms, FakeMetrics, FakeProber
from delivery_tests.fakes.outside import FakeDns, FakeNotifier, FakePlanner
from delivery_tests.fakes.samples import sample_contract, sample_service
from delivery_tests.fakes.slots import Behaviour, Behaviours
from delivery_tests.fakes.source import FakeSource
from delivery_tests.fakes.stores import MemoryArtifacts, MemoryLedger
from delivery_tests.fakes.target import FakeTarget
from delivery_tests.fakes.wire import Wire


@dataclass
class FakeEnvironment:
    """One environment's ports."""

    target: FakeTarget
    metrics: FakeMetrics
    prober: FakeProber


class FakeWorld:
    """Implements `delivery.ports.World`; `wire` counts and breaks calls, `clock` is virtual."""

    def __init__(
        self,
        service: ServiceSpec | None = None,
        clock: VirtualClock | None = None,
        wire: Wire | None = None,
        as_json: bool = True,
    ) -> None:
        self.service = service or sample_service()
        self.clock = clock or VirtualClock()
        self.wire = wire or Wire()
        self.behaviours = Behaviours(self.clock)
        self.source = FakeSource(self.wire)
        self.gates = FakeGates(self.wire)
        self.builder = FakeBuilder(self.wire)
        self.registry = FakeRegistry(self.wire, self.clock, self.builder, self.service.name)
        self.signer = FakeSigner(self.wire)
        self.planner = FakePlanner(self.wire, self.clock)
        self.dns = FakeDns(self.wire)
        self.ledger = MemoryLedger(self.wire, as_json)
        self.artifacts = MemoryArtifacts(self.wire, as_json)
        self.notifier = FakeNotifier(self.wire)
        self.alarms = FakeAlarms(self.wire)
        self._environments: dict[tuple[str, str], FakeEnvironment] = {}

    def environment(
        self, contract: DeployContract, variables: Mapping[str, str] | None = None
    ) -> FakeEnvironment:
        """The ports of that environment, the same each time."""
        key = (contract.service, contract.environment)
        if key not in self._environments:
            target = self.new_target()
            metrics = FakeMetrics(self.wire, target, contract, self.alarms)
            self._environments[key] = FakeEnvironment(target, metrics, FakeProber(self.wire, target))
        return self._environments[key]

    def new_target(self) -> FakeTarget:
        """The target of one more environment."""
        return FakeTarget(self.clock, self.wire, self.behaviours)

    def at(self, name: str = "production") -> FakeEnvironment:
        """The environment of the sample service by name."""
        return self.environment(sample_contract(self.service.name, name))

    def record(self, name: str = "production") -> LedgerRecord:
        """Its ledger, without counting as a call."""
        return self.ledger.peek(self.service.name, name).record

    def behave(self, sha: str, behaviour: Behaviour) -> None:
        """From now on that commit behaves so, everywhere."""
        self.behaviours.set(sha, behaviour)
