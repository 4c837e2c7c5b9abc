"""ECS tasks, their requests and answers without Docker: secrets, RunTask's parameters, pages, what is shown.

Pages: "Pass sensitive data to an Amazon ECS container" and "Stopped tasks error codes" in the ECS developer
guide; "RunTask", "ListTasks" and "Task" in the ECS API reference.
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.core.exceptions import ServiceException

from delivery.sandbox.cloudwatch.usage import Counters, cores_between, counters_of
from delivery.sandbox.ecs.definition import container_spec, task_spec
from delivery.sandbox.ecs.model import Task
from delivery.sandbox.ecs.paging import page
from delivery.sandbox.ecs.run_task import Tokens, check, options_of_service, tags_of
from delivery.sandbox.ecs.secrets import SecretMissing, reference, values_of
from delivery.sandbox.ecs.shown import described, event_detail
from delivery_tests.sandbox.test_ecs_tasks_rules import box

# --- secrets --------------------------------------------------------------------------

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"


class Vault:
    """SSM and Secrets Manager with one entry each."""

    def get_parameters(self, names: list[str]) -> dict[str, Any]:
        """The parameter `/app/token`."""
        shown = types.SimpleNamespace(response_object=lambda decrypt: {"Value": "hush"})
        return {n: shown for n in names if n == "/app/token"}

    def get_secret_value(self, arn: str, version: str | None, stage: str | None) -> dict[str, Any]:
        """The secret, in two versions."""
        if arn != SECRET:
            raise ServiceException("ResourceNotFoundException", "Secrets Manager can't find the secret.")
        password = "old" if stage == "AWSPREVIOUS" or version == "v1" else "new"
        return {"SecretString": json.dumps({"user": "me", "password": password})}


def secret_of(value_from: str) -> str:
    """What a container would get."""
    spec = container_spec(box(secrets=[{"name": "X", "valueFrom": value_from}]))
    return values_of(spec, lambda service: Vault())["X"]


@pytest.mark.parametrize(
    ("value_from", "value"),
    [
        ("/app/token", "hush"),
        ("arn:aws:ssm:us-east-1:123456789012:parameter/app/token", "hush"),
        (SECRET, '{"user": "me", "password": "new"}'),
        (f"{SECRET}:password::", "new"),
        (f"{SECRET}:password:AWSPREVIOUS:", "old"),
        (f"{SECRET}:password::v1", "old"),
    ],
)
def test_value_from_names_a_parameter_or_part_of_a_secret(value_from: str, value: str) -> None:
    """A name or ARN of a parameter; a secret's ARN with json key, version stage and version id."""
    assert secret_of(value_from) == value


@pytest.mark.parametrize("value_from", ["/no", f"{SECRET}:nokey::", SECRET.replace("db-", "xy-")])
def test_a_missing_secret_has_ecss_words(value_from: str) -> None:
    """The reason begins as ECS's does, names the place, and holds no value."""
    with pytest.raises(SecretMissing) as told:
        secret_of(value_from)
    text = str(told.value)
    assert text.startswith("ResourceInitializationError: unable to pull secrets or registry auth")
    assert "new" not in text and "hush" not in text


def test_json_keys_are_no_part_of_the_arn() -> None:
    """The first seven parts are the ARN, the other three choose."""
    assert reference(f"{SECRET}:k:s:v") == (SECRET, "k", "s", "v")
    assert reference("/plain") is None


# --- RunTask and ListTasks --------------------------------------------------------------


def definition(**more: Any) -> Any:
    """moto's task definition as far as anybody reads it."""
    variables = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    values = {
        "family": "app", "arn": "arn:td/app:1", "cpu": "256", "memory": "512", "volumes": [],
        "network_mode": "awsvpc", "tags": [{"key": "team", "value": "a"}],
        "container_definitions": [box(environment=variables)],
    }  # fmt: skip
    return types.SimpleNamespace(**{**values, **more})


NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({}, "Network Configuration must be provided when networkMode 'awsvpc' is specified."),
        ({"networkConfiguration": NETWORK, "count": 11}, "Task count must be between 1 and 10."),
        ({"networkConfiguration": NETWORK, "count": 0}, "Task count must be between 1 and 10."),
        (
            {"networkConfiguration": NETWORK, "overrides": {"containerOverrides": [{"name": "no"}]}},
            "Override for container named no is not a container in the TaskDefinition.",
        ),
        (
            {"networkConfiguration": NETWORK, "launchType": "FARGATE", "capacityProviderStrategy": [{}]},
            "Specifying both a launch type and capacity provider strategy is not supported.",
        ),
    ],
)
def test_run_task_refuses(asked: dict[str, Any], sentence: str) -> None:
    """InvalidParameterException with ECS's sentence."""
    with pytest.raises(ServiceException) as told:
        check(asked, definition())
    assert told.value.code == "InvalidParameterException" and told.value.message.startswith(sentence)


def test_overrides_are_laid_over_the_definition() -> None:
    """Command replaced, environment merged by name, the task's size replaced."""
    container = {"name": "app", "command": ["x"], "environment": [{"name": "B", "value": "3"}]}
    spec = task_spec(definition(), {"cpu": "512", "memory": "1024", "containerOverrides": [container]})
    assert (spec.cpu, spec.memory, spec.containers[0].command) == (512, 1024, ("x",))
    assert dict(spec.containers[0].environment) == {"A": "1", "B": "3"}


