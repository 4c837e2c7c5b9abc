"""Amazon SNS and SQS: from a topic to a queue, and what a queue does with messages.

SNS developer guide: "Fanout to Amazon SQS queues", "Amazon SNS raw message delivery", "Amazon SNS
subscription filter policies". SQS developer guide: "Amazon SQS short and long polling", "Amazon SQS
visibility timeout", "Using dead-letter queues in Amazon SQS", "Exactly-once processing in Amazon SQS".
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.stack import eventually

pytestmark = pytest.mark.sandbox


class Post:
    """A topic, and queues that listen to it."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.sandbox, self.name = sandbox, f"t{uuid.uuid4().hex[:8]}"
        self.sns, self.sqs = sandbox.client("sns"), sandbox.client("sqs")
        self.topic = self.sns.create_topic(Name=self.name)["TopicArn"]

    def queue(self, name: str = "", **attributes: str) -> str:
        """A queue; its URL."""
        made = self.sqs.create_queue(QueueName=f"{self.name}{name}", Attributes=attributes)
        return str(made["QueueUrl"])

    def arn(self, url: str) -> str:
        """A queue's ARN."""
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(found["Attributes"]["QueueArn"])

    def subscribe(self, url: str, **attributes: str) -> None:
        """Let a queue listen to the topic."""
        self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=self.arn(url), Attributes=attributes)

    def receive(self, url: str, **more: Any) -> list[Any]:
        """Messages that lie in a queue."""
        asked = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"], **more}
        return list(self.sqs.receive_message(QueueUrl=url, **asked).get("Messages", []))


@pytest.fixture
def post(sandbox: RunningSandbox) -> Post:
    """A topic of its own."""
    return Post(sandbox)


def test_a_notification_arrives_in_its_envelope(post: Post) -> None:
    """The body is a JSON document with topic, subject, message and attributes."""
    url = post.queue()
    post.subscribe(url)
    kind = {"DataType": "String", "StringValue": "hold"}
    post.sns.publish(TopicArn=post.topic, Message="m", Subject="s", MessageAttributes={"kind": kind})
    (message,) = post.receive(url)
    body = json.loads(message["Body"])
    assert (body["Type"], body["TopicArn"], body["Subject"], body["Message"]) == (
        "Notification", post.topic, "s", "m",
    )  # fmt: skip
    assert body["MessageAttributes"] == {"kind": {"Type": "String", "Value": "hold"}}


def test_raw_delivery_is_the_message_alone(post: Post) -> None:
    """Its attributes become the queue message's."""
    url = post.queue()
    post.subscribe(url, RawMessageDelivery="true")
    kind = {"DataType": "String", "StringValue": "hold"}
    post.sns.publish(TopicArn=post.topic, Message="m", MessageAttributes={"kind": kind})
    (message,) = post.receive(url)
    assert message["Body"] == "m" and message["MessageAttributes"]["kind"]["StringValue"] == "hold"


def test_a_filter_policy_lets_through(post: Post) -> None:
    """Only messages whose attributes match it arrive; PublishBatch tells of each entry."""
    url = post.queue()
    post.subscribe(
        url, FilterPolicy=json.dumps({"kind": ["hold", {"prefix": "fail"}]}), RawMessageDelivery="true"
    )
    entries = [
        {"Id": k, "Message": k, "MessageAttributes": {"kind": {"DataType": "String", "StringValue": k}}}
        for k in ("hold", "failed", "done")
    ]
    sent = post.sns.publish_batch(TopicArn=post.topic, PublishBatchRequestEntries=entries)
    assert [s["Id"] for s in sent["Successful"]] == ["hold", "failed", "done"] and not sent["Failed"]
    assert sorted(m["Body"] for m in post.receive(url)) == ["failed", "hold"]


def test_unknown_names_are_refused(post: Post) -> None:
    """NotFound of SNS, AWS.SimpleQueueService.NonExistentQueue of SQS."""
    with pytest.raises(post.sns.exceptions.NotFoundException):
        post.sns.publish(TopicArn=f"{post.topic}x", Message="m")
    with pytest.raises(post.sqs.exceptions.QueueDoesNotExist):
        post.sqs.get_queue_url(QueueName=f"{post.name}none")
    with pytest.raises(ClientError, match="NonExistentQueue"):
        post.sqs.receive_message(QueueUrl=f"{post.queue()}x")


def test_long_polling_waits_and_keeps_nobody_waiting(post: Post) -> None:
    """A poll of 20 s returns as soon as a message arrives; meanwhile other calls are answered."""
    url = post.queue()
    with ThreadPoolExecutor(1) as pool:
        begun = time.monotonic()
        poll = pool.submit(post.receive, url, WaitTimeSeconds=20)
        answered = 0
        while answered < 20:  # each would take the whole 20 s behind the poll
            post.sqs.list_queues(QueueNamePrefix=post.name)
            answered += 1
        assert not poll.done()
        post.sqs.send_message(QueueUrl=url, MessageBody="m")
        assert [m["Body"] for m in poll.result(timeout=20)] == ["m"]
        assert time.monotonic() - begun < 20


def test_a_poll_for_nothing_ends(compressed: RunningSandbox) -> None:
    """After WaitTimeSeconds without a message it returns empty."""
    post = Post(compressed)
    assert post.receive(post.queue(), WaitTimeSeconds=10) == []


def test_a_message_is_hidden_and_comes_back(compressed: RunningSandbox) -> None:
    """For the visibility timeout nobody else gets it; not deleted, it comes again, counted."""
    post = Post(compressed)
    url = post.queue(VisibilityTimeout="30")
    post.sqs.send_message(QueueUrl=url, MessageBody="m")
    counted = {"MessageSystemAttributeNames": ["ApproximateReceiveCount"]}
    (first,) = post.receive(url, **counted)
    assert post.receive(url) == []
    (again,) = eventually(lambda: post.receive(url, **counted))
    assert [m["Attributes"]["ApproximateReceiveCount"] for m in (first, again)] == ["1", "2"]
    post.sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    assert post.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])[
        "Attributes"
    ] == {"ApproximateNumberOfMessages": "0"}


def test_what_nobody_can_work_on_goes_to_the_dead_letter_queue(post: Post) -> None:
    """After maxReceiveCount receives it is moved."""
    dead = post.queue("-dead")
    redrive = {"deadLetterTargetArn": post.arn(dead), "maxReceiveCount": "2"}
    url = post.queue(VisibilityTimeout="0", RedrivePolicy=json.dumps(redrive))
    post.sqs.send_message(QueueUrl=url, MessageBody="m")
    taken = [post.receive(url) for _ in range(3)]
    assert [len(t) for t in taken] == [1, 1, 0]
    assert [m["Body"] for m in post.receive(dead)] == ["m"]


def test_a_fifo_queue_takes_a_message_once(post: Post) -> None:
    """A deduplication id that came in the last five minutes is accepted and dropped; order is kept."""
    url = post.queue(".fifo", FifoQueue="true")
    send: Callable[..., Any] = post.sqs.send_message
    for body, once in (("1", "a"), ("1", "a"), ("2", "b")):
        send(QueueUrl=url, MessageBody=body, MessageGroupId="g", MessageDeduplicationId=once)
    assert [m["Body"] for m in post.receive(url)] == ["1", "2"]
