"""How a task ends: out of the load balancer, its containers in the reverse order of their dependencies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from delivery.sandbox.ecs.containers import Containers, Ending
from delivery.sandbox.ecs.insisting import insist
from delivery.sandbox.ecs.model import Container, Task
from delivery.sandbox.ecs.order import stop_levels
from delivery.sandbox.elb.targets import Targets
from delivery.sandbox.logs import LogShipper
from delivery.sandbox.server import STATE

OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


@dataclass
class Undertaker:
    """Ends tasks; `to` enters a status, with moto's lock held."""

    containers: Containers
    targets: Targets
    logs: LogShipper
    to: Callable[..., None]

    def finish(self, task: Task) -> None:
        """Stop whatever of it still runs, and leave nothing of it behind."""
        with STATE:
            if task.address:
                self.to(task, "DEACTIVATING")
            groups = self.targets.deregister(task.container_id)
        if groups and task.main.running and not task.main.ending:
            self.targets.wait_drained(task.container_id)
        with STATE:
            self.to(task, "STOPPING")
        for level in stop_levels(task.spec.containers):
            self._stop(task.named(level))
        with STATE:
            task.mark("executionStoppedAt")
            self.to(task, "DEPROVISIONING")
            self.targets.forget(task.container_id)
        self._remove(task)

    def _stop(self, containers: list[Container]) -> None:
        """Stop containers side by side, each with its own `stopTimeout`."""
        threads = [
            threading.Thread(target=self._end, args=(c,), name="ecs-stop", daemon=True)
            for c in containers
            if c.running
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with STATE:
            for container in containers:
                container.last_status = "STOPPED"

    def _end(self, container: Container) -> None:
        insist(self.containers.stop, container.container_id, container.spec.stop_timeout)
        self.bury(container)

    def bury(self, container: Container) -> bool:
        """Note how a container ended, its last words first; False when it runs after all."""
        ending: Ending = insist(self.containers.ending, container.container_id)
        if ending.running:
            container.ending = False
            return False
        self.logs.finish(container.container_id)  # as the awslogs driver does, which closes its stream
        with STATE:
            if container.last_status != "STOPPED":
                container.last_status, container.exit_code = "STOPPED", ending.exit_code
                container.reason = OUT_OF_MEMORY if ending.out_of_memory else ""
        return True

    def _remove(self, task: Task) -> None:
        for container in task.containers:
            if container.container_id:
                self.containers.remove(container.container_id)
        if task.container_id:
            self.containers.remove(task.container_id)
        for volume in task.spec.volumes:
            self.containers.remove_volume(self.containers.volume(task.arn, volume))
