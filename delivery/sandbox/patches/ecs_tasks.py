"""ECS tasks: what the task API shows was counted from containers, and it starts and stops real ones."""

from __future__ import annotations

import copy
import types
from collections.abc import Sequence
from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.exceptions import InvalidParameterException, ServiceNotFoundException
from moto.ecs.models import EC2ContainerServiceBackend, Service
from moto.ecs.responses import EC2ContainerServiceResponse

from delivery.sandbox.ecs.model import Task
from delivery.sandbox.ecs.paging import PAGE, page
from delivery.sandbox.ecs.run_task import Tokens, check, runnable, tags_of
from delivery.sandbox.ecs.runner import TaskRunner
from delivery.sandbox.ecs.shown import described
from delivery.sandbox.patches import ecs_task_access, ecs_task_definitions


def install(runner: TaskRunner) -> None:
    """All of them."""
    real_tasks(runner)
    run_task(runner)
    stop_task(runner)
    ecs_task_definitions.install()
    ecs_task_access.install(runner)


def real_tasks(runner: TaskRunner) -> None:
    """moto's tasks have no containers: ListTasks and DescribeTasks show the runner's, with all filters."""

    def list_tasks(self: EC2ContainerServiceResponse) -> ActionResult:
        found = _filtered(self, _of_cluster(self, runner))
        found.sort(key=lambda t: (t.created_at, t.arn), reverse=True)
        arns, token = page(
            [t.arn for t in found], self._get_param("maxResults"), self._get_param("nextToken")
        )
        return ActionResult({"taskArns": arns, "nextToken": token})

    def describe_tasks(self: EC2ContainerServiceResponse) -> ActionResult:
        asked = self._get_param("tasks", [])
        if not asked:
            raise InvalidParameterException("Tasks cannot be empty.")
        if len(asked) > PAGE:
            raise InvalidParameterException(f"Tasks cannot be more than {PAGE}.")
        by_id = {t.task_id: t for t in _of_cluster(self, runner)}
        tags = "TAGS" in (self._get_param("include") or ())
        names = list(dict.fromkeys(asked))
        missing = [n for n in names if _id(n) not in by_id]
        return ActionResult(
            {
                "tasks": [described(by_id[_id(n)], tags) for n in names if _id(n) in by_id],
                "failures": [{"arn": _arn(self, n), "reason": "MISSING"} for n in missing],
            }
        )

    for method in (list_tasks, describe_tasks):
        setattr(EC2ContainerServiceResponse, method.__name__, method)


def _filtered(response: EC2ContainerServiceResponse, tasks: Sequence[Task]) -> list[Task]:
    """ListTasks' filters. `startedBy` must stand alone, as its documentation says."""
    asked = {n: response._get_param(n) for n in ("family", "serviceName", "startedBy", "containerInstance")}
    if asked["startedBy"] and any(v for k, v in asked.items() if k != "startedBy"):
        raise InvalidParameterException("startedBy cannot be combined with another filter.")
    status = response._get_param("desiredStatus") or "RUNNING"
    if status not in ("RUNNING", "PENDING", "STOPPED"):
        raise InvalidParameterException("desiredStatus should be one of [RUNNING,PENDING,STOPPED]")
    if asked["containerInstance"] or (response._get_param("launchType") or "FARGATE") != "FARGATE":
        return []
    service = (asked["serviceName"] or "").rsplit("/", 1)[-1]
    if service:
        cluster = response.ecs_backend._get_cluster(response._get_param("cluster") or "default")
        if f"{cluster.name}:{service}" not in response.ecs_backend.services:
            raise ServiceNotFoundException
    return [
        t
        for t in tasks
        if t.desired_status == status
        and (not service or t.service == service)
        and (not asked["family"] or t.spec.family == asked["family"])
        and (not asked["startedBy"] or (t.started_by or t.deployment) == asked["startedBy"])
    ]


def run_task(runner: TaskRunner) -> None:
    """moto's RunTask makes tasks without containers, on container instances that Fargate does not have."""
    tokens = Tokens()

    def run_task(self: EC2ContainerServiceResponse) -> ActionResult:
        cluster = self.ecs_backend._get_cluster(self._get_param("cluster") or "default")
        asked = {k: v for k, v in self._get_params().items() if v is not None}
        known = tokens.known(cluster.name, asked)
        if known is None:
            known = _make(self, runner, cluster, asked)
            tokens.keep(cluster.name, asked, known)
        made = [described(runner.tasks[arn], tags=True) for arn in known if arn in runner.tasks]
        return ActionResult({"tasks": made, "failures": []})

    EC2ContainerServiceResponse.run_task = run_task  # type: ignore[method-assign]


def _make(
    response: EC2ContainerServiceResponse, runner: TaskRunner, cluster: Any, asked: dict[str, Any]
) -> list[str]:
    definition = runnable(response.ecs_backend, asked.get("taskDefinition", ""))
    count = check(asked, definition)
    network = asked.get("networkConfiguration")
    subnets = _subnets(response.ecs_backend, network) if network else []
    strategy = asked.get("capacityProviderStrategy") or [{}]
    made = []
    for _ in range(count):
        task = runner.new(
            cluster.name, cluster.arn, definition,
            overrides=asked.get("overrides"), subnets=subnets, group=asked.get("group") or "",
            started_by=asked.get("startedBy") or "", tags=tags_of(asked, definition, cluster.name),
            execute_command=bool(asked.get("enableExecuteCommand")),
            capacity_provider=strategy[0].get("capacityProvider", ""),
        )  # fmt: skip
        runner.start(task)
        made.append(task.arn)
    return made


def _subnets(backend: EC2ContainerServiceBackend, network: dict[str, Any]) -> list[str]:
    """The subnets of a network configuration, which must exist: CreateService's own check."""
    place: Any = types.SimpleNamespace(_account_id=backend.account_id, region_name=backend.region_name)
    checked: dict[str, Any] = Service._validate_network(place, copy.deepcopy(network))
    return list(checked["awsvpcConfiguration"]["subnets"])


def stop_task(runner: TaskRunner) -> None:
    """moto's StopTask changes a word; this one ends the containers and keeps the reason."""

    def stop_task(self: EC2ContainerServiceResponse) -> ActionResult:
        task = _task_of(self, runner, self._get_param("task") or "")
        runner.stop(task, "UserInitiated", self._get_param("reason") or "Task stopped by user")
        return ActionResult({"task": described(task, tags=True)})

    EC2ContainerServiceResponse.stop_task = stop_task  # type: ignore[method-assign]


def _task_of(response: EC2ContainerServiceResponse, runner: TaskRunner, name: str) -> Task:
    """One task by id or ARN; ECS's error when it is unknown."""
    found = next((t for t in _of_cluster(response, runner) if t.task_id == _id(name)), None)
    if found is None:
        raise InvalidParameterException("The referenced task was not found.")
    return found


def _of_cluster(response: EC2ContainerServiceResponse, runner: TaskRunner) -> list[Task]:
    """The tasks of the cluster that a request names; ClusterNotFoundException when there is none."""
    cluster = response.ecs_backend._get_cluster(response._get_param("cluster") or "default")
    return [t for t in runner.tasks.values() if t.cluster == cluster.name]


def _id(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _arn(response: EC2ContainerServiceResponse, name: str) -> str:
    if name.startswith("arn:"):
        return name
    cluster = response.ecs_backend._get_cluster(response._get_param("cluster") or "default")
    return f"{cluster.arn.replace(':cluster/', ':task/')}/{name}"
