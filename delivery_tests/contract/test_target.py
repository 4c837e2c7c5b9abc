"""The target's contract, which the fake and ECS (in the sandbox, with real tasks) both keep."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from delivery.core.release import Slot
from delivery.core.target import Drain, Launch, ShiftTraffic, TargetState
from delivery.errors import RefusedError
from delivery_tests.contract.targets import FakeScene, Scene, candidate_in_green, live_in_blue


@pytest.fixture(params=["fake", pytest.param("adapter", marks=pytest.mark.sandbox)])
def scene(request: pytest.FixtureRequest) -> Scene:
    """A service that runs nothing; blue has the weight."""
    if request.param == "fake":
        return FakeScene()
    scene: Scene = request.getfixturevalue("ecs_scene")
    return scene


def test_before_the_first_release_nothing_runs(scene: Scene) -> None:
    """A fresh environment is empty: no release, no tasks, all of the weight on one slot."""
    seen = scene.target.observe()
    assert seen.empty and seen.stable is Slot.BLUE
    assert (seen.blue.weight, seen.green.weight) == (100, 0)
    assert (seen.blue.release, seen.blue.desired, seen.blue.healthy) == (None, 0, 0)


def test_a_launched_release_becomes_healthy(scene: Scene) -> None:
    """A launch ends with as many healthy targets as were asked for, and the preview rule on the slot."""
    release = scene.release("a")
    scene.target.apply(Launch(Slot.BLUE, release, 2))
    asked = scene.target.observe()
    assert asked.blue.release == release.id and asked.blue.desired == 2 and not asked.blue.serving
    seen = scene.until(lambda s: s.blue.settled and s.blue.serving)
    assert (seen.blue.running, seen.blue.healthy, seen.blue.failed_tasks) == (2, 2, 0)
    assert seen.preview is Slot.BLUE and not seen.empty


def test_a_look_that_may_be_old_says_what_a_fresh_one_says_where_nothing_moves(scene: Scene) -> None:
    """Twice in a row, so that the second one is told what the first one asked; and it says how old it is."""
    live_in_blue(scene)
    fresh = scene.until(lambda s: s.blue.settled and s.blue.weight == 100)
    old = [scene.target.observe(within=20.0) for _ in range(2)]
    assert [replace(seen, age=0.0) for seen in old] == [replace(fresh, age=0.0)] * 2
    assert all(0.0 <= seen.age <= 20.0 for seen in old)


def test_a_look_that_may_be_old_is_fresh_where_something_moves(scene: Scene) -> None:
    """While tasks come up the slot is measured, however old the look might be."""
    scene.target.apply(Launch(Slot.BLUE, scene.release("a"), 2))
    seen = scene.target.observe(within=0.001)
    assert seen.blue.desired == 2 and not seen.blue.serving and seen.age < 20.0


def test_launching_twice_is_launching_once(scene: Scene) -> None:
    """The same launch again neither restarts tasks nor changes their number."""
    live_in_blue(scene)
    before = scene.until(lambda s: s.blue.settled)
    scene.target.apply(Launch(Slot.BLUE, scene.release("a"), 2))
    assert scene.target.observe() == before


def test_a_launch_adds_tasks_but_takes_none_away(scene: Scene) -> None:
    """The count is raised where more are needed, and never lowered: autoscaling owns it."""
    release = live_in_blue(scene)
    scene.target.apply(Launch(Slot.BLUE, release, 3))
    scene.until(lambda s: s.blue.healthy == 3)
    scene.target.apply(Launch(Slot.BLUE, release, 1))
    seen = scene.target.observe()
    assert (seen.blue.desired, seen.blue.healthy) == (3, 3)


def test_weights_are_read_back(scene: Scene) -> None:
    """Every share that is asked for is seen, on the way up and on the way back."""
    live_in_blue(scene)
    candidate_in_green(scene)
    for percent in (10, 50, 100, 50, 0):
        scene.target.apply(ShiftTraffic(Slot.GREEN, percent))
        seen = scene.until(partial(_gives_green, percent))
        assert seen.blue.weight == 100 - percent


def _gives_green(percent: int, seen: TargetState) -> bool:
    return seen.green.weight == percent


def test_a_launch_moves_no_traffic(scene: Scene) -> None:
    """A candidate is launched beside the stable slot, which keeps its traffic and its tasks."""
    live_in_blue(scene)
    candidate_in_green(scene)
    seen = scene.target.observe()
    assert (seen.blue.weight, seen.blue.healthy, seen.green.weight, seen.green.healthy) == (100, 2, 0, 2)
    assert seen.preview is Slot.GREEN


def test_no_traffic_to_a_slot_where_nothing_runs(scene: Scene) -> None:
    """Traffic is refused to a slot without a healthy target, and stays where it is answered."""
    live_in_blue(scene)
    with pytest.raises(RefusedError):
        scene.target.apply(ShiftTraffic(Slot.GREEN, 10))
    seen = scene.target.observe()
    assert (seen.blue.weight, seen.green.weight) == (100, 0)


def test_no_traffic_to_a_candidate_that_is_not_ready(scene: Scene) -> None:
    """A slot whose tasks are only starting gets no traffic."""
    live_in_blue(scene)
    scene.target.apply(Launch(Slot.GREEN, scene.release("b"), 2))
    with pytest.raises(RefusedError):
        scene.target.apply(ShiftTraffic(Slot.GREEN, 100))
    assert scene.target.observe().green.weight == 0


def test_no_way_back_to_a_slot_that_was_drained(scene: Scene) -> None:
    """Returning traffic needs a healthy target as well: the slot that serves keeps it."""
    live_in_blue(scene)
    candidate_in_green(scene)
    scene.target.apply(ShiftTraffic(Slot.GREEN, 100))
    scene.target.apply(Drain(Slot.BLUE))
    with pytest.raises(RefusedError):
        scene.target.apply(ShiftTraffic(Slot.GREEN, 0))
    assert scene.target.observe().green.weight == 100


def test_a_slot_with_traffic_is_not_drained(scene: Scene) -> None:
    """Draining is refused while the slot has any production weight, however small."""
    live_in_blue(scene)
    candidate_in_green(scene)
    scene.target.apply(ShiftTraffic(Slot.GREEN, 1))
    for slot in Slot:
        with pytest.raises(RefusedError):
            scene.target.apply(Drain(slot))
    seen = scene.target.observe()
    assert (seen.blue.desired, seen.green.desired) == (2, 2)


def test_a_drained_slot_runs_nothing_and_remembers(scene: Scene) -> None:
    """Draining ends the tasks, twice as well as once; the slot still names its last release."""
    release = live_in_blue(scene)
    candidate_in_green(scene)
    scene.target.apply(ShiftTraffic(Slot.GREEN, 100))
    scene.target.apply(Drain(Slot.BLUE))
    scene.target.apply(Drain(Slot.BLUE))
    seen = scene.until(lambda s: s.blue.running == 0 and s.blue.healthy == 0)
    assert (seen.blue.desired, seen.blue.release) == (0, release.id)
    assert seen.green.serving and seen.stable is Slot.GREEN


def test_a_drained_release_can_be_launched_again(scene: Scene) -> None:
    """Going back to a release whose slot was drained starts its tasks anew."""
    release = live_in_blue(scene)
    candidate_in_green(scene)
    scene.target.apply(ShiftTraffic(Slot.GREEN, 100))
    scene.target.apply(Drain(Slot.BLUE))
    scene.until(lambda s: s.blue.running == 0)
    scene.target.apply(Launch(Slot.BLUE, release, 2))
    seen = scene.until(lambda s: s.blue.serving)
    assert (seen.blue.release, seen.blue.healthy) == (release.id, 2)


def test_a_crashing_release_tells_why(scene: Scene) -> None:
    """Tasks that die are counted, and the last one tells its exit code and its last log lines."""
    live_in_blue(scene)
    scene.target.apply(Launch(Slot.GREEN, scene.release("bad", "crashes"), 1))
    seen = scene.until(lambda s: s.green.failed_tasks > 0 and s.green.failure is not None)
    failure = seen.green.failure
    assert failure is not None and failure.exit_code == 1 and not failure.out_of_memory
    assert any("no database" in line for line in failure.last_log_lines)
    assert seen.blue.serving and seen.blue.failed_tasks == 0


def test_ecs_gives_a_crashing_release_up(scene: Scene) -> None:
    """After enough dead tasks the slot is reported as failed; the stable slot is untouched."""
    live_in_blue(scene)
    scene.target.apply(Launch(Slot.GREEN, scene.release("bad", "crashes"), 1))
    seen = scene.until(lambda s: s.green.failed)
    assert seen.green.failed_tasks >= 3 and seen.green.healthy == 0
    assert (seen.blue.weight, seen.blue.healthy) == (100, 2)
