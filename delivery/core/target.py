"""What can be seen of a running service, and what can be done to it.

`TargetState` is one look at both slots; an `Action` is one idempotent step of change. The adapter
behind the `Target` port speaks ECS and ELB; this module speaks slots, releases and weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from delivery.core.release import Release, Slot


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """Why the last task of a slot stopped by itself, as far as ECS tells."""

    task: str
    stopped_reason: str
    exit_code: int | None = None
    out_of_memory: bool = False
    last_log_lines: tuple[str, ...] = ()

    def sentence(self) -> str:
        """One line for people: OOM and exit code first, then ECS's own words."""
        parts = ["out of memory"] if self.out_of_memory else []
        if self.exit_code is not None:
            parts.append(f"exit code {self.exit_code}")
        parts.append(self.stopped_reason)
        return ", ".join(p for p in parts if p)

    def with_last_words(self) -> str:
        """The same, and the last lines of its log."""
        lines = " | ".join(self.last_log_lines[-3:])
        return self.sentence() + (f"; last log lines: {lines}" if lines else "")


#: How a one-off task stands. `interrupted`: it ended, and neither by its own doing nor with an answer.
OneOffPhase = Literal["running", "succeeded", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class OneOff:
    """The one-off task of a token as last seen.

    started   its container ran; a task that only waits for a place to run has not
    reason    why it ended, in ECS's words; `failure` says more of one that failed by its own doing
    """

    token: str
    phase: OneOffPhase = "running"
    started: bool = True
    reason: str = ""
    failure: TaskFailure | None = None


@dataclass(frozen=True, slots=True)
class SlotState:
    """One slot as last measured.

    weight          share of production traffic in percent, read from the listener rule
    release         release id of the task definition the service runs; None: never deployed
    desired/running tasks; healthy/unhealthy targets, as the load balancer counts them
    settled         ECS reports one deployment, completed, running == desired
    failed          ECS's circuit breaker gave up; `rolled_back` when ECS put the old revision back
    failed_tasks    tasks of the present deployment that failed to start or stay up
    """

    slot: Slot
    weight: int = 0
    release: str | None = None
    desired: int = 0
    running: int = 0
    healthy: int = 0
    unhealthy: int = 0
    settled: bool = True
    failed: bool = False
    rolled_back: bool = False
    failed_tasks: int = 0
    failure: TaskFailure | None = None
    reason: str = ""

    @property
    def serving(self) -> bool:
        """Has at least one healthy target and as many as it wants."""
        return self.healthy > 0 and self.healthy >= self.desired


@dataclass(frozen=True, slots=True)
class TargetState:
    """Both slots, and the slot the preview rule reaches.

    `age` is for how many seconds the answer was waited for: nobody's patience ends by a look that may be as
    old as that. Who asks sets it. `task` is the one-off task that was asked about, if it is shown.
    """

    blue: SlotState
    green: SlotState
    preview: Slot
    min_capacity: int = 1
    max_capacity: int = 4
    age: float = 0.0
    task: OneOff | None = None

    def slot(self, slot: Slot) -> SlotState:
        """The state of that slot."""
        return self.blue if slot is Slot.BLUE else self.green

    @property
    def stable(self) -> Slot:
        """The slot with the larger weight: AWS is the truth."""
        return Slot.BLUE if self.blue.weight >= self.green.weight else Slot.GREEN

    @property
    def empty(self) -> bool:
        """Nothing serves production: a first deployment, or everything is down."""
        return self.slot(self.stable).release is None or self.slot(self.stable).running == 0

    @property
    def dark(self) -> bool:
        """The stable slot has arrived where it was told to be, and nothing answers there."""
        slot = self.slot(self.stable)
        return slot.settled and slot.healthy == 0


@dataclass(frozen=True, slots=True)
class Launch:
    """Run `release` in `slot` with `count` tasks, and point the preview rule at it."""

    slot: Slot
    release: Release
    count: int
    kind: Literal["launch"] = "launch"


@dataclass(frozen=True, slots=True)
class ShiftTraffic:
    """Give `candidate` this share of production traffic and the other slot the rest."""

    candidate: Slot
    percent: int
    kind: Literal["shift_traffic"] = "shift_traffic"


@dataclass(frozen=True, slots=True)
class Drain:
    """Scale a slot to nothing. Refused by the adapter while the slot has production weight."""

    slot: Slot
    kind: Literal["drain"] = "drain"


@dataclass(frozen=True, slots=True)
class RunOnce:
    """Run `command` once in the release's container, outside of both slots. The same token is one task.

    `cpu` in CPU units and `memory` in MiB; None: as the release has it.
    """

    token: str
    release: Release
    command: tuple[str, ...]
    cpu: int | None = None
    memory: int | None = None
    kind: Literal["run_once"] = "run_once"


@dataclass(frozen=True, slots=True)
class EndTask:
    """Stop the one-off task of that token, if it still runs."""

    token: str
    kind: Literal["end_task"] = "end_task"


Action = Launch | ShiftTraffic | Drain | RunOnce | EndTask
