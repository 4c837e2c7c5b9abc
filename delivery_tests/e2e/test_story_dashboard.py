"""After the story: the dashboard that Terraform made shows what was measured, in every one of its lines."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import boto3
import pytest

from delivery.cli.demo.story import PRODUCTION
from delivery_tests.e2e.conftest import Theatre

pytestmark = pytest.mark.e2e


def _lines(body: str) -> list[dict[str, Any]]:
    """Every metric of every widget, as GetMetricData wants it."""
    found = []
    for widget in json.loads(body)["widgets"]:
        properties = widget["properties"]
        for metric in properties["metrics"]:
            namespace, name, *rest = [part for part in metric if isinstance(part, str)]
            own = next((part for part in metric if isinstance(part, dict)), {})
            dimensions = [{"Name": k, "Value": v} for k, v in list(pairwise(rest))[::2]]
            found.append({
                "Metric": {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions},
                "Period": properties["period"], "Stat": own.get("stat", properties.get("stat")),
            })  # fmt: skip
    return found


def test_the_dashboard_is_filled_by_the_storys_traffic(theatre: Theatre) -> None:
    """CPU and memory of both slots, response time and requests: each has figures, and of use."""
    contract = theatre.stage.watcher.record(PRODUCTION).contract
    assert contract is not None
    client = boto3.client(
        "cloudwatch", endpoint_url=theatre.venue.sandbox.endpoints.aws, region_name="us-east-1",
        aws_access_key_id="sandbox", aws_secret_access_key="sandbox",
    )  # fmt: skip
    lines = _lines(client.get_dashboard(DashboardName=contract.cluster)["DashboardBody"])
    queries = [{"Id": f"m{n}", "MetricStat": line} for n, line in enumerate(lines)]
    answers = client.get_metric_data(
        MetricDataQueries=queries, StartTime=theatre.since, EndTime=datetime.now(UTC)
    )["MetricDataResults"]
    figures = {
        f"{line['Metric']['MetricName']} {line['Metric']['Dimensions'][-1]['Value']}": answer["Values"]
        for line, answer in zip(lines, answers, strict=True)
    }
    assert len(figures) == 6 and all(figures.values()), figures
    assert all(max(values) > 0 for values in figures.values()), figures
