"""ECS services with tasks: draining, tags, target groups, and the history of their deployments.

Sources: "DeleteService", "ListServiceDeployments", "DescribeServiceDeployments", "StopServiceDeployment" in
the ECS API reference; "Amazon ECS service deployment state change events" in the ECS developer guide.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.ecs_calls import INVALID, balancer, refused
from delivery_tests.sandbox.stack import Stack, eventually, messages

pytestmark = pytest.mark.sandbox

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


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


def _listening(stack: Stack) -> str:
    """A queue that is told of every change of a deployment."""
    queue = stack.sandbox.client("sqs").create_queue(QueueName=stack.name)["QueueUrl"]
    events = stack.sandbox.client("events")
    pattern = {"source": ["aws.ecs"], "detail-type": ["ECS Deployment State Change"]}
    events.put_rule(Name=stack.name, EventPattern=json.dumps(pattern))
    arn = f"arn:aws:sqs:us-east-1:123456789012:{stack.name}"
    events.put_targets(Rule=stack.name, Targets=[{"Id": "1", "Arn": arn}])
    return str(queue)


def test_a_release_that_fails_its_health_checks_is_rolled_back_and_remembered(fast: Stack) -> None:
    """Three tasks that the load balancer calls unhealthy trip the breaker. When the old revision is back,
    DescribeServices shows nothing of it any more; ListServiceDeployments does. EventBridge was told."""
    queue = _listening(fast)
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
