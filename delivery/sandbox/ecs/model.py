"""What the runner knows of tasks and their containers. How the API shows them is in `shown`."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.ecs.definition import ContainerSpec, TaskSpec
from delivery.sandbox.ecs.health import UNKNOWN, task_health
from delivery.sandbox.ecs.order import Progress
from delivery.sandbox.ecs.plan import Stage

#: Stopped tasks stay visible this long (AWS seconds), as in ECS.
STOPPED_VISIBLE = 3600.0


def utcnow() -> datetime:
    """Now in AWS's time, timezone-aware."""
    return CLOCK.utcnow()


@dataclass
class Container:
    """One container of a task. `exit_code` is None while it runs or when none was ever started."""

    spec: ContainerSpec
    container_id: str = ""
    last_status: str = "PENDING"
    exit_code: int | None = None
    reason: str = ""
    image_digest: str = ""
    health: str = UNKNOWN
    ending: bool = False
    arn_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def running(self) -> bool:
        """Started, and not ended as far as anybody knows."""
        return bool(self.container_id) and self.last_status != "STOPPED"

    @property
    def progress(self) -> Progress:
        """How far it is, for those that depend on it."""
        exited = bool(self.container_id) and self.last_status == "STOPPED"
        return Progress(bool(self.container_id), exited, self.exit_code, self.health)


@dataclass
class Task:
    """One task. Its address is that of its network namespace, which its containers share."""

    cluster: str
    cluster_arn: str
    arn: str
    spec: TaskSpec
    service: str = ""
    deployment: str = ""
    started_by: str = ""
    group: str = ""
    subnet: str = ""
    zone: str = ""
    tags: list[dict[str, str]] = field(default_factory=list)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    execute_command: bool = False
    capacity_provider: str = ""
    platform_version: str = "1.4.0"
    container_id: str = ""
    address: str = ""
    stage: Stage = Stage.STARTING
    starting: bool = True
    finishing: bool = False
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    version: int = 1
    times: dict[str, datetime] = field(default_factory=lambda: {"createdAt": utcnow()})
    stop_code: str = ""
    stopped_reason: str = ""
    protected_until: datetime | None = None
    eni_id: str = field(default_factory=lambda: f"eni-{uuid.uuid4().hex[:17]}")
    attachment_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    containers: list[Container] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.containers = self.containers or [Container(spec) for spec in self.spec.containers]

    @property
    def task_id(self) -> str:
        """The last part of its ARN."""
        return self.arn.rsplit("/", 1)[-1]

    @property
    def revision_arn(self) -> str:
        """Its task definition."""
        return self.spec.arn

    @property
    def container(self) -> ContainerSpec:
        """Its first essential container."""
        return self.main.spec

    @property
    def main(self) -> Container:
        """Its first essential container, as it runs."""
        return next((c for c in self.containers if c.spec.essential), self.containers[0])

    @property
    def alive(self) -> bool:
        """Not stopped yet."""
        return self.last_status != "STOPPED"

    @property
    def pending(self) -> bool:
        """On its way to RUNNING."""
        return self.last_status in ("PROVISIONING", "PENDING", "ACTIVATING")

    @property
    def running(self) -> bool:
        """All its containers were started, and it is not being stopped."""
        return self.last_status == "RUNNING"

    @property
    def created_at(self) -> datetime:
        """When it was wanted."""
        return self.times["createdAt"]

    @property
    def started_at(self) -> datetime | None:
        """When it became RUNNING."""
        return self.times.get("startedAt")

    @property
    def stopped_at(self) -> datetime | None:
        """When it became STOPPED."""
        return self.times.get("stoppedAt")

    @property
    def exit_code(self) -> int | None:
        """The exit code that explains its end: a bad one of an essential container, else the first one's."""
        codes = [c.exit_code for c in self.containers if c.spec.essential and c.exit_code is not None]
        return next((code for code in codes if code), codes[0] if codes else None)

    @property
    def has_health_check(self) -> bool:
        """Whether an essential container says how it is asked."""
        return any(c.spec.essential and c.spec.health_check for c in self.containers)

    @property
    def health(self) -> str:
        """UNKNOWN, HEALTHY or UNHEALTHY."""
        return task_health((c.spec.essential, bool(c.spec.health_check), c.health) for c in self.containers)

    @property
    def protected(self) -> bool:
        """Whether scaling in and deployments must leave it alone (UpdateTaskProtection)."""
        return self.protected_until is not None and utcnow() < self.protected_until

    def named(self, names: Iterable[str]) -> list[Container]:
        """Its containers of these names."""
        wanted = set(names)
        return [c for c in self.containers if c.spec.name in wanted]

    def mark(self, name: str) -> None:
        """Note the time of something, unless it is known already."""
        self.times.setdefault(name, utcnow())

    def explain(self, code: str, reason: str) -> None:
        """Why it ends. The first reason stays: a task we stop and that then exits was stopped by us."""
        self.desired_status = "STOPPED"
        self.mark("stoppingAt")
        if not self.stop_code:
            self.stop_code, self.stopped_reason = code, reason
