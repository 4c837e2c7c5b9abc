"""`backstop`: finds what nobody finishes, a dead rollout or a failed verdict without a restoration."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import dagster as dg

from delivery.core.service import ServiceSpec
from delivery.errors import DeliveryError
from delivery.flows import watch
from delivery.orchestration import partitions
from delivery.orchestration.jobs import Job, judgement_job, resumed
from delivery.orchestration.operation import RESOURCES
from delivery.orchestration.sensors.runs import bury, under_way
from delivery.orchestration.tags import COMMIT, REASON, URGENT, chain_of, judgement_lock, run_tags
from delivery.ports import World

INTERVAL = 30
DESCRIPTION = """Reads the ledgers for rollouts whose deployer is gone and verdicts without a rollback.

Starts what finishes them, unless a run that will do so is on its way."""


def backstop_sensor(
    services: Sequence[ServiceSpec], jobs: Sequence[Job], interval: int = INTERVAL
) -> dg.SensorDefinition:
    """The one backstop of an installation."""

    @dg.sensor(
        name="backstop", jobs=list(jobs), minimum_interval_seconds=interval, description=DESCRIPTION,
        default_status=dg.DefaultSensorStatus.RUNNING, required_resource_keys=set(RESOURCES),
    )  # fmt: skip
    def backstop(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        world: World = context.resources.world
        try:
            due = watch.unfinished(world, services, world.clock.now(), context.log.warning)
            return finishers(context, services, due)
        except DeliveryError as error:
            return dg.SensorResult(skip_reason=str(error))

    return backstop


def finishers(
    context: dg.SensorEvaluationContext, services: Sequence[ServiceSpec], found: Sequence[watch.Unfinished]
) -> dg.SensorResult:
    """One run per lock. The attempt and the hour are in the run key: Dagster never launches a key twice, and
    a run that failed before it took the lock must not be the last one.
    """
    specs = {spec.name: spec for spec in services}
    runs: dict[str, dg.RunRequest] = {}
    changes, notes = [], []
    for one in found:
        spec = specs[one.service]
        lock = _lock(spec, one)
        if lock in runs or _will_be_finished(context.instance, spec, one):
            notes.append(_waits(context, spec, one))
            continue
        runs[lock] = _finisher(spec, one, lock, context.resources.world.clock.now())
        changes.append(partitions.added(one.service, [one.commit]))
        context.log.warning(f"{one.service} in {one.environment}: {one.reason}")
    return dg.SensorResult(
        run_requests=list(runs.values()),
        skip_reason=None if runs else "; ".join(notes) or "nothing is unfinished",
        dynamic_partitions_requests=changes,
    )


def _lock(spec: ServiceSpec, one: watch.Unfinished) -> str:
    """A rollout is finished in its chain's turn; a rollback waits for no delivery."""
    chain = chain_of(spec, one.environment).lock
    return chain if one.kind == "rollout" else judgement_lock(one.service, one.environment)


def _will_be_finished(instance: dg.DagsterInstance, spec: ServiceSpec, one: watch.Unfinished) -> bool:
    """Whether a run on its way does it: a judgement of this environment, a delivery of this commit, and for
    a rollout any delivery of its chain (it settles what it finds). Another commit's build is no rollback."""
    if under_way(instance, [judgement_lock(one.service, one.environment)]):
        return True
    commit = None if one.kind == "rollout" else one.commit
    return bool(under_way(instance, [chain_of(spec, one.environment).lock], commit))


def _waits(context: dg.SensorEvaluationContext, spec: ServiceSpec, one: watch.Unfinished) -> str:
    """Why nothing is started now. A run that only seems to be on its way is ended first."""
    told = f"{one.service} in {one.environment}: {one.reason}"
    world: World = context.resources.world
    held = world.ledger.load(one.service, one.environment).record.lock
    expired = held is not None and held.expires_at <= world.clock.now()
    locks = (chain_of(spec, one.environment).lock, judgement_lock(one.service, one.environment))
    if held is not None and expired and bury(context.instance, held.holder, locks):
        context.log.warning(f"{told}; {held.holder} is gone and was marked failed")
        return f"{told}; {held.holder} is gone and was marked failed, the next tick goes on"
    return f"{told}; a run for {' or '.join(locks)} is on its way"


def _finisher(spec: ServiceSpec, one: watch.Unfinished, lock: str, now: datetime) -> dg.RunRequest:
    """A rollout goes on from `deployment`; a verdict without a restoration is judged again, then acted on."""
    rollout = one.kind == "rollout"
    chain = chain_of(spec, one.environment)
    return dg.RunRequest(
        run_key=f"{one.service}/{one.environment}:{one.commit}:{one.attempt_key}:{now:%Y-%m-%dT%H}",
        job_name=chain.job if rollout else judgement_job(one.service, one.environment),
        partition_key=one.commit,
        asset_selection=resumed(spec, one.environment) if rollout else None,
        tags={
            **run_tags(one.service, one.environment, lock),
            **URGENT,
            COMMIT: one.commit,
            REASON: one.reason,
        },
    )
