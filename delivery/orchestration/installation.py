"""What an installation has once, for all its services: jobs, sensors, schedules."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from delivery.core.service import ServiceSpec
from delivery.orchestration.jobs import service_jobs
from delivery.orchestration.schedules import drift_schedules
from delivery.orchestration.sensors.alarms import alarms_sensor
from delivery.orchestration.sensors.backstop import backstop_sensor
from delivery.orchestration.sensors.commits import commits_sensor
from delivery.orchestration.sensors.promotions import promotions_sensor


def installation_definitions(services: Sequence[ServiceSpec]) -> dg.Definitions:
    """Jobs, sensors and schedules of all services.

    The jobs are made here because the sensors of all services launch them, and Dagster wants the very same
    objects in both places.
    """
    jobs = {spec.name: service_jobs(spec) for spec in services}
    delivery = [job for own in jobs.values() for job in own.delivery]
    judgement = [job for own in jobs.values() for job in own.judgement.values()]
    sensors = [
        commits_sensor(services, delivery),
        alarms_sensor(services, judgement),
        backstop_sensor(services, [*delivery, *judgement]),
        promotions_sensor(services, delivery),
    ]
    return dg.Definitions(
        jobs=[job for own in jobs.values() for job in own.all],
        sensors=sensors if services else [],
        schedules=[schedule for spec in services for schedule in drift_schedules(spec, jobs[spec.name])],
    )
