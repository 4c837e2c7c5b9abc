"""ECS: fields moto drops are kept, counts are the scheduler's, tasks are the runtime's."""

from __future__ import annotations

import types
from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.models import EC2ContainerServiceBackend, Service
from moto.ecs.responses import EC2ContainerServiceResponse

from delivery.sandbox.ecs.model import Task
from delivery.sandbox.ecs.scheduler import Scheduler

_KEPT = {
    "deploymentConfiguration": "deployment_configuration",
    "healthCheckGracePeriodSeconds": "health_check_grace_period_seconds",
    "enableExecuteCommand": "enable_execute_command",
    "enableECSManagedTags": "enable_ecs_managed_tags",
    "availabilityZoneRebalancing": "availability_zone_rebalancing",
}


def keep_service_fields(scheduler: Scheduler) -> None:
    """CreateService and UpdateService drop the fields above, and UpdateService claims its tasks run."""
    create, update = EC2ContainerServiceResponse.create_service, EC2ContainerServiceResponse.update_service

    def create_service(self: EC2ContainerServiceResponse) -> ActionResult:
        service = _result(create(self))["service"]
        service.deployment_configuration = {"maximumPercent": 200, "minimumHealthyPercent": 100}
        service.availability_zone_rebalancing = "DISABLED"
        service.network_configuration = service.network_configuration or None
        return _kept(self, service, scheduler)

    def update_service(self: EC2ContainerServiceResponse) -> ActionResult:
        return _kept(self, _result(update(self))["service"], scheduler)

    EC2ContainerServiceResponse.create_service = create_service  # type: ignore[method-assign]
    EC2ContainerServiceResponse.update_service = update_service  # type: ignore[method-assign]


def _kept(response: EC2ContainerServiceResponse, service: Any, scheduler: Scheduler) -> ActionResult:
    for parameter, attribute in _KEPT.items():
        value = response._get_param(parameter)
        if value is not None:
            kept = getattr(service, attribute, None)
            setattr(service, attribute, {**kept, **value} if isinstance(kept, dict) else value)
    if service.task_definition:
        found = response.ecs_backend.describe_task_definition(service.task_definition)
        service.task_definition = found.arn
    scheduler.changed(f"{service.cluster_name}:{service.name}")
    return ActionResult({"service": service})


def _result(answer: ActionResult) -> Any:
    return answer.result


def default_security_groups() -> None:
    """`securityGroups` may be left out of awsvpcConfiguration; moto fails with a KeyError then."""
    validate = Service._validate_network

    def with_default(self: Service, config: dict[str, Any]) -> dict[str, Any]:
        for network in config.values():
            network.setdefault("securityGroups", [])
        return dict(validate(self, config))

    Service._validate_network = with_default  # type: ignore[method-assign,assignment]


def containers_without_memory() -> None:
    """On Fargate a container may leave its memory to the task; moto adds None to an integer."""
    calculate = EC2ContainerServiceBackend._calculate_task_resource_requirements

    def with_defaults(definition: Any) -> Any:
        filled = [{"memory": 128, "cpu": 0, **c} for c in definition.container_definitions]
        return calculate(types.SimpleNamespace(container_definitions=filled))  # type: ignore[arg-type]

    EC2ContainerServiceBackend._calculate_task_resource_requirements = staticmethod(with_defaults)  # type: ignore[method-assign,assignment]


def real_tasks(scheduler: Scheduler) -> None:
    """ListTasks is empty in moto and its tasks have no containers: show the runtime's."""

    def list_tasks(self: EC2ContainerServiceResponse) -> ActionResult:
        wanted = (self._get_param("desiredStatus") or "RUNNING").upper()
        service = (self._get_param("serviceName") or "").rsplit("/", 1)[-1]
        family = self._get_param("family")
        found = [
            t
            for t in _of_cluster(self, scheduler)
            if t.desired_status == wanted
            and (not service or t.service == service)
            and (not family or f":task-definition/{family}:" in t.revision_arn)
        ]
        found.sort(key=lambda t: t.created_at, reverse=True)
        return ActionResult({"taskArns": [t.arn for t in found[:100]]})

    def describe_tasks(self: EC2ContainerServiceResponse) -> ActionResult:
        by_id = {t.task_id: t for t in _of_cluster(self, scheduler)}
        asked = [name.rsplit("/", 1)[-1] for name in self._get_param("tasks", [])]
        missing = [{"arn": name, "reason": "MISSING"} for name in asked if name not in by_id]
        return ActionResult(
            {"tasks": [by_id[n].describe() for n in asked if n in by_id], "failures": missing}
        )

    for method in (list_tasks, describe_tasks):
        setattr(EC2ContainerServiceResponse, method.__name__, method)


def moving_tasks(scheduler: Scheduler) -> None:
    """RunTask and StopTask start and stop containers."""

    def run_task(self: EC2ContainerServiceResponse) -> ActionResult:
        cluster = self.ecs_backend._get_cluster(self._get_param("cluster", "default"))
        definition = self.ecs_backend.describe_task_definition(self._get_param("taskDefinition"))
        made = []
        for _ in range(int(self._get_param("count") or 1)):
            task = scheduler.new_task(cluster.name, cluster.arn, definition)
            task.started_by = self._get_param("startedBy") or ""
            scheduler.run(task)
            made.append(task.describe())
        return ActionResult({"tasks": made, "failures": []})

    def stop_task(self: EC2ContainerServiceResponse) -> ActionResult:
        name = self._get_param("task").rsplit("/", 1)[-1]
        task = next((t for t in _of_cluster(self, scheduler) if t.task_id == name), None)
        if task is None:
            raise InvalidParameterException("The referenced task was not found.")
        scheduler.stop(task, "UserInitiated", self._get_param("reason") or "Task stopped by user")
        return ActionResult({"task": task.describe()})

    for method in (run_task, stop_task):
        setattr(EC2ContainerServiceResponse, method.__name__, method)


def _of_cluster(response: EC2ContainerServiceResponse, scheduler: Scheduler) -> list[Task]:
    cluster = (response._get_param("cluster") or "default").rsplit("/", 1)[-1]
    return [t for t in scheduler.tasks.values() if t.cluster == cluster]
