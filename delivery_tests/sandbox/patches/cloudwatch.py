"""CloudWatch's probes: metrics and dashboards."""

import contextlib
import time
from typing import Any

from botocore.exceptions import ClientError

from delivery_tests.sandbox.patches.probing import Caller, probe


def refused(call: Any, code: str, **params: Any) -> None:
    """The call must fail with this code."""
    try:
        call(**params)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
    else:
        raise AssertionError(f"{code} was expected")


def _put(caller: Caller) -> Any:
    """A hundred values, the numbers from 1, of a metric named after the caller; the client."""
    cloudwatch = caller.client("cloudwatch")
    values = {"MetricName": "Size", "Values": [float(n) for n in range(1, 101)]}
    cloudwatch.put_metric_data(Namespace=caller.name, MetricData=[values])
    return cloudwatch


@probe("patches.cloudwatch.answer_metric_data")
def metric_data(caller: Caller) -> None:
    """GetMetricData tells percentiles, and what an expression makes of them."""
    metric = {"Namespace": caller.name, "MetricName": "Size"}
    stat = {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "p90"}, "ReturnData": False}
    now = time.time()
    found = _put(caller).get_metric_data(
        MetricDataQueries=[stat, {"Id": "e", "Expression": "m / 10"}], StartTime=now - 300, EndTime=now + 300
    )
    assert [r["Values"] for r in found["MetricDataResults"]] == [[9.0]]


@probe("patches.cloudwatch.answer_metric_statistics")
def metric_statistics(caller: Caller) -> None:
    """GetMetricStatistics tells extended statistics."""
    now = time.time()
    found = _put(caller).get_metric_statistics(
        Namespace=caller.name, MetricName="Size", StartTime=now - 300, EndTime=now + 300, Period=60,
        ExtendedStatistics=["p90"],
    )  # fmt: skip
    assert found["Datapoints"][0]["ExtendedStatistics"] == {"p90": 90.0}


@probe("patches.cloudwatch.keep_put_data")
def put_data(caller: Caller) -> None:
    """Nobody can claim what AWS measures: namespaces that begin with AWS/ are refused."""
    claimed = {"MetricName": "CPUUtilization", "Value": 99.0}
    put = caller.client("cloudwatch").put_metric_data
    refused(put, "InvalidParameterValue", Namespace="AWS/ECS", MetricData=[claimed])


@probe("patches.cloudwatch.list_known_metrics")
def list_metrics(caller: Caller) -> None:
    """ListMetrics tells no metric that nobody measured, such as of a bucket just made."""
    caller.client("s3").create_bucket(Bucket=caller.name)
    caller.client("s3").put_object(Bucket=caller.name, Key="a", Body=b"b")
    found = caller.client("cloudwatch").list_metrics(Namespace="AWS/S3")
    assert found["Metrics"] == []


@probe("patches.cloudwatch.checked_dashboards")
def dashboards(caller: Caller) -> None:
    """A body without widgets is no dashboard."""
    put = caller.client("cloudwatch").put_dashboard
    refused(put, "InvalidParameterInput", DashboardName=caller.name, DashboardBody="{}")


def alarm(caller: Caller, **more: Any) -> Any:
    """An alarm named after the caller that keeps the state it is given; the client."""
    cloudwatch = caller.client("cloudwatch")
    usual = {
        "AlarmName": caller.name, "Namespace": caller.name, "MetricName": "Errors", "Statistic": "Sum",
        "Period": 60, "EvaluationPeriods": 1, "Threshold": 1, "TreatMissingData": "ignore",
        "ComparisonOperator": "GreaterThanThreshold",
    }  # fmt: skip
    cloudwatch.put_metric_alarm(**{**usual, **more})
    return cloudwatch


def _told(cloudwatch: Any, **filters: Any) -> list[str]:
    return [a["StateValue"] for a in cloudwatch.describe_alarms(**filters)["MetricAlarms"]]


@probe("patches.cloudwatch_alarms.put_alarms")
def put_alarms(caller: Caller) -> None:
    """A new alarm has INSUFFICIENT_DATA, and putting it again keeps its state."""
    cloudwatch = alarm(caller)
    assert _told(cloudwatch, AlarmNames=[caller.name]) == ["INSUFFICIENT_DATA"]
    cloudwatch.set_alarm_state(AlarmName=caller.name, StateValue="ALARM", StateReason="a probe")
    alarm(caller)
    assert _told(cloudwatch, AlarmNames=[caller.name]) == ["ALARM"]


