"""A task as DescribeTasks shows it, and as the "Task State Change" event tells it.

Sources: "Task" in the Amazon ECS API reference; "Amazon ECS task state change events" in the developer guide.
Only what is known is shown: a container that never ran has no exit code, no runtime id and no digest.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from delivery.sandbox.ecs.definition import MEBIBYTE
from delivery.sandbox.ecs.model import Container, Task
from delivery.sandbox.events import EventBus

_DELETED = ("DEPROVISIONING", "STOPPED")


def described(task: Task, tags: bool = False) -> dict[str, Any]:
    """The task's fields; its tags only when asked for (`include=["TAGS"]`)."""
    shown: dict[str, Any] = {
        "taskArn": task.arn,
        "clusterArn": task.cluster_arn,
        "taskDefinitionArn": task.revision_arn,
        "group": task.group,
        "startedBy": task.started_by or task.deployment or None,
        "lastStatus": task.last_status,
        "desiredStatus": task.desired_status,
        "healthStatus": task.health,
        "launchType": "FARGATE",
        "capacityProviderName": task.capacity_provider or None,
        "platformVersion": task.platform_version,
        "platformFamily": "Linux",
        "availabilityZone": task.zone or None,
        "cpu": str(task.spec.cpu),
        "memory": str(task.spec.memory),
        "connectivity": "CONNECTED" if task.address else None,
        "connectivityAt": task.times.get("connectivityAt"),
        "stopCode": task.stop_code or None,
        "stoppedReason": task.stopped_reason or None,
        "enableExecuteCommand": task.execute_command,
        "version": task.version,
        "attachments": [_interface(task)],
        "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
        "containers": [_container(task, c) for c in task.containers],
        "overrides": _overrides(task),
        "ephemeralStorage": {"sizeInGiB": 20},
        "tags": task.tags if tags else [],
        **task.times,
    }
    return {k: v for k, v in shown.items() if v is not None}


def _container(task: Task, container: Container) -> dict[str, Any]:
    spec = container.spec
    interface = {"attachmentId": task.attachment_id, "privateIpv4Address": task.address}
    shown: dict[str, Any] = {
        "containerArn": f"{task.arn.replace(':task/', ':container/')}/{container.arn_id}",
        "taskArn": task.arn,
        "name": spec.name,
        "image": spec.image,
        "imageDigest": container.image_digest or None,
        "runtimeId": container.container_id or None,
        "lastStatus": container.last_status,
        "exitCode": container.exit_code,
        "reason": container.reason or None,
        "healthStatus": container.health,
        "networkInterfaces": [interface] if task.address else [],
        "networkBindings": [],
        "cpu": str(spec.cpu),
        "memory": str(spec.memory // MEBIBYTE) if spec.memory else None,
        "memoryReservation": str(spec.memory_reservation // MEBIBYTE) if spec.memory_reservation else None,
    }
    return {k: v for k, v in shown.items() if v is not None}


def _interface(task: Task) -> dict[str, Any]:
    """The task's network interface. Its address is Docker's, not one of the subnet's range."""
    details = {
        "subnetId": task.subnet,
        "networkInterfaceId": task.eni_id if task.address else "",
        "privateIPv4Address": task.address,
    }
    status = "PRECREATED" if not task.address else "ATTACHED"
    return {
        "id": task.attachment_id,
        "type": "ElasticNetworkInterface",
        "status": "DELETED" if task.last_status in _DELETED else status,
        "details": [{"name": k, "value": v} for k, v in details.items() if v],
    }


def _overrides(task: Task) -> dict[str, Any]:
    """The overrides as given; containers without any are named, as ECS does."""
    given = {o.get("name"): o for o in task.overrides.get("containerOverrides") or ()}
    each = [dict(given.get(c.spec.name) or {"name": c.spec.name}) for c in task.containers]
    return {**task.overrides, "containerOverrides": each, "inferenceAcceleratorOverrides": []}


def event_detail(task: Task) -> dict[str, Any]:
    """The `detail` of an event: the same fields, their times as text, without tags."""
    told = {k: v for k, v in described(task).items() if k != "tags"}
    told["updatedAt"] = max(task.times.values())
    return {k: _text(v) if isinstance(v, datetime) else v for k, v in told.items()}


def task_events(bus: EventBus) -> Callable[[Task], None]:
    """What puts "ECS Task State Change" on the bus, for `TaskRunner.changed`."""

    def put(task: Task) -> None:
        bus.put("aws.ecs", "ECS Task State Change", [task.arn], event_detail(task))

    return put


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
