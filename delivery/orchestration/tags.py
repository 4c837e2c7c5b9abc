"""Which environments travel in one run, and the tags that say so.

Environments reached without a gate run in the commit's own run; a gated one begins a run of its own. Each
such chain has one lock, so that two deliveries never work on the same environment (`dagster.yaml` allows one
run per value of `delivery/lock`). A judgement has another: a rollback must not queue behind a build. What
keeps the two apart where it matters is the ledger's lock, which they wait for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from delivery.core.service import EnvironmentSpec, ServiceSpec

SERVICE = "delivery/service"
ENVIRONMENT = "delivery/environment"
COMMIT = "delivery/commit"
LOCK = "delivery/lock"
#: Why a run was started, when it was not a new commit: an alarm, an interrupted rollout, a promotion.
REASON = "delivery/reason"
PROMOTION = "promotion"
#: Who left what a run of the backstop finishes: a holder of the ledger's lock that is known to be gone.
DEAD = "delivery/dead_holder"
#: When the ledger was read that such a run was started for: what was ended since is not begun anew by it.
FOUND = "delivery/found_at"
#: What a person ordered, and who it was.
COMMAND = "delivery/command"
PERSON = "delivery/by"
SUPERSEDED_BY = "delivery/superseded_by"

#: Runs that may move traffic back are started before others that wait in Dagster's queue.
URGENT: Mapping[str, str] = {"dagster/priority": "10"}

#: A killed worker's run goes on from where it stopped. A run that failed by itself (a refused step, a
#: rolled-back incident) is an answer and is never repeated without a person.
RETRIES: Mapping[str, str] = {
    "dagster/max_retries": "3",
    "dagster/retry_strategy": "FROM_FAILURE",
    "dagster/retry_on_asset_or_op_failure": "false",
}


@dataclass(frozen=True, slots=True)
class Chain:
    """Environments of one run, in order. `gate` is the one whose gate begins it; None: the commit's run."""

    service: str
    gate: str | None
    environments: tuple[EnvironmentSpec, ...]

    @property
    def first(self) -> str:
        """The environment that names the chain; the service itself when it has none."""
        return self.environments[0].name if self.environments else self.service

    @property
    def lock(self) -> str:
        """What at most one run may hold at a time."""
        return f"{self.service}/{self.first}"

    @property
    def job(self) -> str:
        """The name of the job that carries it."""
        return identifier(self.service, self.gate, "delivery") if self.gate else commit_job(self.service)

    def following(self, environment: str) -> tuple[EnvironmentSpec, ...]:
        """The environments of this chain that come after that one, directly or not."""
        reached, found = {environment}, []
        for spec in self.environments:
            if spec.after is not None and spec.after.environment in reached and spec.name not in reached:
                reached.add(spec.name)
                found.append(spec)
        return tuple(found)


def identifier(*parts: str) -> str:
    """A Dagster name of these parts: letters, digits and underscores only."""
    return "_".join("".join(c if c.isalnum() and c.isascii() else "_" for c in part) for part in parts)


def commit_job(service: str) -> str:
    """The job that carries a new commit."""
    return identifier(service, "delivery")


def chains(spec: ServiceSpec) -> tuple[Chain, ...]:
    """Every chain of a service; the commit's own comes first, even when no environment is in it."""
    members: dict[str | None, list[EnvironmentSpec]] = {None: []}
    for environment in spec.environments:
        members.setdefault(_gate_of(spec, environment), []).append(environment)
    return tuple(Chain(spec.name, gate, tuple(found)) for gate, found in members.items())


def chain_of(spec: ServiceSpec, environment: str) -> Chain:
    """The chain an environment travels in."""
    return next(c for c in chains(spec) if any(e.name == environment for e in c.environments))


def judgement_lock(service: str, environment: str) -> str:
    """What at most one judgement of an environment may hold at a time. No delivery does."""
    return f"{service}/{environment}/judgement"


def run_tags(service: str, environment: str, lock: str) -> dict[str, str]:
    """The tags every run of ours carries; the commit is added when it is known."""
    return {SERVICE: service, ENVIRONMENT: environment, LOCK: lock}


def _gate_of(spec: ServiceSpec, environment: EnvironmentSpec) -> str | None:
    """The gated environment at the head of this one's chain."""
    while environment.after is not None:
        if environment.after.gated:
            return environment.name
        environment = spec.environment(environment.after.environment)
    return None
