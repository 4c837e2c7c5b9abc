"""ECS services as a stranger's client sees them: what is refused, what is kept, what is remembered.

Sources: "CreateService", "UpdateService", "DeleteService", "DescribeServices", "ListServices",
"ListServiceDeployments", "DescribeServiceDeployments", "DescribeServiceRevisions" and "StopServiceDeployment"
in the ECS API reference; "Amazon ECS service deployment state change events" in the ECS developer guide.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.stack import Stack, eventually, messages

pytestmark = pytest.mark.sandbox

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


def refused(code: str, call: Any, **parameters: Any) -> str:
    """The sentence with which a call is refused; the code is the one that was expected."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(error["Message"])


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


def balancer(arn: str, name: str = "app", port: int = 8080) -> list[dict[str, Any]]:
    """loadBalancers with one target group."""
    return [{"targetGroupArn": arn, "containerName": name, "containerPort": port}]


# --- what is refused ------------------------------------------------------------------

NO_SUCH = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/none/0123456789abcdef"
INVALID = "InvalidParameterException"
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


# --- with tasks -----------------------------------------------------------------------


def test_a_deleted_service_drains_before_it_is_inactive(stack: Stack) -> None:
    """Above 0 it must be forced; it is DRAINING while its task stops, then INACTIVE, and can be made anew."""
    service = stack.service("blue", stack.revision(), count=1)
    stack.stable(service)
    names = {"cluster": stack.name, "service": service}
    message = refused(INVALID, stack.ecs.delete_service, **names)
    assert message == "The service cannot be stopped while it is scaled above 0."
    assert refused("ClusterContainsServicesException", stack.ecs.delete_cluster, cluster=stack.name)
    gone = stack.ecs.delete_service(**names, force=True)["service"]
    assert (gone["status"], gone["desiredCount"]) == ("DRAINING", 0)
    assert stack.ecs.list_services(cluster=stack.name)["serviceArns"] == []
    assert refused("ServiceNotActiveException", stack.ecs.update_service, **names, desiredCount=1)
    eventually(lambda: stack.look(service), lambda s: s["status"] == "INACTIVE")
    assert refused("ServiceNotFoundException", stack.ecs.delete_service, **names, force=True)
    stack.service("blue", stack.revision(), count=0)
    assert stack.look(service)["status"] == "ACTIVE"


def test_tasks_are_tagged_as_their_service_says(stack: Stack) -> None:
    """enableECSManagedTags names cluster and service; propagateTags copies the service's own tags."""
    service = stack.service(
        "blue", stack.revision(), enableECSManagedTags=True, propagateTags="SERVICE",
        tags=[{"key": "team", "value": "shop"}],
    )  # fmt: skip
    stack.stable(service)
    arns = stack.ecs.list_tasks(cluster=stack.name, serviceName=service)["taskArns"]
    [task] = stack.ecs.describe_tasks(cluster=stack.name, tasks=arns, include=["TAGS"])["tasks"]
    assert {t["key"]: t["value"] for t in task["tags"]} == {
        "aws:ecs:clusterName": stack.name, "aws:ecs:serviceName": service, "team": "shop",
    }  # fmt: skip
    assert task["startedBy"] == stack.look(service)["deployments"][0]["id"]
    [cluster] = stack.ecs.describe_clusters(clusters=[stack.name])["clusters"]
    assert (cluster["runningTasksCount"], cluster["activeServicesCount"]) == (1, 1)


