"""`image`: the image in the registry, known by its digest."""

import dagster as dg

from delivery.core.service import ServiceSpec
from delivery.flows import build as flows
from delivery.orchestration import checks, metadata
from delivery.orchestration.operation import operation
from delivery.orchestration.stage import key, stage

DESCRIPTION = """`repository@sha256:…` in ECR: scanned, signed, labelled with its commit.

The same digest goes to every environment. An image is pushed only if every gate passed."""


def image_asset(spec: ServiceSpec) -> dg.AssetsDefinition:
    """The pushed image of a service. Its data version is the digest; its checks block."""
    deps = [key(spec.name, "quality"), key(spec.name, "build")]
    specs = checks.image_specs(key(spec.name, "image"))

    options = stage(
        spec, "image",
        kinds={"docker", "aws"}, description=DESCRIPTION, deps=deps, checks=specs, priority=1,
    )  # fmt: skip

    @dg.asset(**options)
    def image(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        with operation(context, spec) as op:
            pushed = flows.image(op, context.partition_key)
        return dg.MaterializeResult(
            metadata=metadata.image(pushed),
            data_version=dg.DataVersion(pushed.image.digest),
            check_results=checks.image_results(spec, pushed, context.partition_key),
        )

    return image
