"""`promotions`: a commit that its gate lets through gets a run in the next environment."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from delivery.core.service import ServiceSpec
from delivery.errors import DeliveryError
from delivery.flows import watch
from delivery.orchestration import partitions
from delivery.orchestration.jobs import Job
from delivery.orchestration.operation import RESOURCES
from delivery.orchestration.sensors import EVERY_LOOK
from delivery.orchestration.sensors.runs import supersede
from delivery.orchestration.tags import COMMIT, PROMOTION, REASON, chain_of, run_tags
from delivery.ports import World

DESCRIPTION = """Asks every gate (soak, approvals, windows) which verified commit may go on.

A promotion that is not allowed yet says why, and when to expect it."""


def promotions_sensor(
    services: Sequence[ServiceSpec], jobs: Sequence[Job], interval: int = EVERY_LOOK
) -> dg.SensorDefinition:
    """The one promotion sensor of an installation."""

    @dg.sensor(
        name="promotions", jobs=list(jobs), minimum_interval_seconds=interval, description=DESCRIPTION,
        default_status=dg.DefaultSensorStatus.RUNNING, required_resource_keys=set(RESOURCES),
    )  # fmt: skip
    def promotions(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        world: World = context.resources.world
        try:
            due = watch.promotable(world, services, world.clock.now())
        except DeliveryError as error:
            return dg.SensorResult(skip_reason=str(error))
        return promoted(context, services, due)

    return promotions


def promoted(
    context: dg.SensorEvaluationContext, services: Sequence[ServiceSpec], due: Sequence[watch.PromotionDue]
) -> dg.SensorResult:
    """A run for each that is allowed; the newest takes the place of older ones still queued.

    One whose run failed before it deployed anything is not begun again: a person re-executes that run.
    """
    specs = {spec.name: spec for spec in services}
    runs, changes, notes = [], [], []
    for one in due:
        told = f"{one.service} {one.commit[:8]} → {one.environment}: {one.reason}"
        context.log.info(told)
        if not one.allowed:
            notes.append(told)
            continue
        chain = chain_of(specs[one.service], one.environment)
        begun = context.instance.get_runs(
            dg.RunsFilter(job_name=chain.job, tags={COMMIT: one.commit}), limit=1
        )
        if begun:
            notes.append(f"{told}; its run {begun[0].run_id[:8]} is {begun[0].status.value.lower()}")
            continue
        for old in supersede(context.instance, chain.job, one.commit):
            context.log.info(f"{told}; it supersedes {old[:8]}")
        tags = {**run_tags(one.service, one.environment, chain.lock), COMMIT: one.commit, REASON: PROMOTION}
        run_key = f"{one.service}/{one.environment}:{one.commit}"
        runs.append(dg.RunRequest(run_key=run_key, job_name=chain.job, partition_key=one.commit, tags=tags))
        changes.append(partitions.added(one.service, [one.commit]))
    return dg.SensorResult(
        run_requests=runs,
        skip_reason=None if runs else "; ".join(notes) or "nothing waits to be promoted",
        dynamic_partitions_requests=changes,
    )
