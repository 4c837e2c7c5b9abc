"""Why a stopped task stopped."""

from __future__ import annotations

from typing import Any

import pytest

from delivery.adapters.ecs.task_definition import log_stream
from delivery.adapters.ecs.tasks import addresses_of, failed_by_itself, failure_of
from delivery_tests.adapters.ecs.answers import task

UNHEALTHY = (
    "Task failed ELB health checks in (target-group "
    "arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/web-green/73e2d6bc24d8a067)"
)


@pytest.mark.parametrize(
    ("stopped", "expected"),
    [
        (task(), True),
        (task("TaskFailedToStart", "CannotPullContainerError: not found"), True),
        (task("ServiceSchedulerInitiated", UNHEALTHY), True),
        (task("ServiceSchedulerInitiated", "Task failed container health checks"), True),
        (task("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/1)"), False),
        (task("UserInitiated", "Task stopped by user"), False),
        (task("SpotInterruption", "Your Spot Task was interrupted."), False),
        (task() | {"stoppedAt": None}, False),
    ],
)
def test_only_a_task_that_failed_counts(stopped: dict[str, Any], expected: bool) -> None:
    """Scaling, deployments, people and AWS's own interruptions say nothing of the release."""
    assert failed_by_itself(stopped) is expected


def test_the_container_that_failed_is_the_one_told_of() -> None:
    """A sidecar that ended well does not hide the container that did not."""
    sidecar, app = {"name": "proxy", "exitCode": 0}, {"name": "app", "exitCode": 3}
    assert failure_of(task(containers=(sidecar, app))).exit_code == 3


def test_memory_is_named() -> None:
    """ECS names the memory limit in the container's reason."""
    reason = "OutOfMemoryError: Container killed due to memory usage"
    failure = failure_of(task(containers=({"name": "app", "exitCode": 137, "reason": reason},)))
    assert failure.out_of_memory
    assert failure.sentence() == (
        "out of memory, exit code 137, Essential container in task exited: "
        "OutOfMemoryError: Container killed due to memory usage"
    )


def test_an_exit_code_ecs_caused_is_left_out() -> None:
    """A task stopped for its health was killed by ECS: 137 would be read as its own doing."""
    stopped = task("ServiceSchedulerInitiated", UNHEALTHY, ({"name": "app", "exitCode": 137},))
    failure = failure_of(stopped)
    assert failure.exit_code is None and not failure.out_of_memory
    assert failure.stopped_reason == "Task failed ELB health checks in (target-group web-green)"


def test_a_log_stream_is_found_by_the_drivers_rule() -> None:
    """`prefix/container/task`; another driver's logs are not ours to find."""
    options = {"awslogs-group": "/ecs/web", "awslogs-stream-prefix": "app"}
    container = {"name": "app", "logConfiguration": {"logDriver": "awslogs", "options": options}}
    described = {"taskDefinition": {"containerDefinitions": [container]}}
    assert log_stream(described, "app", "abc") == ("/ecs/web", "app/app/abc")
    assert log_stream(described, "other", "abc") is None
    container["logConfiguration"] = {"logDriver": "awsfirelens"}
    assert log_stream(described, "app", "abc") is None


def test_a_target_is_known_by_its_tasks_address() -> None:
    """The address of the task's interface is its id in an `ip` target group."""
    interface = {"networkInterfaces": [{"privateIpv4Address": "10.0.0.7"}]}
    assert addresses_of({"containers": [interface, interface, {}]}) == {"10.0.0.7"}
