"""`rollback`: back to the last release that was verified good."""

from collections.abc import Iterator

import dagster as dg

from delivery.core.analysis import VerdictPhase
from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.flows import rollback as flows
from delivery.flows.report import verdict_of
from delivery.orchestration import checks, metadata
from delivery.orchestration.operation import operation
from delivery.orchestration.stage import branch, key

DESCRIPTION = """The restoration: from which release, to which, why, and how long it took.

Materializes only after a failing verdict. It returns to the last *verified good* release, never to "the one
before", and quarantines the bad digest."""


def rollback_asset(spec: ServiceSpec, environment: EnvironmentSpec) -> dg.AssetsDefinition:
    """The restoration of one environment; yields nothing when the verdict is not failing."""
    here = key(spec.name, "rollback", environment.name)
    # Before `dns`, which has nothing to do when this has.
    options = branch(
        spec, "rollback", environment,
        kinds={"aws", "ecs"}, description=DESCRIPTION,
        deps=[key(spec.name, "health", environment.name)], checks=checks.rollback_specs(here), priority=1,
    )  # fmt: skip

    @dg.multi_asset(**options)
    def rollback(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        with operation(context, spec) as op:
            verdict = verdict_of(op, environment.name, context.partition_key)
            if verdict.phase is not VerdictPhase.FAILED:
                context.log.info(f"Nothing to roll back: the verdict is {verdict.phase.value}")
                return
            restoration = flows.rollback(op, environment.name, context.partition_key)
        yield dg.MaterializeResult(
            metadata=metadata.restoration(restoration), check_results=checks.rollback_results(restoration)
        )

    return rollback
