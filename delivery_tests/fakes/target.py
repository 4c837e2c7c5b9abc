"""A service in two slots on virtual time: launching takes a while, bad releases behave badly.

What a slot looks like is a pure function of what it was told and of the moment, so that metrics can ask
how it looked a minute ago.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime

from delivery.core.release import Release, Slot
from delivery.core.target import (
    Action,
    Drain,
    Launch,
    ShiftTraffic,
    SlotState,
    TargetState,
    TaskFailure,
)
from delivery.errors import RefusedError
from delivery_tests.fakes.clock import VirtualClock
from delivery_tests.fakes.wire import Wire

BREAKER = 3  # tasks that die before ECS's circuit breaker gives up


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


@dataclass(frozen=True)
class Told:
    """What a slot was last told: `batches` are the moments at which how many tasks were asked for."""

    slot: Slot
    release: Release | None = None
    batches: tuple[tuple[datetime, int], ...] = ()
    weight: int = 0
    before: Release | None = None  # rolling: what served here until the new tasks are healthy
    before_count: int = 0

    @property
    def desired(self) -> int:
        return sum(count for _, count in self.batches)


class Behaviours:
    """Per commit sha, changing over time."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._changes: dict[str, list[tuple[datetime, Behaviour]]] = {}

    def set(self, sha: str, behaviour: Behaviour) -> None:
        """From now on the commit behaves so."""
        self._changes.setdefault(sha, []).append((self._clock.now(), behaviour))

    def at(self, release: Release, moment: datetime) -> Behaviour:
        """How that release behaved at that moment."""
        known = [b for since, b in self._changes.get(release.commit, []) if since <= moment]
        return known[-1] if known else Behaviour()