@probe("patches.cloudwatch_alarms.made_by_services")
def made_by_services(caller: Caller) -> None:
    """The alarm that Auto Scaling makes for a DynamoDB table begins without data, like any other."""
    scaling = caller.client("application-autoscaling")
    target = {
        "ServiceNamespace": "dynamodb", "ResourceId": f"table/{caller.name}",
        "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
    }  # fmt: skip
    scaling.register_scalable_target(MinCapacity=1, MaxCapacity=2, **target)
    metric = {"PredefinedMetricType": "DynamoDBReadCapacityUtilization"}
    made = scaling.put_scaling_policy(
        PolicyName=caller.name, PolicyType="TargetTrackingScaling", **target,
        TargetTrackingScalingPolicyConfiguration={"TargetValue": 50, "PredefinedMetricSpecification": metric},
    )  # fmt: skip
    names = [a["AlarmName"] for a in made["Alarms"]]
    states = _told(caller.client("cloudwatch"), AlarmNames=names)
    assert states and set(states) == {"INSUFFICIENT_DATA"}


@probe("patches.cloudwatch_alarms.describe_alarms")
def describe_alarms(caller: Caller) -> None:
    """Filters apply together, and MaxRecords cuts the answer."""
    cloudwatch = alarm(caller)
    alarm(caller, AlarmName=f"{caller.name}-2")
    cloudwatch.set_alarm_state(AlarmName=caller.name, StateValue="ALARM", StateReason="a probe")
    assert _told(cloudwatch, AlarmNamePrefix=caller.name, StateValue="ALARM") == ["ALARM"]
    assert "NextToken" in cloudwatch.describe_alarms(AlarmNamePrefix=caller.name, MaxRecords=1)


@probe("patches.cloudwatch_alarms.describe_for_metric")
def describe_for_metric(caller: Caller) -> None:
    """DescribeAlarmsForMetric tells only alarms with the dimensions asked for."""
    cloudwatch = alarm(caller, Dimensions=[{"Name": "Slot", "Value": "blue"}])
    green = [{"Name": "Slot", "Value": "green"}]
    found = cloudwatch.describe_alarms_for_metric(
        Namespace=caller.name, MetricName="Errors", Dimensions=green
    )
    assert found["MetricAlarms"] == []


@probe("patches.cloudwatch_alarms.delete_alarms")
def delete_alarms(caller: Caller) -> None:
    """An alarm nobody knows cannot be deleted."""
    refused(caller.client("cloudwatch").delete_alarms, "ResourceNotFound", AlarmNames=[caller.name])


@probe("patches.cloudwatch_alarms.set_state")
def set_state(caller: Caller) -> None:
    """An alarm whose state was set tells its topic."""
    sns, sqs = caller.client("sns"), caller.client("sqs")
    topic = sns.create_topic(Name=caller.name)["TopicArn"]
    queue = sqs.create_queue(QueueName=caller.name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    cloudwatch = alarm(caller, AlarmActions=[topic])
    cloudwatch.set_alarm_state(AlarmName=caller.name, StateValue="ALARM", StateReason="a probe")
    assert sqs.receive_message(QueueUrl=queue)["Messages"]


@probe("patches.cloudwatch_alarms.enable_actions")
def enable_actions(caller: Caller) -> None:
    """That actions were disabled is in the history."""
    cloudwatch = alarm(caller)
    cloudwatch.disable_alarm_actions(AlarmNames=[caller.name])
    kind = "ConfigurationUpdate"
    items = cloudwatch.describe_alarm_history(AlarmName=caller.name, HistoryItemType=kind)[
        "AlarmHistoryItems"
    ]
    assert "updated" in items[0]["HistorySummary"]


@probe("patches.cloudwatch_alarms.alarm_history")
def alarm_history(caller: Caller) -> None:
    """DescribeAlarmHistory tells the change of an alarm's state."""
    cloudwatch = alarm(caller)
    cloudwatch.set_alarm_state(AlarmName=caller.name, StateValue="ALARM", StateReason="a probe")
    items = cloudwatch.describe_alarm_history(AlarmName=caller.name, HistoryItemType="StateUpdate")
    assert "to ALARM" in items["AlarmHistoryItems"][0]["HistorySummary"]


@probe("patches.cloudwatch_alarms.known_resources")
def known_resources(caller: Caller) -> None:
    """Tags of an alarm that is gone are not an empty list."""
    cloudwatch = alarm(caller)
    arn = cloudwatch.describe_alarms(AlarmNames=[caller.name])["MetricAlarms"][0]["AlarmArn"]
    with contextlib.suppress(ClientError):
        cloudwatch.delete_alarms(AlarmNames=[caller.name])
    refused(cloudwatch.list_tags_for_resource, "ResourceNotFoundException", ResourceARN=arn)
