"""What happens to one service: deployments begin, complete, fail and go back.

Sources, all in the ECS developer guide: "Deploy Amazon ECS services by replacing tasks", "How the Amazon ECS
deployment circuit breaker detects failures", "How CloudWatch alarms detect Amazon ECS deployment failures",
"Amazon ECS service throttle logic".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.ecs.deployments import Deployment, Revision, settings_of
from delivery.sandbox.ecs.history import ServiceDeployment
from delivery.sandbox.ecs.model import Stage, Task
from delivery.sandbox.ecs.notices import IMPAIRED, STUCK, Bus, Notices
from delivery.sandbox.ecs.plan import Moves, ServiceView, backoff, breaker_threshold

#: Real seconds a failed deployment is still shown when its tasks are gone, for those who poll.
FAILED_VISIBLE = 5.0
STEADY = "has reached a steady state."
BREAKER = "ECS deployment circuit breaker"
ALARMS = "ECS deployment alarms"
_BACK_BECAUSE = {
    BREAKER: "Service deployment rolled back because the circuit breaker threshold was exceeded.",
    ALARMS: "Service deployment rolled back because a CloudWatch alarm was triggered.",
}

#: By name: an alarm's state and the AWS seconds it looks back on; None for one that does not exist.
AlarmStates = Callable[[str], tuple[str, float] | None]


class ServiceRuntime:
    """One of moto's services, alive. Every method is called with moto's lock held."""

    def __init__(self, service: Any, bus: Bus, alarms: AlarmStates) -> None:
        self.service, self._alarms = service, alarms
        self.notices = Notices(service, bus)
        self.older: list[Deployment] = []
        self.completed: Deployment | None = None
        self.history: list[ServiceDeployment] = []
        self.forced = False
        self.seen: set[str] = set()  # tasks whose registration was told
        self.served: set[str] = set()  # tasks that were healthy once
        service.created_at = getattr(service, "created_at", None) or CLOCK.utcnow()
        self.primary = self._asked_for()

    @property
    def configuration(self) -> dict[str, Any]:
        """Its deploymentConfiguration."""
        return getattr(self.service, "deployment_configuration", None) or {}

    @property
    def _breaker(self) -> dict[str, Any]:
        return self.configuration.get("deploymentCircuitBreaker") or {}

    @property
    def _watched(self) -> list[str]:
        alarms = self.configuration.get("alarms") or {}
        return list(alarms.get("alarmNames") or ()) if alarms.get("enable") else []

    def view(self) -> ServiceView:
        """What it wants now, for the plan."""
        conf, primary = self.configuration, self.primary
        return ServiceView(
            revision=primary.deployment_id,
            desired=self.service.desired_count if self.service.status == "ACTIVE" else 0,
            minimum_percent=int(conf.get("minimumHealthyPercent", 100)),
            maximum_percent=int(conf.get("maximumPercent", 200)),
            startable=CLOCK.monotonic() >= primary.not_before,
            given_up=primary.state == "FAILED",
        )

    def deployment_of(self, task: Task) -> Deployment | None:
        """The deployment that wanted a task; None for one that is forgotten."""
        found = (d for d in (self.primary, *self.older) if d.deployment_id == task.deployment)
        return next(found, None)

    # --- a deployment begins --------------------------------------------------------

    def notice(self) -> None:
        """Begin a new deployment when the service asks for another revision, or was forced to."""
        if not self.forced and settings_of(self.service) == self.primary.revision.settings:
            return
        self.forced = False
        if not self.history[0].over:
            self.history[0].move("STOPPED", "Service deployment was replaced by a newer one.")
        self.older.append(self.primary)
        self.primary = self._asked_for()

    def _asked_for(self) -> Deployment:
        sources = [*reversed(self.older)]
        deployment = Deployment(Revision.of(self.service))
        # An alarm that rings already says nothing of this deployment, which may be what cures it.
        states = [self._alarms(name) for name in self._watched]
        deployment.watches_alarms = bool(states) and not any(s and s[0] == "ALARM" for s in states)
        self.history.insert(
            0,
            ServiceDeployment.begun(
                self.service, deployment, sources, configuration=dict(self.configuration),
                watched=self._watched if deployment.watches_alarms else (),
            ),
        )  # fmt: skip
        self.notices.deployment("IN_PROGRESS", deployment.deployment_id, deployment.reason)
        return deployment

    # --- tasks tell -----------------------------------------------------------------

    def healthy(self, task: Task) -> None:
        """A task is healthy for the first time: the throttle logic and the circuit breaker begin anew."""
        self.served.add(task.arn)
        deployment = self.deployment_of(task)
        if deployment is None:
            return
        deployment.in_a_row, deployment.not_before = 0, 0.0
        self.notices.over(IMPAIRED)
        if deployment.state == "IN_PROGRESS" and self._breaker.get("resetOnHealthyTask", True):
            deployment.failed_tasks = 0

    def failed(self, task: Task) -> None:
        """A task could not be started, or failed its health checks."""
        deployment = self.deployment_of(task)
        if deployment is not None:
            self._count(deployment)

    def not_placed(self, reason: str) -> None:
        """A task could not even be wanted: its task definition or its subnet is gone."""
        self.notices.repeat(f"was unable to place a task. Reason: {reason}.")
        self._count(self.primary)

    def _count(self, deployment: Deployment) -> None:
        deployment.in_a_row += 1
        wait = backoff(deployment.in_a_row)
        if wait:
            deployment.not_before = CLOCK.monotonic() + wait
            self.notices.repeat(IMPAIRED, "SERVICE_TASK_START_IMPAIRED")
        if deployment is not self.primary or deployment.state != "IN_PROGRESS":
            return
        deployment.failed_tasks += 1
        if self._breaker.get("enable") and deployment.failed_tasks >= self._threshold():
            self.history[0].trips = True
            self._fail(BREAKER, "tasks failed to start.", bool(self._breaker.get("rollback")))

    def _threshold(self) -> int:
        return breaker_threshold(self.service.desired_count, self._breaker.get("thresholdConfiguration"))

    # --- a deployment ends ----------------------------------------------------------

    def look_at_alarms(self) -> None:
        """A watched alarm in ALARM fails the deployment, also while it bakes."""
        if not self.primary.watches_alarms or self.primary.state != "IN_PROGRESS":
            return
        ringing = [n for n in self._watched if (self._alarms(n) or ("", 0))[0] == "ALARM"]
        if ringing:
            self.history[0].alarmed = ringing
            self._fail(ALARMS, "alarm detected.", bool(self.configuration["alarms"].get("rollback")))

    def _fail(self, by: str, why: str, back: bool) -> None:
        failed, change = self.primary, self.history[0]
        self.notices.say(f"(deployment {failed.deployment_id}) deployment failed: {why}")
        failed.move("FAILED", f"{by}: {why}")
        self.notices.deployment("FAILED", failed.deployment_id, failed.reason)
        if failed.rolls_back:
            change.move("ROLLBACK_FAILED", f"Service deployment rollback failed: {why}")
        elif back and self.completed is not None:
            self.go_back(by, _BACK_BECAUSE[by])
        else:
            change.move("STOPPED", f"Service deployment failed: {why}")

    def go_back(self, by: str, because: str) -> None:
        """Deploy the revision of the last completed deployment again; there is one."""
        assert self.completed is not None
        to = self.completed
        to.revision.restore(self.service)
        again = Deployment(to.revision, rolls_back=True)
        again.reason = f"{by}: rolling back to deploymentId {to.deployment_id}."
        self.older.append(self.primary)
        self.primary = again
        self.history[0].goes_back(because, again)
        self.notices.say(f"rolling back to deployment {to.deployment_id}.")
        self.notices.deployment("IN_PROGRESS", again.deployment_id, again.reason)

    def settle(self, moves: Moves) -> None:
        """Say what the plan saw: every task runs the primary deployment and serves, or nothing can move."""
        if moves.stuck:
            self.notices.repeat(STUCK)
        elif moves.start or moves.stop:
            self.notices.over(STUCK, STEADY)
        if self.history[0].status == "PENDING":
            self.history[0].move("IN_PROGRESS")
        primary = self.primary
        if not moves.settled:
            primary.healthy_since = None
            return
        if primary.healthy_since is None:
            primary.healthy_since = CLOCK.monotonic()
        if primary.state == "IN_PROGRESS" and not self._bakes():
            self._complete()
        if primary.state == "COMPLETED" and self.service.status == "ACTIVE":
            self.notices.repeat(STEADY, "SERVICE_STEADY_STATE")

    def _bakes(self) -> bool:
        """With alarms a deployment is watched a while longer: as long as the slowest alarm looks back."""
        if not self.primary.watches_alarms or self.primary.healthy_since is None:
            return False
        states = [self._alarms(name) for name in self._watched]
        wait = max((s[1] for s in states if s), default=0.0)
        minutes = self.configuration.get("bakeTimeInMinutes")
        wait = wait if minutes is None else minutes * 60.0
        return CLOCK.monotonic() < self.primary.healthy_since + wait

    def _complete(self) -> None:
        primary = self.primary
        primary.move("COMPLETED", f"ECS deployment {primary.deployment_id} completed.")
        self.completed = primary
        self.history[0].move("ROLLBACK_SUCCESSFUL" if primary.rolls_back else "SUCCESSFUL")
        self.notices.say(f"(deployment {primary.deployment_id}) deployment completed.")
        self.notices.deployment("COMPLETED", primary.deployment_id, primary.reason)

    # --- what is shown --------------------------------------------------------------

    def show(self, tasks: Sequence[Task]) -> None:
        """Write what was counted into moto's service, for DescribeServices."""
        service, living = self.service, {t.deployment for t in tasks}
        service.running_count = sum(t.running and t.stage is not Stage.STOPPING for t in tasks)
        service.pending_count = sum(t.pending and t.stage is not Stage.STOPPING for t in tasks)
        self.older = [d for d in self.older if d.deployment_id in living or _fresh_failure(d)]
        service.deployments = [self._shown(d, tasks) for d in (self.primary, *reversed(self.older))]
        latest = self.history[0]
        if not latest.over:
            latest.threshold = self._threshold() if self._breaker.get("enable") else None
        service.current_service_deployment = latest.arn
        service.current_service_revisions = [
            {"arn": d.revision.arn, **latest.counted(d)} for d in (self.primary, *reversed(self.older))
        ]

    def _shown(self, deployment: Deployment, tasks: Sequence[Task]) -> dict[str, Any]:
        mine = [t for t in tasks if t.deployment == deployment.deployment_id]
        staying = [t for t in mine if t.stage is not Stage.STOPPING]
        running, pending = sum(t.running for t in staying), sum(t.pending for t in staying)
        first = deployment is self.primary
        wanted = self.service.desired_count if first else running
        self.history[0].counts[deployment.deployment_id] = (wanted, running, pending)
        return deployment.describe("PRIMARY" if first else "ACTIVE", wanted, running, pending)

    def retire(self, tasks: Sequence[Task]) -> None:
        """A deleted service is INACTIVE when all its tasks are on their way out."""
        left = [t for t in tasks if t.last_status not in ("STOPPING", "DEPROVISIONING", "STOPPED")]
        if self.service.status == "DRAINING" and not left:
            self.service.status, self.service.inactive_since = "INACTIVE", CLOCK.monotonic()
            self.service.deployments, self.service.running_count, self.service.pending_count = [], 0, 0


def _fresh_failure(deployment: Deployment) -> bool:
    age = (CLOCK.utcnow() - deployment.updated_at).total_seconds()
    return deployment.state == "FAILED" and CLOCK.real(age) < FAILED_VISIBLE
