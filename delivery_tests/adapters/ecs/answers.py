"""AWS's answers as the ECS adapter reads them, with what a test does not care for filled in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

BEGUN = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
GROUPS = {"blue": "arn:blue", "green": "arn:green"}
OLD, NEW = (
    "arn:aws:ecs:eu-central-1:1:task-definition/web:1",
    "arn:aws:ecs:eu-central-1:1:task-definition/web:2",
)


def forward(blue: int | None, green: int | None, **also: Any) -> dict[str, Any]:
    """A weighted forward action; None leaves a slot out of it."""
    groups = [(GROUPS["blue"], blue), (GROUPS["green"], green)]
    listed = [{"TargetGroupArn": arn, "Weight": w} for arn, w in groups if w is not None]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": listed, **also}}


def deployment(revision: str = NEW, state: str = "IN_PROGRESS", **also: Any) -> dict[str, Any]:
    """One deployment of a service, begun at `BEGUN`."""
    return {
        "id": f"ecs-svc/{revision[-1]}", "status": "PRIMARY", "taskDefinition": revision,
        "rolloutState": state, "rolloutStateReason": "", "failedTasks": 0, "runningCount": 0,
        "createdAt": BEGUN, **also,
    }  # fmt: skip


def service(*deployments: dict[str, Any], desired: int = 2, running: int = 2, **also: Any) -> dict[str, Any]:
    """A service; the first deployment's revision is its own."""
    present = deployments or (deployment(state="COMPLETED"),)
    return {
        "serviceName": "web-green", "status": "ACTIVE", "taskDefinition": present[0]["taskDefinition"],
        "desiredCount": desired, "runningCount": running, "deployments": list(present), "events": [], **also,
    }  # fmt: skip


def event(message: str, seconds: float = 1) -> dict[str, Any]:
    """A line of a service's events, so long after `BEGUN`."""
    return {"createdAt": BEGUN + timedelta(seconds=seconds), "message": message}


def task(code: str = "EssentialContainerExited", reason: str = "Essential container in task exited",
         containers: tuple[dict[str, Any], ...] = (), **also: Any) -> dict[str, Any]:  # fmt: skip
    """A stopped task."""
    return {
        "taskArn": "arn:aws:ecs:eu-central-1:1:task/web/abc", "stopCode": code, "stoppedReason": reason,
        "stoppedAt": BEGUN, "containers": list(containers or ({"name": "app", "exitCode": 1},)), **also,
    }  # fmt: skip
