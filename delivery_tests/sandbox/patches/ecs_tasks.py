"""The probes of ECS's tasks and task definitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from delivery_tests.sandbox.patches.probing import Caller, probe
from delivery_tests.sandbox.stack import eventually


def define(caller: Caller, **more: Any) -> str:
    """A Fargate task definition whose image nobody has; its ARN."""
    asked = {
        "family": caller.name, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": "256", "memory": "512",
        "containerDefinitions": [{"name": "app", "image": "127.0.0.1:1/none:1", "memory": 128, "cpu": 64}],
    }  # fmt: skip
    made = caller.client("ecs").register_task_definition(**{**asked, **more})
    return str(made["taskDefinition"]["taskDefinitionArn"])


def run(caller: Caller, **more: Any) -> str:
    """One task of such a definition; its ARN."""
    ecs = caller.client("ecs")
    _, subnets = caller.network()
    ecs.create_cluster(clusterName=caller.name)
    network = {"awsvpcConfiguration": {"subnets": subnets, "securityGroups": []}}
    made = ecs.run_task(
        cluster=caller.name, taskDefinition=define(caller), launchType="FARGATE",
        networkConfiguration=network, **more,
    )  # fmt: skip
    return str(made["tasks"][0]["taskArn"])


def look(caller: Caller, arn: str) -> dict[str, Any]:
    """The task as DescribeTasks shows it."""
    return dict(caller.client("ecs").describe_tasks(cluster=caller.name, tasks=[arn])["tasks"][0])


def refusal(call: Callable[..., Any], **more: Any) -> str:
    """AWS's code of a refusal, empty when it was none."""
    try:
        call(**more)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@probe("patches.ecs_tasks.run_task")
def run_task(caller: Caller) -> None:
    """RunTask starts a container: with an image that cannot be pulled the task stops and says so."""
    arn = run(caller)
    task = eventually(lambda: look(caller, arn), lambda t: t["lastStatus"] == "STOPPED", 30)
    assert "CannotPullContainer" in task["stoppedReason"]


@probe("patches.ecs_tasks.real_tasks")
def real_tasks(caller: Caller) -> None:
    """DescribeTasks shows a task's containers."""
    assert [c["name"] for c in look(caller, run(caller))["containers"]] == ["app"]


@probe("patches.ecs_tasks.stop_task")
def stop_task(caller: Caller) -> None:
    """A task that was stopped tells that it was by a user, and why."""
    arn = run(caller)
    stopped = caller.client("ecs").stop_task(cluster=caller.name, task=arn, reason="enough")["task"]
    assert stopped["desiredStatus"] == "STOPPED" and stopped["stopCode"]


@probe("patches.ecs_task_definitions.refused_definitions")
def refused_definitions(caller: Caller) -> None:
    """A size that Fargate does not have is a ClientException."""
    assert refusal(define, caller=caller, cpu="4096", memory="512") == "ClientException"


@probe("patches.ecs_task_definitions.newest_active_revision")
def newest_active_revision(caller: Caller) -> None:
    """A family's name means its newest revision that was not deregistered."""
    first, second = define(caller), define(caller)
    caller.client("ecs").deregister_task_definition(taskDefinition=second)
    found = caller.client("ecs").describe_task_definition(taskDefinition=caller.name)["taskDefinition"]
    assert found["taskDefinitionArn"] == first


@probe("patches.ecs_task_definitions.listed_in_order")
def listed_in_order(caller: Caller) -> None:
    """ListTaskDefinitions with `sort` DESC begins with the newest revision."""
    first, second = define(caller), define(caller)
    found = caller.client("ecs").list_task_definitions(familyPrefix=caller.name, sort="DESC")
    assert found["taskDefinitionArns"] == [second, first]


@probe("patches.ecs_task_definitions.deregistration_time")
def deregistration_time(caller: Caller) -> None:
    """A deregistered revision tells when it was deregistered."""
    arn = define(caller)
    gone = caller.client("ecs").deregister_task_definition(taskDefinition=arn)["taskDefinition"]
    assert gone["status"] == "INACTIVE" and gone["deregisteredAt"]


@probe("patches.ecs_task_access.execute_command")
def execute_command(caller: Caller) -> None:
    """ExecuteCommand into a task that was not made for it is an InvalidParameterException."""
    arn = run(caller)
    asked = {"cluster": caller.name, "task": arn, "command": "ls", "interactive": True}
    assert refusal(caller.client("ecs").execute_command, **asked) == "InvalidParameterException"


@probe("patches.ecs_task_access.task_protection")
def task_protection(caller: Caller) -> None:
    """GetTaskProtection tells of a task that is no service's that it is not valid."""
    arn = run(caller)
    answer = caller.client("ecs").get_task_protection(cluster=caller.name, tasks=[arn])
    assert [f["reason"] for f in answer["failures"]] == ["TASK_NOT_VALID"]
