"""Service deployments: what became of each change of a service, remembered for 90 days.

Sources: "View service history using Amazon ECS service deployments" in the ECS developer guide,
"ServiceDeployment" and "ServiceRevision" in the ECS API reference
(https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html).
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.ecs.deployments import Deployment, Revision, arn_of

_ALPHABET = string.ascii_letters + string.digits + "_-"
RUNNING = ("PENDING", "IN_PROGRESS", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "STOP_REQUESTED")
#: Tasks of a deployment: wanted, running, pending.
Counts = tuple[int, int, int]


def identifier() -> str:
    """The last part of a service deployment's ARN."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(21))


@dataclass
class ServiceDeployment:
    """One change of a service, from its beginning to its end, the way back included.

    threshold, trips   of the circuit breaker: None when it is off; whether it was what stopped this
    watched, alarmed   alarms that are looked at, and those that stopped this
    """

    arn: str
    service: Any
    target: Deployment
    sources: list[Deployment]
    configuration: Mapping[str, Any]
    threshold: int | None = None
    trips: bool = False
    watched: Sequence[str] = ()
    alarmed: Sequence[str] = ()
    status: str = "PENDING"
    reason: str = ""
    rollback: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, Counts] = field(default_factory=dict)
    times: dict[str, datetime] = field(default_factory=dict)

    @classmethod
    def begun(
        cls, service: Any, target: Deployment, sources: list[Deployment], **more: Any
    ) -> ServiceDeployment:
        """Written down when a change is asked for."""
        arn = arn_of(service, "service-deployment", identifier())
        now = CLOCK.utcnow()
        times = {"createdAt": now, "updatedAt": now}
        return cls(arn, service, target, sources, times=times, **more)

    @property
    def over(self) -> bool:
        """It has come to its end."""
        return self.status not in RUNNING

    def move(self, status: str, reason: str = "") -> None:
        """Enter a status; the times follow from it."""
        self.status, self.reason = status, reason or self.reason
        now = self.times["updatedAt"] = CLOCK.utcnow()
        self.times.setdefault("startedAt", now)
        if self.over:
            self.times["finishedAt"] = now
            if status not in ("SUCCESSFUL", "ROLLBACK_SUCCESSFUL"):
                self.times["stoppedAt"] = now

    def goes_back(self, reason: str, to: Deployment) -> None:
        """The circuit breaker, an alarm or somebody wants the earlier revision back."""
        self.rollback = {
            "reason": reason, "startedAt": CLOCK.utcnow(), "serviceRevisionArn": to.revision.arn,
        }  # fmt: skip
        self.move("ROLLBACK_IN_PROGRESS", reason)

    def brief(self) -> dict[str, Any]:
        """As ListServiceDeployments shows it."""
        shown = {
            "serviceDeploymentArn": self.arn,
            "serviceArn": self.service.arn,
            "clusterArn": self.service.cluster_arn,
            "targetServiceRevisionArn": self.target.revision.arn,
            "status": self.status,
            "statusReason": self.reason or None,
            **{k: v for k, v in self.times.items() if k in ("createdAt", "startedAt", "finishedAt")},
        }
        return {k: v for k, v in shown.items() if v is not None}

    def describe(self) -> dict[str, Any]:
        """As DescribeServiceDeployments shows it."""
        shown = {**self.brief(), **self.times}
        del shown["targetServiceRevisionArn"]
        shown["targetServiceRevision"] = self._summary(self.target)
        shown["sourceServiceRevisions"] = [self._summary(d) for d in self.sources]
        shown["deploymentConfiguration"] = dict(self.configuration)
        shown["deploymentCircuitBreaker"] = {
            "status": self._monitor(self.threshold is not None, self.trips),
            "failureCount": self.target.failed_tasks,
            "threshold": self.threshold or 0,
        }
        shown["alarms"] = {
            "status": self._monitor(bool(self.watched), bool(self.alarmed)),
            "alarmNames": list(self.watched),
            "triggeredAlarmNames": list(self.alarmed),
        }
        if self.rollback:
            shown["rollback"] = self.rollback
        return shown

    def _monitor(self, on: bool, triggered: bool) -> str:
        if not on:
            return "DISABLED"
        if triggered:
            return "TRIGGERED"
        return "MONITORING_COMPLETE" if self.over else "MONITORING"

    def counted(self, deployment: Deployment) -> dict[str, int]:
        """The tasks of one of its deployments, as they were last counted."""
        wanted, running, pending = self.counts.get(deployment.deployment_id, (0, 0, 0))
        return {"requestedTaskCount": wanted, "runningTaskCount": running, "pendingTaskCount": pending}

    def _summary(self, deployment: Deployment) -> dict[str, Any]:
        return {"arn": deployment.revision.arn, **self.counted(deployment)}


def revision_shown(revision: Revision, service: Any, images: Callable[[str], list[Any]]) -> dict[str, Any]:
    """As DescribeServiceRevisions shows it; `images` gives a task definition's container definitions."""
    settings = {k: v for k, v in revision.settings.items() if v}
    containers = [_image(c) for c in images(revision.task_definition)]
    return {
        "serviceRevisionArn": revision.arn,
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        **settings,
        "platformFamily": "Linux",
        "containerImages": containers,
        "createdAt": revision.created_at,
    }


def _image(container: Mapping[str, Any]) -> dict[str, str]:
    """Name, image, and the digest where the task definition pins one."""
    _, _, digest = str(container["image"]).partition("@")
    shown = {"containerName": container["name"], "image": container["image"], "imageDigest": digest}
    return {k: v for k, v in shown.items() if v}
