"""One task's life with an engine that only pretends: what happens when Docker is slow, silent or behind.

Pages: "Amazon ECS task lifecycle" and "Stopped tasks error codes" in the ECS developer guide.
"""

from __future__ import annotations

import threading
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from docker.errors import APIError, DockerException, NotFound
from requests.exceptions import ConnectionError as RequestsConnectionError

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.ecs.containers import CannotStart, Ending, Seen, is_away
from delivery.sandbox.ecs.model import Task
from delivery.sandbox.ecs.runner import TaskRunner
from delivery_tests.sandbox.stack import eventually


@dataclass
class Engine:
    """Docker as the runner knows it. `up` False: it does not answer."""

    up: bool = True
    running: set[str] = field(default_factory=set)
    codes: dict[str, int] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    pulling: threading.Event = field(default_factory=threading.Event)
    refusal: str = ""

    def __post_init__(self) -> None:
        self.pulling.set()

    def pull(self, image: str) -> str:
        """At once, or when the test lets it."""
        self.pulling.wait(10)
        if self.refusal:
            raise CannotStart(self.refusal)
        return "sha256:1"

    def create(self, arn: str, task: Any, spec: Any, secrets: Any, namespace: str = "") -> str:
        """A container named after its place."""
        if not self.up:
            raise ConnectionError("no engine")
        self.made.append(spec.name)
        return f"id-{spec.name}"

    def namespace(self, arn: str) -> tuple[str, str]:
        """The holder of a task's network."""
        return "id-holder", "10.0.0.9"

    def begin(self, container_id: str) -> str:
        """Its address."""
        self.running.add(container_id)
        return "10.0.0.9"

    def seen(self) -> dict[str, Seen]:
        """What runs, if anybody answers."""
        if not self.up:
            raise ConnectionError("no engine")
        return {i: Seen(i, "", True) for i in self.running}

    def ending(self, container_id: str) -> Ending:
        """How it ended."""
        if not self.up:
            raise ConnectionError("no engine")
        return Ending(self.codes.get(container_id, 0), False, container_id in self.running)

    def stop(self, container_id: str, timeout: float) -> None:
        """It ends politely."""
        self.stopped.append(container_id)
        self.running.discard(container_id)

    def volume(self, arn: str, name: str) -> str:
        """A volume's name."""
        return name

    def remove(self, name: str) -> None:
        """Gone."""

    remove_volume = remove


class Nobody:
    """Targets and logs that nothing is asked of."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args, **more: []


def runner(engine: Engine) -> tuple[TaskRunner, list[Task]]:
    """A runner with this engine, and the tasks it calls failed."""
    failed: list[Task] = []
    docker: Any = engine
    nobody: Any = Nobody()
    return TaskRunner(docker, nobody, nobody, lambda service: nobody, failed=failed.append), failed


def started(made: TaskRunner, *containers: dict[str, Any]) -> Task:
    """A task of these containers (or of one), starting."""
    raw = [{"image": "i", **c} for c in containers or ({"name": "app"},)]
    definition = types.SimpleNamespace(
        family="f", arn="arn:td/f:1", cpu="256", memory="512", volumes=[], tags=[], container_definitions=raw
    )
    task = made.new("c", "arn:aws:ecs:r:1:cluster/c", definition)
    made.start(task)
    return task


def status(task: Task, wanted: str) -> None:
    """Wait for a last status."""
    eventually(lambda: task.last_status, lambda seen: seen == wanted, 10)


def test_nobody_is_called_dead_while_docker_is_silent() -> None:
    """An engine that does not answer is no verdict: tasks stay as last seen, until it answers again."""
    engine = Engine()
    made, failed = runner(engine)
    task = started(made)
    status(task, "RUNNING")
    engine.up = False
    engine.running.clear()
    assert [made.look() for _ in range(3)] == [False] * 3
    assert (task.last_status, task.desired_status, failed) == ("RUNNING", "RUNNING", [])
    engine.up, engine.codes = True, {"id-app": 7}
    assert made.look()
    status(task, "STOPPED")
    assert (task.exit_code, task.stop_code, failed) == (7, "EssentialContainerExited", [task])


def test_a_silent_docker_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """The log says when the engine fell silent and when it was back, however often it was asked between."""
    engine = Engine(up=False)
    made, _ = runner(engine)
    assert [made.look() for _ in range(5)] == [False] * 5
    engine.up = True
    assert made.look() and made.look()
    assert [r.getMessage().split(",")[0] for r in caplog.records] == [
        "Docker does not answer", "Docker answers again",
    ]  # fmt: skip


def test_a_task_that_starts_while_docker_is_silent_waits() -> None:
    """It is PENDING as long as nobody answers, and RUNNING afterwards; it did not fail."""
    engine = Engine(up=False)
    made, failed = runner(engine)
    task = started(made)
    status(task, "PENDING")
    engine.up = True
    status(task, "RUNNING")
    assert failed == []


def test_a_look_that_is_older_than_the_container_kills_nobody() -> None:
    """A container missing from the list that runs after all, being newer than the list, goes on."""
    engine = Engine()
    made, failed = runner(engine)
    task = started(made)
    status(task, "RUNNING")
    listed, engine.seen = engine.seen, dict  # type: ignore[method-assign]
    made.look()
    eventually(lambda: not task.containers[0].ending)
    engine.seen = listed  # type: ignore[method-assign]
    made.look()
    assert (task.last_status, failed) == ("RUNNING", [])


def test_a_refusal_is_not_silence() -> None:
    """Docker's "not found" is an answer; no connection is none."""
    assert not is_away(NotFound("no such image")) and not is_away(APIError("no"))
    assert is_away(RequestsConnectionError("refused")) and is_away(DockerException("not running"))