def test_the_same_token_is_the_same_request() -> None:
    """Same token and parameters: the tasks it made. Other parameters: ConflictException with their ARNs."""
    tokens, asked = Tokens(), {"clientToken": "t", "count": 2}
    assert tokens.known("c", asked) is None
    tokens.keep("c", asked, ["a1", "a2"])
    assert tokens.known("c", asked) == ["a1", "a2"]
    assert tokens.known("other", asked) is None and tokens.known("c", {"count": 2}) is None
    with pytest.raises(ServiceException) as told:
        tokens.known("c", {**asked, "count": 3})
    assert told.value.code == "ConflictException"
    assert vars(told.value)["resourceIds"] == ["a1", "a2"]


def test_tags_are_propagated_when_told_to() -> None:
    """Own tags win over the definition's; ECS's own are added when asked for."""
    own = {"tags": [{"key": "team", "value": "b"}]}
    assert tags_of({}, definition(), "c") == []
    asked = {**own, "propagateTags": "TASK_DEFINITION", "enableECSManagedTags": True}
    assert tags_of(asked, definition(), "c") == [
        {"key": "team", "value": "b"}, {"key": "aws:ecs:clusterName", "value": "c"},
    ]  # fmt: skip


def test_a_services_tasks_take_its_tags_and_subnets() -> None:
    """propagateTags SERVICE, managed tags, enableExecuteCommand and the subnets go on to its tasks."""
    service = types.SimpleNamespace(
        name="s", cluster_name="c", propagate_tags="SERVICE", tags=[{"key": "x", "value": "y"}],
        enable_ecs_managed_tags=True, network_configuration=NETWORK, enable_execute_command=True,
    )  # fmt: skip
    options = options_of_service(service, definition())
    assert {t["key"]: t["value"] for t in options["tags"]} == {
        "x": "y", "aws:ecs:clusterName": "c", "aws:ecs:serviceName": "s",
    }  # fmt: skip
    assert options["subnets"] == ["subnet-1"] and options["execute_command"]


@given(st.integers(0, 30), st.integers(1, 10))
def test_pages_give_everything_once(count: int, size: int) -> None:
    """Following nextToken to the end gives every item once and in order."""
    items, seen, token = [f"arn:{n}" for n in range(count)], [], None
    for _ in range(count + 1):
        some, token = page(items, size, token)
        seen += some
        if token is None:
            break
    assert seen == items


@pytest.mark.parametrize(("size", "token"), [(0, None), (101, None), (None, "nonsense")])
def test_bad_pages_are_refused(size: int | None, token: str | None) -> None:
    """maxResults is 1 to 100; an unknown token is an InvalidParameterException."""
    with pytest.raises(ServiceException) as told:
        page(["a"], size, token)
    assert told.value.code == "InvalidParameterException"


# --- what is shown ----------------------------------------------------------------------


def a_task(*containers: Mapping[str, Any]) -> Task:
    """A task of these containers that was just written down."""
    spec = task_spec(definition(container_definitions=list(containers) or [box()]))
    return Task("c", "arn:aws:ecs:r:1:cluster/c", "arn:aws:ecs:r:1:task/c/0123", spec, group="family:app")


def test_nothing_is_shown_that_nobody_measured() -> None:
    """Before its containers ran a task has no exit code, digest, address, runtime id or time of start."""
    shown = described(a_task())
    container = shown["containers"][0]
    assert not {"exitCode", "imageDigest", "runtimeId", "reason"} & set(container)
    assert container["networkInterfaces"] == [] and not {"startedAt", "stopCode"} & set(shown)
    assert (shown["lastStatus"], shown["healthStatus"], shown["launchType"]) == (
        "PROVISIONING", "UNKNOWN", "FARGATE",
    )  # fmt: skip


def test_a_secrets_value_is_never_shown() -> None:
    """A task holds names of secrets only; what DescribeTasks and events say cannot hold a value."""
    task = a_task(box(secrets=[{"name": "TOKEN", "valueFrom": "/app/token"}]))
    assert "/app/token" not in json.dumps(described(task), default=str)
    assert "/app/token" not in json.dumps(event_detail(task))


def test_the_first_reason_stays() -> None:
    """A task that somebody stopped and that then exits was stopped by somebody."""
    task = a_task()
    task.explain("UserInitiated", "moving house")
    task.explain("EssentialContainerExited", "Essential container in task exited")
    assert (task.stop_code, task.stopped_reason, task.desired_status) == (
        "UserInitiated", "moving house", "STOPPED",
    )  # fmt: skip


# --- usage --------------------------------------------------------------------------------


def test_cpu_is_what_was_used_between_two_looks() -> None:
    """Half a CPU second in two seconds is a quarter of a core; a container that ended has no counters."""
    assert cores_between(Counters(10, 1.0, 0), Counters(12, 1.5, 0)) == 0.25
    assert counters_of({"memory_stats": {}, "cpu_stats": {}}, 1.0) is None
