"""`quality`: what the gates say of the commit."""

import dagster as dg

from delivery.core.service import ServiceSpec
from delivery.flows import build as flows
from delivery.orchestration import checks, metadata
from delivery.orchestration.operation import operation
from delivery.orchestration.stage import key, stage

DESCRIPTION = """The gates' results: each runs isolated in a container of its own, all at the same time.

A gate that could not judge (missing report, time-out, no tests) blocks like one that failed."""


def quality_asset(spec: ServiceSpec) -> dg.AssetsDefinition:
    """The gates of a service. Its checks block: a commit that fails one gets no image."""
    source = key(spec.name, "source")
    specs = checks.quality_specs(spec, key(spec.name, "quality"))

    # First of all that follows the source: the sooner a bad commit is told, the better.
    options = stage(
        spec, "quality",
        kinds={"docker"}, description=DESCRIPTION, deps=[source], checks=specs, priority=2,
    )  # fmt: skip

    @dg.asset(**options)
    def quality(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        with operation(context, spec) as op:
            report = flows.quality(op, context.partition_key)
        return dg.MaterializeResult(
            metadata=metadata.quality(report), check_results=checks.quality_results(spec, report)
        )

    return quality
