"""`backstop`: finds what nobody finishes, a dead rollout or a failed verdict without a restoration."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as Job

from delivery.core.ledger import LedgerRecord
from delivery.core.service import ServiceSpec
from delivery.errors import DeliveryError
from delivery.flows import watch
from delivery.orchestration import partitions
from delivery.orchestration.operation import RESOURCES
from delivery.orchestration.sensors.runs import bury, gone, under_way
from delivery.orchestration.stages import judgement_job, resumed
from delivery.orchestration.tags import (
    COMMIT,
    DEAD,
    FOUND,
    LOCK,
    REASON,
    URGENT,
    chain_of,
    judgement_lock,
    run_tags,
)
from delivery.ports import World

#: Seconds between two looks. Nobody drives a rollout, or a release judged bad has traffic, for as long.
INTERVAL = 10
#: Seconds at most between two runs for the same thing, however often they failed; and how many are counted.
LONGEST_WAIT, TRIES_SEEN = 600.0, 20
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
            now, tell = world.clock.now(), context.log.warning
            due = watch.unfinished(world, services, now, tell, partial(_gone, context.instance))
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
    now = context.resources.world.clock.now()
    for one in found:
        spec = specs[one.service]
        lock = _lock(spec, one)
        if lock in runs or _will_be_finished(context.instance, spec, one):
            notes.append(_waits(context, spec, one))
            continue
        tried = _tried(context.instance, one, lock, now)
        if tried:
            notes.append(f"{one.service} in {one.environment}: {one.reason}; {tried}")
            continue
        runs[lock] = _finisher(spec, one, lock, now)
        changes.append(partitions.added(one.service, [one.commit]))
        context.log.warning(f"{one.service} in {one.environment}: {one.reason}")
    return dg.SensorResult(
        run_requests=list(runs.values()),
        skip_reason=None if runs else "; ".join(notes) or "nothing is unfinished",
        dynamic_partitions_requests=changes,
    )


def finisher(
    instance: dg.DagsterInstance, world: World, spec: ServiceSpec, environment: str
) -> dg.RunRequest | None:
    """The run that finishes what is unfinished in that environment now, without waiting for the next look.

    None when nothing is, or when a run on its way does it.
    """
    now = world.clock.now()
    found = watch.unfinished(world, [spec], now, gone=partial(_gone, instance))
    one = next((one for one in found if one.environment == environment), None)
    if one is None or _will_be_finished(instance, spec, one):
        return None
    return _finisher(spec, one, _lock(spec, one), now)


def _gone(instance: dg.DagsterInstance, record: LedgerRecord, spec: ServiceSpec) -> bool:
    """Whether the run that holds the deploy lock is over: its lock need not expire first."""
    return record.lock is not None and gone(instance, record.lock.holder, _locks(spec, record.environment))


def _locks(spec: ServiceSpec, environment: str) -> tuple[str, ...]:
    """The locks of the runs that take the deploy lock of an environment."""
    return (chain_of(spec, environment).lock, judgement_lock(spec.name, environment))


def _lock(spec: ServiceSpec, one: watch.Unfinished) -> str:
    """A rollout is finished in its chain's turn; a rollback waits for no delivery."""
    chain = chain_of(spec, one.environment).lock
    return chain if one.kind == "rollout" else judgement_lock(one.service, one.environment)


def _will_be_finished(instance: dg.DagsterInstance, spec: ServiceSpec, one: watch.Unfinished) -> bool:
    """Whether a run on its way does it: a judgement of this environment, a delivery of this commit, and for
    a rollout any delivery of its chain (it settles what it finds). Another commit's build is no rollback."""
    if not one.in_place and under_way(instance, [judgement_lock(one.service, one.environment)]):
        return True
    commit = None if one.kind == "rollout" else one.commit
    return bool(under_way(instance, [chain_of(spec, one.environment).lock], commit))


def _waits(context: dg.SensorEvaluationContext, spec: ServiceSpec, one: watch.Unfinished) -> str:
    """Why nothing is started now. A run that only seems to be on its way is ended first."""
    told = f"{one.service} in {one.environment}: {one.reason}"
    world: World = context.resources.world
    held = world.ledger.load(one.service, one.environment).record.lock
    expired = held is not None and held.expires_at <= world.clock.now()
    locks = _locks(spec, one.environment)
    if held is not None and expired and bury(context.instance, held.holder, locks):
        context.log.warning(f"{told}; {held.holder} is gone and was marked failed")
        return f"{told}; {held.holder} is gone and was marked failed, the next tick goes on"
    return f"{told}; a run for {' or '.join(locks)} is on its way"


def _tried(instance: dg.DagsterInstance, one: watch.Unfinished, lock: str, now: datetime) -> str:
    """Why not again already: what was to finish it has failed, and each try waits longer than the one before.
    Empty when it is time."""
    tags = {LOCK: lock, COMMIT: one.commit, REASON: one.reason}
    found = instance.get_run_records(dg.RunsFilter(tags=tags), limit=TRIES_SEEN)
    ended = [r.end_time for r in found if r.dagster_run.parent_run_id is None and r.end_time is not None]
    if not ended:
        return ""
    wait = min(INTERVAL * 2.0 ** len(ended), LONGEST_WAIT)
    due = datetime.fromtimestamp(max(ended), UTC) + timedelta(seconds=wait)
    told = f"runs that failed at it: {len(ended)}, the next is due at"
    return f"{told} {due:%H:%M:%S} UTC" if now < due else ""


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
            FOUND: now.isoformat(),
            **({DEAD: one.dead} if one.dead else {}),
        },
    )
