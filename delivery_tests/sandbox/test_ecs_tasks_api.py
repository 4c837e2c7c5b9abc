"""ECS's task API: RunTask, ListTasks, DescribeTasks, StopTask, ExecuteCommand and task definitions.

Pages: the Amazon ECS API reference of these operations; "Amazon ECS task definition states" and "Ensuring
idempotency" in the developer guide.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.stack import Stack, eventually
from delivery_tests.sandbox.test_ecs_tasks import Tasks, part, python

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def tasks(compressed: RunningSandbox, app_image: str) -> Iterator[Tasks]:
    """A stack without services, shared by the tests of this module."""
    stack = Stack(compressed, app_image)
    yield Tasks(stack, app_image)
    stack.close()


def refused(call: Any, **more: Any) -> tuple[str, str]:
    """Code and message of a refusal."""
    with pytest.raises(ClientError) as told:
        call(**more)
    error = told.value.response["Error"]
    return error["Code"], error["Message"]


def test_run_task_starts_what_was_asked_for(tasks: Tasks) -> None:
    """Count, overrides, group, startedBy and tags; a repeated client token makes nothing new."""
    ecs, cluster = tasks.ecs, tasks.stack.name
    definition = tasks.define(python("import os; raise SystemExit(int(os.environ['CODE']))"))
    override = {"name": "app", "environment": [{"name": "CODE", "value": "5"}]}
    asked = {
        "cluster": cluster, "taskDefinition": definition, "count": 2, "launchType": "FARGATE",
        "networkConfiguration": tasks.network, "startedBy": "nightly", "group": "family:batch",
        "overrides": {"containerOverrides": [override]}, "clientToken": "once",
        "tags": [{"key": "team", "value": "a"}],
    }  # fmt: skip
    first = [t["taskArn"] for t in ecs.run_task(**asked)["tasks"]]
    assert len(set(first)) == 2
    assert [t["taskArn"] for t in ecs.run_task(**asked)["tasks"]] == first
    code, _ = refused(ecs.run_task, **{**asked, "count": 1})
    assert code == "ConflictException"
    for arn in first:
        task = tasks.until(arn, "STOPPED")
        assert part(task, "app")["exitCode"] == 5
        assert (task["group"], task["startedBy"], task["tags"]) == ("family:batch", "nightly", [])
    seen = ecs.describe_tasks(cluster=cluster, tasks=first, include=["TAGS"])["tasks"]
    assert [t["tags"] for t in seen] == [[{"key": "team", "value": "a"}]] * 2
    listed = ecs.list_tasks(cluster=cluster, startedBy="nightly", desiredStatus="STOPPED")["taskArns"]
    assert set(listed) == set(first)


def test_list_tasks_filters_and_pages(tasks: Tasks) -> None:
    """By family, desired status and pages of maxResults; the paginator gives each task once."""
    ecs, cluster = tasks.ecs, tasks.stack.name
    definition = tasks.define({"name": "app"}, family=f"{cluster}-list")
    made = {tasks.start(definition) for _ in range(3)}
    pages = list(
        ecs.get_paginator("list_tasks").paginate(
            cluster=cluster, family=f"{cluster}-list", PaginationConfig={"PageSize": 2}
        )
    )
    assert [len(p["taskArns"]) for p in pages] == [2, 1]
    assert {a for p in pages for a in p["taskArns"]} == made
    assert ecs.list_tasks(cluster=cluster, family=f"{cluster}-none")["taskArns"] == []
    for arn in made:
        ecs.stop_task(cluster=cluster, task=arn)
    stopped = ecs.list_tasks(cluster=cluster, family=f"{cluster}-list", desiredStatus="STOPPED")
    assert set(stopped["taskArns"]) == made
    for arn in made:
        assert tasks.until(arn, "STOPPED")["stoppedReason"] == "Task stopped by user"


def test_describe_tasks_names_what_is_missing(tasks: Tasks) -> None:
    """An unknown task is a failure MISSING with its whole ARN; more than a hundred are refused."""
    cluster = tasks.stack.name
    answer = tasks.ecs.describe_tasks(cluster=cluster, tasks=["0" * 32])
    (failure,) = answer["failures"]
    assert failure["reason"] == "MISSING" and failure["arn"].endswith(f":task/{cluster}/{'0' * 32}")
    code, _ = refused(tasks.ecs.describe_tasks, cluster=cluster, tasks=[str(n) for n in range(101)])
    assert code == "InvalidParameterException"


def test_what_run_task_refuses(tasks: Tasks) -> None:
    """Unknown and deregistered definitions, unknown clusters, subnets and containers, no network."""
    ecs, good = tasks.ecs, tasks.define(python(""), family=f"{tasks.stack.name}-gone")
    asked = {"cluster": tasks.stack.name, "taskDefinition": good, "networkConfiguration": tasks.network}
    assert refused(ecs.run_task, **{**asked, "taskDefinition": "no-such"}) == (
        "ClientException", "TaskDefinition not found.",
    )  # fmt: skip
    assert refused(ecs.run_task, **{**asked, "cluster": "no-such"})[0] == "ClusterNotFoundException"
    nowhere = {"awsvpcConfiguration": {"subnets": ["subnet-0123456789abcdef0"]}}
    code, why = refused(ecs.run_task, **{**asked, "networkConfiguration": nowhere})
    assert code == "InvalidParameterException" and "InvalidSubnetID.NotFound" in why
    code, why = refused(ecs.run_task, cluster=tasks.stack.name, taskDefinition=good)
    assert (code, why) == (
        "InvalidParameterException",
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
    )
    ecs.deregister_task_definition(taskDefinition=good)
    assert refused(ecs.run_task, **asked) == ("InvalidParameterException", "TaskDefinition is inactive")
    shown = ecs.describe_task_definition(taskDefinition=good)["taskDefinition"]
    assert shown["status"] == "INACTIVE" and shown["deregisteredAt"] >= shown["registeredAt"]
    assert refused(ecs.stop_task, cluster=tasks.stack.name, task="f" * 32) == (
        "InvalidParameterException", "The referenced task was not found.",
    )  # fmt: skip


def test_execute_command_says_honestly_that_it_cannot(tasks: Tasks) -> None:
    """enableExecuteCommand is kept and shown; without an agent the target is not connected."""
    arn = tasks.start(tasks.define({"name": "app"}), enableExecuteCommand=True)
    task = tasks.until(arn, "RUNNING")
    assert task["enableExecuteCommand"] is True
    asked = {"cluster": tasks.stack.name, "task": arn, "interactive": True, "command": "ls"}
    assert refused(tasks.ecs.execute_command, **asked)[0] == "TargetNotConnectedException"
    tasks.ecs.stop_task(cluster=tasks.stack.name, task=arn)
    plain = tasks.start(tasks.define({"name": "app"}))
    code, why = refused(tasks.ecs.execute_command, **{**asked, "task": plain})
    assert code == "InvalidParameterException" and "execute command was not enabled" in why
    tasks.ecs.stop_task(cluster=tasks.stack.name, task=plain)


def test_a_running_task_shows_its_network_and_size(tasks: Tasks) -> None:
    """An elastic network interface with subnet and address, the Availability Zone, CPU, memory, platform."""
    arn = tasks.start(tasks.define({"name": "app"}))
    task = tasks.until(arn, "RUNNING")
    (interface,) = task["attachments"]
    details = {d["name"]: d["value"] for d in interface["details"]}
    assert (interface["type"], interface["status"]) == ("ElasticNetworkInterface", "ATTACHED")
    assert details["subnetId"] in tasks.stack.subnets
    address = part(task, "app")["networkInterfaces"][0]["privateIpv4Address"]
    assert details["privateIPv4Address"] == address
    assert (task["cpu"], task["memory"], task["launchType"], task["connectivity"]) == (
        "256", "512", "FARGATE", "CONNECTED",
    )  # fmt: skip
    assert task["availabilityZone"].startswith("us-east-1") and task["platformVersion"] == "1.4.0"
    tasks.ecs.stop_task(cluster=tasks.stack.name, task=arn)
    assert tasks.until(arn, "STOPPED")["attachments"][0]["status"] == "DELETED"


def test_a_definition_is_kept_as_it_was_sent(tasks: Tasks) -> None:
    """DescribeTaskDefinition gives back what was registered; revisions count up and are listed in order."""
    container = {
        "name": "app", "image": tasks.image, "cpu": 64, "memory": 128, "essential": True, "stopTimeout": 7,
        "environment": [{"name": "A", "value": "\u00fc"}], "dockerLabels": {"a": "b"},
        "healthCheck": {"command": ["CMD-SHELL", "exit 0"], "interval": 9, "timeout": 3, "retries": 2},
        "secrets": [{"name": "S", "valueFrom": "/s"}], "mountPoints": [], "portMappings": [],
        "volumesFrom": [],
        "linuxParameters": {"initProcessEnabled": True}, "readonlyRootFilesystem": True, "user": "1000",
    }  # fmt: skip
    family, tags = f"{tasks.stack.name}-kept", [{"key": "k", "value": "v"}]
    arns = [tasks.define(family=family, containerDefinitions=[container], tags=tags) for _ in range(3)]
    answer = tasks.ecs.describe_task_definition(taskDefinition=family, include=["TAGS"])
    assert answer["taskDefinition"]["containerDefinitions"] == [container] and answer["tags"] == tags
    assert answer["taskDefinition"]["taskDefinitionArn"] == arns[2]
    newest = tasks.ecs.list_task_definitions(familyPrefix=family, sort="DESC", maxResults=2)
    assert newest["taskDefinitionArns"] == [arns[2], arns[1]] and newest["nextToken"]
    tasks.ecs.deregister_task_definition(taskDefinition=arns[2])
    found = tasks.ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
    assert found["taskDefinitionArn"] == arns[1]
    code, why = refused(
        tasks.define, family=family, containerDefinitions=[container], cpu="512", memory="512"
    )
    assert code == "ClientException" and why.startswith("No Fargate configuration exists for given values")


def test_protection_is_kept_until_it_expires(tasks: Tasks) -> None:
    """UpdateTaskProtection is for a service's tasks: a task of nobody's is a failure TASK_NOT_VALID."""
    arn = tasks.start(tasks.define(python("")))
    answer = tasks.ecs.update_task_protection(
        cluster=tasks.stack.name, tasks=[arn], protectionEnabled=True, expiresInMinutes=5
    )
    assert [f["reason"] for f in answer["failures"]] == ["TASK_NOT_VALID"]
    service = tasks.stack.service("guarded", tasks.stack.revision())
    (task,) = eventually(lambda: tasks.stack.tasks(service))
    tasks.ecs.update_task_protection(
        cluster=tasks.stack.name, tasks=[task["taskArn"]], protectionEnabled=True
    )
    seen = tasks.ecs.get_task_protection(cluster=tasks.stack.name, tasks=[task["taskArn"]])
    (shown,) = seen["protectedTasks"]
    assert shown["protectionEnabled"] and shown["expirationDate"] > task["createdAt"]
    tasks.ecs.update_task_protection(
        cluster=tasks.stack.name, tasks=[task["taskArn"]], protectionEnabled=False
    )


def test_an_unhealthy_task_of_a_service_is_replaced(tasks: Tasks) -> None:
    """A service's task whose essential container fails its health check is stopped and replaced."""
    check = {"command": ["CMD", "no-such-program"], "interval": 5, "retries": 1}
    service = tasks.stack.service("sick", tasks.define({"name": "app", "healthCheck": check}))
    task = eventually(lambda: tasks.stack.tasks(service, "STOPPED"))[0]
    assert task["healthStatus"] == "UNHEALTHY" and task["stopCode"] == "ServiceSchedulerInitiated"
    assert "failed container health checks" in task["stoppedReason"]
    assert (task["group"], task["startedBy"][:8]) == (f"service:{service}", "ecs-svc/")
    eventually(lambda: [t for t in tasks.stack.tasks(service) if t["taskArn"] != task["taskArn"]])
    tasks.ecs.delete_service(cluster=tasks.stack.name, service=service, force=True)
