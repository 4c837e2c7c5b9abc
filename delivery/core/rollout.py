"""Where a rollout stands. What follows from what is seen is decided in `core.advance`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from delivery.core.analysis import Accepted, Verdict, VerdictPhase
from delivery.core.release import Release, Slot
from delivery.core.strategy import (
    Analyze,
    Bake,
    CheckPreview,
    Pause,
    RunTask,
    SetWeight,
    Step,
    Strategy,
    UpdateInPlace,
    steps_for,
)
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
    """How long to wait before an answer is an answer; seconds.

    error_budget    judgements in a row that may fail to look, each waited for longer, before a pause
    failed_tasks    tasks of one launch that may die in a row before it is given up (ECS's own breaker
                    starts at 3 as well)
    tick            seconds between two looks
    """

    launch_timeout: float = 600.0
    shift_timeout: float = 60.0
    inconclusive_timeout: float = 600.0
    error_budget: int = 5
    failed_tasks: int = 3
    tick: float = 2.0


@dataclass(frozen=True, slots=True)
class Transition:
    """One line of a rollout's story: when, what share, why."""

    at: datetime
    weight: int
    message: str


@dataclass(frozen=True, slots=True)
class TaskNotes:
    """What is known of a rollout's one-off task: first asked for, first seen, and since when seen no more."""

    asked_at: datetime
    seen_at: datetime | None = None
    missed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rollout:
    """A release on its way. `kind="restore"` is a way back: never analysed, never rolled back itself.

    `entered_at` is when the present step was entered; `previous` is the release id that served
    before. `verdict` is the judgement of the last step passed, or the one that ended the rollout.
    `pending` are the actions written down before they are done. A successor does not repeat them
    blindly: it looks first and decides again, so what was done is not done twice and what no longer
    fits (a slot that died meanwhile) is not done at all.

    back          the release that served before, if the ledger knows it: what an update in place goes back to
    launched_at   the candidate slot was first seen running the release
    served_at     … and has been seen with all its targets healthy since then
    tasks         how many the slot was last seen wanting, and since when they are more than before
    grown_at
    returning     its traffic is being given back: it does not go forward any more, also after a pause
    cause         why it goes back, as it was first told: `reason` changes with each pause on the way
    traffic_at    … and first had production traffic: samples before it are not the release's
    answered      the pause (as an index of `steps`) at which a person said to continue
    task          its task before the switch, once it was asked for
    quick         why the quick way was taken, or was asked for and not taken; empty: nobody asked
    undecided     paused because these rules were inconclusive: a person's `continue` accepts them
    accepted      what persons accepted, oldest first
    stopped_by    the person who had it stop before its next share, until somebody lets it go on
    again_at      when what the provider refused, or could not be asked, is tried again (while `errors` count)
    earlier_task  the one-off task of the rollout before it, whose end nobody saw: it may still run
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
    launched_at: datetime | None = None
    served_at: datetime | None = None
    traffic_at: datetime | None = None
    returning: bool = False
    back: Release | None = None
    tasks: int = 0
    grown_at: datetime | None = None
    answered: int = -1
    task: TaskNotes | None = None
    quick: str = ""
    undecided: tuple[str, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    stopped_by: str = ""
    cause: str = ""
    again_at: datetime | None = None
    earlier_task: str = ""

    @property
    def step(self) -> Step | None:
        """The present step; None when all are passed."""
        return self.steps[self.index] if self.index < len(self.steps) else None

    @property
    def token(self) -> str:
        """The name of its one-off task while that is the present step, the same for whoever drives it; else
        empty. At most 36 of the characters that ECS takes both for a client token and for `startedBy`."""
        if not isinstance(self.step, RunTask):
            return ""
        begun = hashlib.sha256(self.started_at.isoformat().encode()).hexdigest()[:10]
        return f"before-{self.release.id}-{begun}"

    @property
    def awaited(self) -> str:
        """The one-off task to look for: the earlier rollout's until that has ended, then its own."""
        return self.earlier_task if self.token and self.earlier_task else self.token

    @property
    def waiting(self) -> bool:
        """At a pause of its strategy, which a person's answer ends."""
        return isinstance(self.step, Pause) and not self.returning

    @property
    def launched(self) -> bool:
        """Past the step that launches it. Before, its slot may name the release and run nothing of it."""
        return any(isinstance(step, CheckPreview | UpdateInPlace) for step in self.steps[: self.index])

    @property
    def in_place(self) -> bool:
        """Works in the slot that has the traffic (rolling)."""
        return any(isinstance(step, UpdateInPlace) for step in self.steps)

    @property
    def weight(self) -> int:
        """The share of traffic the candidate should have by the steps entered so far."""
        if self.in_place:
            return 100
        passed = [s.percent for s in self.steps[: self.index] if isinstance(s, SetWeight)]
        return passed[-1] if passed else 0

    @property
    def condemned(self) -> bool:
        """Its release was judged bad."""
        return self.verdict is not None and self.verdict.phase is VerdictPhase.FAILED


