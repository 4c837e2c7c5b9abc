"""What becomes of a slot that was told to run a release, as ECS would have it: a pure function of time.

A deployment *arrives* when all its tasks are healthy; until then what ran before goes on serving. One whose
tasks keep dying is given up by the circuit breaker, which puts back what ran before, if anything did.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from delivery.core.release import Release, Slot
from delivery.core.target import SlotState, TaskFailure
from delivery_tests.fakes.clock import VirtualClock

BREAKER = 3  # tasks that die before ECS's circuit breaker gives up
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
LAST_WORDS = ("Traceback (most recent call last):", "RuntimeError: no database")
Batches = tuple[tuple[datetime, int], ...]
Span = tuple[datetime, datetime | None, "Behaviour"]


@dataclass(frozen=True)
class Behaviour:
    """How a release behaves; seconds, and the share of real and of preview requests it answers with 500."""

    start: float = 2.0
    healthy: float = 5.0
    crash: bool = False
    unhealthy: bool = False
    out_of_memory: bool = False
    error_rate: float = 0.0
    preview_error_rate: float = 0.0
    latency: float = 0.05
    task: str = "passes"  # its one-off task; or: fails, out of memory, does not start, hangs
    task_takes: float = 3.0
    task_starts: float = 1.0


#: How a release behaves of which nothing was said.
USUAL = Behaviour()


@dataclass(frozen=True)
class Fate:
    """When a deployment arrived, or was given up; None: neither has happened as long as nothing changes."""

    arrived: datetime | None = None
    gave_up: datetime | None = None


@dataclass(frozen=True)
class Told:
    """What a slot was last told: `batches` are the moments at which how many tasks were asked for.

    before      what ran here until this deployment arrives, and what ECS goes back to
    fate        how the deployment ended, where that no longer depends on how the release behaves
    back_from   the release that ECS gave up to put this one back, at `back_at`
    """

    slot: Slot
    release: Release | None = None
    batches: Batches = ()
    weight: int = 0
    launched: datetime | None = None
    before: Told | None = None
    fate: Fate | None = None
    back_from: Release | None = None
    back_at: datetime | None = None

    @property
    def desired(self) -> int:
        return sum(count for _, count in self.batches)


class Behaviours:
    """Per commit sha, changing over time."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.start = clock.start
        self._changes: dict[str, list[tuple[datetime, Behaviour]]] = {}
        self._crashing: set[str] = set()
        self.version = 0

    def set(self, sha: str, behaviour: Behaviour) -> None:
        """From now on the commit behaves so."""
        self.version += 1
        if behaviour.crash:
            self._crashing.add(sha)
        self._changes.setdefault(sha, []).append((self._clock.now(), behaviour))

    def at(self, release: Release, moment: datetime) -> Behaviour:
        """How that release behaved at that moment."""
        for since, behaviour in reversed(self._changes.get(release.commit, ())):
            if since <= moment:
                return behaviour
        return USUAL

    def crashes(self, release: Release) -> bool:
        """Whether it ever did."""
        return release.commit in self._crashing

    def spans(self, release: Release, start: datetime) -> Iterator[Span]:
        """How it behaved since `start`: from when, until when (None: until further notice), how."""
        begin, behaviour = start, self.at(release, start)
        for at, other in self._changes.get(release.commit, ()):
            if at > start:
                yield begin, at, behaviour
                begin, behaviour = at, other
        yield begin, None, behaviour


