"""What happens to an ECS service, on a clock moved by hand and without Docker.

Sources, all in the ECS developer guide: "How the Amazon ECS deployment circuit breaker detects failures",
"How CloudWatch alarms detect Amazon ECS deployment failures", "Amazon ECS service throttle logic", "Amazon
ECS service event messages", "Amazon ECS service deployment state change events", "View service history using
Amazon ECS service deployments".
"""

from __future__ import annotations

import re
from typing import Any

from delivery.sandbox.ecs.notices import IMPAIRED, STUCK
from delivery_tests.sandbox.ecs_world import (
    CANNOT_PULL,
    GROUP,
    SERVES,
    WAITS,
    EcsWorld,
    HandClock,
    settled,
)

ROLLBACK: dict[str, Any] = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
NO_ROLLBACK: dict[str, Any] = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
FAILED = "ECS deployment circuit breaker: tasks failed to start."


# --- deployments and events -----------------------------------------------------------


def test_a_first_deployment_tells_its_story(clock: HandClock) -> None:
    """Started, registered, completed, steady: in ECS's words, and as events on EventBridge."""
    world = settled(clock, desired=1)
    [deployment] = world.service.deployments
    assert world.messages() == [
        "has started 1 tasks: (task 0).",
        f"registered 1 targets in (target-group {GROUP})",
        f"(deployment {deployment['id']}) deployment completed.",
        "has reached a steady state.",
    ]
    assert re.fullmatch(r"ecs-svc/\d{19}", deployment["id"])
    assert deployment["rolloutStateReason"] == f"ECS deployment {deployment['id']} completed."
    assert (deployment["status"], deployment["runningCount"], deployment["pendingCount"]) == ("PRIMARY", 1, 0)
    assert world.bus.names() == [
        "SERVICE_DEPLOYMENT_IN_PROGRESS", "SERVICE_DEPLOYMENT_COMPLETED", "SERVICE_STEADY_STATE",
    ]  # fmt: skip
    assert {tuple(e["resources"]) for e in world.bus.sent} == {(world.service.arn,)}


def test_a_new_revision_replaces_the_old_one(clock: HandClock) -> None:
    """While both run there are a PRIMARY and an ACTIVE deployment; in the end there is one."""
    world = settled(clock)
    world.update("app:2", WAITS)
    world.run(3)
    assert [(d["status"], d["taskDefinition"]) for d in world.service.deployments] == [
        ("PRIMARY", "app:2"), ("ACTIVE", "app:1"),
    ]  # fmt: skip
    assert (world.service.running_count, world.service.pending_count) == (2, 2)
    world.fates["app:2"] = SERVES
    world.run()
    assert [d["taskDefinition"] for d in world.service.deployments] == ["app:2"]
    assert "has begun draining connections on 2 tasks." in world.messages()
    assert f"deregistered 2 targets in (target-group {GROUP})" in world.messages()
    assert "has stopped 2 running tasks: (task 0) (task 1)." in world.messages()


def test_the_desired_count_begins_no_deployment(clock: HandClock) -> None:
    """UpdateService with another desired count, or the same task definition, keeps the deployment."""
    world = settled(clock)
    [before] = world.service.deployments
    world.update(desired_count=3)
    world.update("app:1")
    world.run()
    [after] = world.service.deployments
    assert (after["id"], after["desiredCount"], after["runningCount"]) == (before["id"], 3, 3)


def test_force_new_deployment_replaces_every_task(clock: HandClock) -> None:
    """forceNewDeployment begins a deployment of the same revision."""
    world = settled(clock)
    world.scheduler.changed(world.service, forced=True)
    world.run()
    assert sorted(t.task_id for t in world.alive()) == ["2", "3"]
    assert len(world.runtime.history) == 2


def test_network_and_load_balancers_are_part_of_the_revision(clock: HandClock) -> None:
    """Changed loadBalancers or networkConfiguration trigger a new service deployment."""
    world = settled(clock)
    world.update(load_balancers=[])
    world.update(network_configuration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}})
    assert len(world.runtime.history) == 3


def test_a_steady_state_is_told_again_after_six_hours(clock: HandClock) -> None:
    """While nothing changes the message is repeated after six hours; after a replaced task at once."""
    world = settled(clock, desired=1)

    def steady() -> int:
        return world.messages().count("has reached a steady state.")

    world.run(5, seconds=3600)
    assert steady() == 1
    world.run(3, seconds=3600)
    assert steady() == 2
    world.runner.dies(world.alive()[0], "EssentialContainerExited", "Essential container in task exited")
    world.run()
    assert steady() == 3


def test_a_hundred_events_are_kept(clock: HandClock) -> None:
    """The newest hundred, newest first."""
    world = settled(clock)
    for number in range(120):
        world.runtime.notices.say(str(number))
    assert len(world.service.events) == 100
    assert world.service.events[0]["message"] == "(service web) 119"


def test_a_deployment_that_cannot_move_says_why(clock: HandClock) -> None:
    """minimumHealthyPercent 100 and maximumPercent 100: the event names the configuration, once."""
    world = settled(clock, minimumHealthyPercent=100, maximumPercent=100)
    world.update("app:2")
    world.run()
    assert world.messages().count(STUCK) == 1
    assert world.shown(status="PRIMARY")[0]["rolloutState"] == "IN_PROGRESS"
    world.update(deployment_configuration={"minimumHealthyPercent": 0, "maximumPercent": 100})
    world.run()
    assert [d["rolloutState"] for d in world.service.deployments] == ["COMPLETED"]


def test_scaling_in_during_a_rollout_is_kept(clock: HandClock) -> None:
    """Autoscaling may change the count in the middle; the rollout goes on with the new one."""
    world = settled(clock, desired=4)
    world.update("app:2", WAITS)
    world.run(2)
    world.update(desired_count=1)
    world.fates["app:2"] = SERVES
    world.run()
    [deployment] = world.service.deployments
    assert (deployment["taskDefinition"], deployment["runningCount"]) == ("app:2", 1)


# --- the throttle logic ---------------------------------------------------------------


def test_tasks_that_cannot_start_are_throttled(clock: HandClock) -> None:
    """Restarts come slower and slower; the event is sent once, with EventBridge's warning."""
    world = EcsWorld(clock, desired=1)
    world.fates["app:1"] = CANNOT_PULL
    world.run(1000)
    assert 8 <= len(world.runner.started) <= 14
    assert world.messages().count(IMPAIRED) == 1
    assert "was unable to place a task. Reason: CannotPullContainerError: not found." in world.messages()
    assert world.bus.names().count("SERVICE_TASK_START_IMPAIRED") == 1


def test_a_task_that_cannot_be_placed_is_told(clock: HandClock) -> None:
    """Without its task definition a task cannot even be wanted: an event says so, and it counts as failed."""
    world = EcsWorld(clock, desired=1, **NO_ROLLBACK)
    world.gone.add("app:1")
    world.run(30)
    assert "was unable to place a task. Reason: TaskDefinition not found." in world.messages()
    assert world.shown(status="PRIMARY")[0]["rolloutState"] == "FAILED" and not world.runner.started


def test_another_revision_ends_the_throttling(clock: HandClock) -> None:
    """A service that is updated is tried at once."""
    world = EcsWorld(clock, desired=1)
    world.fates["app:1"] = CANNOT_PULL
    world.run(200)
    world.update("app:2")
    world.run(4)
    assert len(world.alive("app:2")) == 1
