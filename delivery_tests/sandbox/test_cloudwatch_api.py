"""Metrics that clients put, and dashboards, as any client sees them.

Amazon CloudWatch API reference: "PutMetricData", "ListMetrics", "GetMetricData", "PutDashboard".
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from delivery_tests.conftest import RunningSandbox

pytestmark = pytest.mark.sandbox


@pytest.fixture
def cloudwatch(sandbox: RunningSandbox) -> Any:
    """A plain client."""
    return sandbox.client("cloudwatch")


@pytest.fixture
def name() -> str:
    """A namespace and a prefix of names nobody else has."""
    return f"t{uuid.uuid4().hex[:8]}"


def put(cloudwatch: Any, name: str, **datum: Any) -> None:
    """One datum a minute ago."""
    at = datetime.now(UTC) - timedelta(minutes=1)
    cloudwatch.put_metric_data(Namespace=name, MetricData=[{"MetricName": "Size", "Timestamp": at, **datum}])


def values(cloudwatch: Any, name: str, *statistics: str, **more: Any) -> dict[str, list[float]]:
    """Statistics of what was put in the last ten minutes."""
    metric = {"Namespace": name, "MetricName": "Size"}
    queries = [
        {"Id": s.lower(), "MetricStat": {"Metric": metric, "Period": 60, "Stat": s, **more}}
        for s in statistics
    ]
    now = datetime.now(UTC)
    found = cloudwatch.get_metric_data(
        MetricDataQueries=queries, StartTime=now - timedelta(minutes=10), EndTime=now + timedelta(minutes=1)
    )
    return {r["Id"]: r["Values"] for r in found["MetricDataResults"]}


def test_values_with_counts(cloudwatch: Any, name: str) -> None:
    """Values and Counts: each value as often as its count, percentiles too."""
    put(cloudwatch, name, Values=[1.0, 2.0, 9.0], Counts=[1.0, 98.0, 1.0])
    found = values(cloudwatch, name, "Sum", "SampleCount", "p50", "Maximum")
    assert found == {"sum": [206.0], "samplecount": [100.0], "p50": [2.0], "maximum": [9.0]}


def test_a_statistic_set(cloudwatch: Any, name: str) -> None:
    """StatisticValues are added up like values, and have no percentiles."""
    whole = {"SampleCount": 3.0, "Sum": 9.0, "Minimum": 1.0, "Maximum": 5.0}
    put(cloudwatch, name, StatisticValues=whole, Unit="Bytes")
    assert values(cloudwatch, name, "Average", "p99", Unit="Bytes") == {"average": [3.0], "p99": []}
    assert values(cloudwatch, name, "Average", Unit="Seconds") == {"average": []}


def test_metrics_are_listed_once_with_their_dimensions(cloudwatch: Any, name: str) -> None:
    """ListMetrics filters by namespace, name and dimensions; RecentlyActive by the last three hours."""
    for color in ("blue", "green", "blue"):
        put(cloudwatch, name, Value=1.0, Dimensions=[{"Name": "Slot", "Value": color}])
    slots = [m["Dimensions"][0]["Value"] for m in cloudwatch.list_metrics(Namespace=name)["Metrics"]]
    assert slots == ["blue", "green"]
    one = cloudwatch.list_metrics(Namespace=name, Dimensions=[{"Name": "Slot", "Value": "blue"}])
    assert len(one["Metrics"]) == 1
    assert len(cloudwatch.list_metrics(Namespace=name, RecentlyActive="PT3H")["Metrics"]) == 2
    assert cloudwatch.list_metrics(Namespace=name, Dimensions=[{"Name": "Other"}])["Metrics"] == []


@pytest.mark.parametrize(
    ("datum", "why"),
    [
        ({"Value": 1.0, "Values": [1.0]}, "mutually exclusive"), ({}, "must be specified"),
        ({"Values": [1.0], "Counts": [1.0, 2.0]}, "same size"), ({"Value": float("nan")}, "is invalid"),
        ({"Value": 1.0, "StorageResolution": 7}, "StorageResolution"),
        ({"Value": 1.0, "Timestamp": datetime(2020, 1, 1, tzinfo=UTC)}, "past two weeks"),
    ],
)  # fmt: skip
def test_what_put_metric_data_refuses(cloudwatch: Any, name: str, datum: dict[str, Any], why: str) -> None:
    """One wrong datum, and nothing of the request is kept."""
    with pytest.raises(ClientError, match=why):
        put(cloudwatch, name, **datum)
    assert cloudwatch.list_metrics(Namespace=name)["Metrics"] == []


def test_nobody_puts_into_aws_own_namespaces(cloudwatch: Any) -> None:
    """Namespaces that begin with AWS/ are AWS's: nobody can claim what was not measured."""
    with pytest.raises(ClientError, match="AWS/ for parameter Namespace is invalid"):
        put(cloudwatch, "AWS/ECS", Value=99.0)


def test_dashboards_round_trip(cloudwatch: Any, name: str) -> None:
    """What was put comes back as it was; a body that is no dashboard is refused, and says where."""
    body = json.dumps({"widgets": [{"type": "text", "properties": {"markdown": "hello"}}]})
    assert (
        cloudwatch.put_dashboard(DashboardName=name, DashboardBody=body)["DashboardValidationMessages"] == []
    )
    assert cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"] == body
    for wrong in ("{", "[]", "{}", '{"widgets": [{"type": "text"}]}'):
        with pytest.raises(ClientError) as refused:
            cloudwatch.put_dashboard(DashboardName=name, DashboardBody=wrong)
        assert refused.value.response["Error"]["Code"] == "InvalidParameterInput"
    cloudwatch.delete_dashboards(DashboardNames=[name])
    with pytest.raises(ClientError, match="ResourceNotFound"):
        cloudwatch.get_dashboard(DashboardName=name)
