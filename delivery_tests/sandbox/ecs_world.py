"""A scheduler without Docker: tasks live as they are told, on a clock that is moved by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from moto.ecs.exceptions import EcsClientException

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.ecs.definition import ContainerSpec, HealthCheck, TaskSpec
from delivery.sandbox.ecs.model import Stage, Task
from delivery.sandbox.ecs.scheduler import Scheduler
from delivery.sandbox.ecs.service import ServiceRuntime

CLUSTER = "arn:aws:ecs:us-east-1:123456789012:cluster/shop"
GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/1"
#: What becomes of a task that is started.
SERVES, CRASHES, CANNOT_PULL, SICK = "serves", "crashes", "cannot pull", "sick"
WAITS, UNCHECKED = "waits", "unchecked"  # never runs; runs, and its container check has no answer yet


class HandClock:
    """Moves only when told; the whole of `delivery.sandbox` goes by it during a test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds, self._began = 0.0, datetime(2026, 1, 1, tzinfo=UTC)
        monkeypatch.setattr(CLOCK, "monotonic", lambda: self.seconds)
        monkeypatch.setattr(CLOCK, "utcnow", lambda: self._began + timedelta(seconds=self.seconds))
        monkeypatch.setattr(CLOCK, "real", lambda seconds: seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds


@dataclass
class Runner:
    """Tasks whose life is `behaviour(task definition)`. A look moves each one step."""

    behaviour: Callable[[str], str]
    checked: bool = False  # whether the container has a health check
    tasks: dict[str, Task] = field(default_factory=dict)
    failed: Callable[[Task], None] = lambda task: None
    started: list[str] = field(default_factory=list)
    balanced: set[str] = field(default_factory=set)
    numbers: Any = field(default_factory=itertools.count)

    def look(self) -> bool:
        """Every pending task runs or fails; every stopping one is gone."""
        for task in list(self.tasks.values()):
            if task.stage is Stage.STOPPING:
                task.last_status = "STOPPED"
            elif task.pending:
                self._become(task, self.behaviour(task.revision_arn))
            elif task.running and self.checked:
                answer = {SICK: "UNHEALTHY", UNCHECKED: "UNKNOWN"}
                task.containers[0].health = answer.get(self.behaviour(task.revision_arn), "HEALTHY")
        return True

    def _become(self, task: Task, fate: str) -> None:
        if fate == CANNOT_PULL:
            self.dies(task, "TaskFailedToStart", "CannotPullContainerError: not found")
        elif fate == CRASHES:
            self.dies(task, "EssentialContainerExited", "Essential container in task exited")
        elif fate != WAITS:
            task.last_status, task.container_id = "RUNNING", task.task_id
            task.mark("startedAt")

    def dies(self, task: Task, code: str, reason: str) -> None:
        """A task ends by its own doing."""
        task.stage, task.last_status = Stage.STOPPING, "STOPPED"
        task.explain(code, reason)
        self.failed(task)

    def new(self, cluster: str, cluster_arn: str, definition: Any, **more: Any) -> Task:
        """As TaskRunner's."""
        check = HealthCheck(("CMD", "true")) if self.checked else None
        spec = TaskSpec("app", definition.arn, 256, 512, (ContainerSpec("app", "image", health_check=check),))
        more.pop("subnets")
        arn = f"{CLUSTER.replace(':cluster/', ':task/')}/{next(self.numbers)}"
        task = self.tasks[arn] = Task(cluster, cluster_arn, arn, spec, **more)
        return task

    def start(self, task: Task, load_balancers: Sequence[Mapping[str, Any]]) -> None:
        """As TaskRunner's."""
        self.started.append(task.task_id)
        if load_balancers:
            self.balanced.add(task.task_id)

    def stop(self, task: Task, code: str, reason: str) -> None:
        """As TaskRunner's."""
        task.stage = Stage.STOPPING
        task.explain(code, reason)


@dataclass
class Bus:
    """Keeps what ECS sent to EventBridge: the event names."""

    sent: list[dict[str, Any]] = field(default_factory=list)

    def put(self, source: str, detail_type: str, resources: list[str], detail: Mapping[str, Any]) -> None:
        """As EventBus's."""
        self.sent.append({"detail-type": detail_type, "resources": resources, **detail})

    def names(self) -> list[str]:
        """The event names, oldest first."""
        return [e["eventName"] for e in self.sent]


class EcsWorld:
    """One service of revision `app:1` behind one target group, and what is done with it."""

    def __init__(self, clock: HandClock, desired: int = 2, checked: bool = False, **conf: Any) -> None:
        self.clock, self.bus = clock, Bus()
        self.fates: dict[str, str] = {}
        self.gone: set[str] = set()  # task definitions that were deleted
        self.alarms: dict[str, tuple[str, float]] = {}
        self.runner = Runner(lambda arn: self.fates.get(arn, SERVES), checked)
        balancer = {"targetGroupArn": GROUP, "containerName": "app", "containerPort": 8080}
        self.service = SimpleNamespace(
            name="web", cluster_name="shop", cluster_arn=CLUSTER, status="ACTIVE", desired_count=desired,
            arn=CLUSTER.replace(":cluster/", ":service/") + "/web", launch_type="FARGATE", tags=[],
            task_definition="app:1", load_balancers=[balancer], network_configuration=None, deployments=[],
            deployment_configuration=conf, propagate_tags="NONE", events=[],
        )  # fmt: skip
        backend = SimpleNamespace(
            services={"shop:web": self.service},
            describe_task_definition=self._definition,
        )
        targets: Any = SimpleNamespace(states_of=self._states)
        runner: Any = self.runner
        self.scheduler = Scheduler(lambda: backend, runner, targets, self.bus, self.alarms.get)

    def _definition(self, name: str) -> Any:
        if name in self.gone:
            raise EcsClientException("TaskDefinition not found.")
        return SimpleNamespace(arn=name, tags=[])

    def _states(self, container_id: str) -> list[str]:
        task = next((t for t in self.runner.tasks.values() if t.container_id == container_id), None)
        if task is None or task.task_id not in self.runner.balanced:
            return []
        return ["unhealthy" if self.fates.get(task.revision_arn) == SICK else "healthy"]

    @property
    def runtime(self) -> ServiceRuntime:
        """What the scheduler knows of the service."""
        return self.scheduler.runtime("shop:web", self.service)

    def update(self, revision: str = "", fate: str = SERVES, **attributes: Any) -> None:
        """UpdateService, and what becomes of the new revision's tasks."""
        for name, value in attributes.items():
            setattr(self.service, name, value)
        if revision:
            self.service.task_definition, self.fates[revision] = revision, fate
        self.scheduler.changed(self.service)

    def run(self, ticks: int = 12, seconds: float = 1.0) -> None:
        """Let the scheduler look so many times."""
        for _ in range(ticks):
            self.scheduler.tick()
            self.clock.advance(seconds)

    def messages(self) -> list[str]:
        """The service's events, oldest first, without the service's name."""
        return [e["message"].removeprefix("(service web) ") for e in reversed(self.service.events)]

    def shown(self, **wanted: Any) -> list[dict[str, Any]]:
        """Its deployments as DescribeServices shows them, those with these values."""
        return [d for d in self.service.deployments if wanted.items() <= d.items()]

    def alive(self, revision: str = "") -> list[Task]:
        """Tasks that are not on their way out."""
        tasks = [t for t in self.runner.tasks.values() if t.alive and t.stage is not Stage.STOPPING]
        return [t for t in tasks if not revision or t.revision_arn == revision]


def settled(clock: HandClock, **more: Any) -> EcsWorld:
    """A service whose first deployment is completed."""
    world = EcsWorld(clock, **more)
    world.run()
    assert [d["rolloutState"] for d in world.service.deployments] == ["COMPLETED"]
    return world
