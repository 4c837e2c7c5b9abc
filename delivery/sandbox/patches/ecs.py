"""ECS services: what is asked is checked as ECS checks it and kept whole; what is shown was counted."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.exceptions import (
    EcsClientException,
    ECSException,
    InvalidParameterException,
    ServiceNotFoundException,
    TaskDefinitionNotFoundException,
)
from moto.ecs.models import EC2ContainerServiceBackend, Service
from moto.ecs.responses import EC2ContainerServiceResponse as Response

from delivery.sandbox.ecs.checks import check_balancers, check_definition, check_new, check_request
from delivery.sandbox.ecs.scheduler import Scheduler

Backend = Callable[[], Any]

#: Parameters that CreateService and UpdateService store, by the attribute of moto's service.
_KEPT = {
    "desiredCount": "desired_count",
    "deploymentConfiguration": "deployment_configuration",
    "healthCheckGracePeriodSeconds": "health_check_grace_period_seconds",
    "enableExecuteCommand": "enable_execute_command",
    "enableECSManagedTags": "enable_ecs_managed_tags",
    "propagateTags": "propagate_tags",
    "availabilityZoneRebalancing": "availability_zone_rebalancing",
    "capacityProviderStrategy": "capacity_provider_strategy",
    "platformVersion": "platform_version",
    "networkConfiguration": "network_configuration",
    "loadBalancers": "load_balancers",
    "serviceRegistries": "service_registries",
    "placementConstraints": "placement_constraints",
    "placementStrategy": "placement_strategy",
}
#: What UpdateService leaves as it was, as a request would have said it.
_SHAPE = {"launchType": "launch_type", "networkConfiguration": "network_configuration",
          "loadBalancers": "load_balancers"}  # fmt: skip


def install(scheduler: Scheduler, elb: Backend) -> None:
    """All of them."""
    default_security_groups()
    created_services(scheduler, elb)
    updated_services(scheduler, elb)
    scaled_services(scheduler)
    deleted_services(scheduler)


def created_services(scheduler: Scheduler, elb: Backend) -> None:
    """CreateService drops fields, checks nothing against the load balancer, and makes a second service of
    the same name as if the first had never been."""
    create = Response.create_service

    def create_service(self: Response) -> ActionResult:
        asked = copy.deepcopy(self._get_params())  # moto adds to what it was given
        cluster = _cluster(self)
        check_new(asked)
        check_request(asked)
        present = self.ecs_backend.services.get(f"{cluster.name}:{asked['serviceName']}")
        if present is not None and present.status != "INACTIVE":
            return ActionResult({"service": _same(present, asked)})
        definition = _definition(self.ecs_backend, asked["taskDefinition"])
        check_definition(definition, asked)
        check_balancers(definition, asked, elb)
        service = _result(create(self))["service"]
        _fill(service, asked, definition.arn)
        scheduler.changed(service)
        return ActionResult({"service": service})

    Response.create_service = create_service  # type: ignore[method-assign]


def _fill(service: Any, asked: dict[str, Any], definition: str) -> None:
    """A new service: ECS's defaults, and what was asked."""
    service.asked = asked
    service.task_definition = definition
    service.deployment_configuration = {
        "maximumPercent": 200, "minimumHealthyPercent": 100, "strategy": "ROLLING",
    }  # fmt: skip
    service.availability_zone_rebalancing = "ENABLED"
    service.enable_execute_command = service.enable_ecs_managed_tags = False
    service.capacity_provider_strategy = None
    service.network_configuration = service.network_configuration or None
    if asked.get("capacityProviderStrategy"):
        service.launch_type = None
    if service.launch_type == "FARGATE":
        service.platform_family = "Linux"
        service.platform_version = service.platform_version or "LATEST"
    _keep(service, asked)


def _same(present: Any, asked: dict[str, Any]) -> Any:
    """The service that an earlier call with this client token made."""
    if present.status == "DRAINING":
        raise InvalidParameterException("Unable to Start a service that is still Draining.")
    if not asked.get("clientToken") or getattr(present, "asked", None) != asked:
        raise InvalidParameterException("Creation of service was not idempotent.")
    return present


