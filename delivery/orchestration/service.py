"""One service as Dagster definitions: the assets and checks of its graph."""

from __future__ import annotations

import dagster as dg

from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.orchestration.build import build_asset
from delivery.orchestration.deployment import deployment_asset
from delivery.orchestration.dns import dns_asset
from delivery.orchestration.drift import drift_asset
from delivery.orchestration.health import health_asset
from delivery.orchestration.image import image_asset
from delivery.orchestration.incident import incident_asset
from delivery.orchestration.infrastructure import infrastructure_asset
from delivery.orchestration.live import live_asset
from delivery.orchestration.plan import plan_asset
from delivery.orchestration.quality import quality_asset
from delivery.orchestration.rollback import rollback_asset
from delivery.orchestration.source import source_asset

BUILD_HALF = (source_asset, quality_asset, build_asset, image_asset)
ENVIRONMENT_HALF = (
    plan_asset,
    infrastructure_asset,
    deployment_asset,
    health_asset,
    dns_asset,
    live_asset,
    rollback_asset,
    incident_asset,
    drift_asset,
)


def service_definitions(spec: ServiceSpec) -> dg.Definitions:
    """The assets of one service. Its jobs, sensors and schedules belong to the installation."""
    environments = [
        asset for environment in spec.environments for asset in environment_assets(spec, environment)
    ]
    return dg.Definitions(assets=[*(make(spec) for make in BUILD_HALF), *environments])


def environment_assets(spec: ServiceSpec, environment: EnvironmentSpec) -> list[dg.AssetsDefinition]:
    """The chain of one environment, from the plan to `live` or `incident`, and its drift."""
    return [make(spec, environment) for make in ENVIRONMENT_HALF]
