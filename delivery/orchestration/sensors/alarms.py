"""`alarms`: a firing CloudWatch alarm has the health of the live release judged again, at any age.

While a rollout waits for a person the alarms of what serves beside it move nothing: people are told.
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from delivery.core.service import ServiceSpec
from delivery.core.standing import newest_failure
from delivery.errors import DeliveryError
from delivery.flows import watch
from delivery.flows.alarmed import Unheard, tell_people
from delivery.flows.operation import Operation
from delivery.orchestration import partitions
from delivery.orchestration.jobs import Job
from delivery.orchestration.operation import RESOURCES
from delivery.orchestration.sensors import EVERY_LOOK
from delivery.orchestration.sensors.runs import active
from delivery.orchestration.stages import judgement_job
from delivery.orchestration.tags import COMMIT, REASON, URGENT, judgement_lock, run_tags
from delivery.ports import World

#: Seconds after which an alarm that still fires is judged again, if the judgement came to nothing.
AGAIN = 300.0
DESCRIPTION = """Looks for firing alarms of what is live, with one question for all services.

Each firing has the release judged once (again, if that came to nothing); the judgement decides a rollback."""


def alarms_sensor(
    services: Sequence[ServiceSpec], jobs: Sequence[Job], interval: int = EVERY_LOOK
) -> dg.SensorDefinition:
    """The one alarm sensor of an installation."""

    @dg.sensor(
        name="alarms", jobs=list(jobs), minimum_interval_seconds=interval, description=DESCRIPTION,
        default_status=dg.DefaultSensorStatus.RUNNING, required_resource_keys=set(RESOURCES),
    )  # fmt: skip
    def alarms(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        try:
            found = watch.alarmed(context.resources.world, services, context.log.warning)
            result = judgements(context, found.due)
        except DeliveryError as error:
            return dg.SensorResult(skip_reason=str(error))
        for one in found.unheard:
            tell_people(_telling(context, one), one)
        return result

    return alarms


def _telling(context: dg.SensorEvaluationContext, one: Unheard) -> Operation:
    """Only people are told: nothing of this takes the lock."""
    resources = context.resources
    return Operation(
        resources.world, one.service, "the alarm sensor", context.log.warning, url=resources.ui_url
    )


def judgements(context: dg.SensorEvaluationContext, due: Sequence[watch.Rejudge]) -> dg.SensorResult:
    """One run per release: a second alarm of it waits until the first one's judgement is over."""
    runs: dict[tuple[str, str, str], dg.RunRequest] = {}
    notes = []
    for one in due:
        release, job = (one.service, one.environment, one.commit), judgement_job(one.service, one.environment)
        if release in runs or active(context.instance, {COMMIT: one.commit}, job):
            notes.append(f"{one.alarm}: {one.commit[:8]} is being judged already in {one.environment}")
            continue
        lock = judgement_lock(one.service, one.environment)
        runs[release] = dg.RunRequest(
            run_key=":".join((f"{one.service}/{one.environment}", one.commit, _firing(context, one))),
            job_name=job,
            partition_key=one.commit,
            tags={
                **run_tags(one.service, one.environment, lock),
                **URGENT,
                COMMIT: one.commit,
                REASON: f"alarm {one.alarm}",
            },
        )
        context.log.info(f"{one.service} in {one.environment}: {one.alarm} fires: {one.reason}")
    return dg.SensorResult(
        run_requests=list(runs.values()),
        skip_reason=None if runs else "; ".join(notes) or "no alarm of a live release fires",
        dynamic_partitions_requests=[partitions.added(service, [sha]) for service, _, sha in runs],
    )


def _firing(context: dg.SensorEvaluationContext, one: watch.Rejudge) -> str:
    """The firing that is judged. Of one whose judgement left nothing behind (it could not look), a new one is
    due as long as the alarm fires; one that was judged bad, rolled back or not, is not judged twice.
    """
    world: World = context.resources.world
    record = world.ledger.load(one.service, one.environment).record
    judged = record.live is not None and newest_failure(record, record.live) is not None
    again = 0 if judged else int((world.clock.now() - one.since).total_seconds() // AGAIN)
    return f"{one.alarm}:{one.since.isoformat()}:{again}"
