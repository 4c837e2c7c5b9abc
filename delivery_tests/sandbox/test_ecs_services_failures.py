"""Deployments of an ECS service that fail, on a clock moved by hand and without Docker.

Sources, all in the ECS developer guide: "How the Amazon ECS deployment circuit breaker detects failures",
"How CloudWatch alarms detect Amazon ECS deployment failures", "View service history using Amazon ECS service
deployments".
"""

from __future__ import annotations

from typing import Any

import pytest

from delivery_tests.sandbox.ecs_world import (
    CANNOT_PULL,
    CRASHES,
    GROUP,
    SERVES,
    SICK,
    UNCHECKED,
    WAITS,
    EcsWorld,
    HandClock,
    settled,
)

ROLLBACK: dict[str, Any] = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
NO_ROLLBACK: dict[str, Any] = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
FAILED = "ECS deployment circuit breaker: tasks failed to start."


# --- the circuit breaker --------------------------------------------------------------


@pytest.mark.parametrize("fate", [CRASHES, CANNOT_PULL, SICK])
def test_the_breaker_rolls_back_to_the_completed_deployment(clock: HandClock, fate: str) -> None:
    """Tasks that do not start, and tasks that fail their health checks, count; after three the last
    completed deployment's revision is deployed again."""
    world = settled(clock, desired=1, **ROLLBACK)
    [good] = world.service.deployments
    world.update("app:2", fate)
    world.run(20)
    bad = world.runtime.history[0].target
    assert (bad.state, bad.reason, bad.failed_tasks) == ("FAILED", FAILED, 3)
    story = world.messages()
    failed = story.index(f"(deployment {bad.deployment_id}) deployment failed: tasks failed to start.")
    assert story[failed + 1] == f"rolling back to deployment {good['id']}."
    [now] = [d for d in world.service.deployments if d["status"] == "PRIMARY"]
    assert (now["taskDefinition"], now["rolloutState"]) == ("app:1", "COMPLETED")
    assert now["id"] != good["id"] and now["rolloutStateReason"] == f"ECS deployment {now['id']} completed."
    assert world.service.task_definition == "app:1"
    assert world.bus.names()[-5:] == [
        "SERVICE_DEPLOYMENT_IN_PROGRESS", "SERVICE_DEPLOYMENT_FAILED", "SERVICE_DEPLOYMENT_IN_PROGRESS",
        "SERVICE_DEPLOYMENT_COMPLETED", "SERVICE_STEADY_STATE",
    ] or "SERVICE_TASK_START_IMPAIRED" in world.bus.names()  # fmt: skip


def test_the_way_back_names_the_deployment_it_goes_back_to(clock: HandClock) -> None:
    """While it is on its way, its reason says so; the failed one stays ACTIVE and FAILED for a while."""
    world = settled(clock, desired=1, **ROLLBACK)
    [good] = world.service.deployments
    world.update("app:2", CRASHES)
    seen: list[dict[str, Any]] = []
    for _ in range(10):
        world.run(1, seconds=0.2)
        seen += world.service.deployments
    assert f"ECS deployment circuit breaker: rolling back to deploymentId {good['id']}." in [
        d["rolloutStateReason"] for d in seen if d["status"] == "PRIMARY"
    ]
    [failed] = world.shown(status="ACTIVE")
    assert (failed["rolloutState"], failed["failedTasks"]) == ("FAILED", 3)


def test_without_a_completed_deployment_there_is_no_way_back(clock: HandClock) -> None:
    """A first deployment that fails stays FAILED and launches nothing more."""
    world = EcsWorld(clock, desired=1, **ROLLBACK)
    world.fates["app:1"] = CRASHES
    world.run(50)
    [deployment] = world.service.deployments
    assert (deployment["status"], deployment["rolloutState"]) == ("PRIMARY", "FAILED")
    assert len(world.runner.started) == 3
    assert world.runtime.history[0].status == "STOPPED"


def test_without_rollback_the_old_tasks_stay(clock: HandClock) -> None:
    """rollback off: the deployment is FAILED, and what ran before runs on."""
    world = settled(clock, minimumHealthyPercent=50, **NO_ROLLBACK)
    world.update("app:2", CRASHES)
    world.run(50)
    assert world.shown(status="PRIMARY")[0]["rolloutState"] == "FAILED"
    assert len(world.alive("app:1")) == 1  # the other one had made room, as the minimum allowed


