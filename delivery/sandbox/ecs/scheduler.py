"""The ECS scheduler: looks at the services moto keeps, decides (`plan`), acts with Docker.

moto's service objects hold what is wanted; what is shown as running was counted from containers.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from delivery.sandbox.ecs.containers import CannotStart, Containers
from delivery.sandbox.ecs.deployments import ServiceRuntime
from delivery.sandbox.ecs.model import STOPPED_VISIBLE, Stage, Task, container_spec, utcnow
from delivery.sandbox.ecs.plan import ServiceView, TaskView, next_moves
from delivery.sandbox.elb.targets import Targets
from delivery.sandbox.logs import LogShipper
from delivery.sandbox.server import STATE

log = logging.getLogger(__name__)

#: Seconds a task that nobody can ask must run before it counts; one that crashes at once never served.
KEEPS_RUNNING = 2.0


@dataclass
class Scheduler:
    """Runs the services and one-off tasks of one account and region."""

    backend: Callable[[], Any]
    containers: Containers
    targets: Targets
    logs: LogShipper
    tasks: dict[str, Task] = field(default_factory=dict)
    services: dict[str, ServiceRuntime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._jobs = ThreadPoolExecutor(max_workers=16, thread_name_prefix="ecs")

    def tick(self) -> None:
        """One look at everything, and the moves that follow."""
        seen = self.containers.seen()
        with STATE:
            for task in self.tasks.values():
                present = seen.get(task.container_id)
                if task.container_id and task.alive and (present is None or not present.running):
                    self._jobs.submit(self._ended, task)
                    task.stage = Stage.STOPPING
                self._judge(task)
            for key, service in list(self.backend().services.items()):
                self._tick_service(key, service)
            self._forget()

    def of_service(self, service: str) -> list[Task]:
        """The living tasks of a service (`cluster:name`)."""
        return [t for t in self.tasks.values() if t.alive and f"{t.cluster}:{t.service}" == service]

    def changed(self, key: str) -> None:
        """Show an UpdateService at once; called with moto's lock held."""
        service = self.backend().services.get(key)
        if service is not None:
            self._runtime(key, service).show(self.of_service(key))

    def _runtime(self, key: str, service: Any) -> ServiceRuntime:
        runtime = self.services.get(key)
        if runtime is None or runtime.service is not service:
            runtime = self.services[key] = ServiceRuntime(service)
        runtime.notice()
        return runtime

    def _tick_service(self, key: str, service: Any) -> None:
        runtime, tasks = self._runtime(key, service), self.of_service(key)
        minimum, maximum = runtime.percentages
        view = ServiceView(
            revision=runtime.primary.deployment_id,
            desired=service.desired_count if service.status == "ACTIVE" else 0,
            minimum_percent=minimum,
            maximum_percent=maximum,
            startable=runtime.startable,
        )
        moves = next_moves(view, [_view(t, runtime) for t in tasks])
        for _ in range(moves.start):
            self._launch(runtime)
        for task in tasks:
            if task.task_id in moves.stop:
                self.stop(task, *_why(task, runtime))
        if moves.settled:
            runtime.settle()
        runtime.show(self.of_service(key))

    def _launch(self, runtime: ServiceRuntime) -> None:
        service = runtime.service
        definition = self.backend().describe_task_definition(runtime.primary.revision_arn)
        task = self.new_task(service.cluster_name, service.cluster_arn, definition)
        task.service, task.deployment = service.name, runtime.primary.deployment_id
        self._jobs.submit(self._start, task, runtime)

    def new_task(self, cluster: str, cluster_arn: str, definition: Any) -> Task:
        """Write a task down before its container is started."""
        arn = f"{cluster_arn.replace(':cluster/', ':task/')}/{uuid.uuid4().hex}"
        task = Task(cluster, cluster_arn, arn, definition.arn, container_spec(definition))
        self.tasks[arn] = task
        return task

    def run(self, task: Task) -> None:
        """Start a one-off task."""
        self._jobs.submit(self._start, task, None)

    def _start(self, task: Task, runtime: ServiceRuntime | None) -> None:
        try:
            container_id, address = self.containers.start(task.arn, task.container)
        except CannotStart as error:
            with STATE:
                task.stopped("TaskFailedToStart", str(error))
                if runtime is not None:
                    runtime.failed(task, f"was unable to place a task. Reason: {error}.")
            return
        except Exception:
            log.exception("starting %s", task.arn)
            with STATE:
                task.stopped("TaskFailedToStart", "the sandbox could not start it, see its log")
            return
        # Before the task has its container: from then on it may be found dead, and its log is closed.
        self.logs.follow(self.containers, task, container_id)
        with STATE:
            task.container_id, task.address = container_id, address
            task.last_status, task.started_at = "RUNNING", utcnow()
            for group in runtime.target_groups if runtime else ():
                self.targets.register(group, address, task.container.port, container_id)

    def _judge(self, task: Task) -> None:
        """A task serves when all its target groups call it healthy; without any, when it keeps running."""
        if task.stage is Stage.STARTING and task.started_at is not None and task.alive:
            states = self.targets.states_of(task.container_id)
            kept = (utcnow() - task.started_at).total_seconds() >= KEEPS_RUNNING
            if all(state == "healthy" for state in states) and (states or kept):
                task.stage = Stage.SERVING

    def stop(self, task: Task, code: str, reason: str) -> None:
        """Take it out of the load balancer, let it finish, stop it."""
        if task.stage is Stage.STOPPING:
            return
        task.stage, task.desired_status = Stage.STOPPING, "STOPPED"
        task.stop_code, task.stopped_reason = code, reason
        self._jobs.submit(self._stop, task)

    def _stop(self, task: Task) -> None:
        while task.last_status == "PROVISIONING":  # its container is just being created
            time.sleep(0.1)
        with STATE:
            groups = self.targets.deregister(task.container_id)
        if groups:
            self.targets.wait_drained(task.container_id)
        self.containers.stop(task.container_id, task.container.stop_timeout)
        self._ended(task)

    def _ended(self, task: Task) -> None:
        """Its container ended, by itself or by us: note how, count it if it was its own doing."""
        ending = self.containers.ending(task.container_id)
        self.logs.finish(task)  # as the awslogs driver does, which closes its stream with the container
        reason = "OutOfMemoryError: Container killed due to memory usage" if ending.out_of_memory else ""
        with STATE:
            own_doing = not task.stop_code
            task.stopped(
                "EssentialContainerExited", "Essential container in task exited", ending.exit_code, reason
            )
            self.targets.deregister(task.container_id)
            self.targets.forget(task.container_id)
            runtime = self.services.get(f"{task.cluster}:{task.service}")
            if own_doing and runtime is not None:
                code = "" if ending.exit_code is None else f" with exit code {ending.exit_code}"
                runtime.failed(task, f"has stopped 1 running tasks: its container exited{code}.")
        self.containers.remove(task.container_id)

    def _forget(self) -> None:
        now = utcnow()
        old = [
            t.arn
            for t in self.tasks.values()
            if t.stopped_at and (now - t.stopped_at).total_seconds() > STOPPED_VISIBLE
        ]
        for arn in old:
            del self.tasks[arn]

    def living(self) -> Iterable[Task]:
        """Tasks with a running container."""
        return [t for t in self.tasks.values() if t.alive and t.container_id]


def _view(task: Task, runtime: ServiceRuntime) -> TaskView:
    return TaskView(task.task_id, task.deployment, task.stage, runtime.sick(task))


def _why(task: Task, runtime: ServiceRuntime) -> tuple[str, str]:
    """Code and reason of stopping a task."""
    if runtime.sick(task):
        reason = f"Task failed ELB health checks in (target-group {', '.join(runtime.target_groups)})"
        runtime.failed(task, f"(task {task.task_id}) failed ELB health checks.")
        return "ServiceSchedulerInitiated", reason
    return (
        "ServiceSchedulerInitiated",
        f"Scaling activity initiated by (deployment {runtime.primary.deployment_id})",
    )
