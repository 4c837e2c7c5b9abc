"""What a release is judged by: rollback triggers (which metric condemns it, after how long), comparisons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from delivery.catalog.models.base import PositiveDuration, Strict, seconds
from delivery.core.analysis import NoData
from delivery.core.comparison import Baseline, Direction, Score

_STATISTICS = ("Average", "Sum", "Minimum", "Maximum", "SampleCount")


@dataclass(frozen=True, slots=True)
class Usual:
    """What a trigger means when it says no more than its metric and its limit."""

    name: str
    statistic: str
    duration: float = 60.0
    no_data: NoData = "inconclusive"


#: The metrics that are counted per target group or per ECS service, so that the slots can be told apart:
#: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
#: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html
#: Error counts have no datapoint at zero (`no_data="zero"`); a slot without hosts is bad (`fail`).
METRICS: dict[str, Usual] = {
    "TargetResponseTime": Usual("response_time", "Average", 300),
    "HTTPCode_Target_2XX_Count": Usual("target_2xx", "Sum"),
    "HTTPCode_Target_3XX_Count": Usual("target_3xx", "Sum", no_data="zero"),
    "HTTPCode_Target_4XX_Count": Usual("target_4xx", "Sum", no_data="zero"),
    "HTTPCode_Target_5XX_Count": Usual("target_5xx", "Sum", no_data="zero"),
    "TargetConnectionErrorCount": Usual("connection_errors", "Sum", no_data="zero"),
    "RequestCount": Usual("requests", "Sum"),
    "RequestCountPerTarget": Usual("requests_per_target", "Sum"),
    "HealthyHostCount": Usual("healthy_hosts", "Minimum", 120, "fail"),
    "UnHealthyHostCount": Usual("unhealthy_hosts", "Maximum", 120, "fail"),
    "CPUUtilization": Usual("cpu", "Average", 300),
    "MemoryUtilization": Usual("memory", "Average", 300),
}


def _metric(name: str) -> str:
    if name not in METRICS:
        raise ValueError(f"{name!r} is not counted per slot; known are {', '.join(METRICS)}")
    return name


def _statistic(name: str) -> str:
    percentile = re.fullmatch(r"p(\d{1,2}(\.\d{1,10})?|100)", name)
    if name not in _STATISTICS and not percentile:
        raise ValueError(f"{name!r} is not a statistic: {', '.join(_STATISTICS)} or a percentile such as p99")
    return name


def _period(text: str) -> str:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricStat.html"""
    value = seconds(text)
    if value not in (1, 5, 10, 20, 30) and value % 60:
        raise ValueError(f"{text!r} is not a CloudWatch period: 1s, 5s, 10s, 20s, 30s or whole minutes")
    return text


class TriggerModel(Strict):
    """Fails when the metric is on the wrong side of the limit in every period (`per`) for `for`.

    Exactly one of `threshold` (fails above it) and `below` (fails below it).
    """

    metric: Annotated[str, AfterValidator(_metric)]
    threshold: float | None = Field(None, ge=0)
    below: float | None = Field(None, gt=0)
    per: Annotated[PositiveDuration, AfterValidator(_period)] = "60s"
    for_: PositiveDuration | None = Field(None, alias="for")
    statistic: Annotated[str, AfterValidator(_statistic)] | None = None
    no_data: NoData | None = None
    dry_run: bool = False
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] | None = None


def _share(text: str) -> str:
    if share(text) < 0:
        raise ValueError("must not be negative")
    return text


def share(text: str) -> float:
    """`20%` as 0.2; ValueError when it is no percentage."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a percentage such as 20%")
    return float(match[1]) / 100


def _percent(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"a tolerance is a percentage: {value:g}%, for example")
    return value


Percentage = Annotated[
    str, BeforeValidator(_percent, json_schema_input_type=str), AfterValidator(_share),
    Field(examples=["10%", "20%"]),
]  # fmt: skip


def _compared(name: str) -> str:
    if name in SIZES:
        raise ValueError(
            f"{name!r} cannot be compared: it follows from each slot's share of the traffic and its size"
        )
    return _metric(name)


class ComparisonModel(Strict):
    """One metric of the candidate against the baseline; it may be worse by `tolerance`, and by chance."""

    metric: Annotated[str, AfterValidator(_compared)]
    statistic: Annotated[str, AfterValidator(_statistic)] | None = None
    per: Annotated[PositiveDuration, AfterValidator(_period)] = "60s"
    tolerance: Percentage | None = None
    least: float | None = Field(None, ge=0)
    direction: Direction | None = None
    weight: float | None = Field(None, gt=0)
    critical: bool = False
    minimum_samples: int | None = Field(None, ge=5)
    dry_run: bool = False
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] | None = None


class ScoreModel(Strict):
    """From which score on a canary passes, and from which it is marginal (a person decides)."""

    pass_: float = Field(Score().passing, alias="pass", gt=0, le=100)
    marginal: float = Field(Score().marginal, ge=0, le=100)


class HealthModel(Strict):
    """What a release is judged by, besides the health of its targets."""

    rollback_triggers: list[TriggerModel] | None = Field(None, min_length=1)
    compare: list[ComparisonModel] | None = Field(None, min_length=1)
    baseline: Baseline | None = None
    score: ScoreModel | None = None


#: Metrics that tell how much a slot was given, not how it does.
SIZES = ("RequestCount", "RequestCountPerTarget", "HealthyHostCount", "UnHealthyHostCount")
#: Names that other checks on `health` have.
RESERVED = ("targets", "preview", "launch", "alarms", "canary")


def trigger_name(trigger: Mapping[str, Any]) -> str:
    """The name of a trigger as written, or the usual one of its metric."""
    name, metric = trigger.get("name"), trigger.get("metric")
    usual = METRICS.get(metric) if isinstance(metric, str) else None
    return name if isinstance(name, str) else usual.name if usual else str(metric)
