"""The port `Notifier`: SNS topics by boto3, everything else by Apprise's URLs."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence

import apprise

from delivery.adapters.aws.errors import translated
from delivery.adapters.aws.session import Aws
from delivery.errors import ConfigurationError, DeliveryError, ProviderError
from delivery.ports import Notice

#: A route may be named instead of written, so that a token stands in no file and in no definition.
_REFERENCE = re.compile(r"\{\{\s*env\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_TOPIC = re.compile(r"sns://(arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+)/?")
#: Notices that are bad news, and those that are good; what is in neither is information.
_BAD, _GOOD = {"incident", "rolled_back", "rollback_started", "gate", "drift", "alarm"}, {"live", "restored"}
#: SNS's limits: a subject has 100 printable ASCII characters. Source: SNS API reference, Publish.
_SUBJECT, _MESSAGE = 100, 200_000


class Notifications:
    """Sends to `sns://arn:aws:sns:…` and to every URL Apprise knows (slack, teams, mailto, json …).

    A route `{{ env.NAME }}` is looked up in `environment` when something is sent, and not before.
    """

    def __init__(self, aws: Aws, environment: Mapping[str, str] | None = None) -> None:
        self._aws, self._environment = aws, environment or {}
        # Apprise logs URLs and answers, which a run's log would keep; our problems say what matters.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)

    def send(self, routes: Sequence[str], notice: Notice) -> tuple[str, ...]:
        """Send to every route; the problems that occurred. Never raises: no deploy fails of a message."""
        problems = []
        for route in routes:
            try:
                self._send(self._resolved(route), notice)
            except DeliveryError as error:
                problems.append(f"{masked(route)}: {error.why}")
            except Exception as error:  # a plug-in of a stranger's; its words may repeat the URL
                problems.append(f"{masked(route)}: {type(error).__name__}")
        return tuple(problems)

    def _resolved(self, route: str) -> str:
        named = _REFERENCE.fullmatch(route)
        if named is None:
            return route
        value = self._environment.get(named[1], "")
        if not value:
            why = f"the environment variable {named[1]} is not set"
            raise ConfigurationError("Nobody was told", why, "Set it where Dagster runs.")
        return value

    def _send(self, route: str, notice: Notice) -> None:
        topic = _TOPIC.fullmatch(route)
        if topic:
            self._publish(topic.group(1), notice)
            return
        service = apprise.Apprise.instantiate(route)
        if service is None:
            hint = "See Apprise's list of URLs: appriseit.com/services."
            raise ConfigurationError("Nobody was told", "this is no URL of a notification service", hint)
        sender = apprise.Apprise()
        sender.add(service)
        if not sender.notify(title=_title(notice), body=_body(notice), notify_type=_type(notice)):
            why = "the service did not take the message"
            raise ProviderError("Nobody was told", why, "Check the URL in `notify`.")

    def _publish(self, topic: str, notice: Notice) -> None:
        told = {"kind": notice.kind, "service": notice.service, "environment": notice.environment}
        attributes = {
            name: {"DataType": "String", "StringValue": value} for name, value in told.items() if value
        }
        subject = re.sub(r"[^\x20-\x7e]", " ", _title(notice)).strip()[:_SUBJECT]
        with translated(f"The topic {topic} was not told"):
            self._aws.client("sns").publish(
                TopicArn=topic, Subject=subject or notice.kind, Message=_body(notice)[:_MESSAGE],
                MessageAttributes=attributes,
            )  # fmt: skip


def masked(route: str) -> str:
    """The route without what opens it: scheme, and host where that is no secret."""
    if _TOPIC.fullmatch(route) or _REFERENCE.fullmatch(route):
        return route
    scheme = re.match(r"[A-Za-z0-9+.-]{1,20}(?=://)", route)
    return f"{scheme.group(0) if scheme else 'route'}://***"


def _title(notice: Notice) -> str:
    where = "/".join(part for part in (notice.service, notice.environment) if part)
    return f"[{where}] {notice.title}" if where else notice.title


def _body(notice: Notice) -> str:
    return "\n\n".join(part for part in (notice.body, notice.url) if part) or notice.title


def _type(notice: Notice) -> apprise.NotifyType:
    if notice.kind in _BAD:
        return apprise.NotifyType.FAILURE
    return apprise.NotifyType.SUCCESS if notice.kind in _GOOD else apprise.NotifyType.INFO