def test_a_healthy_task_sets_the_count_back(clock: HandClock) -> None:
    """resetOnHealthyTask is on unless told otherwise: failures are counted from the last healthy task."""
    for reset, left in (({}, 0), ({"resetOnHealthyTask": True}, 0), ({"resetOnHealthyTask": False}, 2)):
        breaker = {"enable": True, "rollback": True, **reset}
        world = settled(clock, desired=1, deploymentCircuitBreaker=breaker)
        world.update("app:2", CRASHES)
        while world.runtime.primary.failed_tasks < 2:
            world.run(1)
        world.fates["app:2"] = SERVES
        world.run()
        assert world.runtime.primary.failed_tasks == left


def test_a_task_that_was_healthy_and_ends_is_no_failure_to_start(clock: HandClock) -> None:
    """A task that started, passed its checks and then stopped does not bring the breaker nearer."""
    world = settled(clock, desired=1, **ROLLBACK)
    world.alarms["errors"] = ("OK", 3600)
    world.update("app:2", deployment_configuration={**ROLLBACK, **WATCHED})
    world.run()
    world.runner.dies(
        world.alive("app:2")[0], "EssentialContainerExited", "Essential container in task exited"
    )
    assert world.runtime.primary.state == "IN_PROGRESS" and world.runtime.primary.failed_tasks == 0


def test_a_completed_deployment_is_not_counted_any_more(clock: HandClock) -> None:
    """The breaker looks at a deployment only while it is in progress."""
    world = settled(clock, desired=1, **ROLLBACK)
    world.fates["app:1"] = CRASHES
    world.runner.dies(world.alive()[0], "EssentialContainerExited", "Essential container in task exited")
    world.run(30)
    [deployment] = world.service.deployments
    assert (deployment["rolloutState"], deployment["failedTasks"]) == ("COMPLETED", 0)


def test_a_way_back_that_fails_stays_where_it_is(clock: HandClock) -> None:
    """A rollback is not rolled back: ROLLBACK_FAILED, and the deployment is FAILED."""
    world = settled(clock, desired=1, **ROLLBACK)
    world.fates["app:1"] = CRASHES
    world.update("app:2", CRASHES, minimum=0)
    for task in world.alive("app:1"):
        world.runner.dies(task, "EssentialContainerExited", "Essential container in task exited")
    world.run(50)
    assert world.shown(status="PRIMARY")[0]["rolloutState"] == "FAILED"
    assert world.runtime.history[0].status == "ROLLBACK_FAILED"
    assert len(world.runtime.history) == 2


# --- health ---------------------------------------------------------------------------


def test_failed_health_checks_are_ignored_during_the_grace_period(clock: HandClock) -> None:
    """healthCheckGracePeriodSeconds: no task is stopped for its health before it is over."""
    world = EcsWorld(clock, desired=1)
    world.update(health_check_grace_period_seconds=30)
    world.fates["app:1"] = SICK
    world.run(29)
    assert len(world.runner.started) == 1
    world.run(5)
    [gone] = [t for t in world.runner.tasks.values() if t.task_id == "0"]
    assert gone.stopped_reason == f"Task failed ELB health checks in (target-group {GROUP})"
    assert gone.stop_code == "ServiceSchedulerInitiated"
    assert f"(task 0) failed ELB health checks in (target-group {GROUP})." in world.messages()


def test_container_health_checks_decide_without_a_load_balancer(clock: HandClock) -> None:
    """A task with a container health check serves when it is HEALTHY, and is stopped when UNHEALTHY."""
    world = EcsWorld(clock, desired=1, checked=True)
    world.update(load_balancers=[])
    world.run(3)
    assert world.shown(status="PRIMARY")[0]["rolloutState"] == "COMPLETED"
    world.update("app:3", UNCHECKED)
    world.run()
    assert world.shown(status="PRIMARY")[0]["rolloutState"] == "IN_PROGRESS"
    assert world.alive("app:1")
    world.update("app:2", SICK)
    world.run(4)
    stopped = [t for t in world.runner.tasks.values() if t.revision_arn == "app:2" and t.stop_code]
    assert stopped and stopped[0].stopped_reason == "Task failed container health checks"


# --- alarms ---------------------------------------------------------------------------

WATCHED: dict[str, Any] = {"alarms": {"enable": True, "rollback": True, "alarmNames": ["errors"]}}