class FakeTarget:
    """`applied`: every action asked for and when; `effects`: those that changed something."""

    def __init__(self, clock: VirtualClock, wire: Wire, behaviours: Behaviours) -> None:
        self.clock, self.wire, self.behaviours = clock, wire, behaviours
        self.preview = Slot.GREEN
        self.propagation = 0.0  # seconds until a shift is seen
        self.applied: list[tuple[datetime, Action]] = []
        self.effects: list[tuple[datetime, Action]] = []
        self.moved: list[tuple[datetime, int]] = []  # weight of green over time
        self._told = {Slot.BLUE: Told(Slot.BLUE, weight=100), Slot.GREEN: Told(Slot.GREEN)}
        self._history: list[tuple[datetime, dict[Slot, Told]]] = [(clock.start, dict(self._told))]

    def observe(self) -> TargetState:
        """One look."""
        with self.wire.call("target.observe"):
            return self.look()

    def look(self, moment: datetime | None = None) -> TargetState:
        """The same, uncounted; also of a past moment."""
        at = moment or self.clock.now()
        told = self._at(at)
        blue, green = (self._state(told[s], at) for s in (Slot.BLUE, Slot.GREEN))
        return TargetState(blue, green, self.preview, min_capacity=2, max_capacity=4)

    def apply(self, action: Action) -> None:
        """Do one action; the second time it changes nothing."""
        with self.wire.call("target.apply"):
            self.applied.append((self.clock.now(), action))
            before = (dict(self._told), self.preview)
            match action:
                case Launch():
                    self._launch(action)
                case ShiftTraffic():
                    self._shift(action)
                case Drain():
                    self._drain(action)
            if before != (self._told, self.preview):
                self.effects.append((self.clock.now(), action))
                self._history.append((self.clock.now(), dict(self._told)))

    def seed(self, slot: Slot, release: Release, count: int = 2, weight: int = 100) -> None:
        """As if it had been running since the beginning."""
        long_ago = datetime(2026, 1, 1, tzinfo=self.clock.start.tzinfo)
        self._told[slot] = Told(slot, release, ((long_ago, count),), weight)
        self._told[slot.other] = replace(self._told[slot.other], weight=100 - weight)
        self._history.append((self.clock.now(), dict(self._told)))

    def set_weight(self, slot: Slot, weight: int) -> None:
        """Somebody else moves the traffic."""
        self._told[slot] = replace(self._told[slot], weight=weight)
        self._told[slot.other] = replace(self._told[slot.other], weight=100 - weight)
        self._history.append((self.clock.now(), dict(self._told)))

    def scale(self, slot: Slot, count: int) -> None:
        """Autoscaling changes the number of tasks."""
        told = self._told[slot]
        self._told[slot] = replace(told, batches=_resized(told.batches, count, self.clock.now()))
        self._history.append((self.clock.now(), dict(self._told)))

    def served(self, slot: Slot, moment: datetime) -> tuple[Release | None, int, SlotState]:
        """Release, weight and state of a slot at a moment (for the metrics)."""
        told = self._at(moment)[slot]
        return told.release, told.weight, self._state(told, moment)

    def _launch(self, action: Launch) -> None:
        told, now = self._told[action.slot], self.clock.now()
        self.preview = action.slot
        if told.release is not None and told.release.id == action.release.id:
            batches = _resized(told.batches, max(action.count, told.desired), now)
            self._told[action.slot] = replace(told, batches=batches)
            return
        serving = told.weight > 0 and told.release is not None and told.desired > 0
        self._told[action.slot] = Told(
            action.slot,
            action.release,
            ((now, action.count),),
            told.weight,
            before=told.release if serving else None,
            before_count=told.desired if serving else 0,
        )

    def _shift(self, action: ShiftTraffic) -> None:
        seen = self.look()
        gets, gives = seen.slot(action.candidate), seen.slot(action.candidate.other)
        if action.percent < gets.weight:
            gets, gives = gives, gets
        if gets.healthy == 0 and gives.healthy > 0:
            raise RefusedError(
                f"Traffic was not shifted to {gets.slot}", "no target of it is healthy", "Look at its tasks."
            )
        weights = {action.candidate: action.percent, action.candidate.other: 100 - action.percent}
        if all(self._told[slot].weight == weight for slot, weight in weights.items()):
            return
        for slot, weight in weights.items():
            self._told[slot] = replace(self._told[slot], weight=weight)
        self.moved.append((self.clock.now(), self._told[Slot.GREEN].weight))

    def _drain(self, action: Drain) -> None:
        told = self._told[action.slot]
        if told.weight > 0:
            raise RefusedError(
                f"{action.slot} was not drained", f"it has {told.weight} % of the traffic", "Shift it first."
            )
        self._told[action.slot] = replace(told, batches=(), before=None, before_count=0)

    def _at(self, moment: datetime) -> dict[Slot, Told]:
        return next((told for since, told in reversed(self._history) if since <= moment), self._history[0][1])

    def _state(self, told: Told, now: datetime) -> SlotState:
        weight = self._weight(told, now)
        if told.release is None:
            return SlotState(told.slot, weight=weight)
        behaviour = self.behaviours.at(told.release, now)
        ages = [((now - at).total_seconds(), count) for at, count in told.batches]
        running = sum(count for age, count in ages if age >= behaviour.start)
        healthy = sum(count for age, count in ages if age >= behaviour.healthy)
        if behaviour.crash:
            return self._crashing(told, behaviour, weight, max((age for age, _ in ages), default=0.0))
        healthy = 0 if behaviour.unhealthy else healthy
        reason = "targets fail their health check" if behaviour.unhealthy else ""
        return SlotState(
            slot=told.slot, weight=weight, release=told.release.id, desired=told.desired, running=running,
            healthy=max(healthy, told.before_count if healthy < told.desired else 0),
            unhealthy=running - healthy if behaviour.unhealthy else 0,
            settled=healthy >= told.desired, reason=reason,
        )  # fmt: skip

    def _crashing(self, told: Told, behaviour: Behaviour, weight: int, age: float) -> SlotState:
        assert told.release is not None
        died = math.floor(age / max(behaviour.start, 0.1)) if told.desired else 0
        gave_up = died >= BREAKER
        back = gave_up and told.before is not None
        lines = ("Traceback (most recent call last):", "RuntimeError: no database")
        failure = TaskFailure(
            "task/1", "Essential container in task exited", 1, behaviour.out_of_memory, lines
        )
        return SlotState(
            slot=told.slot, weight=weight,
            release=told.before.id if back and told.before else told.release.id,
            desired=told.desired, healthy=told.before_count, running=told.before_count, settled=back,
            failed=gave_up, rolled_back=back, failed_tasks=died, failure=failure if died else None,
        )  # fmt: skip

    def _weight(self, told: Told, now: datetime) -> int:
        if not self.propagation:
            return told.weight
        seen = [w for at, w in self.moved if (now - at).total_seconds() >= self.propagation]
        if not seen and not self.moved:
            return told.weight
        green = seen[-1] if seen else 0
        return green if told.slot is Slot.GREEN else 100 - green


def _resized(
    batches: tuple[tuple[datetime, int], ...], count: int, now: datetime
) -> tuple[tuple[datetime, int], ...]:
    have = sum(n for _, n in batches)
    if count > have:
        return (*batches, (now, count - have))
    kept, left = [], count
    for at, n in batches:
        kept.append((at, min(n, left)))
        left -= min(n, left)
    return tuple((at, n) for at, n in kept if n)
