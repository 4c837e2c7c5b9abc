"""`dns`: the public name points to the healthy release."""

from collections.abc import Iterator

import dagster as dg

from delivery.core.analysis import VerdictPhase
from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.flows import dns as flows
from delivery.flows.report import verdict_of
from delivery.orchestration import metadata
from delivery.orchestration.operation import operation
from delivery.orchestration.stage import branch, key

DESCRIPTION = """Route53 pointing at the environment's load balancer, in sync.

Materializes only after a healthy verdict. A service without DNS says so and goes on."""


def dns_asset(spec: ServiceSpec, environment: EnvironmentSpec) -> dg.AssetsDefinition:
    """The public name of one environment; yields nothing when the verdict is not healthy."""
    deps = [key(spec.name, "health", environment.name)]
    options = branch(spec, "dns", environment, kinds={"aws", "route53"}, description=DESCRIPTION, deps=deps)

    @dg.multi_asset(**options)
    def dns(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        with operation(context, spec) as op:
            verdict = verdict_of(op, environment.name, context.partition_key)
            if verdict.phase is not VerdictPhase.SUCCESSFUL:
                context.log.info(f"DNS stays as it is: the verdict is {verdict.phase.value}")
                return
            target = flows.point_dns(op, environment.name, context.partition_key)
        yield dg.MaterializeResult(metadata=metadata.dns(environment, target))

    return dns
