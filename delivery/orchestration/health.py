"""`health`: the verdict on the release, with its evidence."""

from collections.abc import Iterator

import dagster as dg

from delivery.core.analysis import Verdict, VerdictPhase
from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.errors import DeliveryError, ProviderError, RefusedError
from delivery.flows import health as flows
from delivery.orchestration import checks, verdicts
from delivery.orchestration.ending import ended
from delivery.orchestration.operation import operation
from delivery.orchestration.stage import branch, key

DESCRIPTION = """The verdict, with its evidence: one check per rule.

Healthy goes on to `dns` and `live`, failing to `rollback` and `incident`. A verdict that is neither goes
nowhere and turns the run red: no data is never success. Judged again at any age, when an alarm fires."""
DECIDED = (VerdictPhase.SUCCESSFUL, VerdictPhase.FAILED)


def health_asset(spec: ServiceSpec, environment: EnvironmentSpec) -> dg.AssetsDefinition:
    """The health of one environment. Its checks do not block: a blocking one would cut `rollback` off too."""
    deps = [key(spec.name, "deployment", environment.name)]
    specs = checks.health_specs(environment, key(spec.name, "health", environment.name))
    options = branch(
        spec, "health", environment,
        kinds={"aws", "cloudwatch"}, description=DESCRIPTION, deps=deps, checks=specs, skippable=False,
    )  # fmt: skip

    @dg.multi_asset(**options)
    def health(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        with operation(context, spec) as op:
            verdict = flows.judge(op, environment.name, context.partition_key)
        yield dg.MaterializeResult(
            metadata=verdicts.verdict(verdict), check_results=checks.health_results(environment, verdict)
        )
        if verdict.phase not in DECIDED:
            raise ended(context, undecided(spec.name, environment.name, verdict))

    return health


def undecided(service: str, environment: str, verdict: Verdict) -> DeliveryError:
    """The error of a verdict that neither passes nor condemns: could not look, or not enough seen."""
    what = f"The health of {service} in {environment} is {verdict.phase.value.lower()}"
    hint = (
        f"Nothing was marked live, nothing rolled back. Materialize `{service}/{environment}/health` "
        "again, or roll back by hand."
    )
    kind = ProviderError if verdict.phase is VerdictPhase.ERROR else RefusedError
    return kind(what, verdict.reason, hint)
