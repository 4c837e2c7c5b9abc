"""Probes of ECS's services as they are looked at."""

from botocore.exceptions import ClientError

from delivery_tests.sandbox.patches.ecs import seen, service
from delivery_tests.sandbox.patches.probing import Caller, probe

NO_GROUPS: dict[str, list[str]] = {"securityGroups": []}


def code(caller: Caller, operation: str, **parameters: object) -> str:
    """The error code an operation answers with; empty when it does not refuse."""
    try:
        getattr(caller.client("ecs"), operation)(**parameters)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@probe("patches.ecs_services.listed_services")
def listed_services(caller: Caller) -> None:
    """ListServices does not show a deleted service."""
    service(caller, NO_GROUPS)
    ecs = caller.client("ecs")
    ecs.delete_service(cluster=caller.name, service=caller.name)
    assert ecs.list_services(cluster=caller.name)["serviceArns"] == []


@probe("patches.ecs_services.described_services")
def described_services(caller: Caller) -> None:
    """DescribeServices refuses eleven services."""
    service(caller, NO_GROUPS)
    names = [f"s{n}" for n in range(11)]
    refused = code(caller, "describe_services", cluster=caller.name, services=names)
    assert refused == "InvalidParameterException"


@probe("patches.ecs_services.counted_clusters")
def counted_clusters(caller: Caller) -> None:
    """DescribeClusters counts the active services."""
    service(caller, NO_GROUPS)
    (cluster,) = caller.client("ecs").describe_clusters(clusters=[caller.name])["clusters"]
    assert cluster["activeServicesCount"] == 1


@probe("patches.ecs_services.kept_clusters")
def kept_clusters(caller: Caller) -> None:
    """A cluster with an active service cannot be deleted."""
    service(caller, NO_GROUPS)
    assert code(caller, "delete_cluster", cluster=caller.name) == "ClusterContainsServicesException"


@probe("patches.ecs_services.deleted_clusters")
def deleted_clusters(caller: Caller) -> None:
    """A deleted cluster is not listed, is INACTIVE when described, takes no tasks, and can be made again."""
    ecs = caller.client("ecs")
    arn = ecs.create_cluster(clusterName=caller.name)["cluster"]["clusterArn"]
    assert arn in ecs.list_clusters()["clusterArns"]
    ecs.delete_cluster(cluster=caller.name)
    assert arn not in ecs.list_clusters()["clusterArns"]
    (shown,) = ecs.describe_clusters(clusters=[caller.name])["clusters"]
    assert shown["status"] == "INACTIVE"
    assert code(caller, "list_tasks", cluster=caller.name) == "ClusterNotFoundException"
    assert ecs.create_cluster(clusterName=caller.name)["cluster"]["status"] == "ACTIVE"


@probe("patches.ecs_services.service_deployments")
def service_deployments(caller: Caller) -> None:
    """A new service has one service deployment."""
    service(caller, NO_GROUPS)
    found = caller.client("ecs").list_service_deployments(cluster=caller.name, service=caller.name)
    assert len(found["serviceDeployments"]) == 1


@probe("patches.ecs_services.service_revisions")
def service_revisions(caller: Caller) -> None:
    """A service's revision names its task definition."""
    service(caller, NO_GROUPS)
    arn = seen(caller)["currentServiceRevisions"][0]["arn"]
    found = caller.client("ecs").describe_service_revisions(serviceRevisionArns=[arn])["serviceRevisions"]
    assert found[0]["taskDefinition"] == seen(caller)["taskDefinition"]


@probe("patches.ecs_services.stopped_deployments")
def stopped_deployments(caller: Caller) -> None:
    """A service deployment nobody knows cannot be stopped, and that is told."""
    arn = "arn:aws:ecs:us-east-1:123456789012:service-deployment/none/none/none"
    refused = code(caller, "stop_service_deployment", serviceDeploymentArn=arn)
    assert refused == "ServiceDeploymentNotFoundException"
