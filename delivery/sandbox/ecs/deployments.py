"""A service's deployments: begun by a new revision, completed, failed, rolled back by the breaker."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from delivery.sandbox.ecs.model import Deployment, Stage, Task, utcnow
from delivery.sandbox.ecs.plan import backoff, breaker_threshold

#: Seconds a failed deployment is still shown.
FAILED_VISIBLE = 5.0
#: Set by the world: the state of a container in all its target groups (`healthy`, `unhealthy` …).
TargetStates = Callable[[str], Sequence[str]]


class ServiceRuntime:
    """What happens to one of moto's services. Every method is called with moto's lock held."""

    target_states: TargetStates = staticmethod(lambda container_id: ())

    def __init__(self, service: Any) -> None:
        self.service = service
        self.primary = Deployment(service.task_definition)
        self.older: list[Deployment] = []
        self.completed: Deployment | None = None
        self._shown = service.deployments[0]["id"] if service.deployments else ""
        service.events = []

    @property
    def target_groups(self) -> list[str]:
        """The ARNs of its target groups."""
        return [b["targetGroupArn"] for b in self.service.load_balancers or () if b.get("targetGroupArn")]

    @property
    def configuration(self) -> dict[str, Any]:
        """Its deploymentConfiguration."""
        return getattr(self.service, "deployment_configuration", None) or {}

    @property
    def percentages(self) -> tuple[int, int]:
        """Minimum healthy and maximum percent."""
        conf = self.configuration
        return int(conf.get("minimumHealthyPercent", 100)), int(conf.get("maximumPercent", 200))

    @property
    def startable(self) -> bool:
        """Not given up, and not backing off after failures."""
        return self.primary.state != "FAILED" and time.monotonic() >= self.primary.not_before

    def notice(self) -> None:
        """Begin a new deployment when the service wants another revision (or was forced)."""
        # moto gives the first deployment another id when a new one is forced. Compared with what was last
        # shown: one the circuit breaker began meanwhile is not shown yet.
        forced = bool(self.service.deployments) and self.service.deployments[0]["id"] != self._shown
        if self.service.task_definition == self.primary.revision_arn and not forced:
            return
        self._begin(Deployment(self.service.task_definition))

    def _begin(self, deployment: Deployment) -> None:
        self.older.append(self.primary)
        self.primary = deployment

    def sick(self, task: Task) -> bool:
        """A target group calls it unhealthy, and its grace period is over."""
        if task.stage is Stage.STOPPING or task.started_at is None:
            return False
        grace = float(getattr(self.service, "health_check_grace_period_seconds", 0) or 0)
        young = (utcnow() - task.started_at).total_seconds() < grace
        return not young and "unhealthy" in self.target_states(task.container_id)

    def failed(self, task: Task, message: str) -> None:
        """A task of this service died by its own doing."""
        self.event(f"(service {self.service.name}) {message}")
        deployment = next(
            (d for d in (self.primary, *self.older) if d.deployment_id == task.deployment), None
        )
        if deployment is None:
            return
        deployment.in_a_row += 1
        deployment.not_before = time.monotonic() + backoff(deployment.in_a_row)
        if deployment.state == "IN_PROGRESS":
            deployment.failed_tasks += 1
            self._break(deployment)

    def _break(self, deployment: Deployment) -> None:
        breaker = self.configuration.get("deploymentCircuitBreaker") or {}
        if deployment is not self.primary or not breaker.get("enable"):
            return
        if deployment.failed_tasks < breaker_threshold(self.service.desired_count):
            return
        reason = "ECS deployment circuit breaker: tasks failed to start."
        back = self.completed
        if breaker.get("rollback") and back is not None and back.revision_arn != deployment.revision_arn:
            deployment.move("FAILED", f"{reason} Rolling back to {back.deployment_id}.")
            again = Deployment(back.revision_arn, rolls_back=True)
            again.reason = f"ECS deployment circuit breaker: rolling back to {back.deployment_id}."
            self.service.task_definition = back.revision_arn
            self._begin(again)
        else:
            deployment.move("FAILED", reason)
        self.event(
            f"(service {self.service.name}) deployment {deployment.deployment_id} deployment failed: {reason}"
        )

    def settle(self) -> None:
        """Every task runs the primary deployment and serves."""
        self.older = [d for d in self.older if _fresh_failure(d)]
        self.primary.in_a_row = 0
        if self.primary.state == "IN_PROGRESS":
            back = " (rolled back)" if self.primary.rolls_back else ""
            self.primary.move("COMPLETED", f"ECS deployment {self.primary.deployment_id} completed{back}.")
            self.completed = self.primary
            self.event(f"(service {self.service.name}) has reached a steady state.")

    def event(self, message: str) -> None:
        """Add a line to the service's events, newest first, a hundred kept."""
        entry = {"id": str(uuid.uuid4()), "createdAt": utcnow(), "message": message}
        self.service.events = [entry, *self.service.events][:100]

    def show(self, tasks: Sequence[Task]) -> None:
        """Write what was counted into moto's service, for DescribeServices."""
        service = self.service
        running = [t for t in tasks if t.last_status == "RUNNING" and t.stage is not Stage.STOPPING]
        service.running_count = len(running)
        service.pending_count = sum(t.last_status == "PROVISIONING" for t in tasks)
        shown = []
        living = {t.deployment for t in tasks}
        self.older = [d for d in self.older if d.deployment_id in living or _fresh_failure(d)]
        for deployment in (self.primary, *reversed(self.older)):
            mine = [t for t in tasks if t.deployment == deployment.deployment_id]
            up = sum(t in running for t in mine)
            status = "PRIMARY" if deployment is self.primary else "ACTIVE"
            wanted = service.desired_count if deployment is self.primary else up
            pending = sum(t.last_status == "PROVISIONING" for t in mine)
            shown.append(deployment.describe(status, wanted, up, pending))
        service.deployments = shown
        self._shown = self.primary.deployment_id


def _fresh_failure(deployment: Deployment) -> bool:
    """A failed deployment stays in the list for a while after its tasks are gone, for those who poll."""
    return (
        deployment.state == "FAILED" and (utcnow() - deployment.updated_at).total_seconds() < FAILED_VISIBLE
    )