def test_a_task_is_registered_in_every_target_group(stack: Stack) -> None:
    """A service may have several target groups: a task serves when all of them call it healthy."""
    stack.group("blue")
    stack.group("green", path="/status/404")
    stack.route(blue=50, green=50)
    both = [balancer(stack.groups[slot])[0] for slot in ("blue", "green")]
    stack.ecs.create_service(
        cluster=stack.name, serviceName="both", taskDefinition=stack.revision(), desiredCount=1,
        launchType="FARGATE", loadBalancers=both, healthCheckGracePeriodSeconds=300,
        networkConfiguration={"awsvpcConfiguration": {"subnets": stack.subnets}},
    )  # fmt: skip
    eventually(lambda: [s for s, _ in stack.health("blue")], lambda states: states == ["healthy"])
    eventually(lambda: [s for s, _ in stack.health("green")], lambda states: states == ["unhealthy"])
    shown = stack.look("both")
    assert shown["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    said = [e["message"] for e in shown["events"]]
    for group in stack.groups.values():
        assert f"(service both) registered 1 targets in (target-group {group})" in said


@pytest.fixture
def fast(compressed: RunningSandbox, app_image: str) -> Iterator[Stack]:
    """A stack whose time runs twenty times as fast."""
    made = Stack(compressed, app_image)
    yield made
    made.close()


def deployments(stack: Stack, service: str, **more: Any) -> list[dict[str, Any]]:
    """The service's deployments as DescribeServiceDeployments shows them, newest first."""
    found = stack.ecs.list_service_deployments(cluster=stack.name, service=service, **more)
    arns = [d["serviceDeploymentArn"] for d in found["serviceDeployments"]]
    if not arns:
        return []
    shown = stack.ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"]
    return list(shown)


def test_a_release_that_fails_its_health_checks_is_rolled_back_and_remembered(fast: Stack) -> None:
    """Three tasks that the load balancer calls unhealthy trip the breaker. When the old revision is back,
    DescribeServices shows nothing of it any more; ListServiceDeployments does. EventBridge was told."""
    queue = fast.sandbox.client("sqs").create_queue(QueueName=fast.name)["QueueUrl"]
    events = fast.sandbox.client("events")
    pattern = {"source": ["aws.ecs"], "detail-type": ["ECS Deployment State Change"]}
    events.put_rule(Name=fast.name, EventPattern=json.dumps(pattern))
    arn = f"arn:aws:sqs:us-east-1:123456789012:{fast.name}"
    events.put_targets(Rule=fast.name, Targets=[{"Id": "1", "Arn": arn}])
    group = fast.group("blue", path="/")
    fast.elb.modify_target_group(  # a second of this machine's, which is busy with other tests
        TargetGroupArn=group, HealthCheckIntervalSeconds=30, HealthCheckTimeoutSeconds=20
    )
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "20"}
    fast.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[delay])
    fast.route(blue=100)
    good = fast.revision(NAME="good")
    service = fast.service("blue", good, count=1, deploymentConfiguration=BREAKER)
    fast.completed(service)
    fast.ecs.update_service(cluster=fast.name, service=service, taskDefinition=fast.revision(FAIL="1"))
    newest = eventually(
        lambda: deployments(fast, service)[0], lambda d: d["status"] == "ROLLBACK_SUCCESSFUL", 60
    )
    assert newest["deploymentCircuitBreaker"] == {"status": "TRIGGERED", "failureCount": 3, "threshold": 3}
    first = deployments(fast, service)[1]
    assert newest["rollback"]["serviceRevisionArn"] == first["targetServiceRevision"]["arn"]
    [revision] = fast.ecs.describe_service_revisions(
        serviceRevisionArns=[first["targetServiceRevision"]["arn"]]
    )["serviceRevisions"]
    assert revision["taskDefinition"] == good
    assert revision["containerImages"] == [{"containerName": "app", "image": fast.image}]
    shown = eventually(lambda: fast.look(service), lambda s: len(s["deployments"]) == 1)
    assert (shown["taskDefinition"], shown["deployments"][0]["rolloutState"]) == (good, "COMPLETED")
    assert shown["currentServiceDeployment"] == newest["serviceDeploymentArn"]
    stopped = [t for t in fast.tasks(service, "STOPPED") if t["taskDefinitionArn"] != good]
    assert {t["stoppedReason"] for t in stopped} == {
        f"Task failed ELB health checks in (target-group {fast.groups['blue']})"
    }
    told = [json.loads(m["Body"]) for m in messages(fast.sandbox.client("sqs"), queue)]
    mine = [m["detail"]["eventName"] for m in told if m["resources"] == [shown["serviceArn"]]]
    assert sorted(mine) == sorted(
        ["SERVICE_DEPLOYMENT_IN_PROGRESS", "SERVICE_DEPLOYMENT_COMPLETED"] * 2
        + ["SERVICE_DEPLOYMENT_IN_PROGRESS", "SERVICE_DEPLOYMENT_FAILED"]
    )


def test_a_deployment_can_be_stopped_and_goes_back(fast: Stack) -> None:
    """StopServiceDeployment rolls back, also without the circuit breaker; a finished one is a conflict."""
    good = fast.revision(NAME="good")
    service = fast.service("blue", good, count=1)
    fast.completed(service)
    ecs, names = fast.ecs, {"cluster": fast.name, "service": service}
    ecs.update_service(**names, taskDefinition=fast.revision(image="127.0.0.1:1/none:1"))
    [running] = deployments(fast, service, status=["PENDING", "IN_PROGRESS"])
    ecs.stop_service_deployment(serviceDeploymentArn=running["serviceDeploymentArn"])
    seen = eventually(
        lambda: deployments(fast, service), lambda d: d[0]["status"] == "ROLLBACK_SUCCESSFUL", 60
    )
    assert fast.completed(service)["taskDefinition"] == good
    stop = ecs.stop_service_deployment
    assert refused("ConflictException", stop, serviceDeploymentArn=seen[0]["serviceDeploymentArn"])
    missing = f"{seen[0]['serviceDeploymentArn']}x"
    assert refused("ServiceDeploymentNotFoundException", stop, serviceDeploymentArn=missing)
    found = ecs.describe_service_deployments(serviceDeploymentArns=[missing])
    assert found["failures"] == [{"arn": missing, "reason": "MISSING"}]
    page = ecs.list_service_deployments(**names, maxResults=1)
    assert len(page["serviceDeployments"]) == 1 and page["nextToken"]
    after = ecs.list_service_deployments(**names, createdAt={"after": seen[0]["createdAt"]})
    assert after["serviceDeployments"] == []
    before = ecs.list_service_deployments(**names, createdAt={"before": seen[0]["createdAt"]})
    assert [d["status"] for d in before["serviceDeployments"]] == ["SUCCESSFUL"]
    unknown = ecs.list_service_deployments
    assert refused("ServiceNotFoundException", unknown, cluster=fast.name, service="none")
