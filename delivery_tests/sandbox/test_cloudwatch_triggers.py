"""The source design's error trigger on real requests: eleven target 5XX in a minute fire, ten do not.

Amazon CloudWatch user guide: "Evaluating an alarm". ELB user guide: "CloudWatch metrics for your Application
Load Balancer". The sandbox's clock runs twenty times as fast: a minute passes in three seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.stack import Stack, eventually

pytestmark = pytest.mark.sandbox


@pytest.fixture
def served(compressed: RunningSandbox, app_image: str) -> Iterator[Stack]:
    """One healthy task behind the load balancer."""
    stack = Stack(compressed, app_image)
    stack.group("blue")
    stack.route(blue=100)
    # A program takes as long to start as ever, which is twenty times as long in AWS's seconds.
    stack.service("blue", stack.revision(), healthCheckGracePeriodSeconds=300)
    eventually(lambda: stack.health("blue"), lambda h: h == [("healthy", "")])
    eventually(stack.ask, lambda a: a[0] == 200)
    yield stack
    stack.close()


def alarm(stack: Stack) -> dict[str, Any]:
    """The design's alarm: more than ten target 5XX in one minute."""
    return dict(stack.cloudwatch.describe_alarms(AlarmNames=[stack.name])["MetricAlarms"][0])


def put(stack: Stack) -> None:
    """Put it."""
    stack.cloudwatch.put_metric_alarm(
        AlarmName=stack.name, Namespace="AWS/ApplicationELB", MetricName="HTTPCode_Target_5XX_Count",
        Dimensions=stack.dimensions("blue"), Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=10,
        ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching",
    )  # fmt: skip


def errors_at_the_start_of_a_minute(stack: Stack, count: int) -> None:
    """So many requests answered 500, right after a minute of AWS's began: all of them fall into it."""
    eventually(stack.sandbox.control.now, lambda now: now % 60 < 12)
    stack.ask_many(count, "/status/500")


def counted(stack: Stack) -> list[float]:
    """The alarm's datapoints of the last half hour, of the minutes with any."""
    now = stack.sandbox.control.now()
    metric = {"Namespace": "AWS/ApplicationELB", "MetricName": "HTTPCode_Target_5XX_Count",
              "Dimensions": stack.dimensions("blue")}  # fmt: skip
    found = stack.cloudwatch.get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}],
        StartTime=now - 1800, EndTime=now + 60, ScanBy="TimestampAscending",
    )  # fmt: skip
    return [float(v) for v in found["MetricDataResults"][0]["Values"]]


def test_eleven_errors_in_a_minute_fire_and_ten_do_not(served: Stack) -> None:
    """Ten: the minute ends and the alarm stays OK. Eleven: it fires once the minute ended, and recovers."""
    put(served)
    errors_at_the_start_of_a_minute(served, 10)
    eventually(lambda: counted(served), lambda found: found == [10.0])
    began = served.sandbox.control.now()
    eventually(served.sandbox.control.now, lambda now: now > began + 90)
    assert alarm(served)["StateValue"] == "OK"
    errors_at_the_start_of_a_minute(served, 11)
    fired = eventually(lambda: alarm(served), lambda a: a["StateValue"] == "ALARM")
    assert "[11.0 (" in fired["StateReason"]
    eventually(lambda: alarm(served), lambda a: a["StateValue"] == "OK")
