"""The installation's ports, composed of the adapters. Making it asks nobody and needs no credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from delivery.adapters.aws.alarms import CloudWatchAlarms
from delivery.adapters.aws.artifacts import S3Artifacts
from delivery.adapters.aws.dns import Route53Dns
from delivery.adapters.aws.ledger import S3Ledger
from delivery.adapters.aws.metrics import CloudWatchMetrics
from delivery.adapters.aws.registry import EcrRegistry
from delivery.adapters.aws.session import Aws
from delivery.adapters.aws.shared import SharedReads
from delivery.adapters.aws.signer import KmsSigner
from delivery.adapters.clock import SystemClock
from delivery.adapters.docker.builder import DockerBuilder
from delivery.adapters.docker.gates import DockerGates
from delivery.adapters.ecs.prober import PreviewProber
from delivery.adapters.ecs.target import EcsTarget
from delivery.adapters.github.source import GitHubSource
from delivery.adapters.notify import Notifications
from delivery.adapters.terraform import Terraform
from delivery.core.infra import DeployContract
from delivery.ports import (
    Alarms,
    Artifacts,
    Builder,
    Clock,
    Dns,
    Gates,
    Ledger,
    Metrics,
    Notifier,
    Planner,
    Prober,
    Registry,
    Signer,
    Source,
    Target,
    World,
)
from delivery.settings import Settings


@dataclass(frozen=True, slots=True)
class LiveEnvironment:
    """The ports of one environment."""

    target: Target
    metrics: Metrics
    prober: Prober


#: Contract and variables, and what was made of them.
_Made = tuple[tuple[DeployContract, dict[str, str]], LiveEnvironment]


class LiveWorld:
    """Every port of one installation, each made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.aws = Aws(settings.region, environment=settings.environment)
        self.reads = SharedReads(self.aws, settings.work)
        self._environments: dict[tuple[str, str], _Made] = {}

    def environment(self, contract: DeployContract, variables: Mapping[str, str]) -> LiveEnvironment:
        """Target, metrics and prober of one environment; `variables` are its containers' environment.

        The same as before as long as the contract is the same: they remember what never changes.
        """
        key, given = (contract.service, contract.environment), (contract, dict(variables))
        made = self._environments.get(key)
        if made is None or made[0] != given:
            ports = LiveEnvironment(
                EcsTarget(self.aws, contract, variables, self.reads),
                CloudWatchMetrics(self.aws, contract, self.reads),
                PreviewProber(contract),
            )
            made = self._environments[key] = (given, ports)
        return made[1]

    @cached_property
    def clock(self) -> Clock:
        return SystemClock()

    @cached_property
    def source(self) -> Source:
        s = self._settings
        return GitHubSource(s.github_api_url, s.github_token.value, s.git_url, s.work, s.environment)

    @cached_property
    def gates(self) -> Gates:
        return DockerGates()

    @cached_property
    def builder(self) -> Builder:
        return DockerBuilder()

    @cached_property
    def registry(self) -> Registry:
        return EcrRegistry(self.aws)

    @cached_property
    def signer(self) -> Signer:
        return KmsSigner(self.aws, self._settings.signing_key)

    @cached_property
    def planner(self) -> Planner:
        return Terraform(self._settings.root, self._settings.work, self._settings.environment)

    @cached_property
    def dns(self) -> Dns:
        return Route53Dns(self.aws)

    @cached_property
    def ledger(self) -> Ledger:
        return S3Ledger(self.aws, self._settings.required_bucket, self.reads)

    @cached_property
    def artifacts(self) -> Artifacts:
        return S3Artifacts(self.aws, self._settings.required_bucket)

    @cached_property
    def notifier(self) -> Notifier:
        return Notifications(self.aws, self._settings.environment)

    @cached_property
    def alarms(self) -> Alarms:
        return CloudWatchAlarms(self.aws)


def build_world(settings: Settings) -> World:
    """The world of one installation. A missing bucket is told by the first port that needs it."""
    return LiveWorld(settings)
