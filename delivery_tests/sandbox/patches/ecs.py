"""ECS's probes."""

from typing import Any

from delivery_tests.sandbox.patches.probing import Caller, probe


def task_definition(caller: Caller, **container: Any) -> str:
    """A Fargate task definition whose image nobody has; its ARN."""
    made = caller.client("ecs").register_task_definition(
        family=caller.name, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256",
        memory="512", containerDefinitions=[{"name": "app", "image": "127.0.0.1:1/none:1", **container}],
    )  # fmt: skip
    return str(made["taskDefinition"]["taskDefinitionArn"])


def service(caller: Caller, network: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A cluster with a Fargate service of no tasks; `network` is added to its awsvpcConfiguration."""
    ecs = caller.client("ecs")
    _, subnets = caller.network()
    ecs.create_cluster(clusterName=caller.name)
    made: dict[str, Any] = ecs.create_service(
        cluster=caller.name, serviceName=caller.name, launchType="FARGATE", desiredCount=0,
        taskDefinition=task_definition(caller, memory=128, cpu=64),
        networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, **network}}, **more,
    )["service"]  # fmt: skip
    return made


@probe("patches.ecs.created_services")
def created_services(caller: Caller) -> None:
    """DescribeServices shows the deployment configuration a service was made with."""
    wanted = {"maximumPercent": 150, "minimumHealthyPercent": 50}
    service(caller, {"securityGroups": []}, deploymentConfiguration=wanted)
    assert wanted.items() <= seen(caller)["deploymentConfiguration"].items()


@probe("patches.ecs.updated_services")
def updated_services(caller: Caller) -> None:
    """UpdateService keeps a deployment configuration, and does not claim that what it wants runs."""
    service(caller, {"securityGroups": []})
    wanted = {"maximumPercent": 150, "minimumHealthyPercent": 50}
    names = {"cluster": caller.name, "service": caller.name}
    caller.client("ecs").update_service(**names, deploymentConfiguration=wanted, desiredCount=2)
    shown = seen(caller)
    assert wanted.items() <= shown["deploymentConfiguration"].items() and shown["runningCount"] == 0


@probe("patches.ecs.scaled_services", not_bare="autoscaling calls it inside the process")
def scaled_services(caller: Caller) -> None:
    """Whoever raises the desired count, tasks that cannot start are not counted as running."""
    service(caller, {"securityGroups": []})
    caller.client("ecs").update_service(cluster=caller.name, service=caller.name, desiredCount=2)
    assert seen(caller)["runningCount"] == 0


@probe("patches.ecs.deleted_services")
def deleted_services(caller: Caller) -> None:
    """DeleteService answers DRAINING: its tasks have still to stop."""
    service(caller, {"securityGroups": []})
    gone = caller.client("ecs").delete_service(cluster=caller.name, service=caller.name)["service"]
    assert gone["status"] == "DRAINING"


@probe("patches.ecs.default_security_groups")
def default_security_groups(caller: Caller) -> None:
    """A service whose awsvpcConfiguration names no security groups can be made."""
    assert service(caller, {})["status"] == "ACTIVE"


def seen(caller: Caller) -> dict[str, Any]:
    """The service as DescribeServices shows it."""
    found = caller.client("ecs").describe_services(cluster=caller.name, services=[caller.name])
    return dict(found["services"][0])
