"""The job by which a person steers an environment: a rollback, a pause, and what ends it.

It is no asset of its own: what it does is an event of the assets that are there, so that a rollout's story
and a release's lineage have it.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import dagster as dg

from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.flows.steering import WORDS, Done, Order, steer
from delivery.orchestration import metadata
from delivery.orchestration.onward import start
from delivery.orchestration.operation import RESOURCES, operation
from delivery.orchestration.stage import key
from delivery.orchestration.tags import (
    COMMAND,
    ENVIRONMENT,
    LOCK,
    PERSON,
    REASON,
    RETRIES,
    SERVICE,
    URGENT,
    identifier,
)

CONFIG = {
    "command": dg.Field(dg.Enum("Command", [dg.EnumValue(word) for word in WORDS])),
    "by": dg.Field(str, description="Who decides: a name that others know."),
    "reason": dg.Field(str, description="Why; it is told to everyone."),
    "to": dg.Field(str, is_required=False, description="A rollback's release or commit."),
}


def steering_name(service: str, environment: str) -> str:
    """The name of the job that steers that environment."""
    return identifier(service, environment, "steer")


def steering_config(service: str, environment: str, order: Order) -> dict[str, Any]:
    """The run config of that order."""
    op = _op(service, environment)
    to = {"to": order.to} if order.to else {}
    return {"ops": {op: {"config": {"command": order.word, "by": order.by, "reason": order.reason, **to}}}}


def steering_tags(service: str, environment: str, order: Order) -> dict[str, str]:
    """The tags of that order's run. Two of the same kind wait for each other; no build, no judgement does."""
    return {
        LOCK: f"{service}/{environment}/{order.word}",
        COMMAND: order.word,
        PERSON: order.by,
        REASON: order.reason,
        **URGENT,
    }


def steering_job(spec: ServiceSpec, environment: EnvironmentSpec) -> dg.JobDefinition:
    """The job of one environment; also to be started from the UI's launchpad."""

    @dg.op(name=_op(spec.name, environment.name), config_schema=CONFIG, required_resource_keys=set(RESOURCES))
    def steering(context: dg.OpExecutionContext) -> None:
        order = _order(context.op_config)
        with operation(context, spec) as op:
            signed = dataclasses.replace(op, holder=f"{order.holder} ({op.holder})")
            done = steer(signed, environment.name, order)
            if order.word == "continue":
                _onward(context, spec, environment)
        context.log_event(_event(spec, environment, order, done))

    @dg.job(
        name=steering_name(spec.name, environment.name),
        description=f"Roll back, pause, continue or give up a rollout in {environment.name}",
        tags={SERVICE: spec.name, ENVIRONMENT: environment.name, **URGENT, **RETRIES},
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        steering()

    return job


def _op(service: str, environment: str) -> str:
    """Dagster wants the name of an op to be its own in the whole installation, that of its job included."""
    return identifier("steer", service, environment)


def _onward(context: dg.OpExecutionContext, spec: ServiceSpec, environment: EnvironmentSpec) -> None:
    """Have the continued rollout driven at once: the run that drove it is over when it was paused."""
    context.log.info(start(context, spec, environment.name))


def _order(config: Mapping[str, str]) -> Order:
    word = next(word for word in WORDS if word == config["command"])
    return Order(word, config["by"], config["reason"], config.get("to"))


def _event(
    spec: ServiceSpec, environment: EnvironmentSpec, order: Order, done: Done
) -> dg.AssetMaterialization | dg.AssetObservation:
    """A rollback is one of the asset `rollback`; the others are seen at `deployment`."""
    signed = {"by": order.by, "why": order.reason, "what": done.told}
    commit = done.commit or None
    if done.restoration is not None:
        here = key(spec.name, "rollback", environment.name)
        told: dict[str, Any] = {**metadata.restoration(done.restoration), **signed}
        return dg.AssetMaterialization(here, partition=commit, metadata=told)
    here = key(spec.name, "deployment", environment.name)
    return dg.AssetObservation(here, partition=commit, metadata={"command": order.word, **signed})
