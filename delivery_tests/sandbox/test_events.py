"""EventBridge delivers what its rules match.

Amazon EventBridge user guide: "Events", "Event patterns", "Input transformation", "Targets".
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

import pytest

from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.stack import eventually, messages

pytestmark = pytest.mark.sandbox


@dataclass
class Bus:
    """The default bus, and a queue that a rule sends to."""

    sandbox: RunningSandbox
    name: str

    def __post_init__(self) -> None:
        self.events, self.sqs = self.sandbox.client("events"), self.sandbox.client("sqs")
        self.queue = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])
        self.arn = attributes["Attributes"]["QueueArn"]

    def rule(self, suffix: str = "", state: str = "ENABLED", **target: Any) -> None:
        """A rule for this bus's own source and orders of more than ten."""
        pattern = {"source": [self.name], "detail": {"count": [{"numeric": [">", 10]}]}}
        self.events.put_rule(Name=self.name + suffix, EventPattern=json.dumps(pattern), State=state)
        self.events.put_targets(Rule=self.name + suffix, Targets=[{"Id": "queue", "Arn": self.arn, **target}])

    def put(self, count: int) -> None:
        """An order of so many."""
        detail = json.dumps({"count": count})
        answer = self.events.put_events(
            Entries=[{"Source": self.name, "DetailType": "Order", "Detail": detail, "Resources": ["arn:x"]}]
        )
        assert answer["FailedEntryCount"] == 0

    def received(self) -> list[Any]:
        """What lies in the queue."""
        return [json.loads(m["Body"]) for m in messages(self.sqs, self.queue)]


@pytest.fixture
def bus(sandbox: RunningSandbox) -> Bus:
    """No rule yet."""
    return Bus(sandbox, f"t{uuid.uuid4().hex[:8]}")


def test_an_event_that_matches_is_delivered_as_documented(bus: Bus) -> None:
    """version, id, detail-type, source, account, time, region, resources, detail; the others are not sent."""
    bus.rule()
    for count in (10, 11):
        bus.put(count)
    (event,) = eventually(bus.received)
    assert (event["version"], event["source"], event["detail-type"]) == ("0", bus.name, "Order")
    assert (event["account"], event["region"]) == ("123456789012", "us-east-1")
    assert (
        event["time"].endswith("Z") and event["resources"] == ["arn:x"] and event["detail"] == {"count": 11}
    )


def test_a_target_may_ask_for_a_part_or_a_constant(bus: Bus) -> None:
    """InputPath, Input and InputTransformer replace the event."""
    bus.rule("-path", InputPath="$.detail.count")
    bus.rule("-constant", Input='{"hello": "world"}')
    template = {"InputPathsMap": {"n": "$.detail.count"}, "InputTemplate": '{"ordered": <n>}'}
    bus.rule("-template", InputTransformer=template)
    bus.put(11)
    seen: list[Any] = []

    def received() -> list[Any]:
        seen.extend(bus.received())
        return seen

    eventually(received, lambda all: len(all) == 3)
    assert 11 in seen and {"hello": "world"} in seen and {"ordered": 11} in seen


def test_a_disabled_rule_delivers_nothing(bus: Bus) -> None:
    """Its target hears nothing while another rule's does."""
    bus.rule("-off", state="DISABLED", Input='"off"')
    bus.rule("-on", Input='"on"')
    bus.put(11)
    assert eventually(bus.received) == ["on"]


def test_events_reach_topics_and_log_groups(bus: Bus) -> None:
    """SNS publishes the event as its message; CloudWatch Logs keeps it in a stream of its own."""
    sns, logs = bus.sandbox.client("sns"), bus.sandbox.client("logs")
    topic = sns.create_topic(Name=bus.name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=bus.arn, Attributes={"RawMessageDelivery": "true"})
    logs.create_log_group(logGroupName=f"/aws/events/{bus.name}")
    group = logs.describe_log_groups(logGroupNamePrefix=f"/aws/events/{bus.name}")["logGroups"][0]["arn"]
    bus.rule("-topic", Arn=topic)
    bus.rule("-logs", Arn=group.removesuffix(":*"))
    bus.put(11)
    (event,) = eventually(bus.received)
    assert event["detail"] == {"count": 11}
    kept = logs.filter_log_events(logGroupName=f"/aws/events/{bus.name}")["events"]
    assert [json.loads(e["message"])["detail"] for e in kept] == [{"count": 11}]
