"""ECS services as they are looked at: lists, counts, and the history of their deployments."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.exceptions import ECSException, InvalidParameterException, ServiceNotFoundException
from moto.ecs.models import Cluster, EC2ContainerServiceBackend
from moto.ecs.responses import EC2ContainerServiceResponse as Response

from delivery.sandbox.ecs.history import RUNNING, ServiceDeployment, revision_shown
from delivery.sandbox.ecs.paging import page
from delivery.sandbox.ecs.scheduler import Scheduler

#: Services of one DescribeServices, and of one page of ListServices unless told otherwise.
SERVICES = 10
#: ARNs of one DescribeServiceDeployments or DescribeServiceRevisions.
ARNS = 20
_STOPPED_BY_HAND = "Service deployment rolled back because it was stopped by the user."


def install(scheduler: Scheduler) -> None:
    """All of them."""
    listed_services()
    described_services()
    counted_clusters(scheduler)
    kept_clusters(scheduler)
    deleted_clusters()
    service_deployments(scheduler)
    service_revisions(scheduler)
    stopped_deployments(scheduler)


def listed_services() -> None:
    """ListServices shows deleted services in moto, those of clusters whose names end alike, and no pages."""

    def list_services(self: Response) -> ActionResult:
        cluster = self.ecs_backend._get_cluster(self._get_param("cluster") or "default")
        strategy, launch = self._get_param("schedulingStrategy"), self._get_param("launchType")
        found = sorted(
            s.arn
            for s in self.ecs_backend.services.values()
            if s.cluster_name == cluster.name
            and s.status == "ACTIVE"
            and (not strategy or s.scheduling_strategy == strategy)
            and (not launch or s.launch_type == launch)
        )
        chosen, token = page(found, self._get_param("maxResults") or SERVICES, self._get_param("nextToken"))
        return ActionResult({"serviceArns": chosen, "nextToken": token})

    Response.list_services = list_services  # type: ignore[method-assign]


def described_services() -> None:
    """DescribeServices takes one to ten services; moto takes any number."""
    describe = Response.describe_services

    def describe_services(self: Response) -> ActionResult:
        names = self._get_param("services") or []
        if not names:
            raise InvalidParameterException("Services cannot be empty.")
        if len(names) > SERVICES:
            raise InvalidParameterException(f"Services cannot have more than {SERVICES} elements.")
        return describe(self)

    Response.describe_services = describe_services  # type: ignore[method-assign]


def counted_clusters(scheduler: Scheduler) -> None:
    """moto adds up what was asked of its clusters; these counts are of tasks that were seen."""
    describe = Response.describe_clusters

    def describe_clusters(self: Response) -> ActionResult:
        for cluster in self.ecs_backend.clusters.values():
            tasks = [t for t in scheduler.runner.tasks.values() if t.cluster == cluster.name]
            services = [s for s in self.ecs_backend.services.values() if s.cluster_name == cluster.name]
            cluster.running_tasks_count = sum(t.running for t in tasks)
            cluster.pending_tasks_count = sum(t.pending for t in tasks)
            cluster.active_services_count = sum(s.status == "ACTIVE" for s in services)
        return describe(self)

    Response.describe_clusters = describe_clusters  # type: ignore[method-assign]


def kept_clusters(scheduler: Scheduler) -> None:
    """A cluster with active services or tasks cannot be deleted; moto deletes it."""
    delete = Response.delete_cluster

    def delete_cluster(self: Response) -> ActionResult:
        cluster = self.ecs_backend._get_cluster(str(self._get_param("cluster") or "default"))
        services = [s for s in self.ecs_backend.services.values() if s.cluster_name == cluster.name]
        if any(s.status == "ACTIVE" for s in services):
            text = "The Cluster cannot be deleted while Services are active."
            raise ECSException("ClusterContainsServicesException", text)
        if any(t.alive and t.cluster == cluster.name for t in scheduler.runner.tasks.values()):
            text = "The Cluster cannot be deleted while Tasks are active."
            raise ECSException("ClusterContainsTasksException", text)
        return delete(self)

    Response.delete_cluster = delete_cluster  # type: ignore[method-assign]


def deleted_clusters() -> None:
    """A deleted cluster is shown by DescribeClusters only; moto lists it, and goes on using it.

    Sources: API reference, DeleteCluster: "INACTIVE clusters may remain discoverable in your account for a
    period of time"; RunTask's ClusterNotFoundException.
    """
    get = EC2ContainerServiceBackend._get_cluster

    def list_clusters(self: Response) -> ActionResult:
        found = [c.arn for c in self.ecs_backend.clusters.values() if c.status != "INACTIVE"]
        chosen, token = page(found, self._get_param("maxResults"), self._get_param("nextToken"))
        return ActionResult({"clusterArns": chosen, "nextToken": token})

    def get_cluster(self: EC2ContainerServiceBackend, name: str) -> Cluster:
        cluster = get(self, name)
        if cluster.status == "INACTIVE":
            raise ECSException("ClusterNotFoundException", "The referenced cluster was inactive.")
        return cluster

    Response.list_clusters = list_clusters  # type: ignore[method-assign]
    EC2ContainerServiceBackend._get_cluster = get_cluster  # type: ignore[method-assign]


def service_deployments(scheduler: Scheduler) -> None:
    """ListServiceDeployments and DescribeServiceDeployments are missing."""

    def list_service_deployments(self: Response) -> ActionResult:
        cluster = self.ecs_backend._get_cluster(self._get_param("cluster") or "default")
        key = f"{cluster.name}:{str(self._get_param('service')).rsplit('/', 1)[-1]}"
        if key not in self.ecs_backend.services:
            raise ServiceNotFoundException
        runtime = scheduler.runtime(key, self.ecs_backend.services[key])
        found = {d.arn: d for d in runtime.history if _asked_for(self, d)}
        chosen, token = page(list(found), self._get_param("maxResults"), self._get_param("nextToken"))
        briefs = [found[arn].brief() for arn in chosen]
        return ActionResult({"serviceDeployments": briefs, "nextToken": token})

    def describe_service_deployments(self: Response) -> ActionResult:
        arns = _arns(self, "serviceDeploymentArns")
        found = {d.arn: d for d in _all(scheduler)}
        shown = [found[a].describe() for a in arns if a in found]
        return ActionResult({"serviceDeployments": shown, "failures": _missing(arns, found)})

    for method in (list_service_deployments, describe_service_deployments):
        setattr(Response, method.__name__, method)


def service_revisions(scheduler: Scheduler) -> None:
    """DescribeServiceRevisions is missing in moto, as revisions are."""

    def describe_service_revisions(self: Response) -> ActionResult:
        arns = _arns(self, "serviceRevisionArns")
        made = [(d.target.revision, d.service) for d in _all(scheduler)]
        found = {revision.arn: (revision, service) for revision, service in made}

        def containers(definition: str) -> list[Any]:
            return list(self.ecs_backend.describe_task_definition(definition).container_definitions)

        shown = [revision_shown(*found[a], containers) for a in arns if a in found]
        return ActionResult({"serviceRevisions": shown, "failures": _missing(arns, found)})

    Response.describe_service_revisions = describe_service_revisions  # type: ignore[attr-defined]


def stopped_deployments(scheduler: Scheduler) -> None:
    """StopServiceDeployment is missing. It goes back to the last completed deployment."""

    def stop_service_deployment(self: Response) -> ActionResult:
        arn, kind = self._get_param("serviceDeploymentArn"), self._get_param("stopType") or "ROLLBACK"
        change = next((d for d in _all(scheduler) if d.arn == arn), None)
        if change is None:
            raise ECSException("ServiceDeploymentNotFoundException", "Service deployment not found.")
        if kind != "ROLLBACK":
            raise InvalidParameterException("The valid value of stopType is ROLLBACK.")
        service = change.service
        runtime = scheduler.runtime(f"{service.cluster_name}:{service.name}", service)
        if change.status not in ("PENDING", "IN_PROGRESS") or runtime.completed is None:
            raise ECSException(
                "ConflictException",
                f"The service deployment is {change.status} and cannot be rolled back."
                if runtime.completed
                else "The service has no completed deployment to roll back to.",
            )
        runtime.go_back("ECS deployment stopped by the user", _STOPPED_BY_HAND)
        runtime.show(scheduler.of_service(f"{service.cluster_name}:{service.name}"))
        return ActionResult({"serviceDeploymentArn": arn})

    Response.stop_service_deployment = stop_service_deployment  # type: ignore[attr-defined]


def _all(scheduler: Scheduler) -> list[ServiceDeployment]:
    return [d for runtime in scheduler.services.values() for d in runtime.history]


def _asked_for(response: Response, deployment: ServiceDeployment) -> bool:
    """Whether it passes the request's filters: statuses, and created after or before a moment."""
    statuses = response._get_param("status") or ()
    known = {*RUNNING, "SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"}
    wrong = [s for s in statuses if s not in known]
    if wrong:
        raise InvalidParameterException(f"{wrong[0]} is not a status of a service deployment.")
    if statuses and deployment.status not in statuses:
        return False
    created = response._get_param("createdAt") or {}
    at = deployment.times["createdAt"]
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)  # as clients were told it
    after, before = _moment(created.get("after")), _moment(created.get("before"))
    return (after is None or at > after) and (before is None or at < before)


def _moment(value: Any) -> datetime | None:
    """A time as the wire has it: seconds since the epoch, or already read."""
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.fromtimestamp(float(value), UTC)


def _arns(response: Response, parameter: str) -> list[str]:
    arns = list(response._get_param(parameter) or ())
    if not 1 <= len(arns) <= ARNS:
        raise InvalidParameterException(f"{parameter} must have 1 to {ARNS} elements.")
    return arns


def _missing(arns: list[str], found: dict[str, Any]) -> list[dict[str, str]]:
    return [{"arn": a, "reason": "MISSING"} for a in arns if a not in found]