@dataclass(frozen=True, slots=True)
class Decision:
    """The next state, what to do now, why, and when to look again."""

    rollout: Rollout
    actions: tuple[Action, ...]
    reason: str
    wake_at: datetime


def begin(
    release: Release,
    strategy: Strategy,
    seen: TargetState,
    now: datetime,
    limits: Limits,
    kind: Literal["deploy", "restore"] = "deploy",
    known: Iterable[Release] = (),
    before: RunTask | None = None,
    quick: bool = False,
    why: str = "",
) -> Rollout:
    """Start a rollout from what is seen: the slot without traffic takes the candidate.

    A rolling update works in the slot that has the traffic; a restoration never does. `known` are the
    releases of the ledger, one of which may be what serves now. Where nothing answers, no share of the
    traffic is kept for it. `before` is the task that runs first; `quick` leaves the shares out, and `why`
    says so (or why not, if it was asked for).
    """
    first = seen.empty or seen.dark
    steps = steps_for(strategy, first=first, known_good=kind == "restore", before=before, quick=quick)
    in_place = any(isinstance(step, UpdateInPlace) for step in steps)
    previous = None if seen.empty else seen.slot(seen.stable).release
    return Rollout(
        release=release,
        steps=steps,
        candidate=seen.stable if in_place else seen.stable.other,
        started_at=now,
        entered_at=now,
        kind=kind,
        previous=previous,
        limits=limits,
        back=next((r for r in known if r.id == previous and r.id != release.id), None),
        history=(Transition(now, 0, why),) if why else (),
        quick=why,
    )


def resume(rollout: Rollout, now: datetime) -> Rollout:
    """Let a paused rollout go on where it stopped, its patience renewed (a person asked for it).

    One that waits at a pause of its strategy goes on from there. One on its way back still goes back for its
    first reason.
    """
    if rollout.waiting:
        return replace(
            rollout, phase=RolloutPhase.PROGRESSING, answered=rollout.index, errors=0, stopped_by=""
        )
    phase = RolloutPhase.ABORTING if rollout.returning else RolloutPhase.PROGRESSING
    cause = rollout.cause if rollout.returning else ""
    return replace(
        rollout,
        phase=phase,
        errors=0,
        entered_at=now,
        served_at=None,
        reason=cause or f"continued ({rollout.reason})",
        undecided=(),
    )


def taken_over(rollout: Rollout, by: str, now: datetime) -> Rollout:
    """The rollout as a successor finds it: time in which nobody looked was nobody's patience.

    A step that waits for something waits anew; an analysis keeps the time it has served, but what nobody
    measured after its end does not count as inconclusive. A pause ends when it was said to end.
    """
    weight = rollout.history[-1].weight if rollout.history else 0
    story = (*rollout.history, Transition(now, weight, f"taken over by {by}"))
    entered = now
    if rollout.phase is RolloutPhase.PROGRESSING and isinstance(rollout.step, Analyze | Bake):
        entered = max(rollout.entered_at, now - timedelta(seconds=rollout.step.seconds))
    if rollout.phase is RolloutPhase.PROGRESSING and rollout.waiting:
        entered = rollout.entered_at
    return replace(rollout, entered_at=entered, served_at=None, pending=(), errors=0, history=story)


def give_up(rollout: Rollout, reason: str, now: datetime) -> Rollout:
    """Return the traffic of an unfinished rollout without judging its release."""
    weight = rollout.history[-1].weight if rollout.history else 0
    story = (*rollout.history, Transition(now, weight, f"giving up: {reason}"))
    return replace(
        rollout,
        phase=RolloutPhase.ABORTING,
        errors=0,
        entered_at=now,
        reason=reason,
        history=story,
        returning=True,
        cause=rollout.cause or reason,
        undecided=(),
        stopped_by="",
    )


def end_where_it_stands(rollout: Rollout, reason: str, now: datetime) -> Rollout:
    """A rollout whose traffic could not be returned, ended all the same (a person asked for it)."""
    weight = rollout.history[-1].weight if rollout.history else 0
    why = f"ended where it stands, the traffic was not returned: {reason} ({rollout.reason})"
    story = (*rollout.history, Transition(now, weight, why))
    return replace(rollout, phase=RolloutPhase.ABORTED, reason=why, pending=(), errors=0, history=story)
