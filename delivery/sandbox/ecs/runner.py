"""One task's life: written down, started, watched, stopped, remembered for an hour, forgotten.

Source: "Amazon ECS task lifecycle" in the ECS developer guide: PROVISIONING, PENDING, ACTIVATING, RUNNING,
DEACTIVATING, STOPPING, DEPROVISIONING, STOPPED. Every step that asks Docker runs in a thread of its own and
holds moto's lock only to write down what it saw.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from delivery.sandbox.ecs.containers import CannotStart, Containers
from delivery.sandbox.ecs.definition import task_spec
from delivery.sandbox.ecs.ending import Undertaker
from delivery.sandbox.ecs.model import STOPPED_VISIBLE, Container, Stage, Task, utcnow
from delivery.sandbox.ecs.starting import Abandoned, Starter
from delivery.sandbox.elb.targets import Targets
from delivery.sandbox.logs import LogShipper
from delivery.sandbox.server import STATE

log = logging.getLogger(__name__)
_EXITED = ("EssentialContainerExited", "Essential container in task exited")


@dataclass
class TaskRunner:
    """The tasks of one account and region, whoever wants them: a service, or RunTask.

    failed   called with moto's lock held when a task has STOPPED by its own doing: it could not be started
             (`TaskFailedToStart`), or an essential container ended (`EssentialContainerExited`)
    changed  called with moto's lock held when a task's status changed
    """

    containers: Containers
    targets: Targets
    logs: LogShipper
    backend: Callable[[str], Any]
    failed: Callable[[Task], None] = lambda task: None
    changed: Callable[[Task], None] = lambda task: None
    tasks: dict[str, Task] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._starter = Starter(self.containers, self.logs, self.backend, self._to)
        self._undertaker = Undertaker(self.containers, self.targets, self.logs, self._to)
        self._turn = 0
        self._sees = True  # Docker, when it was last asked

    # --- wanting one ----------------------------------------------------------------

    def new(
        self,
        cluster: str,
        cluster_arn: str,
        definition: Any,
        service: str = "",
        deployment: str = "",
        overrides: Mapping[str, Any] | None = None,
        subnets: Sequence[str] = (),
        **more: Any,
    ) -> Task:
        """Write a task down before its containers are started; called with moto's lock held.

        `more`: any of `Task`'s fields started_by, group, tags, execute_command, capacity_provider,
        platform_version.
        """
        arn = f"{cluster_arn.replace(':cluster/', ':task/')}/{uuid.uuid4().hex}"
        spec = task_spec(definition, overrides)
        group = more.pop("group", "") or (f"service:{service}" if service else f"family:{spec.family}")
        task = Task(
            cluster, cluster_arn, arn, spec, service=service, deployment=deployment, group=group,
            overrides=dict(overrides or {}), **more,
        )  # fmt: skip
        if subnets:
            task.subnet = subnets[self._turn % len(subnets)]
            task.zone = self._zone(task.subnet)
            self._turn += 1
        self.tasks[arn] = task
        self.changed(task)
        return task

    def _zone(self, subnet: str) -> str:
        """The Availability Zone of a subnet, empty for one that nobody made."""
        found = self.backend("ec2").describe_subnets(subnet_ids=[subnet])
        return str(found[0].availability_zone) if found else ""

    def _to(self, task: Task, status: str, *times: str) -> None:
        """Enter a status; called with moto's lock held."""
        task.last_status = status
        task.version += 1
        for name in times:
            task.mark(name)
        self.changed(task)

    # --- starting -------------------------------------------------------------------

    def start(self, task: Task, load_balancers: Sequence[Mapping[str, Any]] = ()) -> None:
        """Start its containers; it returns at once. Then register it, as a service's `loadBalancers` say."""
        _spawn(self._start, task, list(load_balancers or ()))

    def _start(self, task: Task, load_balancers: list[Mapping[str, Any]]) -> None:
        failure = ""
        try:
            self._starter.launch(task)
        except Abandoned:
            pass
        except CannotStart as error:
            failure = str(error)
        except Exception:
            log.exception("starting %s", task.arn)
            failure = "the sandbox could not start it, see its log"
        with STATE:
            task.starting = False
            if failure:
                task.explain("TaskFailedToStart", failure)
            elif task.desired_status == "RUNNING":
                self._serve(task, load_balancers)
            if task.desired_status == "STOPPED":
                self._finish(task)

    def _serve(self, task: Task, load_balancers: list[Mapping[str, Any]]) -> None:
        """All its containers were started: into the target groups, then RUNNING."""
        self._to(task, "ACTIVATING")
        for balancer in load_balancers:
            if balancer.get("targetGroupArn"):
                port = int(balancer.get("containerPort") or task.container.port)
                self.targets.register(balancer["targetGroupArn"], task.address, port, task.container_id)
        self._to(task, "RUNNING", "startedAt")

    # --- watching -------------------------------------------------------------------

    def look(self) -> bool:
        """Ask Docker once which containers run; False when it does not answer, and nothing is concluded."""
        try:
            seen = self.containers.seen()
        except Exception as error:  # whatever keeps Docker from answering, there is no verdict without it
            if self._sees:
                log.warning("Docker does not answer, tasks stay as they were last seen: %s", error)
            self._sees = False
            return False
        if not self._sees:
            log.warning("Docker answers again")
        self._sees = True
        with STATE:
            for task in self.tasks.values():
                if task.alive and not task.finishing:
                    for container in task.containers:
                        self._judge(task, container, seen)
            self._forget()
        return True

    def _judge(self, task: Task, container: Container, seen: Mapping[str, Any]) -> None:
        if not container.running or container.ending:
            return
        present = seen.get(container.container_id)
        if present is None or not present.running:
            container.ending = True
            _spawn(self._ended, task, container)
        elif container.spec.health_check is not None and container.health != present.health:
            container.health = present.health
            self._to(task, task.last_status)

    def _ended(self, task: Task, container: Container) -> None:
        """A container ended by itself. With an essential one the task ends."""
        if not self._undertaker.bury(container):
            return
        with STATE:
            if container.spec.essential:
                task.explain(*_EXITED)
                task.stage = Stage.STOPPING
                if not task.starting:
                    self._finish(task)

    def living(self) -> Iterable[Task]:
        """Tasks with a running container."""
        return [t for t in self.tasks.values() if t.alive and any(c.running for c in t.containers)]

    # --- stopping -------------------------------------------------------------------

    def stop(self, task: Task, code: str, reason: str) -> None:
        """Take it out of the load balancer, let it finish, stop it; returns at once, moto's lock held."""
        if task.desired_status == "STOPPED":
            return
        task.stage = Stage.STOPPING
        task.explain(code, reason)
        if task.starting:  # whoever starts it sees that it is not wanted any more
            self._to(task, task.last_status)
        else:
            self._finish(task)

    def _finish(self, task: Task) -> None:
        if task.finishing or not task.alive:
            return
        task.stage, task.finishing = Stage.STOPPING, True
        _spawn(self._bury, task)

    def _bury(self, task: Task) -> None:
        self._undertaker.finish(task)
        with STATE:
            self._to(task, "STOPPED", "stoppedAt")
            if task.stop_code in ("EssentialContainerExited", "TaskFailedToStart"):
                self.failed(task)

    def _forget(self) -> None:
        now = utcnow()
        for task in list(self.tasks.values()):
            if task.stopped_at and (now - task.stopped_at).total_seconds() > STOPPED_VISIBLE:
                del self.tasks[task.arn]


def _spawn(work: Callable[..., None], *args: Any) -> None:
    """In a thread of its own: some wait half a minute for a container that will not stop."""
    threading.Thread(target=work, args=args, name="ecs", daemon=True).start()
