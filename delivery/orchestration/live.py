"""`live`: the release is verified good, and people know."""

import dagster as dg

from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.flows import report as flows
from delivery.orchestration import metadata
from delivery.orchestration.operation import operation
from delivery.orchestration.stage import key, stage

DESCRIPTION = """Recorded in the ledger as *verified good*: from now on a rollback may return to this release.

The commit's status turns green and people are told."""


def live_asset(spec: ServiceSpec, environment: EnvironmentSpec) -> dg.AssetsDefinition:
    """The success of one environment."""
    where = environment.name
    options = stage(
        spec, "live", environment,
        kinds={"aws", "live"}, description=DESCRIPTION, deps=[key(spec.name, "dns", where)],
    )  # fmt: skip

    @dg.asset(**options)
    def live(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        with operation(context, spec) as op:
            record = flows.live(op, where, context.partition_key)
        return dg.MaterializeResult(metadata=metadata.live(record))

    return live
