"""One scene for both kinds of `Target`: a service that runs nothing yet, and releases that behave."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from delivery.adapters.aws.session import Aws
from delivery.adapters.aws.shared import SharedReads
from delivery.adapters.ecs.prober import PreviewProber
from delivery.adapters.ecs.target import EcsTarget
from delivery.core.release import Release, Slot
from delivery.core.target import Launch, RunOnce, ShiftTraffic, TargetState
from delivery.ports import Prober, Target
from delivery_tests.contract.programs import Images
from delivery_tests.contract.stage import Stage
from delivery_tests.fakes import Behaviour, FakeWorld, sample_release, sample_sha

Seen = Callable[[TargetState], bool]
_COMMANDS = {
    "passes": "print('migrated', flush=True)",
    "fails": "import sys; print('connecting'); sys.exit('RuntimeError: no database')",
    "hangs": "import time; print('waiting', flush=True); time.sleep(600)",
}
PATIENCE = 60.0  # seconds until a condition that does not come true is a failure


class Scene(Protocol):
    """A target and its prober. `until` lets time pass until the condition is seen."""

    @property
    def target(self) -> Target: ...
    @property
    def prober(self) -> Prober: ...

    def release(self, name: str, behaviour: str = "serves") -> Release:
        """The release of the commit with that short name; `serves` or `crashes`."""

    def once(self, name: str, ending: str) -> RunOnce:
        """A one-off task of that release that `passes`, `fails` (exit code 1) or `hangs`."""

    def scale(self, slot: Slot, count: int) -> None:
        """Autoscaling (or a person) changes the number of tasks."""

    def until(self, condition: Seen, task: str = "") -> TargetState:
        """The first look at which the condition holds; an AssertionError with the last one otherwise."""


class FakeScene:
    """In memory, on virtual time."""

    def __init__(self) -> None:
        self.world = FakeWorld()
        environment = self.world.at()
        self.target, self.prober = environment.target, environment.prober

    def release(self, name: str, behaviour: str = "serves") -> Release:
        """As `Scene`."""
        self.world.behave(sample_sha(name), Behaviour(crash=behaviour == "crashes"))
        return sample_release(name)

    def once(self, name: str, ending: str) -> RunOnce:
        """As `Scene`."""
        self.world.behave(sample_sha(name), Behaviour(task=ending))
        return RunOnce(f"before-{name}", sample_release(name), ("migrate",))

    def scale(self, slot: Slot, count: int) -> None:
        """As `Scene`."""
        self.world.at().target.scale(slot, count)

    def until(self, condition: Seen, task: str = "") -> TargetState:
        """As `Scene`, a virtual second at a time."""
        for _ in range(int(PATIENCE)):
            seen = self.target.observe(task)
            if condition(seen):
                return seen
            self.world.clock.advance(1)
        raise AssertionError(f"not seen within {PATIENCE:g} s: {seen}")


class EcsScene:
    """On the sandbox, with real tasks behind a real proxy. `variables` as the installation gives them."""

    def __init__(self, stage: Stage, images: Images, aws: Aws, folder: Path | None = None) -> None:
        self.stage, self.images, self.aws = stage, images, aws
        reads = SharedReads(aws, folder)
        self.target = EcsTarget(aws, stage.contract, {"DELIVERY_COLOUR": "red"}, reads)
        self.prober = PreviewProber(stage.contract)

    def release(self, name: str, behaviour: str = "serves") -> Release:
        """As `Scene`; also `sick` and `eats`."""
        return self.images.release(name, self.stage.contract, behaviour)

    def once(self, name: str, ending: str) -> RunOnce:
        """As `Scene`; the token is new in every test, for the sandbox lives longer than one."""
        token = f"before-{name}-{self.stage.name}"
        return RunOnce(token, self.release(name), ("python", "-c", _COMMANDS[ending]))

    def scale(self, slot: Slot, count: int) -> None:
        """As `Scene`."""
        contract = self.stage.contract
        self.stage.ecs.update_service(
            cluster=contract.cluster, service=contract.services[slot], desiredCount=count
        )

    def until(self, condition: Seen, task: str = "") -> TargetState:
        """As `Scene`, in real time."""
        deadline, pause = time.monotonic() + PATIENCE, threading.Event()
        while not condition(seen := self.target.observe(task)):
            assert time.monotonic() < deadline, f"not seen within {PATIENCE:g} s: {seen}"
            pause.wait(0.1)
        return seen


def live_in_blue(scene: Scene, name: str = "a", count: int = 2) -> Release:
    """A release that serves all production traffic from the blue slot."""
    release = scene.release(name)
    scene.target.apply(Launch(Slot.BLUE, release, count))
    scene.until(lambda s: s.blue.serving and s.blue.settled)
    scene.target.apply(ShiftTraffic(Slot.BLUE, 100))
    return release


def candidate_in_green(scene: Scene, name: str = "b", count: int = 2) -> Release:
    """A release that is ready in the green slot, without traffic."""
    release = scene.release(name)
    scene.target.apply(Launch(Slot.GREEN, release, count))
    scene.until(lambda s: s.green.serving)
    return release
