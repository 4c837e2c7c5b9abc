"""What a task is made of, read from moto's task definition and RunTask's overrides.

Source: "Task definition parameters for Fargate" in the ECS developer guide
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from delivery.sandbox.ecs.validation import units_of

MEBIBYTE = 1024 * 1024
#: Seconds from SIGTERM to SIGKILL on Fargate, unless `stopTimeout` says otherwise.
STOP_TIMEOUT = 30
#: Seconds a container waits for what it depends on, unless `startTimeout` says otherwise.
START_TIMEOUT = 180


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A container's health check, its times in seconds. Defaults are ECS's."""

    command: tuple[str, ...]
    interval: int = 30
    timeout: int = 5
    retries: int = 3
    start_period: int = 0


@dataclass(frozen=True, slots=True)
class LogOptions:
    """The awslogs driver's options."""

    group: str
    prefix: str = ""
    create_group: bool = False


@dataclass(frozen=True, slots=True)
class Secret:
    """A variable whose value comes from a parameter or a secret when the task starts."""

    name: str
    value_from: str


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One container of a task. `memory` is its hard limit in bytes, 0 for none of its own."""

    name: str
    image: str
    essential: bool = True
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    working_directory: str = ""
    user: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    secrets: tuple[Secret, ...] = ()
    depends_on: tuple[tuple[str, str], ...] = ()
    ports: tuple[int, ...] = ()
    memory: int = 0
    memory_reservation: int = 0
    cpu: int = 0
    read_only: bool = False
    init: bool = False
    tmpfs: tuple[tuple[str, str], ...] = ()
    ulimits: tuple[tuple[str, int, int], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    mounts: tuple[tuple[str, str, bool], ...] = ()
    stop_timeout: int = STOP_TIMEOUT
    start_timeout: int = START_TIMEOUT
    health_check: HealthCheck | None = None
    log: LogOptions | None = None

    @property
    def port(self) -> int:
        """Its first port, 0 for none."""
        return self.ports[0] if self.ports else 0


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task's containers and its size: `cpu` in units of 1/1024 core, `memory` in MiB."""

    family: str
    arn: str
    cpu: int
    memory: int
    containers: tuple[ContainerSpec, ...]
    volumes: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = field(default=())

    @property
    def cores(self) -> float:
        """The task's CPU in cores."""
        return self.cpu / 1024

    @property
    def memory_bytes(self) -> int:
        """The task's memory in bytes."""
        return self.memory * MEBIBYTE


def task_spec(definition: Any, overrides: Mapping[str, Any] | None = None) -> TaskSpec:
    """Read moto's task definition; `overrides` is RunTask's parameter of that name."""
    overrides = overrides or {}
    by_name = {o.get("name"): o for o in overrides.get("containerOverrides") or ()}
    raw = [_overridden(c, by_name.get(c["name"])) for c in definition.container_definitions]
    cpu = units_of(overrides.get("cpu") or definition.cpu) or sum(int(c.get("cpu") or 0) for c in raw) or 256
    memory = units_of(overrides.get("memory") or definition.memory)
    memory = memory or sum(int(c.get("memory") or c.get("memoryReservation") or 0) for c in raw) or 512
    return TaskSpec(
        family=definition.family,
        arn=definition.arn,
        cpu=cpu,
        memory=memory,
        containers=tuple(container_spec(c) for c in raw),
        volumes=tuple(v["name"] for v in definition.volumes or ()),
        tags=tuple((t["key"], t.get("value", "")) for t in definition.tags or ()),
    )


def _overridden(container: dict[str, Any], override: Mapping[str, Any] | None) -> dict[str, Any]:
    """A container definition with one of RunTask's containerOverrides laid over it."""
    if override is None:
        return container
    merged = dict(container)
    for key in ("command", "cpu", "memory", "memoryReservation"):
        if override.get(key) is not None:
            merged[key] = override[key]
    variables = {e["name"]: e["value"] for e in container.get("environment") or ()}
    variables |= {e["name"]: e["value"] for e in override.get("environment") or ()}
    merged["environment"] = [{"name": k, "value": v} for k, v in variables.items()]
    return merged


def container_spec(raw: Mapping[str, Any]) -> ContainerSpec:
    """One entry of `containerDefinitions`."""
    linux = raw.get("linuxParameters") or {}
    return ContainerSpec(
        name=raw["name"],
        image=raw["image"],
        essential=raw.get("essential") is not False,
        command=tuple(raw.get("command") or ()),
        entrypoint=tuple(raw.get("entryPoint") or ()),
        working_directory=raw.get("workingDirectory") or "",
        user=str(raw.get("user") or ""),
        environment=tuple((e["name"], e.get("value", "")) for e in raw.get("environment") or ()),
        secrets=tuple(Secret(s["name"], s["valueFrom"]) for s in raw.get("secrets") or ()),
        depends_on=tuple((d["containerName"], d["condition"]) for d in raw.get("dependsOn") or ()),
        ports=tuple(int(p["containerPort"]) for p in raw.get("portMappings") or () if p.get("containerPort")),
        memory=int(raw.get("memory") or 0) * MEBIBYTE,
        memory_reservation=int(raw.get("memoryReservation") or 0) * MEBIBYTE,
        cpu=int(raw.get("cpu") or 0),
        read_only=bool(raw.get("readonlyRootFilesystem")),
        init=bool(linux.get("initProcessEnabled")),
        tmpfs=tuple((t["containerPath"], _tmpfs(t)) for t in linux.get("tmpfs") or ()),
        ulimits=tuple(
            (u["name"], int(u["softLimit"]), int(u["hardLimit"])) for u in raw.get("ulimits") or ()
        ),
        labels=tuple((raw.get("dockerLabels") or {}).items()),
        mounts=tuple(
            (m["sourceVolume"], m["containerPath"], bool(m.get("readOnly")))
            for m in raw.get("mountPoints") or ()
        ),
        stop_timeout=_seconds(raw.get("stopTimeout"), STOP_TIMEOUT),
        start_timeout=_seconds(raw.get("startTimeout"), START_TIMEOUT),
        health_check=_health_check(raw.get("healthCheck")),
        log=_log(raw.get("logConfiguration") or {}),
    )


def _seconds(value: Any, default: int) -> int:
    return default if value is None else int(value)


def _tmpfs(entry: Mapping[str, Any]) -> str:
    """Docker's options of a tmpfs mount; `size` is in MiB."""
    return ",".join([f"size={int(entry['size'])}m", *(entry.get("mountOptions") or ())])


def _health_check(raw: Mapping[str, Any] | None) -> HealthCheck | None:
    if not raw or not raw.get("command"):
        return None
    command = tuple(raw["command"])
    # A command that names neither is an array to be executed, as in Docker.
    if command[0] not in ("CMD", "CMD-SHELL", "NONE"):
        command = ("CMD", *command) if len(command) > 1 else ("CMD-SHELL", *command)
    return HealthCheck(
        command=command,
        interval=_seconds(raw.get("interval"), 30),
        timeout=_seconds(raw.get("timeout"), 5),
        retries=_seconds(raw.get("retries"), 3),
        start_period=_seconds(raw.get("startPeriod"), 0),
    )


def _log(raw: Mapping[str, Any]) -> LogOptions | None:
    options = raw.get("options") or {}
    if raw.get("logDriver") != "awslogs" or not options.get("awslogs-group"):
        return None
    return LogOptions(
        options["awslogs-group"],
        options.get("awslogs-stream-prefix", ""),
        str(options.get("awslogs-create-group", "")).lower() == "true",
    )
