"""What the runtime knows of tasks and deployments, and how the ECS API shows them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from delivery.sandbox.ecs.plan import Stage

#: Stopped tasks stay visible this long, as in ECS.
STOPPED_VISIBLE = 3600.0


def utcnow() -> datetime:
    """Now, timezone-aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """The one container of a task, read from its task definition (limits in bytes and cores)."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    user: str = ""
    port: int = 0
    memory: int = 0
    cores: float = 0.0
    read_only: bool = False
    stop_timeout: int = 30
    log_group: str = ""
    log_prefix: str = ""


@dataclass
class Task:
    """One task. `exit_code` is None while its container runs or when none was ever started."""

    cluster: str
    cluster_arn: str
    arn: str
    revision_arn: str
    container: ContainerSpec
    service: str = ""
    deployment: str = ""
    started_by: str = ""
    container_id: str = ""
    address: str = ""
    stage: Stage = Stage.STARTING
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    created_at: datetime = field(default_factory=utcnow)
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    stop_code: str = ""
    stopped_reason: str = ""
    exit_code: int | None = None
    container_reason: str = ""

    @property
    def task_id(self) -> str:
        """The last part of its ARN."""
        return self.arn.rsplit("/", 1)[-1]

    @property
    def alive(self) -> bool:
        """Not stopped yet."""
        return self.last_status != "STOPPED"

    def stopped(
        self, code: str, reason: str, exit_code: int | None = None, container_reason: str = ""
    ) -> None:
        """Note how it ended. The first reason stays: a task we stop and that then exits was stopped by us."""
        self.last_status, self.desired_status = "STOPPED", "STOPPED"
        self.stopped_at = self.stopped_at or utcnow()
        self.stop_code = self.stop_code or code
        self.stopped_reason = self.stopped_reason or reason
        self.exit_code = exit_code if self.exit_code is None else self.exit_code
        self.container_reason = self.container_reason or container_reason

    def describe(self) -> dict[str, Any]:
        """The task as DescribeTasks shows it."""
        container: dict[str, Any] = {
            "name": self.container.name,
            "image": self.container.image,
            "taskArn": self.arn,
            "lastStatus": self.last_status,
            "runtimeId": self.container_id[:32],
            "exitCode": self.exit_code,
            "reason": self.container_reason or None,
            "networkInterfaces": [{"privateIpv4Address": self.address}] if self.address else [],
        }
        shown = {
            "taskArn": self.arn,
            "clusterArn": self.cluster_arn,
            "taskDefinitionArn": self.revision_arn,
            "group": f"service:{self.service}" if self.service else "family:run-task",
            "startedBy": self.started_by or self.deployment,
            "lastStatus": self.last_status,
            "desiredStatus": self.desired_status,
            "launchType": "FARGATE",
            "createdAt": self.created_at,
            "startedAt": self.started_at,
            "stoppedAt": self.stopped_at,
            "stopCode": self.stop_code or None,
            "stoppedReason": self.stopped_reason or None,
            "containers": [{k: v for k, v in container.items() if v is not None}],
            "tags": [],
        }
        return {k: v for k, v in shown.items() if v is not None}


@dataclass
class Deployment:
    """One deployment of a service: a revision on its way, or arrived."""

    revision_arn: str
    state: str = "IN_PROGRESS"
    reason: str = ""
    failed_tasks: int = 0
    in_a_row: int = 0
    rolls_back: bool = False
    deployment_id: str = field(default_factory=lambda: f"ecs-svc/{uuid.uuid4().int % 10**19:019d}")
    created_at: datetime = field(default_factory=utcnow)
    updated_at: datetime = field(default_factory=utcnow)
    not_before: float = 0.0

    def move(self, state: str, reason: str) -> None:
        """Enter a rollout state."""
        self.state, self.reason, self.updated_at = state, reason, utcnow()

    def describe(self, status: str, desired: int, running: int, pending: int) -> dict[str, Any]:
        """The deployment as DescribeServices shows it."""
        return {
            "id": self.deployment_id,
            "status": status,
            "taskDefinition": self.revision_arn,
            "desiredCount": desired,
            "runningCount": running,
            "pendingCount": pending,
            "failedTasks": self.failed_tasks,
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
            "launchType": "FARGATE",
            "platformFamily": "Linux",
            "rolloutState": self.state,
            "rolloutStateReason": self.reason or f"ECS deployment {self.deployment_id} in progress.",
        }


def container_spec(definition: Any) -> ContainerSpec:
    """Read moto's task definition: its first essential container and the task's limits."""
    containers = definition.container_definitions
    chosen = next((c for c in containers if c.get("essential", True)), containers[0])
    options = (chosen.get("logConfiguration") or {}).get("options") or {}
    megabytes = int(chosen.get("memory") or definition.memory or 512)
    units = int(definition.cpu or chosen.get("cpu") or 256)
    ports = chosen.get("portMappings") or [{}]
    return ContainerSpec(
        name=chosen["name"],
        image=chosen["image"],
        command=tuple(chosen.get("command") or ()),
        entrypoint=tuple(chosen.get("entryPoint") or ()),
        environment=tuple((e["name"], e["value"]) for e in chosen.get("environment") or ()),
        user=str(chosen.get("user") or ""),
        port=int(ports[0].get("containerPort") or 0),
        memory=megabytes * 1024 * 1024,
        cores=units / 1024,
        read_only=bool(chosen.get("readonlyRootFilesystem")),
        stop_timeout=int(chosen.get("stopTimeout") or 30),
        log_group=options.get("awslogs-group", ""),
        log_prefix=options.get("awslogs-stream-prefix", ""),
    )
