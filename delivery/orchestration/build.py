"""`build`: the image on the machine that built it."""

import dagster as dg

from delivery.core.service import ServiceSpec
from delivery.flows import build as flows
from delivery.orchestration import metadata
from delivery.orchestration.operation import operation
from delivery.orchestration.stage import key, stage

DESCRIPTION = """The local image built from exactly this commit, labelled with it.

It waits for no gate: building and judging go on side by side, only the push waits for both."""


def build_asset(spec: ServiceSpec) -> dg.AssetsDefinition:
    """The docker build of a service."""
    source = key(spec.name, "source")

    @dg.asset(**stage(spec, "build", kinds={"docker"}, description=DESCRIPTION, deps=[source], priority=1))
    def build(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        with operation(context, spec) as op:
            built = flows.build(op, context.partition_key)
        return dg.MaterializeResult(metadata=metadata.build(built))

    return build
