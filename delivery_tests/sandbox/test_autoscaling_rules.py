"""What a scaling policy makes of a metric, without a sandbox.

Application Auto Scaling user guide: "Target tracking scaling policies", "Step scaling policies".
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.sandbox.autoscaling.policies import Last, policy_alarms, resource_label, stepped, tracked

RESOURCE = "service/web/blue"


def alarms(**config: Any) -> list[dict[str, Any]]:
    """The alarms of a policy with a target of 70."""
    return policy_alarms(RESOURCE, "arn:policy", {"TargetValue": 70.0, **config}, ["one", "two"])


def test_target_tracking_makes_two_alarms() -> None:
    """Above the target for 3 minutes, below 90 percent of it for 15 minutes."""
    high, low = alarms(
        PredefinedMetricSpecification={"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}
    )
    assert high["AlarmName"] == "TargetTracking-service/web/blue-AlarmHigh-one"
    assert (high["Threshold"], high["EvaluationPeriods"], high["ComparisonOperator"]) == (
        70.0, 3, "GreaterThanThreshold",
    )  # fmt: skip
    assert low["AlarmName"] == "TargetTracking-service/web/blue-AlarmLow-two"
    assert (low["Threshold"], low["EvaluationPeriods"], low["ComparisonOperator"]) == (
        63.0, 15, "LessThanThreshold",
    )  # fmt: skip
    assert {(a["Namespace"], a["MetricName"], a["Period"]) for a in (high, low)} == {
        ("AWS/ECS", "CPUUtilization", 60)
    }


def test_requests_per_target_are_a_target_groups() -> None:
    """ALBRequestCountPerTarget names load balancer and target group by its resource label."""
    label = "app/web/50dc6c495c0c9188/targetgroup/blue/943f017f100becff"
    kind = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": label}
    (high, _) = alarms(PredefinedMetricSpecification=kind)
    assert high["MetricName"] == "RequestCountPerTarget" and high["Statistic"] == "Sum"
    assert {d["Name"]: d["Value"] for d in high["Dimensions"]} == {
        "LoadBalancer": "app/web/50dc6c495c0c9188", "TargetGroup": "targetgroup/blue/943f017f100becff",
    }  # fmt: skip
    with pytest.raises(ValueError, match="web/blue"):
        resource_label("web/blue")


@pytest.mark.parametrize(
    ("current", "value", "expected"),
    [(2, 140.0, 4), (2, 71.0, 3), (2, 70.0, 2), (4, 35.0, 2), (4, 36.0, 3), (4, 1.0, 1), (2, 1000.0, 10)],
)
def test_the_count_follows_the_metric_in_proportion(current: int, value: float, expected: int) -> None:
    """Twice the target doubles the count; it is rounded up, and stays between 1 and 10."""
    assert tracked(current, value, 70.0, 1, 10, None) == expected


def test_what_a_cooldown_already_added_counts() -> None:
    """Within the scale-out cooldown the new count is reckoned from the one before it."""
    assert tracked(4, 140.0, 70.0, 1, 10, Last(2, 4, 0.0)) == 4
    assert tracked(4, 210.0, 70.0, 1, 10, Last(2, 4, 0.0)) == 6


@given(
    st.integers(0, 50), st.floats(0, 1e6), st.floats(0.1, 1e4), st.integers(0, 20), st.integers(0, 20)
)  # fmt: skip
def test_bounds_hold_whatever_is_measured(
    current: int, value: float, target: float, low: int, more: int
) -> None:
    """No metric moves the count out of MinCapacity and MaxCapacity."""
    assert low <= tracked(current, value, target, low, low + more, None) <= low + more


STEPS = [
    {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 10.0, "ScalingAdjustment": 1},
    {"MetricIntervalLowerBound": 10.0, "ScalingAdjustment": 3},
]


@pytest.mark.parametrize(("value", "expected"), [(60.0, 3), (69.9, 3), (70.0, 5), (500.0, 5), (59.0, 2)])
def test_steps_by_the_distance_from_the_threshold(value: float, expected: int) -> None:
    """The lower bound of a step is inside it, the upper one outside."""
    config = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": STEPS}
    assert stepped(2, value, 60.0, config, 1, 10) == expected


@pytest.mark.parametrize(("adjustment", "expected"), [(50, 6), (10, 5), (-50, 2), (-10, 3), (500, 10)])
def test_percent_of_the_capacity(adjustment: int, expected: int) -> None:
    """Values between 0 and 1 are one task, others are rounded towards zero."""
    config = {
        "AdjustmentType": "PercentChangeInCapacity",
        "StepAdjustments": [{"ScalingAdjustment": adjustment}],
    }
    assert stepped(4, 1.0, 0.0, config, 1, 10) == expected


def test_exact_capacity_and_the_least_change() -> None:
    """ExactCapacity sets the count; MinAdjustmentMagnitude is the least a percentage changes."""
    exact = {"AdjustmentType": "ExactCapacity", "StepAdjustments": [{"ScalingAdjustment": 7}]}
    assert stepped(2, 1.0, 0.0, exact, 1, 10) == 7
    percent = {
        "AdjustmentType": "PercentChangeInCapacity", "MinAdjustmentMagnitude": 3,
        "StepAdjustments": [{"ScalingAdjustment": 10}],
    }  # fmt: skip
    assert stepped(4, 1.0, 0.0, percent, 1, 10) == 7
