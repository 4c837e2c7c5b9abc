"""One environment: its infrastructure, how traffic moves, what it waits for, and who is told."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from delivery.catalog.models.base import (
    REFERENCE,
    Duration,
    EnvironmentName,
    PositiveDuration,
    Strict,
    off_or_given,
    seconds,
)
from delivery.catalog.models.health import HealthModel
from delivery.catalog.models.quality import argv, memory_text
from delivery.catalog.models.source import TerraformModel
from delivery.core.promotion import Window

_HOST = r"^([a-z0-9_]([a-z0-9_-]*[a-z0-9])?)(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)*$"


class RollingModel(Strict):
    """The running slot is updated in place, under ECS's deployment circuit breaker."""

    bake: Duration | None = None


class PauseModel(Strict):
    """Wait for a person's `delivery continue` or `delivery abort`, and what to do when nobody answers."""

    timeout: PositiveDuration | None = None
    then: Literal["continue", "abort", "stop"] | None = None


class BlueGreenModel(Strict):
    """The candidate at full size, checked through the preview rule, then all traffic at once."""

    bake: Duration | None = None
    preview_for: Duration | None = None
    pause: PauseModel | None = None


class CanaryStepModel(Strict):
    """One share of the traffic with an analysis time of its own, or a pause after it."""

    weight: int
    analyze_for: PositiveDuration | None = None
    pause: PauseModel | None = None


def _whole(step: Any) -> Any:
    """`10` is short for `{weight: 10}`."""
    return step if isinstance(step, dict) else {"weight": step}


_Step = Annotated[CanaryStepModel, BeforeValidator(_whole, json_schema_input_type=int | CanaryStepModel)]


class CanaryModel(Strict):
    """Rising shares of the traffic, each analysed before the next."""

    steps: list[_Step] | None = None
    analyze_for: PositiveDuration | None = None
    bake: Duration | None = None


class LinearModel(Strict):
    """Equal shares of the traffic, `step` percent each, one every `interval`."""

    step: int = Field(10, ge=1, le=100)
    interval: PositiveDuration | None = None
    bake: Duration | None = None


class StrategyModel(Strict):
    """Exactly one of the four; that it is one is seen with all other relations (`catalog.strategies`)."""

    rolling: RollingModel | None = None
    blue_green: BlueGreenModel | None = None
    canary: CanaryModel | None = None
    linear: LinearModel | None = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """A name alone (`rolling:`) is that strategy as it usually is."""
        if isinstance(value, dict):
            return {name: {} if part is None else part for name, part in value.items()}
        return value


def _window(text: str) -> str:
    Window.parse(text)
    return text


class AfterModel(Strict):
    """What must be true in another environment first."""

    environment: EnvironmentName
    soak: Duration | None = None
    approvals: int = Field(0, ge=0)
    windows: list[Annotated[str, AfterValidator(_window)]] = []


class ProbeModel(Strict):
    """Requests sent to the candidate through the preview rule at each judgement."""

    path: str = Field("/", pattern=r"^/")
    requests: int = Field(5, ge=1, le=100)
    timeout: PositiveDuration | None = None


class LimitsModel(Strict):
    """How long to wait before an answer is an answer; what is left out has the usual value."""

    launch_timeout: PositiveDuration | None = None
    shift_timeout: PositiveDuration | None = None
    inconclusive_timeout: PositiveDuration | None = None
    tick: PositiveDuration | None = None
    error_budget: int | None = Field(None, ge=0)
    failed_tasks: int | None = Field(None, ge=1)


def _actable(text: str) -> str:
    if seconds(text) < 120:
        raise ValueError("must be 2m or longer: what a killed run left is acted on within two minutes")
    return text


class FlappingModel(Strict):
    """So many rollbacks within that time: deployments then wait for a person."""

    count: int | None = Field(None, ge=1)
    within: PositiveDuration | None = None


class RollbackModel(Strict):
    """Which failures are left to a person; what is left out has the usual value."""

    max_age: Annotated[PositiveDuration, AfterValidator(_actable)] | None = None
    flapping: FlappingModel | None = None


class BeforeModel(Strict):
    """A task of the release that runs before anything of it gets traffic; exit code 0 lets it go on."""

    run: Annotated[list[str], BeforeValidator(argv, json_schema_input_type=str | list[str])]
    timeout: PositiveDuration | None = None
    cpu: Annotated[int, Field(ge=256, description="CPU units; 1024 is one vCPU.")] | None = None
    memory: Annotated[str, AfterValidator(memory_text), Field(examples=["512m", "2g"])] | None = None


class DnsModel(Strict):
    """The record of a Route53 zone that names the healthy release's load balancer."""

    zone: Annotated[str, Field(pattern=_HOST)]
    record: Annotated[str, Field(pattern=rf"{_HOST}|^@$", description="A name in the zone; `@` is the zone.")]


def _route(text: str) -> str:
    if not (REFERENCE.fullmatch(text) or re.match(r"[a-z][a-z0-9+.-]*://", text)):
        # The value is not repeated: it may be a token.
        raise ValueError("must be a URL such as sns://… or slack://…, or {{ env.NAME }}")
    return text


class EnvironmentModel(Strict):
    """One environment of a service."""

    terraform: TerraformModel
    strategy: StrategyModel
    after: AfterModel | None = None
    health: HealthModel | None = None
    probe: Annotated[
        ProbeModel | None, BeforeValidator(off_or_given, json_schema_input_type=ProbeModel | bool)
    ] = ProbeModel()
    limits: LimitsModel = LimitsModel()
    dns: DnsModel | None = None
    notify: list[Annotated[str, AfterValidator(_route)]] = []
    variables: dict[str, str] = {}
    before: BeforeModel | None = None
    quick: Literal["never", "known_good"] = "known_good"
    rollback: RollbackModel | None = None
