"""One-off tasks as ECS keeps them: one per token, shown until an hour after they stopped, then forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from delivery.core.target import EndTask, OneOff, RunOnce, TaskFailure
from delivery_tests.fakes.slots import LAST_WORDS, OUT_OF_MEMORY, Behaviour, Behaviours

SHOWN = timedelta(hours=1)


@dataclass(frozen=True)
class Run:
    """One task: when it was asked for, how its release behaved then, and when somebody stopped it."""

    action: RunOnce
    at: datetime
    behaviour: Behaviour
    ended: datetime | None = None

    @property
    def over(self) -> datetime | None:
        """When it stops."""
        own = (
            None if self.behaviour.task == "hangs" else self.at + timedelta(seconds=self.behaviour.task_takes)
        )
        known = [moment for moment in (own, self.ended) if moment is not None]
        return min(known) if known else None


class OneOffs:
    """`runs` are all tasks there ever were: a token with two of them ran twice."""

    def __init__(self, behaviours: Behaviours) -> None:
        self.behaviours = behaviours
        self.runs: list[Run] = []
        self.stop_next = False  # somebody stops the next one at once

    def shown(self, token: str, now: datetime) -> OneOff | None:
        """What ECS shows of the token's task."""
        run = self._run(token, now)
        if run is None:
            return None
        if run.over is None or now < run.over:
            return OneOff(token, started=(now - run.at).total_seconds() >= run.behaviour.task_starts)
        return _ended(run)

    def begin(self, action: RunOnce, now: datetime) -> None:
        """The same token makes no second task as long as the first is shown."""
        if self._run(action.token, now) is None:
            ended = now + timedelta(seconds=1) if self.stop_next else None
            self.runs.append(Run(action, now, self.behaviours.at(action.release, now), ended))
            self.stop_next = False

    def end(self, action: EndTask, now: datetime) -> None:
        """Stop it, if it runs."""
        run = self._run(action.token, now)
        if run is not None and (run.over is None or now < run.over):
            self.stop(action.token, now)

    def stop(self, token: str, now: datetime) -> None:
        """Somebody stops it."""
        self.runs = [
            Run(r.action, r.at, r.behaviour, now) if r.action.token == token else r for r in self.runs
        ]

    def _run(self, token: str, now: datetime) -> Run | None:
        found = [r for r in self.runs if r.action.token == token and r.at <= now]
        return found[-1] if found and (found[-1].over is None or now < found[-1].over + SHOWN) else None


def _ended(run: Run) -> OneOff:
    token = run.action.token
    own = run.at + timedelta(seconds=run.behaviour.task_takes)
    if run.behaviour.task == "hangs" or (run.ended is not None and run.ended < own):
        return OneOff(token, "interrupted", reason="Task stopped by user")
    if run.behaviour.task == "passes":
        return OneOff(token, "succeeded")
    if run.behaviour.task == "does not start":
        reason = "CannotPullContainerError: no such image"
        return OneOff(token, "failed", False, reason, TaskFailure("task/0", reason))
    memory = run.behaviour.task == "out of memory"
    reason = f"Essential container in task exited{': ' + OUT_OF_MEMORY if memory else ''}"
    failure = TaskFailure("task/0", reason, 137 if memory else 1, memory, LAST_WORDS)
    return OneOff(token, "failed", reason=reason, failure=failure)
