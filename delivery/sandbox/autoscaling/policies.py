"""What a scaling policy watches, and what it makes of what it sees. Pure.

Source: "Target tracking scaling policies" and "Step scaling policies" in the Application Auto Scaling user
guide. The numbers of target tracking's alarms are those AWS makes for ECS services.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Target tracking scales out after 3 minutes above the target, in after 15 below nine tenths of it.
OUT_PERIODS, IN_PERIODS, PERIOD, IN_SHARE = 3, 15, 60, 0.9
#: Seconds between two activities when the policy does not say.
COOLDOWN = 300

_METRICS = {
    "ECSServiceAverageCPUUtilization": "CPUUtilization",
    "ECSServiceAverageMemoryUtilization": "MemoryUtilization",
}
REQUESTS = "ALBRequestCountPerTarget"
PREDEFINED = (*_METRICS, REQUESTS)


def policy_alarms(
    resource: str, action: str, config: Mapping[str, Any], ids: Sequence[str]
) -> list[dict[str, Any]]:
    """The settings of a target tracking policy's two alarms, high first. `ids` make their names unique."""
    target = float(config["TargetValue"])
    shared = {
        **_metric(resource, config),
        "AlarmActions": [action],
        "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {action}.",
    }
    high = {
        "AlarmName": f"TargetTracking-{resource}-AlarmHigh-{ids[0]}", "Threshold": target,
        "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": OUT_PERIODS,
    }  # fmt: skip
    low = {
        "AlarmName": f"TargetTracking-{resource}-AlarmLow-{ids[1]}",
        "Threshold": round(target * IN_SHARE, 10),
        "ComparisonOperator": "LessThanThreshold", "EvaluationPeriods": IN_PERIODS,
    }  # fmt: skip
    return [{**shared, **high}, {**shared, **low}]


def _metric(resource: str, config: Mapping[str, Any]) -> dict[str, Any]:
    own = config.get("CustomizedMetricSpecification")
    if own and own.get("Metrics"):
        return {"Metrics": [_query(q) for q in own["Metrics"]]}
    if own:
        kept = {
            k: own[k] for k in ("Namespace", "MetricName", "Dimensions", "Statistic", "Unit") if own.get(k)
        }
        return {**kept, "Period": PERIOD}
    kind = config["PredefinedMetricSpecification"]["PredefinedMetricType"]
    if kind == REQUESTS:
        balancer, group = resource_label(config["PredefinedMetricSpecification"]["ResourceLabel"])
        return {
            "Namespace": "AWS/ApplicationELB", "MetricName": "RequestCountPerTarget", "Statistic": "Sum",
            "Period": PERIOD, "Dimensions": _named(TargetGroup=group, LoadBalancer=balancer),
        }  # fmt: skip
    _, cluster, service = resource.split("/")
    return {
        "Namespace": "AWS/ECS", "MetricName": _METRICS[kind], "Statistic": "Average", "Unit": "Percent",
        "Period": PERIOD, "Dimensions": _named(ClusterName=cluster, ServiceName=service),
    }  # fmt: skip


def resource_label(label: str) -> tuple[str, str]:
    """Load balancer and target group of `app/name/id/targetgroup/name/id`, as CloudWatch's dimensions."""
    balancer, found, group = label.partition("/targetgroup/")
    if not found or balancer.count("/") != 2 or group.count("/") != 1:
        raise ValueError(label)
    return balancer, f"targetgroup/{group}"


def _named(**dimensions: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions.items()]


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    """A metric of a customized specification, which has no period of its own."""
    if query.get("MetricStat"):
        return {**query, "MetricStat": {"Period": PERIOD, **query["MetricStat"]}}
    return dict(query)


@dataclass(frozen=True, slots=True)
class Last:
    """The activity before: the capacity it came from and went to, and when it ended (AWS seconds)."""

    before: int
    after: int
    ended: float


def tracked(current: int, value: float, target: float, low: int, high: int, last: Last | None) -> int:
    """The capacity that brings a metric which falls as capacity grows to its target.

    What an activity within its cooldown added is not added twice: the share is taken of the capacity before.
    """
    base = last.before if last is not None else current
    return max(low, min(high, math.ceil(base * value / target - 1e-9)))


def stepped(
    current: int, value: float, threshold: float, config: Mapping[str, Any], low: int, high: int
) -> int:
    """The capacity after a step policy's adjustment for how far the metric is from the alarm's threshold."""
    distance = value - threshold
    for step in config.get("StepAdjustments") or ():
        lower, upper = step.get("MetricIntervalLowerBound"), step.get("MetricIntervalUpperBound")
        inside = (lower is None or distance >= lower) and (upper is None or distance < upper)
        if distance < 0:  # below the threshold the lower bound is outside, the upper one inside
            inside = (lower is None or distance > lower) and (upper is None or distance <= upper)
        if inside:
            wanted = _adjusted(current, step["ScalingAdjustment"], config)
            return max(low, min(high, wanted))
    return current


def _adjusted(current: int, adjustment: int, config: Mapping[str, Any]) -> int:
    kind = config.get("AdjustmentType")
    if kind == "ExactCapacity":
        return adjustment
    if kind != "PercentChangeInCapacity":
        return current + adjustment
    change = current * adjustment / 100
    # Between -1 and 1 it is one task, beyond it is rounded towards zero.
    whole = math.trunc(change) if abs(change) > 1 else int(math.copysign(1, change)) if change else 0
    least = int(config.get("MinAdjustmentMagnitude") or 0)
    if whole and abs(whole) < least:
        whole = int(math.copysign(least, whole))
    return current + whole
