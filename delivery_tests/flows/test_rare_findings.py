"""What it took a million histories to find, each in small (`make soak`)."""

from __future__ import annotations

from delivery.core.strategy import BlueGreen, Canary, CanaryStep, Pause, Rolling
from delivery_tests.flows.properties.history import Event, Fault, History, Turn
from delivery_tests.flows.test_findings import played, serving


def test_a_task_of_a_rollout_that_was_ended_where_it_stood_does_not_run_beside_the_next() -> None:
    """AWS could not be asked while the rollout was given up, so its hanging task was left to itself."""
    events, turns = (Event(0, "deploy", "b"), Event(0, "abort", "b")), (Turn(0, "b", "hanging task"),)
    lost = (Fault("target.observe", 7, "lose", times=3),)
    world = played(History(BlueGreen(bake=0), events, turns, lost, budget=2, task=True, rescue=True))
    first, second = world.watched.one_offs.runs
    assert first.over is not None and first.over <= second.at
    assert serving(world) == world.release("z").id


def test_a_release_that_a_person_stopped_before_its_launch_is_not_judged() -> None:
    """It had been given up before, so that its empty slot still named it: no target healthy, quarantine."""
    asking = Canary((54, CanaryStep(82, pause=Pause(10, "abort")), 100), analyze_for=0, bake=0)
    events = (Event(0, "deploy", "c"), Event(0, "deploy", "c"), Event(47, "pause", "b"))
    world = played(
        History(asking, events, (Turn(0, "c", "slow"),), propagation=3, verified=1, task=True, budget=2)
    )
    assert world.written().quarantine == ()


def test_a_deployment_waits_when_what_serves_cannot_be_looked_at() -> None:
    """`b` had all the traffic and no verdict; `c` went over it and was given up: `b` served, unknown."""
    events = (Event(0, "deploy", "b"), Event(0, "deploy", "c"), Event(11, "abort", "b"))
    refused = (Fault("metrics.alarms", 5, "refuse", times=2),)
    world = played(History(BlueGreen(bake=0), events, (), refused, verified=1, budget=0))
    live = world.written().live
    assert live is not None and live.id == serving(world) == world.release("b").id


def test_a_failure_that_nobody_was_told_of_is_not_asked_for_for_ever() -> None:
    """Its quarantine was lifted and it was deployed again: hour after hour the backstop wanted its failure
    told, and was answered that nothing had failed."""
    events = (Event(0, "deploy", "a"), Event(8, "lift", "a"), Event(9, "dark", "b"), Event(0, "deploy", "a"))
    turns, killed = (Turn(0, "a", "hangs"),), (Fault("notifier.send", 1, "kill"),)
    played(History(BlueGreen(bake=0), events, turns, killed, verified=0, budget=2, rescue=True))


def test_an_order_that_failed_half_way_leaves_the_same_release_the_second_time() -> None:
    """AWS was away when `b`, not judged yet, was to be left: the ledger said that it was gone, and the next
    order would have left the good one before it."""
    events = (Event(0, "deploy", "b"), Event(24, "return", "b"), Event(60, "return", "b"))
    refused = (Fault("target.observe", 19, "refuse", times=3),)
    strategy = BlueGreen(bake=10, preview_for=4)
    world = played(History(strategy, events, (), refused, verified=1, budget=0, propagation=5))
    assert [r.bad for r in world.written().restorations] == [world.release("b").id]
    assert serving(world) == world.release("a").id


def test_what_ecs_put_back_is_not_blamed_for_what_failed() -> None:
    """The update to `c` crashed and ECS went back to `b`, which was not whole yet and was deployed again."""
    events = (Event(0, "deploy", "c"), Event(1, "scale", "b", 50), Event(0, "deploy", "b"))
    world = played(History(Rolling(bake=0), events, (Turn(0, "c", "crashes"),), (), verified=2, budget=2))
    assert [q.commit[:8] for q in world.written().quarantine] == [world.release("c").commit[:8]]
    assert serving(world) == world.release("b").id