def test_an_alarm_during_the_deployment_rolls_it_back(clock: HandClock) -> None:
    """The alarm goes to ALARM while the deployment is watched: failed, and back."""
    world = settled(clock, desired=1, **WATCHED)
    world.alarms["errors"] = ("OK", 60)
    world.update("app:2")
    world.run(20)
    assert world.shown(status="PRIMARY")[0]["rolloutState"] == "IN_PROGRESS"  # it bakes
    world.alarms["errors"] = ("ALARM", 60)
    world.run()
    assert world.alive("app:1") and not world.alive("app:2")
    assert any(m.endswith("deployment failed: alarm detected.") for m in world.messages())
    shown = world.runtime.history[0].describe()
    assert shown["alarms"] == {
        "status": "TRIGGERED", "alarmNames": ["errors"], "triggeredAlarmNames": ["errors"],
    }  # fmt: skip


def test_a_quiet_alarm_lets_the_deployment_complete_after_the_bake_time(clock: HandClock) -> None:
    """The deployment is watched as long as the alarm looks back, then it is COMPLETED."""
    world = settled(clock, desired=1)
    world.alarms["errors"] = ("OK", 60)
    world.update("app:2", deployment_configuration=WATCHED)
    world.run(40)
    assert world.shown(status="PRIMARY")[0]["rolloutState"] == "IN_PROGRESS"
    world.run(40)
    assert world.shown(status="PRIMARY")[0]["rolloutState"] == "COMPLETED"


def test_an_alarm_that_rang_before_is_not_watched(clock: HandClock) -> None:
    """A deployment that begins while an alarm is in ALARM may be the cure: alarms are ignored for it."""
    world = settled(clock, desired=1)
    world.alarms["errors"] = ("ALARM", 60)
    world.update("app:2", deployment_configuration=WATCHED)
    world.run()
    assert world.shown(status="PRIMARY")[0]["rolloutState"] == "COMPLETED"


# --- history --------------------------------------------------------------------------


def test_the_history_tells_a_rollback_for_ever(clock: HandClock) -> None:
    """When DescribeServices shows one completed deployment again, the service deployment tells what was."""
    world = settled(clock, desired=1, **ROLLBACK)
    world.update("app:2", CRASHES)
    world.run(40)
    assert len(world.service.deployments) == 1
    shown = world.runtime.history[0].describe()
    assert shown["status"] == "ROLLBACK_SUCCESSFUL"
    assert shown["deploymentCircuitBreaker"] == {"status": "TRIGGERED", "failureCount": 3, "threshold": 3}
    assert shown["rollback"]["serviceRevisionArn"] == world.runtime.history[1].target.revision.arn
    assert "circuit breaker threshold was exceeded" in shown["rollback"]["reason"]
    assert [s["arn"] for s in shown["sourceServiceRevisions"]] == [shown["rollback"]["serviceRevisionArn"]]
    assert shown["createdAt"] <= shown["startedAt"] < shown["finishedAt"]


def test_a_deployment_in_the_middle_of_another_stops_it(clock: HandClock) -> None:
    """The earlier service deployment is STOPPED; the newer one has both revisions as its sources."""
    world = settled(clock)
    world.update("app:2", WAITS)
    world.run(2)
    world.update("app:3")
    world.run()
    newest, middle, first = world.runtime.history
    assert [d.status for d in (newest, middle, first)] == ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]
    assert [s.revision.task_definition for s in newest.sources] == ["app:2", "app:1"]
    assert [d["taskDefinition"] for d in world.service.deployments] == ["app:3"]
    assert not world.alive("app:2")


def test_a_deployment_counts_while_it_is_on_its_way(clock: HandClock) -> None:
    """targetServiceRevision and sourceServiceRevisions count their tasks; the breaker is MONITORING."""
    world = settled(clock, **ROLLBACK)
    world.update("app:2", WAITS)
    world.run(3)
    shown = world.runtime.history[0].describe()
    assert shown["status"] == "IN_PROGRESS"
    assert (
        shown["targetServiceRevision"]["requestedTaskCount"],
        shown["targetServiceRevision"]["pendingTaskCount"],
    ) == (2, 2)
    assert [s["runningTaskCount"] for s in shown["sourceServiceRevisions"]] == [2]
    assert shown["deploymentCircuitBreaker"]["status"] == "MONITORING"
    assert shown["alarms"]["status"] == "DISABLED"
    assert world.service.current_service_deployment == shown["serviceDeploymentArn"]
