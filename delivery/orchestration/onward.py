"""The run that goes on with a rollout, started from the run of a person's `continue`.

It is the run that the backstop would start at its next look: under the chain's lock, red when a step of it
fails, with health, live and the environments that follow. Where it cannot be started, the backstop does it.
"""

from __future__ import annotations

import dagster as dg
from dagster._core.origin import JobPythonOrigin
from dagster._core.remote_origin import RemoteJobOrigin

from delivery.core.service import ServiceSpec
from delivery.orchestration import partitions
from delivery.orchestration.sensors.backstop import INTERVAL, finisher
from delivery.orchestration.sensors.runs import PARTITION
from delivery.orchestration.tags import REASON

LATER = f"the backstop goes on with it within {INTERVAL} s"


def start(context: dg.OpExecutionContext, spec: ServiceSpec, environment: str) -> str:
    """Start it and say so; or say who goes on with the rollout instead."""
    request = finisher(context.instance, context.resources.world, spec, environment)
    if request is None:
        return "whoever drives it goes on with it"
    origin, code = context.run.remote_job_origin, context.run.job_code_origin
    if origin is None or code is None:
        return f"this run was not started by a daemon: {LATER}"
    try:
        run = _submitted(context, spec, request, origin, code)
    except Exception as error:  # Dagster's own, of many kinds; the order was carried out all the same
        context.log.warning(f"the run that goes on with it could not be started: {error}")
        return LATER
    url = f"{context.resources.ui_url}/runs/{run.run_id}"
    return f"the run {run.run_id[:8]} goes on with it: {url}"


def _submitted(
    context: dg.OpExecutionContext,
    spec: ServiceSpec,
    request: dg.RunRequest,
    origin: RemoteJobOrigin,
    code: JobPythonOrigin,
) -> dg.DagsterRun:
    """Created as Dagster's sensor daemon does it, and handed to the queue."""
    instance, name, commit = context.instance, request.job_name or "", request.partition_key or ""
    job = context.repository_def.get_job(name)
    instance.add_dynamic_partitions(partitions.commits_of(spec.name).name or "", [commit])
    reason = f"continued by a person, run {context.run.run_id[:8]}"
    run = instance.create_run_for_job(
        job,
        asset_selection=set(request.asset_selection) if request.asset_selection else None,
        tags={**job.run_tags, **request.tags, PARTITION: commit, REASON: reason},
        remote_job_origin=RemoteJobOrigin(origin.repository_origin, name),
        job_code_origin=JobPythonOrigin(name, code.repository_origin),
    )
    # Our queue starts it from its own workspace; this process has none.
    return instance.submit_run(run.run_id, None)  # type: ignore[arg-type]
