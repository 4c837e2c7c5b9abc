"""What a launch asks of ECS, and how ECS's deployments are read as the state of a slot."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from delivery.adapters.ecs.observe import is_suspicious, release_name, slot_state
from delivery.adapters.ecs.services import complaint, decisive, launch_change, primary
from delivery.core.release import Slot
from delivery.core.target import SlotState, TaskFailure
from delivery.errors import NotFoundError
from delivery_tests.adapters.ecs.answers import NEW, OLD, deployment, event, service

DIED = TaskFailure("t", "Essential container in task exited", 1)
#: ECS going back to the old revision, as "Deployment circuit breaker" in the ECS guide shows it.
GOING_BACK = service(
    deployment(
        OLD, rolloutStateReason="ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1"
    ),
    deployment(
        NEW, "FAILED", status="ACTIVE", failedTasks=3,
        rolloutStateReason="ECS deployment circuit breaker: tasks failed to start.",
    ),
    running=1,
)  # fmt: skip


Failures = tuple[int, TaskFailure | None]


def state(of: dict[str, Any], healthy: int = 2, failures: Failures = (0, None)) -> SlotState:
    """The slot's state with so many healthy targets."""
    return slot_state(Slot.GREEN, of, 0, "r", (healthy, 0), failures)


@pytest.mark.parametrize(
    ("before", "count", "change"),
    [
        (service(deployment(OLD, "COMPLETED"), desired=0), 2, {"taskDefinition": NEW, "desiredCount": 2}),
        (service(deployment(OLD, "COMPLETED"), desired=4), 2, {"taskDefinition": NEW}),
        (service(deployment(NEW, "COMPLETED"), desired=2), 2, {}),
        (service(deployment(NEW, "COMPLETED"), desired=4), 2, {}),
        (service(deployment(NEW, "IN_PROGRESS"), desired=2), 2, {}),
        (service(deployment(NEW, "COMPLETED"), desired=2), 3, {"desiredCount": 3}),
        (
            service(deployment(NEW, "COMPLETED"), desired=0), 2,
            {"desiredCount": 2, "forceNewDeployment": True},
        ),
        (service(deployment(NEW, "FAILED"), desired=2), 2, {"forceNewDeployment": True}),
    ],
)  # fmt: skip
def test_a_launch_asks_only_for_what_is_missing(
    before: dict[str, Any], count: int, change: dict[str, Any]
) -> None:
    """Another revision, more tasks, a new start after nothing or after a failure; and else nothing."""
    assert launch_change(before, NEW, count) == change


def test_a_completed_deployment_is_settled() -> None:
    """One deployment that arrived, with what is wanted running."""
    assert state(service()).settled
    assert not state(service(deployment(NEW))).settled
    assert not state(service(running=1)).settled
    assert not state(service(deployment(NEW, "COMPLETED"), deployment(OLD, status="ACTIVE"))).settled


def test_a_given_up_deployment_is_failed() -> None:
    """Without anything to go back to, the present deployment itself has failed."""
    seen = state(service(deployment(NEW, "FAILED", failedTasks=3), running=0), 0, (3, DIED))
    assert seen.failed and not seen.rolled_back and seen.failed_tasks == 3 and seen.failure == DIED


def test_ecs_going_back_is_told_of_the_deployment_it_gave_up() -> None:
    """While ECS puts the old revision back, failures and reason are those of the new one."""
    seen = state(GOING_BACK, failures=(3, DIED))
    assert decisive(GOING_BACK)["taskDefinition"] == NEW
    assert seen.failed and seen.rolled_back and seen.failed_tasks == 3 and seen.failure == DIED
    assert "tasks failed to start" in seen.reason


#: What ECS went back to (a placeholder) fails too, and the deployment of the release is listed no more.
BOTH_FAILED = service(
    deployment(
        OLD, "FAILED", id="ecs-svc/9", failedTasks=3,
        rolloutStateReason="ECS deployment circuit breaker: tasks failed to start.",
    ),
    running=0,
    events=[
        event("(service web-green) (deployment ecs-svc/9) deployment failed: tasks failed to start.", 90),
        event("(service web-green) was unable to place a task.", 60),
        event("(service web-green) rolling back to deployment ecs-svc/1.", 1),
        event("(service web-green) (deployment ecs-svc/2) deployment failed: tasks failed to start.", 1),
    ],
)  # fmt: skip


