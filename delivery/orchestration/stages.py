"""Which stages a run goes through, and their names: what jobs are made of, and what others start of them."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from delivery.core.service import ServiceSpec
from delivery.orchestration.stage import key
from delivery.orchestration.tags import chain_of, identifier

BUILD_STAGES = ("source", "quality", "build", "image")
CHAIN_STAGES = ("plan", "infrastructure", "deployment", "health", "dns", "live", "rollback", "incident")
#: From a rollout in flight to its end; what came before is done and is not repeated.
RESUME_STAGES = CHAIN_STAGES[2:]
JUDGEMENT_STAGES = ("health", "rollback", "incident")


def judgement_job(service: str, environment: str) -> str:
    """The name of the job that judges the release that is there, and rolls back if need be."""
    return identifier(service, environment, "judgement")


def keys_of(service: str, stages: Sequence[str], environment: str | None = None) -> list[dg.AssetKey]:
    """The asset keys of these stages."""
    return [key(service, name, environment) for name in stages]


def resumed(spec: ServiceSpec, environment: str) -> list[dg.AssetKey]:
    """What remains of a chain when the rollout in that environment was interrupted."""
    rest = chain_of(spec, environment).following(environment)
    return [
        *keys_of(spec.name, RESUME_STAGES, environment),
        *(asset for later in rest for asset in keys_of(spec.name, CHAIN_STAGES, later.name)),
    ]
