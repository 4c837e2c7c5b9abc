"""One pure `advance` for every strategy: where a rollout stands, and what follows from what is seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from delivery.core.analysis import Verdict
from delivery.core.release import Release, Slot
from delivery.core.strategy import Step
from delivery.core.target import Action, TargetState


class RolloutPhase(StrEnum):
    """Where a rollout is. `Paused` waits for a person; `Aborting` is giving traffic back."""

    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    ABORTING = "Aborting"
    SUCCEEDED = "Succeeded"
    ABORTED = "Aborted"

    @property
    def completed(self) -> bool:
        """No further step follows by itself."""
        return self in (RolloutPhase.SUCCEEDED, RolloutPhase.ABORTED, RolloutPhase.PAUSED)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait before an answer is an answer; seconds."""

    launch_timeout: float = 600.0
    shift_timeout: float = 60.0
    inconclusive_timeout: float = 600.0
    error_budget: int = 5
    tick: float = 2.0


@dataclass(frozen=True, slots=True)
class Transition:
    """One line of a rollout's story: when, what share, why."""

    at: datetime
    weight: int
    message: str


@dataclass(frozen=True, slots=True)
class Rollout:
    """A release on its way. `kind="restore"` is a way back: never analysed, never rolled back itself.

    `entered_at` is when the present step was entered; `previous` is the release id that served
    before. `verdict` is the last judgement, kept when it ended the rollout. `pending` are the actions
    decided and written down but not known to be done; a successor does them first (again).
    """

    release: Release
    steps: tuple[Step, ...]
    candidate: Slot
    started_at: datetime
    entered_at: datetime
    kind: Literal["deploy", "restore"] = "deploy"
    previous: str | None = None
    index: int = 0
    phase: RolloutPhase = RolloutPhase.PROGRESSING
    reason: str = ""
    errors: int = 0
    verdict: Verdict | None = None
    pending: tuple[Action, ...] = ()
    limits: Limits = Limits()
    history: tuple[Transition, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The next state, what to do now, why, and when to look again."""

    rollout: Rollout
    actions: tuple[Action, ...]
    reason: str
    wake_at: datetime


def begin(*_: object) -> Rollout:
    """Start a rollout from what is seen."""
    raise NotImplementedError


def advance(rollout: Rollout, seen: TargetState, verdict: Verdict | None, now: datetime) -> Decision:
    """Decide the next move. Pure: the same arguments give the same decision."""
    raise NotImplementedError
