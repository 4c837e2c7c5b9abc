"""ECS task definitions: refused when ECS refuses them, listed in the order that was asked for."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.exceptions import EcsClientException
from moto.ecs.models import EC2ContainerServiceBackend, TaskDefinition
from moto.ecs.responses import EC2ContainerServiceResponse

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.ecs.paging import page
from delivery.sandbox.ecs.validation import problem_of, units_of


def install() -> None:
    """All of them."""
    refused_definitions()
    newest_active_revision()
    listed_in_order()
    deregistration_time()


def refused_definitions() -> None:
    """moto registers what Fargate cannot run; and it tells neither when nor with which tags."""
    register = EC2ContainerServiceResponse.register_task_definition

    def register_task_definition(self: EC2ContainerServiceResponse) -> ActionResult:
        problem = problem_of(self._get_params())
        if problem:
            raise EcsClientException(problem)
        made: Any = register(self).result["taskDefinition"]  # type: ignore[index]
        for size in ("cpu", "memory"):  # ECS keeps `1 vCPU` as 1024
            if getattr(made, size) is not None:
                setattr(made, size, str(units_of(getattr(made, size))))
        made.registered_at = CLOCK.utcnow()
        return ActionResult({"taskDefinition": made, "tags": made.tags})

    EC2ContainerServiceResponse.register_task_definition = register_task_definition  # type: ignore[method-assign]


def newest_active_revision() -> None:
    """A family's name means its newest ACTIVE revision; moto takes a deregistered one for it."""
    describe = EC2ContainerServiceBackend.describe_task_definition

    def describe_task_definition(
        self: EC2ContainerServiceBackend, task_definition_str: str
    ) -> TaskDefinition:
        name = task_definition_str.split("/")[-1]
        if ":" in name:
            return describe(self, task_definition_str)
        active = [r for r, d in self.task_definitions.get(name, {}).items() if d.status == "ACTIVE"]
        if not active:
            raise EcsClientException("Unable to describe task definition.")
        return self.task_definitions[name][max(active)]

    EC2ContainerServiceBackend.describe_task_definition = describe_task_definition  # type: ignore[method-assign]


def listed_in_order() -> None:
    """moto's ListTaskDefinitions knows neither `sort` nor pages."""

    def list_task_definitions(self: EC2ContainerServiceResponse) -> ActionResult:
        family, status = self._get_param("familyPrefix"), self._get_param("status") or "ACTIVE"
        found = [
            d
            for revisions in self.ecs_backend.task_definitions.values()
            for d in revisions.values()
            if d.status == status and (not family or d.family == family)
        ]
        descending = (self._get_param("sort") or "ASC") == "DESC"
        found.sort(key=lambda d: (d.family, d.revision), reverse=descending)
        size, token = self._get_param("maxResults"), self._get_param("nextToken")
        arns, token = page([d.arn for d in found], size, token)
        return ActionResult({"taskDefinitionArns": arns, "nextToken": token})

    EC2ContainerServiceResponse.list_task_definitions = list_task_definitions  # type: ignore[method-assign]


def deregistration_time() -> None:
    """A deregistered revision stays, INACTIVE, and tells since when; moto does not tell."""
    deregister = EC2ContainerServiceBackend.deregister_task_definition

    def deregister_task_definition(self: EC2ContainerServiceBackend, name: str) -> TaskDefinition:
        found = deregister(self, name)
        found.deregistered_at = CLOCK.utcnow()  # type: ignore[attr-defined]
        return found

    EC2ContainerServiceBackend.deregister_task_definition = deregister_task_definition  # type: ignore[method-assign,assignment]
