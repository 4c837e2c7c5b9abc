"""`infrastructure`: the reviewed plan, applied."""

import dagster as dg

from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.flows import plan as flows
from delivery.orchestration import metadata
from delivery.orchestration.operation import operation
from delivery.orchestration.stage import key, stage

DESCRIPTION = """Exactly the reviewed plan, applied; or "No changes", and then nothing is run.

Always materializes. What it offers (cluster, slots, target groups, rule) is the deploy contract."""


def infrastructure_asset(spec: ServiceSpec, environment: EnvironmentSpec) -> dg.AssetsDefinition:
    """The infrastructure of one environment."""
    deps = [key(spec.name, "plan", environment.name)]
    options = stage(
        spec, "infrastructure", environment,
        kinds={"terraform", "aws"}, description=DESCRIPTION, deps=deps,
    )  # fmt: skip

    @dg.asset(**options)
    def infrastructure(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        with operation(context, spec) as op:
            result = flows.infrastructure(op, environment.name, context.partition_key)
        return dg.MaterializeResult(metadata=metadata.infrastructure(result))

    return infrastructure
