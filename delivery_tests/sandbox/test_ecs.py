"""Elastic Container Service: tasks, services and deployments, as its developer guide says."""

from __future__ import annotations

from collections import Counter
from threading import Event, Thread

import docker
import pytest

from delivery.sandbox.ecs.containers import TASK_LABEL
from delivery_tests.sandbox.stack import Stack, eventually

pytestmark = pytest.mark.sandbox

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


def test_a_service_holds_its_desired_count(stack: Stack, docker_client: docker.DockerClient) -> None:
    """Each task is a running container; one that is killed is replaced, and its exit code told."""
    service = stack.service("blue", stack.revision(), count=2)
    stack.stable(service)
    first = stack.tasks(service)
    assert [t["lastStatus"] for t in first] == ["RUNNING", "RUNNING"]
    arn = first[0]["taskArn"]
    (container,) = docker_client.containers.list(filters={"label": f"{TASK_LABEL}={arn}"})
    container.kill()
    eventually(lambda: {t["taskArn"] for t in stack.tasks(service)}, lambda s: len(s) == 2 and arn not in s)
    (stopped,) = stack.ecs.describe_tasks(cluster=stack.name, tasks=[arn])["tasks"]
    assert stopped["stopCode"] == "EssentialContainerExited"
    assert stopped["containers"][0]["exitCode"] == 137


def test_scaling_changes_the_number_of_containers(stack: Stack) -> None:
    """UpdateService with another desired count starts or stops tasks; the revision stays."""
    service = stack.service("blue", stack.revision(), count=1)
    stack.stable(service)
    stack.ecs.update_service(cluster=stack.name, service=service, desiredCount=3)
    eventually(lambda: stack.look(service)["runningCount"], lambda n: n == 3)
    stack.ecs.update_service(cluster=stack.name, service=service, desiredCount=0)
    eventually(lambda: stack.tasks(service), lambda tasks: not tasks)
    assert len(stack.completed(service)["deployments"]) == 1


def test_a_rolling_deployment_replaces_tasks_without_losing_a_request(stack: Stack) -> None:
    """With minimum 100 % and maximum 200 % new tasks serve before old ones go; no request fails."""
    stack.group("blue")
    stack.route(blue=100)
    service = stack.service("blue", stack.revision(NAME="one"), count=2)
    eventually(lambda: stack.health("blue"), lambda h: [s for s, _ in h] == ["healthy", "healthy"])
    stack.stable(service)
    answers: Counter[tuple[int, str]] = Counter()
    done = Event()

    def load() -> None:
        while not done.is_set():
            answers[stack.ask()] += 1

    thread = Thread(target=load)
    thread.start()
    try:
        stack.ecs.update_service(
            cluster=stack.name, service=service, taskDefinition=stack.revision(NAME="two")
        )
        seen = stack.completed(service)["deployments"]
        eventually(lambda: answers[200, "two"] > 20)
    finally:
        done.set()
        thread.join()
    assert [d["status"] for d in seen] == ["PRIMARY"]
    assert set(answers) == {(200, "one"), (200, "two")}


def test_the_circuit_breaker_rolls_back_a_crash_loop(stack: Stack) -> None:
    """Three tasks that exit trip the breaker: the deployment is FAILED, the completed one comes back."""
    good = stack.revision(NAME="good")
    service = stack.service("blue", good, count=1, deploymentConfiguration=BREAKER)
    stack.completed(service)
    stack.ecs.update_service(cluster=stack.name, service=service, taskDefinition=stack.revision(CRASH="3"))
    failed = eventually(
        lambda: [d for d in stack.look(service)["deployments"] if d["rolloutState"] == "FAILED"], seconds=60
    )
    assert failed[0]["failedTasks"] >= 3
    assert "circuit breaker" in failed[0]["rolloutStateReason"]
    last = stack.completed(service)
    assert last["taskDefinition"] == good and last["deployments"][0]["taskDefinition"] == good
    assert last["runningCount"] == 1
    stopped = [t for t in stack.tasks(service, "STOPPED") if t["taskDefinitionArn"] != good]
    assert {t["containers"][0]["exitCode"] for t in stopped} == {3}


def test_the_last_words_of_a_task_are_in_its_log(stack: Stack) -> None:
    """The awslogs driver writes `prefix/container/task-id` streams, also of a task that crashed at once."""
    arn = stack.ecs.run_task(
        cluster=stack.name, taskDefinition=stack.revision(CRASH="4"), launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": stack.subnets}},
    )["tasks"][0]["taskArn"]  # fmt: skip
    task = eventually(
        lambda: stack.ecs.describe_tasks(cluster=stack.name, tasks=[arn])["tasks"][0],
        lambda t: t["lastStatus"] == "STOPPED",
    )
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("EssentialContainerExited", 4)
    stream = f"app/app/{arn.rsplit('/', 1)[1]}"

    def words() -> list[str]:
        found = stack.logs.filter_log_events(logGroupName=f"/ecs/{stack.name}", logStreamNames=[stream])
        return [e["message"] for e in found["events"]]

    eventually(words, lambda lines: "last words" in lines)


def test_an_image_that_cannot_be_pulled_is_told(stack: Stack) -> None:
    """The stopped reason is CannotPullContainerError, and no exit code is made up."""
    service = stack.service("blue", stack.revision(image="127.0.0.1:1/no/such:image"))
    task = eventually(lambda: stack.tasks(service, "STOPPED"))[0]
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotPullContainerError")
    assert "exitCode" not in task["containers"][0]


def test_a_task_can_be_stopped_with_a_reason(stack: Stack) -> None:
    """StopTask ends the container; the reason given is kept, and the service replaces the task."""
    service = stack.service("blue", stack.revision())
    stack.stable(service)
    arn = stack.tasks(service)[0]["taskArn"]
    stack.ecs.stop_task(cluster=stack.name, task=arn, reason="moving house")
    stopped = eventually(lambda: [t for t in stack.tasks(service, "STOPPED") if t["taskArn"] == arn])
    assert (stopped[0]["stopCode"], stopped[0]["stoppedReason"]) == ("UserInitiated", "moving house")
    eventually(lambda: [t["taskArn"] for t in stack.tasks(service)], lambda a: a and a != [arn])


def test_service_settings_are_kept_as_they_were_given(stack: Stack) -> None:
    """DescribeServices gives back what it was told; the defaults are 200 and 100 percent."""
    service = stack.service("blue", stack.revision(), count=0, enableExecuteCommand=True)
    shown = stack.look(service)
    assert shown["enableExecuteCommand"] is True
    conf = shown["deploymentConfiguration"]
    assert (conf["minimumHealthyPercent"], conf["maximumPercent"]) == (100, 200)
    wanted = {"minimumHealthyPercent": 50, "maximumPercent": 150, **BREAKER}
    stack.ecs.update_service(
        cluster=stack.name, service=service, deploymentConfiguration=wanted, healthCheckGracePeriodSeconds=7
    )
    shown = stack.look(service)
    assert shown["deploymentConfiguration"] == {**wanted, "strategy": "ROLLING"}
    assert shown["healthCheckGracePeriodSeconds"] == 7
