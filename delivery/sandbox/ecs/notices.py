"""What ECS says of a service: lines in its `events`, and events on EventBridge.

Sources, all in the ECS developer guide: "Amazon ECS service event messages", "Amazon ECS service action
events", "Amazon ECS service deployment state change events". The sentences are ECS's own.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from delivery.sandbox.clock import CLOCK

#: Lines a service keeps.
KEPT = 100
#: AWS seconds until the same message is repeated while its cause lasts.
REPEATED_AFTER = 6 * 3600.0

STUCK = (
    "was unable to stop or start tasks during a deployment because of the service deployment configuration. "
    "Update the minimumHealthyPercent or maximumPercent value and try again."
)
IMPAIRED = (
    "is unable to consistently start tasks successfully. For more information, see the Troubleshooting "
    "section of the Amazon ECS Developer Guide."
)
_LEVEL = {"SERVICE_DEPLOYMENT_FAILED": "ERROR", "SERVICE_TASK_START_IMPAIRED": "WARN"}


class Bus(Protocol):
    """EventBridge's default bus."""

    def put(self, source: str, detail_type: str, resources: list[str], detail: Mapping[str, Any]) -> None:
        """Deliver one event to every rule that matches."""


class Notices:
    """The voice of one service. Every method is called with moto's lock held."""

    def __init__(self, service: Any, bus: Bus) -> None:
        self._service, self._bus = service, bus
        self._told: dict[str, float] = {}
        service.events = []

    def say(self, message: str) -> None:
        """Add a line to the service's events, newest first."""
        line = f"(service {self._service.name}) {message}"
        entry = {"id": str(uuid.uuid4()), "createdAt": CLOCK.utcnow(), "message": line}
        self._service.events = [entry, *self._service.events][:KEPT]

    def repeat(self, message: str, action: str = "") -> None:
        """Say it unless it was said already and its cause lasts; `action` is EventBridge's name for it."""
        now = CLOCK.monotonic()
        if now - self._told.get(message, -REPEATED_AFTER) < REPEATED_AFTER:
            return
        self._told[message] = now
        self.say(message)
        if action:
            self._put("ECS Service Action", action, {"clusterArn": self._service.cluster_arn}, "createdAt")

    def over(self, *messages: str) -> None:
        """Their causes are gone: they may be said again."""
        for message in messages:
            self._told.pop(message, None)

    def tasks(self, verb: str, ids: Sequence[str]) -> None:
        """`has started 2 tasks: (task a) (task b).` and the like; nothing when there are none."""
        if ids:
            noun = "running tasks" if "stopped" in verb else "tasks"
            self.say(f"{verb} {len(ids)} {noun}: {' '.join(f'(task {i})' for i in ids)}.")

    def targets(self, verb: str, group: str, count: int) -> None:
        """`registered 1 targets in (target-group arn)`."""
        self.say(f"{verb} {count} targets in (target-group {group})")

    def deployment(self, name: str, deployment_id: str, reason: str) -> None:
        """A deployment began, completed or failed: for EventBridge."""
        more = {"deploymentId": deployment_id, "reason": reason}
        self._put("ECS Deployment State Change", f"SERVICE_DEPLOYMENT_{name}", more, "updatedAt")

    def _put(self, kind: str, name: str, more: Mapping[str, Any], time_field: str) -> None:
        level = {"eventType": _LEVEL.get(name, "INFO"), "eventName": name}
        detail = {**level, **more, time_field: _stamp(CLOCK.utcnow())}
        self._bus.put("aws.ecs", kind, [self._service.arn], detail)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
