"""Telling people, in memory and by SNS and Apprise."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from delivery.adapters.notify import Notifications
from delivery.ports import Notice, Notifier
from delivery_tests.conftest import RunningSandbox, free_ports
from delivery_tests.contract.cloud import aws_of, aws_that_does_not_answer
from delivery_tests.contract.http import serving
from delivery_tests.fakes import FakeNotifier, Wire

NOTICE = Notice(
    "incident",
    "web",
    "production",
    "rolled back: 5xx ↑",
    "12 answers of 500\nin 10 s",
    "http://127.0.0.1:3000/r",
)


class Inbox(BaseHTTPRequestHandler):
    """Takes messages as a chat service does; `refuse` lets it answer 500."""

    messages: list[dict[str, Any]] = []
    refuse = False

    def do_POST(self) -> None:
        """Keep one."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.refuse:
            self.messages.append(json.loads(body))
        self.send_response(500 if self.refuse else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quietly."""


@dataclass
class Scene:
    """The port, a route that works, what arrived there, and how the provider begins to fail."""

    notifier: Notifier
    route: str
    arrived: Callable[[], int]
    break_down: Callable[[], None]


@pytest.fixture(params=["fake", "adapter"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """Nobody was told anything yet."""
    if request.param == "fake":
        fake = FakeNotifier(Wire())

        def break_fake() -> None:
            fake.problems = ("json://***: the service did not take the message",)

        yield Scene(fake, "json://127.0.0.1/x", lambda: len(fake.sent), break_fake)
        return
    inbox = type("OwnInbox", (Inbox,), {"messages": []})
    with serving(inbox) as host:
        yield Scene(
            Notifications(aws_that_does_not_answer()), f"json://user:hunter2@{host}/hook",
            lambda: len(inbox.messages), lambda: setattr(inbox, "refuse", True),
        )  # fmt: skip


def test_a_notice_arrives(scene: Scene) -> None:
    """One notice, one message, no problem."""
    assert scene.notifier.send((scene.route,), NOTICE) == ()
    assert scene.arrived() == 1


def test_nobody_to_tell_is_no_problem(scene: Scene) -> None:
    """Without routes nothing happens."""
    assert scene.notifier.send((), NOTICE) == ()


def test_a_failing_service_is_a_problem_and_no_error(scene: Scene) -> None:
    """A deploy does not fail of it, and the problem tells no password."""
    scene.break_down()
    problems = scene.notifier.send((scene.route,), NOTICE)
    assert len(problems) == 1 and "json://***" in problems[0] and "hunter2" not in problems[0]


def test_one_bad_route_does_not_keep_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """Every route is tried; every problem is told once, masked, and nothing secret is logged."""
    caplog.set_level("DEBUG")
    inbox = type("OwnInbox", (Inbox,), {"messages": []})
    dead = f"127.0.0.1:{free_ports(1)[0]}"
    with serving(inbox) as host:
        routes = (
            f"json://user:hunter2@{dead}/hunter2",
            "slack://hunter2",
            "nosuch://hunter2@x",
            "hunter2",
            "sns://arn:aws:sns:us-east-1:123456789012:nobody",
            f"json://{host}/hook",
        )
        problems = Notifications(aws_that_does_not_answer()).send(routes, NOTICE)
    assert len(inbox.messages) == 1
    assert len(problems) == 5 and "hunter2" not in "".join(problems)
    told = [r.getMessage() for r in caplog.records if not r.name.startswith("urllib3")]
    assert "hunter2" not in "".join(told)


def test_a_message_says_where_what_and_how_it_stands() -> None:
    """Service, environment, title, body, link; bad news is marked as such."""
    inbox = type("OwnInbox", (Inbox,), {"messages": []})
    with serving(inbox) as host:
        Notifications(aws_that_does_not_answer()).send((f"json://{host}/",), NOTICE)
    message = inbox.messages[0]
    assert message["title"] == "[web/production] rolled back: 5xx ↑" and message["type"] == "failure"
    assert NOTICE.body in message["message"] and NOTICE.url in message["message"]


@pytest.mark.sandbox
def test_a_topic_is_told(sandbox: RunningSandbox) -> None:
    """An SNS topic gets the notice with a subject it accepts and attributes to filter by."""
    name = f"contract-{uuid.uuid4().hex[:8]}"
    topic = sandbox.client("sns").create_topic(Name=name)["TopicArn"]
    sqs = sandbox.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sandbox.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    assert Notifications(aws_of(sandbox)).send((f"sns://{topic}",), NOTICE) == ()
    body = json.loads(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"][0]["Body"])
    assert body["Subject"] == "[web/production] rolled back: 5xx" and NOTICE.url in body["Message"]
    assert body["MessageAttributes"]["environment"]["Value"] == "production"


@pytest.mark.sandbox
def test_a_topic_that_does_not_exist_is_a_problem(sandbox: RunningSandbox) -> None:
    """It is told with the topic's name, which is no secret."""
    route = "sns://arn:aws:sns:us-east-1:123456789012:no-such-topic"
    problems = Notifications(aws_of(sandbox)).send((route,), NOTICE)
    assert len(problems) == 1 and "no-such-topic" in problems[0]
