"""One-off tasks: run once under a token, found again by it, judged by how they ended.

The token is RunTask's client token, which makes a repeated request the same task ("Ensuring idempotency",
ECS API reference), and its `startedBy`, by which ListTasks finds it. ECS shows a stopped task for at least an
hour.
"""

from __future__ import annotations

import re
from typing import Any

from delivery.adapters.aws.errors import translated
from delivery.adapters.aws.session import Aws
from delivery.adapters.ecs.task_definition import Revisions
from delivery.adapters.ecs.tasks import Task, Tasks, failure_of
from delivery.core.infra import DeployContract
from delivery.core.target import EndTask, OneOff, RunOnce
from delivery.errors import ConflictError, ProviderError, RefusedError

#: Start failures that are the provider's, not the release's. Source: "Stopped tasks error codes", ECS guide.
_PROVIDERS = re.compile(
    r"capacity is unavailable|network interface provisioning|InternalError|ServerException|throttl"
    r"|rate exceeded",
    re.IGNORECASE,
)


class OneOffs:
    """The one-off tasks of one environment."""

    def __init__(self, aws: Aws, contract: DeployContract, revisions: Revisions, tasks: Tasks) -> None:
        self._aws, self._contract, self._revisions, self._tasks = aws, contract, revisions, tasks

    def look(self, token: str) -> OneOff | None:
        """The token's task as ECS shows it. Stopped ones are asked for last, so that none is missed that
        stops just now."""
        task = self._find(token, "RUNNING") or self._find(token, "STOPPED")
        if task is None:
            return None
        ended = seen(token, task, self._contract.container_name)
        if ended.phase != "failed":
            return ended
        return OneOff(token, "failed", ended.started, ended.reason, self._tasks.failure(task))

    def run(self, action: RunOnce) -> None:
        """Ask for the task. The same token again is the same task."""
        what = f"The task {action.token} was not run"
        if not self._contract.subnets:
            raise RefusedError(
                what, "the deploy contract does not say in which subnets it may run",
                "Rerun the assets `plan` and `infrastructure`.",
            )  # fmt: skip
        request = parameters(self._contract, action, self._revisions.ensure(action.release))
        try:
            with translated(what):
                answer = self._ecs.run_task(**request)
        except ConflictError:
            return  # the token has made its task before: the next look tells which
        if not answer["tasks"]:
            reasons = {str(f.get("reason") or f.get("detail")) for f in answer.get("failures") or ()}
            raise ProviderError(what, ", ".join(sorted(reasons)) or "ECS made no task", "Try again later.")

    def end(self, action: EndTask) -> None:
        """Stop the task, if it runs."""
        task = self._find(action.token, "RUNNING")
        if task is None:
            return
        with translated(f"The task {action.token} was not stopped"):
            self._ecs.stop_task(
                cluster=self._contract.cluster,
                task=task["taskArn"],
                reason="its time before the switch is over",
            )

    def _find(self, token: str, status: str) -> Task | None:
        with translated(f"The task {token} could not be looked for"):
            found = self._ecs.list_tasks(
                cluster=self._contract.cluster, startedBy=token, desiredStatus=status
            )["taskArns"]
            if not found:
                return None
            tasks = self._ecs.describe_tasks(cluster=self._contract.cluster, tasks=found)["tasks"]
        return min(tasks, key=lambda t: t["createdAt"], default=None)

    @property
    def _ecs(self) -> Any:
        return self._aws.client("ecs")


def parameters(contract: DeployContract, action: RunOnce, revision: str) -> dict[str, Any]:
    """The arguments of RunTask: always the same for the same action, as its client token demands."""
    override: dict[str, Any] = {"name": contract.container_name, "command": list(action.command)}
    overrides: dict[str, Any] = {"containerOverrides": [override]}
    if action.cpu is not None:
        overrides["cpu"] = str(action.cpu)
    if action.memory is not None:
        overrides["memory"] = str(action.memory)
    network = {
        "subnets": list(contract.subnets),
        "securityGroups": list(contract.security_groups),
        "assignPublicIp": "DISABLED",
    }
    return {
        "cluster": contract.cluster,
        "taskDefinition": revision,
        "launchType": "FARGATE",
        "count": 1,
        "clientToken": action.token,
        "startedBy": action.token,
        "propagateTags": "TASK_DEFINITION",
        "enableECSManagedTags": True,
        "networkConfiguration": {"awsvpcConfiguration": network},
        "overrides": overrides,
    }


def seen(token: str, task: Task, container_name: str) -> OneOff:
    """What a described task says. Only a container that ended by itself speaks of the release."""
    if task.get("lastStatus") != "STOPPED":
        return OneOff(token, "running", started=task.get("startedAt") is not None, reason=_waits_for(task))
    code, reason = task.get("stopCode"), failure_of(task).stopped_reason
    if code == "EssentialContainerExited":
        exits = {c["name"]: c.get("exitCode") for c in task["containers"]}
        ended = exits.get(container_name)
        if ended is None:
            return OneOff(token, "interrupted", reason=f"no exit code is known: {reason}")
        return OneOff(token, "succeeded" if ended == 0 else "failed", reason=reason)
    if code == "TaskFailedToStart" and not _PROVIDERS.search(reason):
        return OneOff(token, "failed", started=False, reason=reason)
    return OneOff(token, "interrupted", reason=reason or str(code or "ECS does not say why it stopped"))


def _waits_for(task: Task) -> str:
    return "" if task.get("startedAt") else f"it is {task.get('lastStatus')}"
