"""What all stages have in common: key, group, partitions, owners.

The stages' own files do without `from __future__ import annotations`: Dagster looks at the annotation of
`context`, and a string is not one it knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg

from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.orchestration.operation import RESOURCES
from delivery.orchestration.partitions import commits_of
from delivery.orchestration.tags import ENVIRONMENT, SERVICE, identifier


def key(service: str, stage: str, environment: str | None = None) -> dg.AssetKey:
    """`service/stage` in the build half, `service/environment/stage` behind it."""
    return dg.AssetKey([service, environment, stage] if environment else [service, stage])


def stage(
    spec: ServiceSpec,
    name: str,
    environment: EnvironmentSpec | None = None,
    *,
    kinds: set[str],
    description: str,
    deps: Sequence[dg.AssetKey] = (),
    checks: Sequence[dg.AssetCheckSpec] = (),
    partitioned: bool = True,
    priority: int = 0,
) -> dict[str, Any]:
    """The arguments of `@dg.asset` that follow from the service and the stage's place.

    Of steps that could run now the one with the higher `priority` does: a run's steps share one process.
    """
    where = environment.name if environment else None
    return {
        "key": key(spec.name, name, where),
        "group_name": identifier(spec.name, where or "build"),
        "description": description,
        "kinds": kinds,
        "owners": list(spec.owners) or None,
        "tags": {SERVICE: spec.name, **({ENVIRONMENT: where} if where else {})},
        "deps": list(deps),
        "check_specs": list(checks) or None,
        "partitions_def": commits_of(spec.name) if partitioned else None,
        "required_resource_keys": set(RESOURCES),
        "op_tags": {"dagster/priority": str(priority)},
    }


def branch(
    spec: ServiceSpec,
    name: str,
    environment: EnvironmentSpec,
    *,
    kinds: set[str],
    description: str,
    deps: Sequence[dg.AssetKey],
    checks: Sequence[dg.AssetCheckSpec] = (),
    priority: int = 0,
    skippable: bool = True,
) -> dict[str, Any]:
    """The arguments of `@dg.multi_asset` for a stage that may yield nothing, so that what follows is skipped;
    without `skippable` for one that may leave out results of its checks.

    `@dg.asset(output_required=False)` would do, but still requires the results of its checks: only with
    `can_subset` may a step leave them out.
    """
    options = stage(
        spec, name, environment, kinds=kinds, description=description, deps=deps, priority=priority
    )
    specified = ("key", "group_name", "description", "kinds", "owners", "tags", "deps")
    return {
        "name": options["key"].to_python_identifier(),
        "specs": [dg.AssetSpec(**{k: options[k] for k in specified}, skippable=skippable)],
        "check_specs": list(checks) or None,
        "partitions_def": options["partitions_def"],
        "required_resource_keys": options["required_resource_keys"],
        "op_tags": options["op_tags"],
        "can_subset": True,
    }
