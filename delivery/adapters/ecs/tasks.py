"""A service's tasks: the addresses of the running ones, and why stopped ones stopped.

Sources: "Stopped tasks error codes" and "Viewing stopped task errors", ECS developer guide. ECS shows a
stopped task for at least an hour.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from delivery.adapters.aws.errors import translated
from delivery.adapters.aws.session import Aws
from delivery.adapters.ecs.task_definition import Revisions, log_stream
from delivery.adapters.masking import hidden
from delivery.core.infra import DeployContract
from delivery.core.target import TaskFailure
from delivery.errors import DeliveryError, NotFoundError

Task = dict[str, Any]
#: Stopped tasks looked at per service, and lines and characters of a log that people are shown.
LOOKED_AT, LINES, LINE = 200, 10, 500
_BY_ITSELF = {"EssentialContainerExited", "TaskFailedToStart"}
_UNHEALTHY = re.compile(r"failed .*health check", re.IGNORECASE)
_ARN = re.compile(r"arn:\S+?:targetgroup/([^/\s)]+)/\w+")


class Tasks:
    """Reads the tasks of one environment's services."""

    def __init__(self, aws: Aws, contract: DeployContract, revisions: Revisions) -> None:
        self._aws, self._contract, self._revisions = aws, contract, revisions
        self._last_words: dict[str, tuple[str, ...]] = {}

    def addresses(self, service: str, revision: str) -> set[str]:
        """The addresses of the running tasks of that revision: their ids as load balancer targets."""
        running = self._tasks(service, "RUNNING")
        return {a for t in running if t["taskDefinitionArn"] == revision for a in addresses_of(t)}

    def failures(self, service: str, deployment: str) -> tuple[int, TaskFailure | None]:
        """How many of the deployment's tasks ended by their own doing, and how the last one did."""
        stopped = self._tasks(service, "STOPPED")
        failed = [t for t in stopped if t.get("startedBy") == deployment and failed_by_itself(t)]
        if not failed:
            return 0, None
        last = max(failed, key=lambda t: t["stoppedAt"])
        return len(failed), self.failure(last)

    def failure(self, task: Task) -> TaskFailure:
        """Why a stopped task stopped, with its last words."""
        return failure_of(task, self._words_of(task))

    def _tasks(self, service: str, status: str) -> list[Task]:
        with translated(f"The tasks of {service} could not be read"):
            ecs = self._aws.client("ecs")
            pages = ecs.get_paginator("list_tasks").paginate(
                cluster=self._contract.cluster, serviceName=service, desiredStatus=status,
                PaginationConfig={"MaxItems": LOOKED_AT},
            )  # fmt: skip
            arns = [arn for page in pages for arn in page["taskArns"]]
            found: list[Task] = []
            for some in _hundreds(arns):
                found += ecs.describe_tasks(cluster=self._contract.cluster, tasks=some)["tasks"]
        return found

    def _words_of(self, task: Task) -> tuple[str, ...]:
        """Its last log lines. They may arrive late, so none is not remembered."""
        arn = task["taskArn"]
        if arn not in self._last_words:
            lines = self._read_log(task)
            if not lines:
                return ()
            self._last_words[arn] = lines
        return self._last_words[arn]

    def _read_log(self, task: Task) -> tuple[str, ...]:
        """A log that cannot be read says so in its place: it must not hide why the task stopped."""
        try:
            described = self._revisions.describe(task["taskDefinitionArn"])
            place = log_stream(described, culprit(task)["name"], task_id(task["taskArn"]))
            if place is None:
                return ()
            with translated("The log could not be read"):
                answer = self._aws.client("logs").get_log_events(
                    logGroupName=place[0], logStreamName=place[1], limit=LINES, startFromHead=False
                )
        except NotFoundError:
            return ()  # it stopped before it wrote a line
        except DeliveryError as error:
            return (f"({error.what.lower()}: {error.why})",)
        return tuple(hidden(str(e["message"])).rstrip()[:LINE] for e in answer["events"])


def failure_of(task: Task, last_log_lines: tuple[str, ...] = ()) -> TaskFailure:
    """Why a stopped task stopped. The exit code of a container ECS itself ended says nothing: left out."""
    container = culprit(task)
    reasons = [str(task.get("stoppedReason") or ""), str(container.get("reason") or "")]
    code = container.get("exitCode") if task.get("stopCode") == "EssentialContainerExited" else None
    return TaskFailure(
        task=task_id(task["taskArn"]),
        stopped_reason=_ARN.sub(r"\1", ": ".join(dict.fromkeys(r for r in reasons if r))),
        exit_code=None if code is None else int(code),
        out_of_memory=any("OutOfMemory" in r for r in reasons),
        last_log_lines=last_log_lines,
    )


def failed_by_itself(task: Task) -> bool:
    """It failed to start or to stay up; not stopped by scaling, a deployment or a person."""
    if task.get("stoppedAt") is None:
        return False
    return task.get("stopCode") in _BY_ITSELF or bool(_UNHEALTHY.search(task.get("stoppedReason") or ""))


def culprit(task: Task) -> dict[str, Any]:
    """The container that explains the end: one that exited badly, else one with a reason, else the first."""
    containers: list[dict[str, Any]] = task["containers"]
    bad = next((c for c in containers if c.get("exitCode")), None)
    return bad or next((c for c in containers if c.get("reason")), containers[0])


def addresses_of(task: Task) -> set[str]:
    """The private addresses of a task in `awsvpc` mode, one per network interface."""
    found = [
        interface.get("privateIpv4Address")
        for container in task.get("containers") or ()
        for interface in container.get("networkInterfaces") or ()
    ]
    return {address for address in found if address}


def task_id(arn: str) -> str:
    """The short id of a task, the end of its ARN."""
    return arn.rsplit("/", 1)[-1]


def _hundreds(arns: Sequence[str]) -> Iterator[list[str]]:
    """DescribeTasks takes at most 100."""
    for start in range(0, len(arns), 100):
        yield list(arns[start : start + 100])
