"""A service's revisions and deployments: what DescribeServices shows in `deployments`.

Sources: "Amazon ECS service revisions" in the ECS developer guide, "Deployment" in the ECS API reference
(https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html).
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from delivery.sandbox.clock import CLOCK

#: What a service revision is made of: parameters of UpdateService that begin a new deployment when they
#: change, by the attribute of moto's service that holds them.
REVISION = {
    "taskDefinition": "task_definition",
    "launchType": "launch_type",
    "platformVersion": "platform_version",
    "networkConfiguration": "network_configuration",
    "loadBalancers": "load_balancers",
    "serviceRegistries": "service_registries",
    "capacityProviderStrategy": "capacity_provider_strategy",
}


def digits() -> str:
    """Nineteen of them, as in the ids of deployments and service revisions."""
    return f"{uuid.uuid4().int % 10**19:019d}"


def arn_of(service: Any, kind: str, name: str) -> str:
    """The ARN of one of a service's parts: `service-deployment` or `service-revision`."""
    start = str(service.cluster_arn).replace(":cluster/", f":{kind}/")
    return f"{start}/{service.name}/{name}"


@dataclass(frozen=True, slots=True)
class Revision:
    """A service revision: what tasks of it are made of. It never changes."""

    arn: str
    settings: Mapping[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, service: Any) -> Revision:
        """The revision that moto's service asks for at this moment."""
        settings = copy.deepcopy(settings_of(service))
        return cls(arn_of(service, "service-revision", digits()), settings, CLOCK.utcnow())

    @property
    def task_definition(self) -> str:
        """The ARN of its task definition."""
        return str(self.settings["taskDefinition"])

    @property
    def load_balancers(self) -> list[dict[str, Any]]:
        """What its tasks are registered with."""
        return list(self.settings["loadBalancers"] or ())

    @property
    def target_groups(self) -> list[str]:
        """The ARNs of its target groups, each once."""
        arns = [b["targetGroupArn"] for b in self.load_balancers if b.get("targetGroupArn")]
        return list(dict.fromkeys(arns))

    def restore(self, service: Any) -> None:
        """Make moto's service ask for this revision again."""
        for parameter, attribute in REVISION.items():
            setattr(service, attribute, self.settings[parameter])


def settings_of(service: Any) -> dict[str, Any]:
    """What a revision is made of, as moto's service has it now."""
    return {parameter: getattr(service, attribute, None) for parameter, attribute in REVISION.items()}


@dataclass
class Deployment:
    """One deployment of a service: a revision on its way, or arrived.

    failed_tasks   failures that count for the circuit breaker; a task that becomes healthy sets it to 0
    in_a_row       failures since a task was last healthy, for the throttle logic
    not_before     CLOCK.monotonic() before which the throttle logic starts nothing
    healthy_since  CLOCK.monotonic() since when all its tasks serve; None while they do not
    """

    revision: Revision
    state: str = "IN_PROGRESS"
    reason: str = ""
    failed_tasks: int = 0
    in_a_row: int = 0
    rolls_back: bool = False
    watches_alarms: bool = False
    not_before: float = 0.0
    healthy_since: float | None = None
    deployment_id: str = field(default_factory=lambda: f"ecs-svc/{digits()}")
    created_at: datetime = field(default_factory=CLOCK.utcnow)
    updated_at: datetime = field(default_factory=CLOCK.utcnow)

    def __post_init__(self) -> None:
        self.reason = self.reason or f"ECS deployment {self.deployment_id} in progress."

    def move(self, state: str, reason: str) -> None:
        """Enter a rollout state."""
        self.state, self.reason, self.updated_at = state, reason, CLOCK.utcnow()

    def describe(self, status: str, desired: int, running: int, pending: int) -> dict[str, Any]:
        """The deployment as DescribeServices shows it."""
        settings = self.revision.settings
        shown = {
            "id": self.deployment_id,
            "status": status,
            "taskDefinition": settings["taskDefinition"],
            "desiredCount": desired,
            "runningCount": running,
            "pendingCount": pending,
            "failedTasks": self.failed_tasks,
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
            "launchType": settings["launchType"],
            "capacityProviderStrategy": settings["capacityProviderStrategy"],
            "platformVersion": settings["platformVersion"],
            "platformFamily": "Linux",
            "networkConfiguration": settings["networkConfiguration"] or None,
            "rolloutState": self.state,
            "rolloutStateReason": self.reason,
        }
        return {k: v for k, v in shown.items() if v is not None}
