"""ECS services as a stranger's client sees them: what is refused, what is kept, what is remembered.

Sources: "CreateService", "UpdateService", "DeleteService", "DescribeServices", "ListServices",
"ListServiceDeployments", "DescribeServiceDeployments", "DescribeServiceRevisions" and "StopServiceDeployment"
in the ECS API reference; "Amazon ECS service deployment state change events" in the ECS developer guide.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.ecs_calls import INVALID, balancer, refused
from delivery_tests.sandbox.stack import Stack

pytestmark = pytest.mark.sandbox

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


@pytest.fixture(scope="module")
def shop(sandbox: RunningSandbox, app_image: str) -> Iterator[Stack]:
    """A stack for services without tasks."""
    made = Stack(sandbox, app_image)
    made.group("blue")
    made.group("green")
    made.group("lonely")
    made.route(blue=100, green=0)
    yield made
    made.close()


@pytest.fixture
def request_of(shop: Stack) -> dict[str, Any]:
    """A CreateService request that is accepted."""
    return {
        "cluster": shop.name, "serviceName": "never", "taskDefinition": shop.revision(), "desiredCount": 0,
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": shop.subnets}},
    }  # fmt: skip


# --- what is refused ------------------------------------------------------------------

NO_SUCH = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/none/0123456789abcdef"
UNSUPPORTED = "UnsupportedFeatureException"


@pytest.mark.parametrize(
    ("code", "message", "wrong"),
    [
        ("ClusterNotFoundException", "Cluster not found.", {"cluster": "nowhere"}),
        (INVALID, "invalid characters", {"serviceName": "no blanks"}),
        (INVALID, "invalid characters", {"serviceName": "x" * 256}),
        ("ClientException", "TaskDefinition not found.", {"taskDefinition": "nobody:7"}),
        (INVALID, "Desired count", {"desiredCount": -1}),
        (INVALID, "launchType should be one of", {"launchType": "MOON"}),
        (INVALID, "Specifying both a launch type and capacity provider strategy is not supported",
         {"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}),
        (INVALID, "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
         {"networkConfiguration": {}}),
        (INVALID, "Error retrieving subnet information for [subnet-none]",
         {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-none"]}}}),
        (INVALID, "does not exist", {"loadBalancers": balancer(NO_SUCH)}),
        (INVALID, "does not have an associated load balancer.", {"loadBalancers": "lonely"}),
        (INVALID, "minimumHealthyPercent", {"deploymentConfiguration": {"minimumHealthyPercent": 101}}),
        (INVALID, "maximumPercent", {"deploymentConfiguration": {"maximumPercent": 0}}),
        (INVALID, "alarmNames", {"deploymentConfiguration": {
            "alarms": {"enable": True, "rollback": True, "alarmNames": []}}}),
        (UNSUPPORTED, "CODE_DEPLOY", {"deploymentController": {"type": "CODE_DEPLOY"}}),
        (UNSUPPORTED, "EXTERNAL", {"deploymentController": {"type": "EXTERNAL"}}),
        (UNSUPPORTED, "BLUE_GREEN", {"deploymentConfiguration": {"strategy": "BLUE_GREEN"}}),
        (UNSUPPORTED, "CANARY", {"deploymentConfiguration": {"strategy": "CANARY"}}),
        (INVALID, "not supported for Fargate", {"schedulingStrategy": "DAEMON"}),
    ],
)  # fmt: skip
def test_a_service_that_cannot_be_is_refused(
    shop: Stack, request_of: dict[str, Any], code: str, message: str, wrong: dict[str, Any]
) -> None:
    """CreateService says no with ECS's own error code, and nothing is made."""
    if wrong == {"loadBalancers": "lonely"}:
        wrong = {"loadBalancers": balancer(shop.groups["lonely"])}
    assert message in refused(code, shop.ecs.create_service, **{**request_of, **wrong})
    listed = shop.ecs.list_services(cluster=shop.name)["serviceArns"]
    assert not [arn for arn in listed if arn.endswith("/never")]


@pytest.mark.parametrize(
    ("name", "port", "message"),
    [("web", 8080, "The container web does not exist in the task definition."),
     ("app", 81, "The container app did not have a container port 81 defined.")],
)  # fmt: skip
def test_the_load_balanced_container_must_be_defined(
    shop: Stack, request_of: dict[str, Any], name: str, port: int, message: str
) -> None:
    """containerName and containerPort are looked up in the task definition."""
    wrong = {"loadBalancers": balancer(shop.groups["blue"], name, port)}
    assert refused(INVALID, shop.ecs.create_service, **{**request_of, **wrong}) == message


def test_a_deregistered_revision_cannot_be_deployed(shop: Stack, request_of: dict[str, Any]) -> None:
    """An INACTIVE task definition can be named by running services only."""
    shop.ecs.deregister_task_definition(taskDefinition=request_of["taskDefinition"])
    message = refused("ClientException", shop.ecs.create_service, **request_of)
    assert message == "TaskDefinition is inactive"


