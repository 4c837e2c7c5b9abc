"""Alarms as any client sees them: put, described, changed, told about, deleted.

Amazon CloudWatch API reference: "PutMetricAlarm", "PutCompositeAlarm", "DescribeAlarms",
"DescribeAlarmHistory", "SetAlarmState", "DeleteAlarms". User guide: "Alarm events and EventBridge".
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.stack import eventually, messages

pytestmark = pytest.mark.sandbox

RULE = {"Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 10.0,
        "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "ignore"}  # fmt: skip


@pytest.fixture
def cloudwatch(sandbox: RunningSandbox) -> Any:
    """A plain client."""
    return sandbox.client("cloudwatch")


@pytest.fixture
def name() -> str:
    """A namespace and a prefix of names nobody else has."""
    return f"t{uuid.uuid4().hex[:8]}"


def alarm(cloudwatch: Any, name: str, **more: Any) -> None:
    """An alarm on a metric nobody puts; `ignore` keeps the state it is given."""
    usual = {"AlarmName": name, "Namespace": name, "MetricName": "Errors", **RULE}
    cloudwatch.put_metric_alarm(**{**usual, **more})


def state(cloudwatch: Any, name: str) -> dict[str, Any]:
    """One alarm, metric or composite."""
    found = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return dict((found["MetricAlarms"] + found["CompositeAlarms"])[0])


def test_a_new_alarm_has_insufficient_data(cloudwatch: Any, name: str) -> None:
    """The initial state of every alarm; its settings are told as they were put."""
    alarm(cloudwatch, name, AlarmDescription="too many", TreatMissingData="missing")
    found = state(cloudwatch, name)
    assert (found["StateValue"], found["StateReason"]) == (
        "INSUFFICIENT_DATA",
        "Unchecked: Initial alarm creation",
    )
    assert found["AlarmDescription"] == "too many" and found["Threshold"] == 10.0 and found["ActionsEnabled"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"Period": 7}, "Period must be 10, 20, 30 or a multiple of 60"),
        ({"TreatMissingData": "no"}, "Option no"),
        ({"DatapointsToAlarm": 2}, "less than or equal to EvaluationPeriods"),
        ({"Statistic": "Mean"}, "enum value"),
        ({"ComparisonOperator": "Above"}, "enum value set"),
        ({"AlarmActions": ["topic"]}, "Invalid arn syntax"),
        ({"EvaluationPeriods": 2000}, "across more than a day"),
        ({"ExtendedStatistic": "p99"}, "Exactly one"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "anomaly detection"),
        ({"Metrics": [{"Id": "e1", "Expression": "1"}]}, "mutually exclusive"),
    ],
)  # fmt: skip
def test_what_put_metric_alarm_refuses(cloudwatch: Any, name: str, more: dict[str, Any], why: str) -> None:
    """ValidationError, and there is no alarm."""
    with pytest.raises(ClientError, match=why) as refused:
        alarm(cloudwatch, name, **more)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []


def test_alarms_are_filtered_and_paged(cloudwatch: Any, name: str) -> None:
    """By prefix, state, action and type; MaxRecords and NextToken; composite ones only when asked for."""
    topic = f"arn:aws:sns:us-east-1:123456789012:{name}"
    for number in range(5):
        alarm(cloudwatch, f"{name}-{number}", OKActions=[topic] if number == 3 else [])
    cloudwatch.put_composite_alarm(AlarmName=f"{name}-all", AlarmRule=f'ALARM("{name}-0")')
    cloudwatch.set_alarm_state(AlarmName=f"{name}-1", StateValue="OK", StateReason="a test")

    def names(**more: Any) -> list[str]:
        pages = cloudwatch.get_paginator("describe_alarms").paginate(
            PaginationConfig={"PageSize": 2}, **{"AlarmNamePrefix": name, **more}
        )
        return [
            a["AlarmName"][len(name) + 1 :] for p in pages for a in p["MetricAlarms"] + p["CompositeAlarms"]
        ]

    assert names() == ["0", "1", "2", "3", "4"]
    assert names(StateValue="OK") == ["1"] and names(ActionPrefix=topic) == ["3"]
    assert names(AlarmTypes=["CompositeAlarm"]) == ["all"]
    assert names(ChildrenOfAlarmName=f"{name}-all") == ["0"]
    assert names(ParentsOfAlarmName=f"{name}-0", AlarmTypes=["CompositeAlarm"]) == ["all"]
    found = cloudwatch.describe_alarms_for_metric(Namespace=f"{name}-2", MetricName="Errors")["MetricAlarms"]
    assert [a["AlarmName"] for a in found] == [f"{name}-2"]


def test_a_state_that_is_set_is_told_to_topic_bus_and_history(sandbox: RunningSandbox, name: str) -> None:
    """SetAlarmState acts like any change: SNS, an EventBridge event into SQS, and three kinds of history."""
    cloudwatch, sqs, sns, events = map(sandbox.client, ("cloudwatch", "sqs", "sns", "events"))
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [{"prefix": name}]}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    alarm(cloudwatch, name, AlarmActions=[topic], OKActions=[f"{topic}-gone"])
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    seen: list[dict[str, Any]] = []

    def told() -> list[dict[str, Any]]:
        seen.extend(json.loads(m["Body"]) for m in messages(sqs, queue))
        return seen

    eventually(told, lambda all: len(all) == 2)
    event = next(m for m in seen if "detail-type" in m)
    message = next(m for m in seen if "AlarmName" in m)
    assert message["NewStateValue"] == "ALARM" and message["Trigger"]["Period"] == 60
    assert set(event) == {
        "version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail",
    }  # fmt: skip
    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert event["detail"]["state"]["value"] == "ALARM" and event["detail"]["state"]["reason"] == "a test"
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="over")
    items = cloudwatch.describe_alarm_history(AlarmName=name)["AlarmHistoryItems"]
    assert [(i["HistoryItemType"], i["HistorySummary"]) for i in items] == [
        ("Action", f"Failed to execute action {topic}-gone"),
        ("StateUpdate", "Alarm updated from ALARM to OK"),
        ("Action", f"Successfully executed action {topic}"),
        ("StateUpdate", "Alarm updated from INSUFFICIENT_DATA to ALARM"),
        ("ConfigurationUpdate", f'Alarm "{name}" created'),
    ]
    data = json.loads(items[1]["HistoryData"])
    assert data["oldState"]["stateValue"] == "ALARM" and data["newState"]["stateReason"] == "over"


def test_the_history_is_filtered_and_paged(cloudwatch: Any, name: str) -> None:
    """By type and time; of an alarm that is gone too; oldest first on demand."""
    alarm(cloudwatch, name)
    for value in ("OK", "ALARM"):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=value, StateReason="a test")
    cloudwatch.disable_alarm_actions(AlarmNames=[name])
    cloudwatch.delete_alarms(AlarmNames=[name])

    def summaries(**more: Any) -> list[str]:
        pages = cloudwatch.get_paginator("describe_alarm_history").paginate(
            AlarmName=name, PaginationConfig={"PageSize": 2}, **more
        )
        return [i["HistorySummary"] for p in pages for i in p["AlarmHistoryItems"]]

    assert summaries(ScanBy="TimestampAscending") == [
        f'Alarm "{name}" created', "Alarm updated from INSUFFICIENT_DATA to OK",
        "Alarm updated from OK to ALARM", f'Alarm "{name}" updated', f'Alarm "{name}" deleted',
    ]  # fmt: skip
    assert len(summaries(HistoryItemType="StateUpdate")) == 2
    assert summaries(StartDate=datetime.now(UTC) + timedelta(minutes=1)) == []


def test_composite_alarms_follow_their_rule(cloudwatch: Any, name: str) -> None:
    """Evaluated when a part changes; its parts cannot be deleted under it, nor unknown ones named."""
    alarm(cloudwatch, f"{name}-a")
    cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule=f"ALARM({name}-a) AND NOT OK({name}-a)")
    eventually(lambda: state(cloudwatch, name)["StateValue"], lambda s: s == "OK")
    cloudwatch.set_alarm_state(AlarmName=f"{name}-a", StateValue="ALARM", StateReason="a test")
    eventually(lambda: state(cloudwatch, name)["StateValue"], lambda s: s == "ALARM")
    assert f"alarm:{name}-a transitioned to ALARM at" in state(cloudwatch, name)["StateReason"]
    with pytest.raises(ClientError, match="composite alarm"):
        cloudwatch.delete_alarms(AlarmNames=[f"{name}-a"])
    with pytest.raises(ClientError, match=r"alarms \[none\] in the alarm rule do not exist"):
        cloudwatch.put_composite_alarm(AlarmName=f"{name}-2", AlarmRule="ALARM(none)")
    with pytest.raises(ClientError, match="AlarmRule"):
        cloudwatch.put_composite_alarm(AlarmName=f"{name}-2", AlarmRule="ALARM(")
    cloudwatch.delete_alarms(AlarmNames=[name, f"{name}-a"])


def test_an_alarm_nobody_knows_is_a_resource_not_found(cloudwatch: Any, name: str) -> None:
    """DeleteAlarms, which deletes the others nevertheless, SetAlarmState, and its tags."""
    alarm(cloudwatch, name)
    arn = state(cloudwatch, name)["AlarmArn"]
    with pytest.raises(cloudwatch.exceptions.ResourceNotFound):
        cloudwatch.delete_alarms(AlarmNames=[name, f"{name}-none"])
    assert cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []
    with pytest.raises(cloudwatch.exceptions.ResourceNotFound):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        cloudwatch.list_tags_for_resource(ResourceARN=arn)


def test_tags_of_an_alarm(cloudwatch: Any, name: str) -> None:
    """Given when it is put, added and removed later."""
    alarm(cloudwatch, name, Tags=[{"Key": "team", "Value": "web"}])
    arn = state(cloudwatch, name)["AlarmArn"]
    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "cost", "Value": "1"}])
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "cost", "Value": "1"}]


def test_the_designs_triggers_fire_above_and_not_below(compressed: RunningSandbox) -> None:
    """On twenty times as fast a clock, with periods of AWS's minutes, to the last digit."""
    cloudwatch, name = compressed.client("cloudwatch"), f"t{uuid.uuid4().hex[:8]}"
    alarm(cloudwatch, f"{name}-clock")
    now: datetime = state(cloudwatch, f"{name}-clock")["AlarmConfigurationUpdatedTimestamp"]
    cases = {
        "slow": ("Average", 5, 5.0, "GreaterThanThreshold", [[4.0, 6.000001]] * 5, "ALARM"),
        "not-slow": ("Average", 5, 5.0, "GreaterThanThreshold", [[4.0, 6.0]] * 5, "OK"),
        "errors": ("Sum", 1, 10.0, "GreaterThanThreshold", [[1.0] * 11] * 5, "ALARM"),
        "no-errors": ("Sum", 1, 10.0, "GreaterThanThreshold", [[1.0] * 10] * 5, "OK"),
        "no-host": ("Minimum", 2, 1.0, "LessThanThreshold", [[1.0, 0.0]] * 5, "ALARM"),
        "hosts": ("Minimum", 2, 1.0, "LessThanThreshold", [[1.0, 1.0]] * 5, "OK"),
    }
    for case, (_, _, _, _, minutes, _) in cases.items():
        data = [
            {"MetricName": case, "Values": several, "Timestamp": now - timedelta(minutes=ago)}
            for ago, several in enumerate(minutes, 1)
        ]
        cloudwatch.put_metric_data(Namespace=name, MetricData=data)
    for case, (statistic, periods, threshold, comparison, _, _) in cases.items():
        alarm(cloudwatch, f"{name}-{case}", Namespace=name, MetricName=case, Statistic=statistic,
              EvaluationPeriods=periods, Threshold=threshold, ComparisonOperator=comparison)  # fmt: skip
    found = {}
    for case in cases:

        def judged(case: str = case) -> str:
            return str(state(cloudwatch, f"{name}-{case}")["StateValue"])

        found[case] = eventually(judged, lambda s: s != "INSUFFICIENT_DATA")
    assert found == {case: expected for case, (*_, expected) in cases.items()}
