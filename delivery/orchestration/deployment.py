"""`deployment`: the rollout of the release, step by step."""

import dagster as dg

from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.core.wording import described
from delivery.flows import deploy as flows
from delivery.orchestration import metadata
from delivery.orchestration.operation import operation
from delivery.orchestration.stage import key, stage
from delivery.orchestration.stories import with_story

DESCRIPTION = """The rollout: which release took which share of traffic when, and how it ended.

The moment an analysis fails, the rollout itself returns all traffic to the stable slot. That is not an error
of this step: `health` says what it means. A rollout that waits for a person, or that one has given up, ends
here, red, and nothing follows. A killed run's successor goes on where it stopped."""


def deployment_asset(spec: ServiceSpec, environment: EnvironmentSpec) -> dg.AssetsDefinition:
    """The rollout in one environment."""
    deps = [key(spec.name, "image"), key(spec.name, "infrastructure", environment.name)]
    options = stage(
        spec, "deployment", environment,
        kinds={"aws", "ecs"}, description=f"{DESCRIPTION}\n\nStrategy: {described(environment)}.",
        deps=deps,
    )  # fmt: skip

    @dg.asset(**options)
    def deployment(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        with operation(context, spec) as op, with_story(context, op, environment.name):
            rollout = flows.deploy(op, environment.name, context.partition_key)
            flows.refuse_given_up(op, environment.name, rollout)
        return dg.MaterializeResult(metadata=metadata.rollout(rollout))

    return deployment
