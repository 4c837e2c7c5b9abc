"""Terraform, DNS and the notifier in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from delivery.core.infra import DeployContract, PlanSummary, ResourceChange
from delivery.core.service import TerraformSpec
from delivery.errors import NotFoundError, StalePlanError
from delivery.ports import Notice, Progress
from delivery_tests.fakes.clock import VirtualClock
from delivery_tests.fakes.samples import sample_contract
from delivery_tests.fakes.wire import Wire


class FakePlanner:
    """State per key. `change()` fills the next plan; `touch()` changes the state under a saved plan."""

    def __init__(self, wire: Wire, clock: VirtualClock) -> None:
        self._wire, self._clock = wire, clock
        self.serials: dict[str, int] = {}
        self.pending: dict[str, tuple[ResourceChange, ...]] = {}
        self.drifted: dict[str, tuple[ResourceChange, ...]] = {}
        self.contracts: dict[str, DeployContract] = {}
        self.applied: list[str] = []

    def change(self, key: str, *changes: ResourceChange) -> None:
        """The next plan under this key has these changes."""
        self.pending[key] = changes

    def touch(self, key: str) -> None:
        """Somebody else applied something."""
        self.serials[key] = self.serials.get(key, 0) + 1

    def plan(
        self, spec: TerraformSpec, key: str, variables: Mapping[str, Any], progress: Progress
    ) -> tuple[PlanSummary, bytes]:
        """The saved plan."""
        with self._wire.call("planner.plan"):
            summary = self._summary(spec, key, variables)
            progress(f"plan: {summary.sentence()}")
            return summary, summary.plan_id.encode()

    def apply(
        self, spec: TerraformSpec, key: str, plan: PlanSummary, file: bytes, progress: Progress
    ) -> None:
        """Apply exactly this plan."""
        with self._wire.call("planner.apply"):
            if file != plan.plan_id.encode() or plan.serial != self.serials.get(key, 0):
                raise StalePlanError(
                    "The plan was not applied", "the state changed", "Rerun from the asset `plan`."
                )
            self.touch(key)
            self.pending.pop(key, None)
            self.applied.append(plan.plan_id)
            progress("applied")

    def outputs(self, spec: TerraformSpec, key: str) -> Mapping[str, Any]:
        """The outputs."""
        with self._wire.call("planner.outputs"):
            if not self.serials.get(key):
                raise NotFoundError(f"{spec.stack} has no outputs", "nothing was applied", "Apply it first.")
            return {"repository_url": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/web"}

    def contract(self, spec: TerraformSpec, key: str) -> DeployContract:
        """The deploy contract (key `terraform/<service>/<environment>.tfstate`)."""
        self.outputs(spec, key)
        _, service, name = key.removesuffix(".tfstate").split("/")
        return self.contracts.get(key) or sample_contract(service, name)

    def drift(
        self, spec: TerraformSpec, key: str, variables: Mapping[str, Any], progress: Progress
    ) -> PlanSummary:
        """What differs from the code."""
        with self._wire.call("planner.drift"):
            return self._summary(spec, key, variables)

    def _summary(self, spec: TerraformSpec, key: str, variables: Mapping[str, Any]) -> PlanSummary:
        serial = self.serials.get(key, 0)
        new = (ResourceChange("module.service.aws_lb.this", "create"),)
        changes = self.pending.get(key, new if serial == 0 else ())
        text = f"{key}{serial}{changes}{sorted(variables.items())}{self._clock.now()}"
        plan_id = hashlib.sha256(text.encode()).hexdigest()
        drifted = self.drifted.get(key, ())
        return PlanSummary(
            plan_id, spec.stack, self._clock.now(), changes, drifted, serial, "lineage", "inputs"
        )


class FakeDns:
    """Records by (zone, record)."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.records: dict[tuple[str, str], str] = {}

    def current(self, zone: str, record: str) -> str | None:
        """What it points to."""
        with self._wire.call("dns.current"):
            return self.records.get((zone, record))

    def point(self, zone: str, record: str, contract: DeployContract, progress: Progress) -> str:
        """Point it."""
        with self._wire.call("dns.point"):
            self.records[(zone, record)] = contract.load_balancer_dns
            return contract.load_balancer_dns


class FakeNotifier:
    """`sent` keeps every notice; `problems` is what sending answers."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.sent: list[tuple[tuple[str, ...], Notice]] = []
        self.problems: tuple[str, ...] = ()

    def send(self, routes: Sequence[str], notice: Notice) -> tuple[str, ...]:
        """Send."""
        with self._wire.call("notifier.send"):
            self.sent.append((tuple(routes), notice))
            return self.problems

    def kinds(self) -> list[str]:
        """The kinds sent, in order."""
        return [notice.kind for _, notice in self.sent]
