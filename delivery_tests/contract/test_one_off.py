"""One-off tasks: the contract that the fake and ECS (in the sandbox, with real tasks) both keep."""

from __future__ import annotations

import pytest

from delivery.core.target import EndTask, OneOff, TargetState
from delivery_tests.contract.targets import FakeScene, Scene


@pytest.fixture(params=["fake", pytest.param("adapter", marks=pytest.mark.sandbox)])
def scene(request: pytest.FixtureRequest) -> Scene:
    """A service that runs nothing; blue has the weight."""
    if request.param == "fake":
        return FakeScene()
    scene: Scene = request.getfixturevalue("ecs_scene")
    return scene


def ended(seen: TargetState) -> bool:
    return seen.task is not None and seen.task.phase != "running"


def task(seen: TargetState) -> OneOff:
    assert seen.task is not None
    return seen.task


def test_a_task_that_was_never_asked_for_is_not_shown(scene: Scene) -> None:
    """A token without a task is none, and says neither yes nor no."""
    assert scene.target.observe("before-nothing").task is None


def test_exit_code_zero_is_a_success(scene: Scene) -> None:
    """The task is seen by its token until its end; both slots stay as they were."""
    action = scene.once("a", "passes")
    before = scene.until(lambda s: s.blue.settled and s.green.settled)
    scene.target.apply(action)
    assert scene.target.observe(action.token).task is not None
    seen = scene.until(ended, action.token)
    assert (task(seen).phase, task(seen).failure) == ("succeeded", None)
    assert (seen.blue, seen.green) == (before.blue, before.green)
    assert scene.target.observe().task is None


def test_another_exit_code_is_a_failure_with_its_cause(scene: Scene) -> None:
    """The exit code and the last log lines are told, as of any task."""
    action = scene.once("a", "fails")
    scene.target.apply(action)
    scene.until(ended, action.token)
    seen = scene.until(
        lambda s: bool(s.task and s.task.failure and s.task.failure.last_log_lines), action.token
    )
    failure = task(seen).failure
    assert task(seen).phase == "failed" and failure is not None and failure.exit_code == 1
    assert any("no database" in line for line in failure.last_log_lines)


def test_the_same_token_is_the_same_task(scene: Scene) -> None:
    """Asked for twice while it runs and once after its end, there is one task."""
    action = scene.once("a", "passes")
    scene.target.apply(action)
    scene.target.apply(action)
    scene.until(ended, action.token)
    scene.target.apply(action)
    assert task(scene.target.observe(action.token)).phase == "succeeded"


def test_two_tokens_are_two_tasks(scene: Scene) -> None:
    """What became of one token says nothing of another."""
    first, second = scene.once("a", "passes"), scene.once("b", "fails")
    scene.target.apply(first)
    scene.target.apply(second)
    assert task(scene.until(ended, first.token)).phase == "succeeded"
    assert task(scene.until(ended, second.token)).phase == "failed"


def test_a_task_that_was_stopped_says_nothing(scene: Scene) -> None:
    """Stopped from outside it is neither a success nor a failure; to stop it twice is to stop it once."""
    action = scene.once("a", "hangs")
    scene.target.apply(action)
    scene.until(lambda s: s.task is not None and s.task.started, action.token)
    scene.target.apply(EndTask(action.token))
    scene.target.apply(EndTask(action.token))
    assert task(scene.until(ended, action.token)).phase == "interrupted"
