"""`drift`: what is there, against what we left there."""

import dagster as dg

from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.flows import drift as flows
from delivery.orchestration import checks, metadata
from delivery.orchestration.operation import operation
from delivery.orchestration.stage import key, stage

DESCRIPTION = """Expected against actual: Terraform, ECS, traffic weights, DNS.

Looks every few minutes, changes nothing. Drift turns a check red, not the run."""


def drift_asset(spec: ServiceSpec, environment: EnvironmentSpec) -> dg.AssetsDefinition:
    """The drift of one environment; not of a commit, so without partitions."""
    specs = checks.drift_specs(environment, key(spec.name, "drift", environment.name))
    options = stage(
        spec, "drift", environment,
        kinds={"terraform", "aws"}, description=DESCRIPTION, checks=specs, partitioned=False,
    )  # fmt: skip

    @dg.asset(**options)
    def drift(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        with operation(context, spec) as op:
            report = flows.drift(op, environment.name)
        return dg.MaterializeResult(
            metadata=metadata.drift(report), check_results=checks.drift_results(environment, report)
        )

    return drift
