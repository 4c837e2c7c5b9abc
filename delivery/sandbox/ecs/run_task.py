"""RunTask's parameters: what ECS refuses, and what a repeated client token means. Decided without Docker.

Source: "RunTask" in the Amazon ECS API reference; "Ensuring idempotency" in the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moto.ecs.exceptions import EcsClientException, ECSException, InvalidParameterException

Parameters = Mapping[str, Any]


class ConflictException(ECSException):
    """A client token came back with other parameters; `resourceIds` are the tasks it had made."""

    code = "ConflictException"

    def __init__(self, message: str, tasks: Sequence[str]) -> None:
        super().__init__(message)
        self.resourceIds = list(tasks)


def runnable(backend: Any, name: str) -> Any:
    """moto's task definition of that name; ECS's errors for an unknown and for a deregistered one."""
    if not name:
        raise EcsClientException("TaskDefinition must be specified.")
    try:
        definition = backend.describe_task_definition(name)
    except ECSException:
        raise EcsClientException("TaskDefinition not found.") from None
    if definition.status != "ACTIVE":
        raise InvalidParameterException("TaskDefinition is inactive")
    return definition


def check(asked: Parameters, definition: Any) -> int:
    """How many tasks are wanted. InvalidParameterException tells what is wrong with the rest."""
    count = int(1 if asked.get("count") is None else asked["count"])
    if not 1 <= count <= 10:
        raise InvalidParameterException("Task count must be between 1 and 10.")
    if asked.get("launchType") and asked.get("capacityProviderStrategy"):
        raise InvalidParameterException(
            "Specifying both a launch type and capacity provider strategy is not supported. "
            "Remove one and try again."
        )
    if definition.network_mode == "awsvpc" and not asked.get("networkConfiguration"):
        raise InvalidParameterException(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    if asked.get("propagateTags") == "SERVICE":
        raise InvalidParameterException("Tags can only be propagated from a service to its own tasks.")
    if len(asked.get("startedBy") or "") > 128:
        raise InvalidParameterException("startedBy must not be longer than 128 characters.")
    names = {c["name"] for c in definition.container_definitions}
    for override in (asked.get("overrides") or {}).get("containerOverrides") or ():
        if override.get("name") not in names:
            raise InvalidParameterException(
                f"Override for container named {override.get('name')} is not a container in the "
                "TaskDefinition."
            )
    return count


def tags_of(asked: Parameters, definition: Any, cluster: str) -> list[dict[str, str]]:
    """The tags of a task: its own, the definition's when told to, and ECS's when asked for."""
    tags = {t["key"]: t.get("value", "") for t in definition.tags or ()} if (
        asked.get("propagateTags") == "TASK_DEFINITION"
    ) else {}  # fmt: skip
    tags |= {t["key"]: t.get("value", "") for t in asked.get("tags") or ()}
    if asked.get("enableECSManagedTags"):
        tags["aws:ecs:clusterName"] = cluster
    return [{"key": k, "value": v} for k, v in tags.items()]


def options_of_service(service: Any, definition: Any) -> dict[str, Any]:
    """What `TaskRunner.new` needs to know of a service for one of its tasks."""
    propagate = getattr(service, "propagate_tags", "NONE")
    source = {"SERVICE": getattr(service, "tags", None), "TASK_DEFINITION": definition.tags}.get(propagate)
    tags = {t["key"]: t.get("value", "") for t in source or ()}
    if getattr(service, "enable_ecs_managed_tags", False):
        tags |= {"aws:ecs:clusterName": service.cluster_name, "aws:ecs:serviceName": service.name}
    network = (getattr(service, "network_configuration", None) or {}).get("awsvpcConfiguration") or {}
    return {
        "subnets": network.get("subnets") or (),
        "tags": [{"key": k, "value": v} for k, v in tags.items()],
        "execute_command": bool(getattr(service, "enable_execute_command", False)),
    }


@dataclass
class Tokens:
    """Client tokens seen: the same one with the same parameters is the same request, not another."""

    _seen: dict[tuple[str, str], tuple[str, list[str]]] = field(default_factory=dict)

    def known(self, cluster: str, asked: Parameters) -> list[str] | None:
        """The tasks this token made before; None when it is new. ConflictException when it asks otherwise."""
        token = asked.get("clientToken")
        found = self._seen.get((cluster, token)) if token else None
        if found is None:
            return None
        if found[0] != _print_of(asked):
            raise ConflictException("The client token was used with other parameters before.", found[1])
        return found[1]

    def keep(self, cluster: str, asked: Parameters, tasks: list[str]) -> None:
        """Remember what it made."""
        if asked.get("clientToken"):
            self._seen[cluster, asked["clientToken"]] = (_print_of(asked), tasks)


def _print_of(asked: Parameters) -> str:
    return repr(sorted(asked.items(), key=lambda pair: pair[0]))
