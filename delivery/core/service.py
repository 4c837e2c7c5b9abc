"""A service as its users describe it, in plain data. `catalog` turns YAML into this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from delivery.core.analysis import DEFAULT_RULES, Rule
from delivery.core.comparison import CanaryAnalysis
from delivery.core.rollback import RollbackPolicy
from delivery.core.rollout import Limits
from delivery.core.strategy import BlueGreen, RunTask, Strategy


@dataclass(frozen=True, slots=True)
class RepositorySpec:
    """Where the code lives: `github` is `owner/name`; `paths` the parts of it that are this service."""

    github: str
    branch: str = "main"
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GateSpec:
    """One quality gate: an argv run in an isolated container on the commit's files.

    Reports are read from the container; a missing, empty or unreadable report, an unexpected exit code,
    a time-out and zero tests are `error`, and an error blocks.
    """

    name: str
    command: tuple[str, ...]
    image: str
    timeout: float = 600.0
    junit: str | None = None
    coverage: str | None = None
    sarif: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    memory_mb: int = 1024


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """How the image is built, relative to the service's first path (or the repository's root).

    `repository` is the ECR repository's name; empty means the service's name.
    """

    context: str = "."
    dockerfile: str = "Dockerfile"
    build_args: Mapping[str, str] = field(default_factory=dict)
    repository: str = ""
    fail_on: str = "high"  # lowest scan severity that blocks: critical | high | medium | low | none


@dataclass(frozen=True, slots=True)
class TerraformSpec:
    """The stack of one environment: directories relative to the project's root."""

    stack: str
    vars: tuple[str, ...] = ()
    backend: str | None = None
    plan_max_age: float = 3600.0


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """Preview requests sent at each judgement; they also give CloudWatch data for a quiet service."""

    path: str = "/"
    requests: int = 5
    timeout: float = 5.0


@dataclass(frozen=True, slots=True)
class DnsSpec:
    """The record that names the healthy release's load balancer."""

    zone: str
    record: str


@dataclass(frozen=True, slots=True)
class PromotionSpec:
    """What must be true upstream before this environment is deployed."""

    environment: str
    soak: float = 0.0
    approvals: int = 0
    windows: tuple[str, ...] = ()

    @property
    def gated(self) -> bool:
        """Needs time or a person, so it gets a run of its own from the promotion sensor."""
        return bool(self.soak or self.approvals or self.windows)


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """One environment of a service. `compare`: the canary analysis, if there is one.

    `before`: a task of the release that runs before anything of it gets traffic. `quick`: whether a release
    that is known to be good may go without the shares in between when somebody asks for it. `rollback`: which
    failures are left to a person.
    """

    name: str
    terraform: TerraformSpec
    strategy: Strategy = field(default_factory=BlueGreen)
    rules: tuple[Rule, ...] = DEFAULT_RULES
    probe: ProbeSpec | None = ProbeSpec()
    limits: Limits = field(default_factory=Limits)
    dns: DnsSpec | None = None
    notify: tuple[str, ...] = ()
    after: PromotionSpec | None = None
    variables: Mapping[str, str] = field(default_factory=dict)  # container environment
    compare: CanaryAnalysis | None = None
    before: RunTask | None = None
    quick: Literal["never", "known_good"] = "known_good"
    rollback: RollbackPolicy = field(default_factory=RollbackPolicy)


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A service: its repository, gates, image and environments in order."""

    name: str
    repository: RepositorySpec
    gates: tuple[GateSpec, ...]
    coverage_minimum: float | None
    image: ImageSpec
    registry: TerraformSpec | None
    environments: tuple[EnvironmentSpec, ...]
    owners: tuple[str, ...] = ()
    keep_partitions: int = 500

    def environment(self, name: str) -> EnvironmentSpec:
        """The environment of that name; KeyError if there is none."""
        for environment in self.environments:
            if environment.name == name:
                return environment
        raise KeyError(name)
