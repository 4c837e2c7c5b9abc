"""How a task starts: secrets, logs and images first, then each container when what it needs is there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.ecs.containers import CannotStart, Containers
from delivery.sandbox.ecs.insisting import insist
from delivery.sandbox.ecs.model import Container, Task
from delivery.sandbox.ecs.order import Progress, next_step
from delivery.sandbox.ecs.secrets import SecretMissing, values_of
from delivery.sandbox.logs import LogShipper
from delivery.sandbox.server import STATE

#: Real seconds between two looks at whether a container may start by now.
_LOOK = 0.05


class Abandoned(Exception):
    """The task is not wanted any more, or has ended while it was starting."""


@dataclass
class Starter:
    """Starts tasks; `to` enters a status, with moto's lock held."""

    containers: Containers
    logs: LogShipper
    backend: Callable[[str], Any]
    to: Callable[..., None]

    def launch(self, task: Task) -> None:
        """Until all its containers were started. CannotStart tells why not, Abandoned that it need not."""
        secrets = self._secrets(task)
        self.logs.prepare(task)
        with STATE:
            self.to(task, "PENDING", "pullStartedAt")
        self._pull(task)
        with STATE:
            task.mark("pullStoppedAt")
        if len(task.containers) > 1:
            holder, address = insist(self.containers.namespace, task.arn)
            with STATE:
                self._connected(task, holder, address)
        self._containers(task, secrets)

    def _secrets(self, task: Task) -> dict[str, dict[str, str]]:
        try:
            with STATE:
                return {spec.name: values_of(spec, self.backend) for spec in task.spec.containers}
        except SecretMissing as error:
            raise CannotStart(str(error)) from None

    def _pull(self, task: Task) -> None:
        for container in task.containers:
            self._wanted(task)
            try:
                container.image_digest = insist(self.containers.pull, container.spec.image)
            except CannotStart as error:
                container.reason = str(error)
                raise

    @staticmethod
    def _wanted(task: Task) -> None:
        if task.desired_status == "STOPPED":
            raise Abandoned

    @staticmethod
    def _connected(task: Task, holder: str, address: str) -> None:
        task.container_id, task.address = holder, address
        task.mark("connectivityAt")

    def _containers(self, task: Task, secrets: dict[str, dict[str, str]]) -> None:
        began: dict[str, float] = {}
        while True:
            self._wanted(task)
            with STATE:
                seen = {c.spec.name: c.progress for c in task.containers}
            step = next_step(task.spec.containers, seen)
            for container in task.named(step.start):
                self._wanted(task)
                self._one(task, container, secrets[container.spec.name])
                began[container.spec.name] = CLOCK.monotonic()
            if not step.start and not step.waiting:
                return
            if step.hopeless:
                raise CannotStart(f"dependency graph: {step.hopeless}")
            if not step.start:
                _in_time(task, seen, began)
                time.sleep(_LOOK)

    def _one(self, task: Task, container: Container, secrets: dict[str, str]) -> None:
        alone = len(task.containers) == 1
        namespace = "" if alone else task.container_id
        try:
            made = insist(self.containers.create, task.arn, task.spec, container.spec, secrets, namespace)
            address = insist(self.containers.begin, made)
        except CannotStart as error:
            container.reason = str(error)
            raise
        # Before it is known as running: from then on it may be found dead, and its log is closed.
        self.logs.follow(self.containers, task, container.spec, made)
        with STATE:
            container.container_id, container.last_status = made, "RUNNING"
            if alone:
                self._connected(task, made, address)


def _in_time(task: Task, seen: dict[str, Progress], began: dict[str, float]) -> None:
    """Give up when a container that others wait for takes longer than its own `startTimeout`."""
    for waiting in task.containers:
        if seen[waiting.spec.name].started:
            continue
        for other in task.named(name for name, _ in waiting.spec.depends_on):
            since = began.get(other.spec.name)
            if since is not None and CLOCK.monotonic() - since > other.spec.start_timeout:
                name, limit = other.spec.name, other.spec.start_timeout
                raise CannotStart(
                    f"dependency graph: {waiting.spec.name} waited {limit} s for its dependency {name}"
                )