def test_a_client_token_makes_creation_idempotent(shop: Stack, request_of: dict[str, Any]) -> None:
    """The same request with the same token gets the same service; any other of that name is refused."""
    asked = {**request_of, "serviceName": "twice", "clientToken": "t-1"}
    first = shop.ecs.create_service(**asked)["service"]
    assert shop.ecs.create_service(**asked)["service"]["serviceArn"] == first["serviceArn"]
    for other in ({"clientToken": "t-2"}, {"desiredCount": 1}):
        message = refused(INVALID, shop.ecs.create_service, **{**asked, **other})
        assert message == "Creation of service was not idempotent."


def test_an_unknown_service_is_told(shop: Stack) -> None:
    """UpdateService and DeleteService do not find it; DescribeServices reports it as MISSING."""
    for call in (shop.ecs.update_service, shop.ecs.delete_service):
        assert refused("ServiceNotFoundException", call, cluster=shop.name, service="none")
        assert refused("ClusterNotFoundException", call, cluster="nowhere", service="none")
    found = shop.ecs.describe_services(cluster=shop.name, services=["none"])
    assert found["services"] == []
    assert [(f["reason"], f["arn"].rsplit("/", 1)[1]) for f in found["failures"]] == [("MISSING", "none")]


def test_ten_services_are_described_at_once(shop: Stack) -> None:
    """DescribeServices takes up to ten."""
    names = [f"s{n}" for n in range(11)]
    assert refused(INVALID, shop.ecs.describe_services, cluster=shop.name, services=names)
    assert len(shop.ecs.describe_services(cluster=shop.name, services=names[:10])["failures"]) == 10


def test_an_update_is_checked_like_a_creation(shop: Stack, request_of: dict[str, Any]) -> None:
    """UpdateService refuses what CreateService refuses, and leaves the service as it was."""
    service = shop.ecs.create_service(**{**request_of, "serviceName": "checked"})["service"]
    update, names = shop.ecs.update_service, {"cluster": shop.name, "service": "checked"}
    assert refused("ClientException", update, **names, taskDefinition="nobody:7")
    assert refused(INVALID, update, **names, loadBalancers=balancer(NO_SUCH))
    assert refused(INVALID, update, **names, desiredCount=-2)
    canary = {"strategy": "CANARY"}
    assert refused(UNSUPPORTED, update, **names, deploymentConfiguration=canary)
    after = shop.look("checked")
    assert (after["taskDefinition"], after["desiredCount"]) == (service["taskDefinition"], 0)
    assert after["loadBalancers"] == [] and after["deployments"][0]["id"] == service["deployments"][0]["id"]


# --- what is kept and shown -----------------------------------------------------------


def test_a_service_is_shown_as_it_was_asked_for(shop: Stack, request_of: dict[str, Any]) -> None:
    """Every field comes back; what was left out has ECS's default."""
    shop.ecs.create_service(
        **{**request_of, "serviceName": "kept"}, loadBalancers=balancer(shop.groups["blue"]),
        healthCheckGracePeriodSeconds=9, enableECSManagedTags=True, propagateTags="SERVICE",
        tags=[{"key": "team", "value": "shop"}],
    )  # fmt: skip
    shown = shop.look("kept")
    expected = {
        "status": "ACTIVE", "launchType": "FARGATE", "schedulingStrategy": "REPLICA",
        "healthCheckGracePeriodSeconds": 9, "enableECSManagedTags": True, "enableExecuteCommand": False,
        "propagateTags": "SERVICE", "deploymentController": {"type": "ECS"}, "platformFamily": "Linux",
        "loadBalancers": balancer(shop.groups["blue"]),
    }  # fmt: skip
    assert expected.items() <= {k: v for k, v in shown.items() if k in expected}.items()
    assert shown["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == shop.subnets
    assert shown["createdAt"] <= shown["deployments"][0]["createdAt"]
    assert "tags" not in shown
    found = shop.ecs.describe_services(cluster=shop.name, services=["kept"], include=["TAGS"])
    assert found["services"][0]["tags"] == [{"key": "team", "value": "shop"}]


def test_lists_come_in_pages(shop: Stack, request_of: dict[str, Any]) -> None:
    """ListServices gives ten at a time unless told otherwise, and a token for the rest."""
    for number in range(12):
        shop.ecs.create_service(**{**request_of, "serviceName": f"page-{number}"})
    first = shop.ecs.list_services(cluster=shop.name)
    assert len(first["serviceArns"]) == 10 and first["nextToken"]
    pages = shop.ecs.get_paginator("list_services").paginate(
        cluster=shop.name, PaginationConfig={"PageSize": 5}
    )
    arns = [arn for found in pages for arn in found["serviceArns"]]
    assert len({a for a in arns if "/page-" in a}) == 12 and len(arns) == len(set(arns))
    assert refused(INVALID, shop.ecs.list_services, cluster=shop.name, maxResults=101)
    for number in range(12):
        shop.ecs.delete_service(cluster=shop.name, service=f"page-{number}")
