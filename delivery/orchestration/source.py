"""`source`: the commit as this service sees it."""

import dagster as dg

from delivery.core.service import ServiceSpec
from delivery.flows import build as flows
from delivery.orchestration import metadata
from delivery.orchestration.operation import operation
from delivery.orchestration.stage import stage

DESCRIPTION = """The commit: author, message, changed files, and the tree id of the service's own paths.

Content is only ever read from `git archive <sha>`, so every later stage sees exactly this commit."""


def source_asset(spec: ServiceSpec) -> dg.AssetsDefinition:
    """The first asset of a service. Its data version is the tree id: same tree, same content."""

    @dg.asset(**stage(spec, "source", kinds={"github"}, description=DESCRIPTION))
    def source(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        with operation(context, spec) as op:
            snapshot = flows.source(op, context.partition_key)
        return dg.MaterializeResult(
            metadata=metadata.source(snapshot), data_version=dg.DataVersion(snapshot.tree)
        )

    return source
