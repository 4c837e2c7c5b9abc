"""The jobs: what a commit, a promotion, a judgement and a look for drift run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as Job

from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.orchestration.stage import key
from delivery.orchestration.stages import (
    BUILD_STAGES,
    CHAIN_STAGES,
    JUDGEMENT_STAGES,
    judgement_job,
    keys_of,
)
from delivery.orchestration.steering import steering_job
from delivery.orchestration.tags import (
    RETRIES,
    URGENT,
    Chain,
    chains,
    identifier,
    judgement_lock,
    run_tags,
)


@dataclass(frozen=True, slots=True)
class Jobs:
    """All jobs of one service. `judgement` and `drift` are by environment."""

    delivery: tuple[Job, ...]
    judgement: dict[str, Job]
    drift: dict[str, Job]
    steering: tuple[dg.JobDefinition, ...] = ()

    @property
    def all(self) -> list[Job | dg.JobDefinition]:
        """Every one of them."""
        return [*self.delivery, *self.judgement.values(), *self.drift.values(), *self.steering]


def service_jobs(spec: ServiceSpec) -> Jobs:
    """The jobs of one service. Dagster wants one object per job: make them once, and hand them around."""
    return Jobs(
        delivery=tuple(_delivery(spec, chain) for chain in chains(spec)),
        judgement={e.name: _judgement(spec, e) for e in spec.environments},
        drift={e.name: _drift(spec, e) for e in spec.environments},
        steering=tuple(steering_job(spec, e) for e in spec.environments),
    )


def _delivery(spec: ServiceSpec, chain: Chain) -> Job:
    where = ", ".join(e.name for e in chain.environments)
    build = [] if chain.gate else keys_of(spec.name, BUILD_STAGES)
    told = (
        f"Promote a commit to {where}" if chain.gate else f"A commit, from source to live in {where or 'ECR'}"
    )
    assets = [asset for e in chain.environments for asset in keys_of(spec.name, CHAIN_STAGES, e.name)]
    return _job(spec, chain.job, [*build, *assets], told, run_tags(spec.name, chain.first, chain.lock))


def _judgement(spec: ServiceSpec, environment: EnvironmentSpec) -> Job:
    told = f"Judge the release in {environment.name} again; roll back if it fails"
    tags = {**run_tags(spec.name, environment.name, judgement_lock(spec.name, environment.name)), **URGENT}
    assets = keys_of(spec.name, JUDGEMENT_STAGES, environment.name)
    return _job(spec, judgement_job(spec.name, environment.name), assets, told, tags)


def _drift(spec: ServiceSpec, environment: EnvironmentSpec) -> Job:
    """Reads only, so it has a lock of its own: it neither waits for a delivery nor keeps one waiting."""
    return dg.define_asset_job(
        identifier(spec.name, environment.name, "drift"),
        selection=dg.AssetSelection.assets(key(spec.name, "drift", environment.name)),
        description=f"Look for drift in {environment.name}",
        tags=run_tags(spec.name, environment.name, f"{spec.name}/{environment.name}/drift"),
        executor_def=dg.in_process_executor,
    )


def _job(
    spec: ServiceSpec, name: str, assets: Sequence[dg.AssetKey], description: str, tags: dict[str, str]
) -> Job:
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(*assets),
        description=description,
        tags={**tags, **RETRIES},
        executor_def=dg.in_process_executor,
    )
