"""The ECS scheduler: looks at the services moto keeps, decides (`plan`), lets the runner act.

moto's service objects hold what is wanted; what is shown as running was counted from containers.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moto.core.exceptions import ServiceException
from werkzeug.exceptions import HTTPException

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.ecs.model import Stage, Task
from delivery.sandbox.ecs.notices import Bus
from delivery.sandbox.ecs.plan import TaskView, next_moves
from delivery.sandbox.ecs.runner import TaskRunner
from delivery.sandbox.ecs.service import AlarmStates, ServiceRuntime
from delivery.sandbox.elb.targets import Targets
from delivery.sandbox.server import STATE

log = logging.getLogger(__name__)

#: Real seconds a task that nobody can ask must run before it counts; one that crashes at once never served.
#: ECS waits 40 (of its own, which are these 2 when the clock runs twenty times as fast).
KEEPS_RUNNING = 2.0
#: AWS seconds a deleted service can still be described.
INACTIVE_VISIBLE = 3600.0
BY_SCHEDULER = "ServiceSchedulerInitiated"


@dataclass
class Scheduler:
    """Holds the services of one account and region to what is wanted of them."""

    backend: Callable[[], Any]
    runner: TaskRunner
    targets: Targets
    bus: Bus
    alarms: AlarmStates
    services: dict[str, ServiceRuntime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.runner.failed = self._failed

    def tick(self) -> None:
        """One look at everything, and the moves that follow."""
        if not self.runner.look():
            return
        with STATE:
            for key, service in list(self.backend().services.items()):
                try:
                    self._look_at(key, service)
                except Exception:
                    log.exception("the service %s failed, the others go on", key)

    def _look_at(self, key: str, service: Any) -> None:
        if service.status == "INACTIVE":
            self._forget(key, service)
        else:
            self._tick_service(self.runtime(key, service), self.of_service(key))

    def of_service(self, service: str) -> list[Task]:
        """The living tasks of a service (`cluster:name`)."""
        return [t for t in self.runner.tasks.values() if t.alive and f"{t.cluster}:{t.service}" == service]

    def changed(self, service: Any, forced: bool = False) -> None:
        """Show what was asked of a service at once; called with moto's lock held."""
        key = f"{service.cluster_name}:{service.name}"
        runtime = self.runtime(key, service)
        runtime.forced = forced
        runtime.notice()
        runtime.show(self.of_service(key))

    def runtime(self, key: str, service: Any) -> ServiceRuntime:
        """What happens to one of moto's services (`cluster:name`)."""
        runtime = self.services.get(key)
        if runtime is None or runtime.service is not service:
            runtime = self.services[key] = ServiceRuntime(service, self.bus, self.alarms)
        return runtime

    def _tick_service(self, runtime: ServiceRuntime, tasks: list[Task]) -> None:
        runtime.notice()
        for task in tasks:
            self._observe(runtime, task)
        runtime.look_at_alarms()
        moves = next_moves(runtime.view(), [self._view(t, runtime) for t in tasks])
        started = self._launch(runtime, moves.start)
        runtime.notices.tasks("has started", [t.task_id for t in started])
        self._stop(runtime, [t for t in tasks if t.task_id in moves.stop])
        runtime.settle(moves)
        runtime.show([*tasks, *started])
        runtime.retire(tasks)

    def _forget(self, key: str, service: Any) -> None:
        if CLOCK.monotonic() - getattr(service, "inactive_since", 0.0) > INACTIVE_VISIBLE:
            del self.backend().services[key]
            self.services.pop(key, None)

    # --- looking --------------------------------------------------------------------

    def _observe(self, runtime: ServiceRuntime, task: Task) -> None:
        """A task serves when its target groups and its containers' checks call it healthy; without either,
        when it keeps running."""
        if not task.running or task.stage is not Stage.STARTING:
            return
        groups = _groups(runtime, task)
        if task.arn not in runtime.seen:
            runtime.seen.add(task.arn)
            for group in groups:
                runtime.notices.targets("registered", group, 1)
        states = self.targets.states_of(task.container_id)
        if len(states) < len(groups) or any(state != "healthy" for state in states):
            return
        if task.has_health_check and task.health != "HEALTHY":
            return
        if groups or task.has_health_check or CLOCK.real(_age(task)) >= KEEPS_RUNNING:
            task.stage = Stage.SERVING
            runtime.healthy(task)

    def _complaint(self, runtime: ServiceRuntime, task: Task) -> str:
        """Which health check a task fails, in ECS's words, once its grace period is over."""
        grace = float(getattr(runtime.service, "health_check_grace_period_seconds", None) or 0)
        if not task.running or task.stage is Stage.STOPPING or _age(task) < grace:
            return ""
        if task.health == "UNHEALTHY":
            return "failed container health checks"
        if "unhealthy" in self.targets.states_of(task.container_id):
            groups = " ".join(f"(target-group {g})" for g in _groups(runtime, task))
            return f"failed ELB health checks in {groups}"
        return ""

    def _view(self, task: Task, runtime: ServiceRuntime) -> TaskView:
        unhealthy = bool(self._complaint(runtime, task))
        return TaskView(task.task_id, task.deployment, task.stage, unhealthy, task.protected)

    # --- acting ---------------------------------------------------------------------

    def _launch(self, runtime: ServiceRuntime, count: int) -> list[Task]:
        """Start so many tasks of the primary deployment; fewer when they cannot even be wanted."""
        started: list[Task] = []
        try:
            for _ in range(count):
                started.append(self._start(runtime))
        except (ServiceException, HTTPException) as error:
            runtime.not_placed(str(getattr(error, "message", error)).rstrip("."))
        return started

    def _start(self, runtime: ServiceRuntime) -> Task:
        service, revision = runtime.service, runtime.primary.revision
        definition = self.backend().describe_task_definition(revision.task_definition)
        network = (revision.settings["networkConfiguration"] or {}).get("awsvpcConfiguration") or {}
        strategy = revision.settings["capacityProviderStrategy"] or ()
        task = self.runner.new(
            service.cluster_name, service.cluster_arn, definition, service=service.name,
            deployment=runtime.primary.deployment_id, subnets=network.get("subnets") or (),
            tags=_tags(service, definition),
            execute_command=bool(_setting(service, "enable_execute_command")),
            capacity_provider=strategy[0]["capacityProvider"] if strategy else "",
        )  # fmt: skip
        self.runner.start(task, revision.load_balancers)
        return task

    def _stop(self, runtime: ServiceRuntime, tasks: list[Task]) -> None:
        groups: Counter[str] = Counter()
        for task in tasks:
            complaint = self._complaint(runtime, task)
            if complaint:
                runtime.notices.say(f"(task {task.task_id}) {complaint}.")
            groups.update(_groups(runtime, task) if task.running else ())
            by = f"Scaling activity initiated by (deployment {runtime.primary.deployment_id})"
            self.runner.stop(task, BY_SCHEDULER, f"Task {complaint}" if complaint else by)
            if complaint:
                runtime.failed(task)
        for group, count in groups.items():
            runtime.notices.targets("deregistered", group, count)
        if groups:
            runtime.notices.say(f"has begun draining connections on {max(groups.values())} tasks.")
        runtime.notices.tasks("has stopped", [t.task_id for t in tasks])

    def _failed(self, task: Task) -> None:
        """A task died by its own doing. It counts as a failure unless it had been healthy before."""
        runtime = self.services.get(f"{task.cluster}:{task.service}")
        if runtime is None:
            return
        if task.stop_code == "TaskFailedToStart":
            runtime.notices.say(f"was unable to place a task. Reason: {task.stopped_reason}.")
        else:
            runtime.notices.tasks("has stopped", [task.task_id])
        if task.arn not in runtime.served:
            runtime.failed(task)
        runtime.served.discard(task.arn)
        runtime.seen.discard(task.arn)


def _groups(runtime: ServiceRuntime, task: Task) -> list[str]:
    deployment = runtime.deployment_of(task)
    return deployment.revision.target_groups if deployment else []


def _age(task: Task) -> float:
    """AWS seconds since it became RUNNING."""
    return (CLOCK.utcnow() - task.started_at).total_seconds() if task.started_at else 0.0


def _setting(service: Any, attribute: str) -> Any:
    return getattr(service, attribute, None)


def _tags(service: Any, definition: Any) -> list[dict[str, str]]:
    """What a task is tagged with: ECS's own two, and those of the service or of the task definition."""
    own = {"aws:ecs:clusterName": service.cluster_name, "aws:ecs:serviceName": service.name}
    tags = own if _setting(service, "enable_ecs_managed_tags") else {}
    source = {"SERVICE": service, "TASK_DEFINITION": definition}.get(service.propagate_tags)
    tags |= {t["key"]: t.get("value", "") for t in (source.tags or () if source else ())}
    return [{"key": k, "value": v} for k, v in tags.items()]
