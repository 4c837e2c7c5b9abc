"""What RegisterTaskDefinition refuses, in ECS's own words; every function returns a sentence or nothing.

Sources: "Task definition parameters for Fargate" and "Task size" in the ECS developer guide
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html); the sentences are
those that the service answers with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Container = Mapping[str, Any]
_GIB = 1024
#: By CPU units: the smallest and largest memory and the step between them, in MiB.
FARGATE_SIZES: dict[int, Sequence[int]] = {
    256: (512, 1 * _GIB, 2 * _GIB),
    512: range(1 * _GIB, 4 * _GIB + 1, _GIB),
    1024: range(2 * _GIB, 8 * _GIB + 1, _GIB),
    2048: range(4 * _GIB, 16 * _GIB + 1, _GIB),
    4096: range(8 * _GIB, 30 * _GIB + 1, _GIB),
    8192: range(16 * _GIB, 60 * _GIB + 1, 4 * _GIB),
    16384: range(32 * _GIB, 120 * _GIB + 1, 8 * _GIB),
}
_UNITS = {"vcpu": 1024, "gb": 1024}
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,255}")


def problem_of(asked: Mapping[str, Any]) -> str:
    """Why ECS would refuse to register this (the request's parameters); empty when it would not."""
    containers: list[Container] = asked.get("containerDefinitions") or []
    checks: list[Callable[[], str]] = [
        lambda: _family(asked.get("family")),
        lambda: _containers(containers),
        lambda: _dependencies(containers),
        lambda: _each(containers),
    ]
    if "FARGATE" in (asked.get("requiresCompatibilities") or ()):
        checks += [lambda: _fargate(asked, containers), lambda: _fargate_size(asked, containers)]
    return next((problem for check in checks if (problem := check())), "")


def units_of(value: Any) -> int | None:
    """CPU units or MiB of `256`, `"256"`, `".25 vCPU"`, `"1 GB"`; None for what is neither."""
    found = re.fullmatch(r"\s*(\d*\.?\d+)\s*([a-zA-Z]*)\s*", str(value))
    if found is None or (found[2] and found[2].lower() not in _UNITS):
        return None
    return int(float(found[1]) * _UNITS.get(found[2].lower(), 1))


def _family(family: Any) -> str:
    if not family:
        return "Family should not be null or empty."
    if not _NAME.fullmatch(str(family)):
        return "Family contains invalid characters."
    return ""


def _containers(containers: Sequence[Container]) -> str:
    if not containers:
        return "Container list cannot be empty."
    for container in containers:
        for needed in ("name", "image"):
            if not container.get(needed):
                return f"Container.{needed} should not be null or empty."
        if not _NAME.fullmatch(container["name"]):
            return f"Invalid container name '{container['name']}'."
    names = [c["name"] for c in containers]
    if len(set(names)) < len(names):
        return "Container names must be unique within a task definition."
    if all(c.get("essential") is False for c in containers):
        return "Invalid 'essential' setting. At least one container must be marked essential."
    return ""


def _dependencies(containers: Sequence[Container]) -> str:
    by_name = {c["name"]: c for c in containers}
    for container in containers:
        for wanted in container.get("dependsOn") or ():
            other = by_name.get(wanted.get("containerName", ""))
            if other is None:
                return f"Container '{container['name']}' depends on container '{wanted.get('containerName')}' which does not exist."  # noqa: E501
            if wanted.get("condition") in ("COMPLETE", "SUCCESS") and other.get("essential") is not False:
                return (
                    "A dependency container with SUCCESS or COMPLETE condition "
                    "cannot be an essential container"
                )
            if wanted.get("condition") == "HEALTHY" and not other.get("healthCheck"):
                return f"Container '{other['name']}' needs a health check: '{container['name']}' depends on its being HEALTHY."  # noqa: E501
    return "Container dependencies must not form a cycle." if _circle(by_name) else ""


def _circle(by_name: Mapping[str, Container]) -> bool:
    left = {n: {d["containerName"] for d in c.get("dependsOn") or ()} for n, c in by_name.items()}
    while left:
        free = [name for name, needs in left.items() if not needs & left.keys()]
        if not free:
            return True
        left = {k: v for k, v in left.items() if k not in free}
    return False


def _each(containers: Sequence[Container]) -> str:
    for container in containers:
        options = (container.get("logConfiguration") or {}).get("options") or {}
        if (container.get("logConfiguration") or {}).get("logDriver") == "awslogs":
            missing = [o for o in ("awslogs-region", "awslogs-group") if not options.get(o)]
            if missing:
                return f"Log driver awslogs requires options: {', '.join(missing)}"
        timeout = container.get("stopTimeout")
        if timeout is not None and not 0 <= int(timeout) <= 120:
            return "The stopTimeout value must be between 0 and 120 seconds."
        variables = [e.get("name") for e in container.get("environment") or ()]
        both = set(variables) & {s.get("name") for s in container.get("secrets") or ()}
        if both:
            return f"The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '{sorted(both)[0]}'."  # noqa: E501
        if problem := _health_check(container.get("healthCheck")):
            return problem
    return ""


def _health_check(check: Mapping[str, Any] | None) -> str:
    limits = {"interval": (5, 300), "timeout": (2, 120), "retries": (1, 10), "startPeriod": (0, 300)}
    for name, (low, high) in limits.items():
        value = (check or {}).get(name)
        if value is not None and not low <= int(value) <= high:
            return f"Invalid healthCheck {name}: it must be between {low} and {high}."
    return ""


def _fargate(asked: Mapping[str, Any], containers: Sequence[Container]) -> str:
    if asked.get("networkMode") != "awsvpc":
        return "Fargate only supports network mode ‘awsvpc’."  # noqa: RUF001
    for container in containers:
        if container.get("privileged"):
            return "Fargate does not support privileged containers."
        for mapping in container.get("portMappings") or ():
            if mapping.get("hostPort") not in (None, 0, mapping.get("containerPort")):
                return (
                    "When networkMode=awsvpc, the host ports and container ports in port mappings must match."
                )
        driver = (container.get("logConfiguration") or {}).get("logDriver")
        if driver == "awslogs" and not asked.get("executionRoleArn"):
            return (
                "Fargate requires task definition to have execution role ARN to support log driver awslogs."
            )
        if container.get("secrets") and not asked.get("executionRoleArn"):
            return "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."  # noqa: E501
    return ""


def _fargate_size(asked: Mapping[str, Any], containers: Sequence[Container]) -> str:
    for name in ("cpu", "memory"):
        if not asked.get(name):
            return f"Fargate requires that '{name}' be defined at the task level."
        if units_of(asked[name]) is None:
            return f"Invalid '{name}' setting for task."
    cpu, memory = units_of(asked["cpu"]) or 0, units_of(asked["memory"]) or 0
    if memory not in FARGATE_SIZES.get(cpu, ()):
        return (
            f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. "
            "See the Amazon ECS documentation for the valid values."
        )
    if sum(int(c.get("cpu") or 0) for c in containers) > cpu:
        return "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'."
    if any(max(int(c.get("memory") or 0), int(c.get("memoryReservation") or 0)) > memory for c in containers):
        return (
            "The 'memory' setting for container must be less than or equal to the value of the task 'memory'."
        )
    return ""