def test_a_way_back_that_fails_as_well_does_not_hide_the_release() -> None:
    """The cause asked for is that of the release which was rolled out, not that of the placeholder."""
    assert decisive(BOTH_FAILED)["id"] == "ecs-svc/2" and is_suspicious(BOTH_FAILED)
    seen = state(BOTH_FAILED, 0, (4, DIED))
    assert seen.failed and seen.rolled_back and seen.failed_tasks == 4 and seen.failure == DIED
    assert "ecs-svc/2" in seen.reason and "put back failed as well" in seen.reason


def test_a_release_that_is_listed_no_more_is_known_while_ecs_goes_back() -> None:
    """Its tasks are gone, and so is its deployment: the way back that is going on has no failures to tell."""
    going = {**GOING_BACK, "deployments": GOING_BACK["deployments"][:1], "events": BOTH_FAILED["events"][2:]}
    assert decisive(going)["id"] == "ecs-svc/2"
    assert decisive({**going, "events": []})["taskDefinition"] == OLD


def test_a_way_back_of_earlier_says_nothing_of_what_was_launched_since() -> None:
    """The next release fails, with nothing to go back to: it is its own cause."""
    later = event("(service web-green) rolling back to deployment ecs-svc/1.", 1)["createdAt"]
    next_one = deployment(NEW, "FAILED", id="ecs-svc/5", createdAt=later + timedelta(seconds=30))
    own = service(next_one, running=0, events=BOTH_FAILED["events"][2:])
    assert decisive(own)["id"] == "ecs-svc/5" and not state(own, 0).rolled_back


def test_what_was_put_back_and_serves_asks_for_nothing_more() -> None:
    """The slot is as good as it was: no stopped task of what was given up is looked for at every look."""
    reason = "ECS deployment ecs-svc/9 completed (rolled back)."
    back = service(
        deployment(OLD, "COMPLETED", id="ecs-svc/9", rolloutStateReason=reason), events=BOTH_FAILED["events"]
    )
    assert decisive(back)["id"] == "ecs-svc/9" and not is_suspicious(back)


def test_an_old_failure_beside_a_new_deployment_is_not_its_own() -> None:
    """A failed deployment that is still shown does not condemn what was launched after it."""
    seen = state(service(deployment(NEW), deployment(OLD, "FAILED", status="ACTIVE", failedTasks=9)))
    assert not seen.failed and not seen.rolled_back and seen.failed_tasks == 0


def test_a_slot_that_was_restored_is_no_longer_failed() -> None:
    """When the old revision is back and settled, it is as good as it was."""
    reason = "ECS deployment ecs-svc/2 completed (rolled back)."
    seen = state(service(deployment(OLD, "COMPLETED", rolloutStateReason=reason)))
    assert seen.rolled_back and not seen.failed and seen.settled


def test_a_completed_deployment_has_got_over_its_first_failures() -> None:
    """Tasks that failed before it arrived are history."""
    assert state(service(deployment(NEW, "COMPLETED", failedTasks=7))).failed_tasks == 0


def test_where_nothing_is_healthy_dead_tasks_are_counted() -> None:
    """ECS does not count tasks that ran before they died: the stopped ones are counted instead."""
    dying = service(deployment(NEW, failedTasks=0), running=0)
    assert state(dying, healthy=0, failures=(4, DIED)).failed_tasks == 4
    assert state(dying, healthy=1, failures=(4, DIED)).failed_tasks == 0


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (service(), False),
        (service(running=1), True),
        (service(deployment(NEW, failedTasks=1)), True),
        (service(deployment(NEW, "FAILED")), True),
        (GOING_BACK, True),
    ],
)
def test_stopped_tasks_are_asked_for_only_where_something_is_wrong(
    of: dict[str, Any], expected: bool
) -> None:
    """A healthy slot costs no further calls."""
    assert is_suspicious(of) is expected


def test_ecs_complaint_is_the_newest_since_the_launch() -> None:
    """Placement problems stand only in the events; older ones and good news are not repeated."""
    events = [
        event("(service web) has started 1 tasks", 3),
        event("(service web) was unable to place a task", 2),
        event("(service web) was unable to place a task: long ago", -60),
    ]
    assert complaint(service(running=0, events=events)) == "(service web) was unable to place a task"
    assert complaint(service(events=events)) == ""


def test_a_running_stranger_has_a_name() -> None:
    """A revision without our tag is `None` only where nothing runs or shall run."""
    assert release_name(service(), "r1") == "r1"
    assert release_name(service(), None) == "web:2"
    assert release_name(service(desired=0, running=0), None) is None


def test_a_service_with_another_controller_is_refused() -> None:
    """Without a primary deployment there is nothing to read."""
    with pytest.raises(NotFoundError, match="web-green"):
        primary(service() | {"deployments": []})
