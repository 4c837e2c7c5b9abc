"""EventBridge: the services' own events on the default bus, delivered to what its rules name.

Source: "Events", "Event patterns" and "Input transformation" in the Amazon EventBridge user guide.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.backends import get_backend
from moto.core.exceptions import ServiceException
from moto.events.models import Rule
from moto.events.utils import EventTemplateParser
from werkzeug.exceptions import HTTPException

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.server import STATE

log = logging.getLogger(__name__)

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class EventBus:
    """Where ECS and CloudWatch put their events. `backend` gives moto's EventBridge of this region."""

    backend: Callable[[], Any]
    account: str
    region: str

    def put(self, source: str, detail_type: str, resources: list[str], detail: Mapping[str, Any]) -> None:
        """Deliver one event of an AWS service to the targets of every rule of the default bus that matches.

        `source` is such as `aws.ecs`, `detail_type` such as `ECS Task State Change`, `resources` are ARNs.
        """
        event = self.envelope(source, detail_type, resources, detail)
        with STATE:
            for rule in list(self.backend().event_buses["default"].rules.values()):
                rule.send_to_targets(event)

    def envelope(
        self, source: str, detail_type: str, resources: list[str], detail: Mapping[str, Any]
    ) -> Event:
        """The event as its targets get it: the documented fields, in the documented order."""
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": self.account,
            "time": CLOCK.now(),
            "region": self.region,
            "resources": list(resources),
            "detail": dict(detail),
        }


def documented_delivery() -> None:
    """moto delivers for disabled rules too, leaves `account` out of the event, does not know a target's
    Input and InputPath, and answers 500 when a target is an SNS topic."""

    def send_to_targets(self: Rule, original_event: Event, transform_input: bool = True) -> None:
        if self.state == "DISABLED" or self.scheduled_expression:
            return
        event = {k: v for k, v in original_event.items() if k != "ingestion-time"}
        moment = event["time"]
        if not isinstance(moment, str):
            event["time"] = datetime.fromtimestamp(float(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if self.event_pattern.matches_event(event):  # type: ignore[arg-type]
            for target in list(self.targets):
                _deliver(target, _input(target, event))

    Rule.send_to_targets = send_to_targets  # type: ignore[method-assign,assignment]


def _input(target: Mapping[str, Any], event: Event) -> str:
    """What one target is sent: the event, a constant, a part of it, or the text its template makes of it."""
    if target.get("Input"):
        return str(target["Input"])
    if target.get("InputPath"):
        part: Any = event
        for name in str(target["InputPath"]).removeprefix("$").split("."):
            part = part[name] if name else part
        return json.dumps(part)
    transformer = target.get("InputTransformer")
    if transformer:
        known = {**event, "ingestion-time": event["time"]}
        made = EventTemplateParser.parse(
            transformer["InputTemplate"], transformer.get("InputPathsMap", {}), known  # type: ignore[arg-type]
        )  # fmt: skip
        return json.dumps(made)
    return json.dumps(event)


def _deliver(target: Mapping[str, Any], text: str) -> None:
    """Hand it to SQS, SNS, CloudWatch Logs or another bus. A target that is gone loses it, as on AWS."""
    arn = str(target["Arn"])
    _, _, service, region, account, resource = arn.split(":", 5)
    backend: Any = None
    if service in ("sqs", "sns", "logs"):
        backend = get_backend(service)[account][region]  # type: ignore[call-overload]
    try:
        match service:
            case "sqs":
                group = target.get("SqsParameters", {}).get("MessageGroupId")
                backend.send_message(queue_name=resource, message_body=text, group_id=group)
            case "sns":
                backend.topics[arn].publish(text)
            case "logs":
                _log(backend, resource.removeprefix("log-group:").removesuffix(":*"), text)
            case _:
                log.warning("EventBridge in the sandbox does not deliver to %s", arn)
    except (ServiceException, HTTPException, LookupError) as error:
        log.warning("EventBridge could not deliver to %s: %s", arn, error)


def _log(logs: Any, group: str, text: str) -> None:
    stream = str(uuid.uuid4())
    logs.create_log_stream(group, stream)
    logs.put_log_events(group, stream, [{"timestamp": int(CLOCK.now() * 1000), "message": text}])
