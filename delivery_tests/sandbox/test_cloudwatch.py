"""CloudWatch: metrics are counted from real requests, and alarms evaluate them."""

from __future__ import annotations

import json

import pytest

from delivery_tests.sandbox.stack import Stack, eventually, messages

pytestmark = pytest.mark.sandbox


@pytest.fixture
def served(stack: Stack) -> Stack:
    """One healthy task behind the load balancer."""
    stack.group("blue")
    stack.route(blue=100)
    stack.service("blue", stack.revision())
    eventually(lambda: stack.health("blue"), lambda h: h == [("healthy", "")])
    eventually(stack.ask, lambda a: a[0] == 200)
    return stack


def test_every_request_is_counted_once(served: Stack) -> None:
    """RequestCount and HTTPCode_Target_5XX_Count of a target group are exactly what was sent."""
    before = sum(served.total("RequestCount", "blue"))
    served.ask_many(50)
    served.ask_many(20, "/status/500")
    eventually(lambda: sum(served.total("RequestCount", "blue")) - before, lambda n: n == 70)
    assert sum(served.total("HTTPCode_Target_5XX_Count", "blue")) == 20
    assert sum(served.total("HTTPCode_Target_5XX_Count")) == 20
    assert sum(served.total("HTTPCode_ELB_5XX_Count")) == 0


def test_percentiles_are_of_single_requests(stack: Stack) -> None:
    """p99 and Average of TargetResponseTime are seconds as measured, and p99 is not below the average."""
    stack.group("blue")
    stack.route(blue=100)
    stack.service("blue", stack.revision(SLOW="0.2"))
    eventually(lambda: stack.health("blue"), lambda h: h == [("healthy", "")])
    stack.ask_many(20)
    average = eventually(lambda: stack.total("TargetResponseTime", "blue", "Average"))
    high = stack.total("TargetResponseTime", "blue", "p99")
    assert 0.2 <= average[-1] <= high[-1] < 5


def test_host_counts_follow_target_health(served: Stack) -> None:
    """HealthyHostCount is 1 while the target passes its checks."""
    eventually(lambda: served.total("HealthyHostCount", "blue", "Maximum")[-1:], lambda v: v == [1])
    eventually(lambda: served.total("UnHealthyHostCount", "blue", "Maximum")[-1:], lambda v: v == [0])


def test_a_metric_nobody_measured_has_no_data(stack: Stack) -> None:
    """No traffic is an empty series, never a zero."""
    stack.group("blue")
    assert stack.total("RequestCount", "blue") == []


def test_an_alarm_fires_tells_and_recovers(served: Stack) -> None:
    """More than ten 5XX in a period: ALARM, told by SNS into SQS, later OK; all in history."""
    sns, sqs = served.sandbox.client("sns"), served.sandbox.client("sqs")
    topic = sns.create_topic(Name=served.name)["TopicArn"]
    queue = sqs.create_queue(QueueName=served.name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    served.cloudwatch.put_metric_alarm(
        AlarmName=served.name, Namespace="AWS/ApplicationELB", MetricName="HTTPCode_Target_5XX_Count",
        Dimensions=served.dimensions("blue"), Statistic="Sum", Period=10, EvaluationPeriods=1, Threshold=10,
        ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching",
        AlarmActions=[topic], OKActions=[topic],
    )  # fmt: skip
    served.ask_many(60, "/status/500")  # falls into two periods at most: one of them has more than ten

    def state() -> str:
        alarm = served.cloudwatch.describe_alarms(AlarmNames=[served.name])["MetricAlarms"][0]
        return str(alarm["StateValue"])

    eventually(state, lambda s: s == "ALARM")
    seen: list[dict[str, str]] = []

    def told() -> list[str]:
        seen.extend(json.loads(json.loads(m["Body"])["Message"]) for m in messages(sqs, queue))
        return [m["NewStateValue"] for m in seen]

    eventually(told, lambda states: "ALARM" in states)
    eventually(state, lambda s: s == "OK", 40)
    eventually(told, lambda states: states[-1] == "OK")
    alarm = next(m for m in seen if m["NewStateValue"] == "ALARM")
    assert alarm["AlarmName"] == served.name and "Threshold Crossed" in alarm["NewStateReason"]
    history = served.cloudwatch.describe_alarm_history(AlarmName=served.name, HistoryItemType="StateUpdate")
    assert history["AlarmHistoryItems"][0]["HistorySummary"] == "Alarm updated from ALARM to OK"


def test_cpu_and_memory_of_a_service_are_measured(served: Stack) -> None:
    """AWS/ECS MemoryUtilization comes from the tasks' own containers, in percent of what they reserved."""
    dimensions = [{"Name": "ClusterName", "Value": served.name},
                  {"Name": "ServiceName", "Value": f"{served.name}-blue"}]  # fmt: skip

    def memory() -> list[float]:
        from datetime import UTC, datetime, timedelta

        now = datetime.now(UTC)
        found = served.cloudwatch.get_metric_statistics(
            Namespace="AWS/ECS", MetricName="MemoryUtilization", Dimensions=dimensions, Period=10,
            StartTime=now - timedelta(minutes=5), EndTime=now + timedelta(minutes=1), Statistics=["Average"],
        )  # fmt: skip
        return [p["Average"] for p in found["Datapoints"]]

    assert 0 < eventually(memory)[-1] < 100