def updated_services(scheduler: Scheduler, elb: Backend) -> None:
    """UpdateService drops fields, updates a deleted service, and claims that the new tasks run already."""

    def update_service(self: Response) -> ActionResult:
        asked = self._get_params()
        service = _active(self)
        check_request(asked)
        wanted = {p: getattr(service, a, None) for p, a in _SHAPE.items()}
        wanted |= {p: asked[p] for p in _SHAPE if asked.get(p) is not None}
        definition = _definition(self.ecs_backend, asked.get("taskDefinition") or service.task_definition)
        if asked.get("taskDefinition") or asked.keys() & _SHAPE.keys():
            check_definition(definition, wanted)
            check_balancers(definition, wanted, elb)
        if asked.get("networkConfiguration"):
            service._validate_network(asked["networkConfiguration"])
        service.task_definition = definition.arn
        _keep(service, asked)
        scheduler.changed(service, bool(asked.get("forceNewDeployment")))
        return ActionResult({"service": service})

    Response.update_service = update_service  # type: ignore[method-assign]


def scaled_services(scheduler: Scheduler) -> None:
    """moto's backend, as autoscaling calls it, claims that as many tasks run as are wanted."""

    def update_service(self: EC2ContainerServiceBackend, service_properties: dict[str, Any]) -> Any:
        cluster = service_properties.get("cluster") or "default"
        service = self._get_service(cluster, service_properties["service"].rsplit("/", 1)[-1])
        for attribute in _KEPT.values():
            if service_properties.get(attribute) is not None:
                setattr(service, attribute, service_properties[attribute])
        if service_properties.get("task_definition"):
            service.task_definition = self.describe_task_definition(service_properties["task_definition"]).arn
        scheduler.changed(service, bool(service_properties.get("force_new_deployment")))
        return service

    EC2ContainerServiceBackend.update_service = update_service  # type: ignore[method-assign]


def deleted_services(scheduler: Scheduler) -> None:
    """A deleted service is INACTIVE at once in moto; in ECS it is DRAINING while its tasks stop."""

    def delete_service(self: Response) -> ActionResult:
        service = _service(self)
        if service.status == "INACTIVE":
            raise ServiceNotFoundException
        if service.desired_count > 0 and not self._get_param("force"):
            raise InvalidParameterException("The service cannot be stopped while it is scaled above 0.")
        if service.status == "ACTIVE":
            service.status, service.desired_count = "DRAINING", 0
            scheduler.changed(service)
        return ActionResult({"service": service})

    Response.delete_service = delete_service  # type: ignore[method-assign]


def default_security_groups() -> None:
    """`securityGroups` may be left out of awsvpcConfiguration; moto fails with a KeyError then."""
    validate = Service._validate_network

    def with_default(self: Service, config: dict[str, Any]) -> dict[str, Any]:
        for network in config.values():
            network.setdefault("securityGroups", [])
        return dict(validate(self, config))

    Service._validate_network = with_default  # type: ignore[method-assign,assignment]


def _keep(service: Any, asked: dict[str, Any]) -> None:
    """Store what was given; of the deployment configuration what was not given stays."""
    for parameter, attribute in _KEPT.items():
        value = asked.get(parameter)
        if value is not None:
            kept = getattr(service, attribute, None)
            merged = attribute == "deployment_configuration"
            setattr(service, attribute, {**(kept or {}), **value} if merged else value)


def _cluster(response: Response) -> Any:
    """The cluster of a request; ClusterNotFoundException for none, or a deleted one."""
    cluster = response.ecs_backend._get_cluster(response._get_param("cluster") or "default")
    if cluster.status == "INACTIVE":
        raise ECSException("ClusterNotFoundException", "Cluster not found.")
    return cluster


def _service(response: Response) -> Any:
    name = str(response._get_param("service") or "").rsplit("/", 1)[-1]
    found = response.ecs_backend.services.get(f"{_cluster(response).name}:{name}")
    if found is None:
        raise ServiceNotFoundException
    return found


def _active(response: Response) -> Any:
    service = _service(response)
    if service.status != "ACTIVE":
        raise ECSException("ServiceNotActiveException", "Service was not ACTIVE.")
    return service


def _definition(backend: Any, name: str) -> Any:
    """A task definition by family, family:revision or ARN; its newest ACTIVE revision for a family."""
    try:
        return backend.describe_task_definition(name)
    except (TaskDefinitionNotFoundException, ValueError):
        raise EcsClientException("TaskDefinition not found.") from None


def _result(answer: ActionResult) -> Any:
    return answer.result
