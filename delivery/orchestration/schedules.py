"""The drift schedules, one per environment."""

from __future__ import annotations

import zlib

import dagster as dg

from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.errors import DeliveryError
from delivery.orchestration.jobs import Job, Jobs
from delivery.orchestration.operation import RESOURCES
from delivery.orchestration.sensors.runs import IN_PROGRESS
from delivery.orchestration.tags import LOCK, chain_of, identifier, judgement_lock
from delivery.ports import World

#: Minutes between two looks at one environment.
DRIFT_MINUTES = 10


def drift_cron(service: str, environment: str) -> str:
    """Every ten minutes, at a minute of its own: a plan takes 4 s of CPU and 600 MB, so not all at once."""
    minute = zlib.crc32(f"{service}/{environment}".encode()) % DRIFT_MINUTES
    return f"{minute}-59/{DRIFT_MINUTES} * * * *"


def drift_schedules(spec: ServiceSpec, jobs: Jobs) -> list[dg.ScheduleDefinition]:
    """The schedules of one service."""
    return [_schedule(spec, environment, jobs.drift[environment.name]) for environment in spec.environments]


def _schedule(spec: ServiceSpec, environment: EnvironmentSpec, job: Job) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=identifier(spec.name, environment.name, "drift_schedule"), job=job,
        cron_schedule=drift_cron(spec.name, environment.name),
        description=f"Looks for drift in {environment.name} while nothing is being deployed there.",
        default_status=dg.DefaultScheduleStatus.RUNNING, required_resource_keys=set(RESOURCES),
    )  # fmt: skip
    def drift(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        reason = not_now(context.instance, context.resources.world, spec, environment)
        return dg.SkipReason(reason) if reason else dg.RunRequest()

    return drift


def not_now(
    instance: dg.DagsterInstance, world: World, spec: ServiceSpec, environment: EnvironmentSpec
) -> str:
    """Why this is no moment to look for drift; empty when it is one."""
    for lock in (chain_of(spec, environment.name).lock, judgement_lock(spec.name, environment.name)):
        if instance.get_runs(dg.RunsFilter(tags={LOCK: lock}, statuses=list(IN_PROGRESS)), limit=1):
            return f"a run for {lock} is changing things"
    try:
        record = world.ledger.load(spec.name, environment.name).record
    except DeliveryError as error:
        return str(error)
    return "" if record.contract else f"{environment.name} has no infrastructure yet"
