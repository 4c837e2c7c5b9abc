"""One piece of work on one service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from delivery.core.infra import DeployContract
from delivery.core.ledger import LedgerRecord
from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.errors import NotFoundError
from delivery.ports import EnvironmentPorts, Progress, World


@dataclass(frozen=True, slots=True)
class Operation:
    """One piece of work on one service: the world, who asks, and where progress goes.

    `holder` is who acts, for locks and records, e.g. `run 1a2b3c4d` or `person ada`; `url` is a link for
    people (the Dagster run). `quick`: the run asks for the quick way (see `flows.quick`). `dead` is a holder
    that is known to be gone, whose work is finished here: the end of its lock is not waited for.
    `retries_since`: it repeats a killed one that began then, by itself; no person asked for it anew.
    """

    world: World
    service: ServiceSpec
    holder: str
    progress: Progress
    run_id: str = ""
    url: str = ""
    quick: bool = False
    dead: str = ""
    retries_since: datetime | None = None

    @property
    def who(self) -> str:
        """Who acts, as people look for it: the run itself, and for whom it goes on."""
        if self.run_id[:8] not in self.holder:
            return f"run {self.run_id[:8]}, which goes on for {self.holder}"
        return f"{self.holder}, which goes on for {self.dead}" if self.dead else self.holder

    def spec(self, environment: str) -> EnvironmentSpec:
        """The environment of that name; NotFoundError if the service has none."""
        try:
            return self.service.environment(environment)
        except KeyError:
            names = ", ".join(e.name for e in self.service.environments)
            raise NotFoundError(
                f"{self.service.name} has no environment {environment}",
                f"it has {names or 'none'}",
                "Name one of these.",
            ) from None

    def record(self, environment: str) -> LedgerRecord:
        """The environment's ledger now."""
        return self.world.ledger.load(self.service.name, environment).record

    def ports(self, contract: DeployContract) -> EnvironmentPorts:
        """Target, metrics and prober of an environment."""
        return self.world.environment(contract, self.spec(contract.environment).variables)


def contract_of(record: LedgerRecord) -> DeployContract:
    """The deploy contract; NotFoundError before the infrastructure was ever applied."""
    if record.contract is None:
        raise NotFoundError(
            f"{record.service} {record.environment} has no infrastructure",
            "its deploy contract was never recorded",
            "Materialize `plan` and `infrastructure` first.",
        )
    return record.contract
