"""`incident`: the failure on record, and the run red."""

from collections.abc import Iterator

import dagster as dg

from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.flows import report as flows
from delivery.orchestration import metadata
from delivery.orchestration.ending import ended
from delivery.orchestration.operation import operation
from delivery.orchestration.stage import key, stage

DESCRIPTION = """The failure recorded and people told, with the cause; then it fails on purpose.

A run that was rolled back must never look like a success."""


def incident_asset(spec: ServiceSpec, environment: EnvironmentSpec) -> dg.AssetsDefinition:
    """The failure of one environment: materializes, then fails with `DeploymentFailedError`'s sentence."""
    deps = [key(spec.name, "rollback", environment.name)]
    options = stage(spec, "incident", environment, kinds={"incident"}, description=DESCRIPTION, deps=deps)

    @dg.asset(**options)
    def incident(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        with operation(context, spec) as op:
            error = flows.incident(op, environment.name, context.partition_key)
        yield dg.MaterializeResult(metadata=metadata.incident(error, op.url))
        raise ended(context, error)

    return incident
