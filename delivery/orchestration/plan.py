"""`plan`: what Terraform would change, saved to be applied exactly so."""

import dagster as dg

from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.flows import plan as flows
from delivery.orchestration import checks, metadata
from delivery.orchestration.operation import operation
from delivery.orchestration.stage import key, stage

DESCRIPTION = """What Terraform would change, as counts and addresses, never values; and the saved plan's id.

Destroying or replacing something that holds state is refused here."""


def plan_asset(spec: ServiceSpec, environment: EnvironmentSpec) -> dg.AssetsDefinition:
    """The plan of one environment. It follows the environment before, if there is one, else the commit."""
    after = environment.after
    upstream = key(spec.name, "live", after.environment) if after else key(spec.name, "source")
    specs = checks.plan_specs(key(spec.name, "plan", environment.name))
    options = stage(
        spec, "plan", environment,
        kinds={"terraform"}, description=DESCRIPTION, deps=[upstream], checks=specs,
    )  # fmt: skip

    @dg.asset(**options)
    def plan(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        with operation(context, spec) as op:
            summary = flows.plan(op, environment.name, context.partition_key)
        return dg.MaterializeResult(
            metadata=metadata.plan(summary),
            check_results=checks.plan_results(flows.plan_problems(summary)),
        )

    return plan
