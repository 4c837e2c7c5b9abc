"""Autoscaling's counts are autoscaling's: no action of a rollout takes back what was added meanwhile."""

from __future__ import annotations

import pytest

from delivery.core.release import Slot
from delivery.core.target import Drain, Launch, ShiftTraffic
from delivery_tests.contract.targets import EcsScene, FakeScene, Scene, candidate_in_green, live_in_blue


@pytest.fixture(params=["fake", pytest.param("adapter", marks=pytest.mark.sandbox)])
def scene(request: pytest.FixtureRequest) -> Scene:
    """A service that runs nothing; blue has the weight."""
    if request.param == "fake":
        return FakeScene()
    scene: Scene = request.getfixturevalue("ecs_scene")
    return scene


def test_a_scale_out_in_the_middle_of_a_rollout_survives(scene: Scene) -> None:
    """Tasks added to either slot are there after every later action, and the bounds leave them room."""
    live_in_blue(scene)
    release = candidate_in_green(scene)
    scene.target.apply(ShiftTraffic(Slot.GREEN, 10))
    scene.scale(Slot.BLUE, 4)
    scene.scale(Slot.GREEN, 3)
    actions = (
        Launch(Slot.GREEN, release, 2), ShiftTraffic(Slot.GREEN, 50), ShiftTraffic(Slot.GREEN, 100),
        ShiftTraffic(Slot.GREEN, 50), ShiftTraffic(Slot.GREEN, 100),
    )  # fmt: skip
    scene.until(lambda s: s.green.serving and s.blue.desired == 4)
    for action in actions:
        scene.target.apply(action)
        seen = scene.target.observe()
        assert (seen.blue.desired, seen.green.desired) == (4, 3), action
        if isinstance(scene, EcsScene):
            for slot, (low, high) in scene.stage.bounds().items():
                assert low <= seen.slot(Slot(slot)).desired <= high, (action, slot)
    scene.target.apply(Drain(Slot.BLUE))
    seen = scene.target.observe()
    assert (seen.blue.desired, seen.green.desired) == (0, 3)
    if isinstance(scene, EcsScene):
        assert scene.stage.bounds() == {"blue": (0, 0), "green": (1, 4)}  # free within the reviewed bounds


def test_what_autoscaling_took_away_is_not_put_back(scene: Scene) -> None:
    """A shift does not touch the count of a slot that shrank with all of the traffic."""
    live_in_blue(scene, count=3)
    scene.until(lambda s: s.blue.healthy == 3)
    scene.scale(Slot.BLUE, 2)
    candidate_in_green(scene)
    scene.target.apply(ShiftTraffic(Slot.GREEN, 50))
    assert scene.target.observe().blue.desired == 2