def test_a_task_stopped_while_it_starts_never_runs() -> None:
    """StopTask during the pull: no container is made, and the reason is the user's."""
    engine = Engine()
    engine.pulling.clear()
    made, failed = runner(engine)
    task = started(made)
    status(task, "PENDING")
    made.stop(task, "UserInitiated", "changed my mind")
    assert task.desired_status == "STOPPED"
    engine.pulling.set()
    status(task, "STOPPED")
    assert (engine.made, task.stopped_reason, task.started_at, failed) == ([], "changed my mind", None, [])


def test_a_task_that_cannot_start_failed_by_its_own_doing() -> None:
    """TaskFailedToStart with the reason, on the task and on the container that could not."""
    engine = Engine(refusal="CannotPullContainerError: no")
    made, failed = runner(engine)
    task = started(made)
    status(task, "STOPPED")
    eventually(lambda: failed)
    assert (task.stop_code, task.stopped_reason) == ("TaskFailedToStart", "CannotPullContainerError: no")
    assert task.containers[0].reason == task.stopped_reason and task.exit_code is None


def test_containers_stop_in_reverse_order() -> None:
    """Who depends on another is stopped before it."""
    engine = Engine()
    made, _ = runner(engine)
    on = [{"containerName": "db", "condition": "START"}]
    task = started(made, {"name": "db"}, {"name": "web", "dependsOn": on})
    status(task, "RUNNING")
    assert engine.made == ["db", "web"]
    made.stop(task, "UserInitiated", "enough")
    status(task, "STOPPED")
    assert engine.stopped == ["id-web", "id-db"]


def test_a_container_that_may_end_does_not_end_the_task() -> None:
    """A container with `essential` false that exits is STOPPED with its code, and the task goes on."""
    engine = Engine(codes={"id-side": 3})
    made, _ = runner(engine)
    task = started(made, {"name": "app"}, {"name": "side", "essential": False})
    status(task, "RUNNING")
    engine.running.discard("id-side")
    made.look()
    side = task.containers[1]
    eventually(lambda: side.last_status == "STOPPED")
    assert (side.exit_code, task.last_status, task.exit_code) == (3, "RUNNING", None)


def test_a_stopped_task_is_shown_for_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is still there after 59 minutes, and gone after 61, of AWS's time."""
    made, _ = runner(Engine(refusal="no"))
    task = started(made)
    status(task, "STOPPED")
    monkeypatch.setattr(CLOCK, "skew", 59 * 60.0)
    made.look()
    assert task.arn in made.tasks
    monkeypatch.setattr(CLOCK, "skew", 61 * 60.0)
    made.look()
    assert task.arn not in made.tasks