class Tasks:
    """How the tasks of a slot are at a moment. `rollback_shows`: seconds in which ECS tells of a way back."""

    def __init__(self, behaviours: Behaviours) -> None:
        self.behaviours = behaviours
        self.rollback_shows = math.inf
        self._fates: dict[int, tuple[Told, int, Fate]] = {}

    def fate(self, told: Told) -> Fate:
        """How the present deployment ends, should nothing change any more."""
        kept = self._fates.get(id(told))  # the slot's state is asked for much more often than it changes
        if kept is not None and kept[1] == self.behaviours.version:
            return kept[2]
        found = self._fate(told)
        self._fates[id(told)] = (told, self.behaviours.version, found)
        return found

    def _fate(self, told: Told) -> Fate:
        if told.fate is not None or told.release is None or told.launched is None:
            return told.fate or Fate(told.launched)
        up, then = told.launched, self.behaviours.at(told.release, told.launched)
        for begin, end, behaviour in self.behaviours.spans(told.release, told.launched):
            if behaviour.crash:
                gives_up = begin + timedelta(seconds=BREAKER * max(behaviour.start, 0.1))
                if end is None or gives_up < end:
                    return Fate(gave_up=gives_up)
                up, then = end, self.behaviours.at(told.release, end)
            elif not behaviour.unhealthy:
                ready = max(begin, up + timedelta(seconds=then.healthy))
                if end is None or ready < end:
                    return Fate(arrived=ready)
        return Fate()

    def present(self, told: Told, now: datetime) -> Told:
        """The same with what ECS did by itself until now: the way back to what ran before."""
        gave_up = self.fate(told).gave_up
        if told.before is None or gave_up is None or gave_up > now:
            return told
        batches = resized(told.before.batches, told.desired, gave_up)
        return replace(
            told.before, batches=batches, weight=told.weight, fate=Fate(told.before.launched or gave_up),
            back_from=told.release, back_at=gave_up,
        )  # fmt: skip

    def up(self, told: Told, now: datetime) -> tuple[int, int]:
        """Running and healthy tasks of the slot's own release."""
        if told.release is None or not told.batches:
            return 0, 0
        behaviour, gave_up = self.behaviours.at(told.release, now), self.fate(told).gave_up
        if behaviour.crash or (gave_up is not None and gave_up <= now):
            return 0, 0
        again = self._up_again(told, now)
        running = healthy = 0
        for at, count in told.batches:
            begun = max(at, again or at)
            age, then = (now - begun).total_seconds(), self.behaviours.at(told.release, begun)
            running += count if age >= then.start else 0
            healthy += count if age >= then.healthy else 0
        return running, 0 if behaviour.unhealthy else healthy

    def leaving(self, told: Told, now: datetime) -> tuple[int, int]:
        """Running and healthy tasks of what ran before and still serves, until the deployment has arrived."""
        arrived = self.fate(told).arrived
        if told.before is None or (arrived is not None and arrived <= now):
            return 0, 0
        return self.up(told.before, now)

    def state(self, told: Told, weight: int, now: datetime) -> SlotState:
        """What the adapter would see of the slot: until it has arrived, only its own release's targets."""
        told = self.present(told, now)
        if told.release is None:
            return SlotState(told.slot, weight=weight)
        fate = self.fate(told)
        (running, healthy), (old, _) = self.up(told, now), self.leaving(told, now)
        gave_up = fate.gave_up is not None and fate.gave_up <= now
        back = told.back_at is not None and (now - told.back_at).total_seconds() < self.rollback_shows
        died, failure = self._died(told, now)
        behaviour = self.behaviours.at(told.release, now)
        sick = behaviour.unhealthy and not behaviour.crash
        return SlotState(
            slot=told.slot, weight=weight, release=told.release.id, desired=told.desired,
            running=running + old, healthy=healthy, unhealthy=running - healthy if sick else 0,
            settled=_by(fate.arrived, now) and running == told.desired and not back,
            failed=gave_up or back, rolled_back=back, failed_tasks=died, failure=failure,
            reason="targets fail their health check" if sick else "",
        )  # fmt: skip

    def _died(self, told: Told, now: datetime) -> tuple[int, TaskFailure | None]:
        """Tasks that died in a row, and the last one's words; of the deployment ECS gave up, if it did."""
        if told.back_at is not None and told.back_from is not None:
            shown = (now - told.back_at).total_seconds() < self.rollback_shows
            return (BREAKER, self._failure(told.back_from, told.back_at)) if shown else (0, None)
        assert told.release is not None
        behaviour = self.behaviours.at(told.release, now)
        if not told.desired or not (behaviour.crash or self.fate(told).gave_up):
            return 0, None
        begun = max(self._since(told.release, now), told.launched or self._since(told.release, now))
        died = math.floor((now - begun).total_seconds() / max(behaviour.start, 0.1))
        return (died, self._failure(told.release, now)) if died > 0 else (0, None)

    def _failure(self, release: Release, now: datetime) -> TaskFailure:
        memory = self.behaviours.at(release, now).out_of_memory
        reason = f"Essential container in task exited{': ' + OUT_OF_MEMORY if memory else ''}"
        return TaskFailure("task/1", reason, 137 if memory else 1, memory, LAST_WORDS)

    def _since(self, release: Release, now: datetime) -> datetime:
        """When the present behaviour began."""
        spans = self.behaviours.spans(release, self.behaviours.start)
        return next(begin for begin, end, _ in spans if end is None or end > now)

    def _up_again(self, told: Told, now: datetime) -> datetime | None:
        """When the last crash ended."""
        assert told.release is not None
        if not self.behaviours.crashes(told.release):
            return None
        ended = None
        for _, end, behaviour in self.behaviours.spans(told.release, told.batches[0][0]):
            if behaviour.crash and end is not None and end <= now:
                ended = end
        return ended


def resized(batches: Batches, count: int, now: datetime) -> Batches:
    """As many tasks: more are started now, the newest ones end first."""
    have = sum(n for _, n in batches)
    if count > have:
        return (*batches, (now, count - have))
    kept, left = [], count
    for at, n in batches:
        kept.append((at, min(n, left)))
        left -= min(n, left)
    return tuple((at, n) for at, n in kept if n)


def _by(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now
