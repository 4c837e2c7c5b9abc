"""ECS tasks, the smaller calls: ExecuteCommand says honestly that it cannot, and task protection is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.exceptions import ECSException, InvalidParameterException
from moto.ecs.responses import EC2ContainerServiceResponse

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.ecs.model import Task
from delivery.sandbox.ecs.runner import TaskRunner

_NOT_ENABLED = (
    "The execute command failed because execute command was not enabled when the task was run or the execute "
    "command agent isn’t running. Wait and try again or run a new task with execute command enabled and try "  # noqa: RUF001
    "again."
)
_NO_AGENT = "The execute command failed due to an internal error. Try again later."


class TargetNotConnectedException(ECSException):
    """There is no Session Manager agent in the sandbox's containers."""

    code = "TargetNotConnectedException"


def install(runner: TaskRunner) -> None:
    """All of them."""
    execute_command(runner)
    task_protection(runner)


def _find(response: EC2ContainerServiceResponse, runner: TaskRunner, name: str) -> Task | None:
    cluster = response.ecs_backend._get_cluster(response._get_param("cluster") or "default")
    task_id = name.rsplit("/", 1)[-1]
    return next(
        (t for t in runner.tasks.values() if t.cluster == cluster.name and t.task_id == task_id), None
    )


def execute_command(runner: TaskRunner) -> None:
    """moto does not know ExecuteCommand; a session needs an agent in the container, which nobody started."""

    def execute_command(self: EC2ContainerServiceResponse) -> ActionResult:
        task = _find(self, runner, self._get_param("task") or "")
        if task is None:
            raise InvalidParameterException("The referenced task was not found.")
        if not task.execute_command:
            raise InvalidParameterException(_NOT_ENABLED)
        raise TargetNotConnectedException(_NO_AGENT)

    setattr(EC2ContainerServiceResponse, "execute_command", execute_command)  # noqa: B010


def task_protection(runner: TaskRunner) -> None:
    """moto knows neither GetTaskProtection nor UpdateTaskProtection, by which a task asks to be let alone."""

    def get_task_protection(self: EC2ContainerServiceResponse) -> ActionResult:
        return _protection(self, runner, lambda task: None)

    def update_task_protection(self: EC2ContainerServiceResponse) -> ActionResult:
        minutes = int(self._get_param("expiresInMinutes") or 120)
        if not 1 <= minutes <= 2880:
            raise InvalidParameterException("expiresInMinutes must be between 1 and 2880.")
        until = CLOCK.utcnow() + timedelta(minutes=minutes) if self._get_param("protectionEnabled") else None

        def change(task: Task) -> None:
            task.protected_until = until

        return _protection(self, runner, change)

    for method in (get_task_protection, update_task_protection):
        setattr(EC2ContainerServiceResponse, method.__name__, method)


def _protection(response: EC2ContainerServiceResponse, runner: TaskRunner, change: Any) -> ActionResult:
    """Change and show the protection of the tasks asked for; only a service's running tasks can have one."""
    shown, failures = [], []
    for name in response._get_param("tasks") or []:
        task = _find(response, runner, name)
        if task is None:
            failures.append({"arn": name, "reason": "MISSING"})
        elif not task.service or not task.alive:
            failures.append({"arn": task.arn, "reason": "TASK_NOT_VALID"})
        else:
            change(task)
            told: dict[str, Any] = {"taskArn": task.arn, "protectionEnabled": task.protected}
            if task.protected:
                told["expirationDate"] = task.protected_until
            shown.append(told)
    return ActionResult({"protectedTasks": shown, "failures": failures})
