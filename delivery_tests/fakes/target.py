"""A service in two slots on virtual time: launching takes a while, bad releases behave badly.

What a slot looks like is a pure function of what it was told and of the moment, so that metrics can ask
how it looked a minute ago. It looks as the ECS adapter sees it: see `delivery.adapters.ecs.observe`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from delivery.core.release import Release, Slot
from delivery.core.target import Action, Drain, EndTask, Launch, RunOnce, ShiftTraffic, TargetState
from delivery.errors import RefusedError
from delivery_tests.fakes.clock import VirtualClock
from delivery_tests.fakes.oneoff import OneOffs
from delivery_tests.fakes.slots import Behaviour, Behaviours, Fate, Tasks, Told, resized
from delivery_tests.fakes.wire import Wire

__all__ = ["Behaviour", "Behaviours", "FakeTarget", "Served"]

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Served:
    """What a slot's target group served at a moment: every healthy target of it, whatever its revision."""

    release: Release | None
    weight: int
    healthy: int


class FakeTarget:
    """`applied`: every action asked for and when; `effects`: those that changed something."""

    def __init__(self, clock: VirtualClock, wire: Wire, behaviours: Behaviours) -> None:
        self.clock, self.wire, self.behaviours = clock, wire, behaviours
        self.tasks = Tasks(behaviours)
        self.one_offs = OneOffs(behaviours)
        self.preview = Slot.GREEN
        self.propagation = 0.0  # seconds until a shift is seen
        self.lag = 0.0  # seconds that a look may be old when one is asked for that may
        self.applied: list[tuple[datetime, Action]] = []
        self.effects: list[tuple[datetime, Action]] = []
        self.moved: list[tuple[datetime, int]] = []  # weight of green over time
        self._told = {Slot.BLUE: Told(Slot.BLUE, weight=100), Slot.GREEN: Told(Slot.GREEN)}
        self._history: list[tuple[datetime, dict[Slot, Told]]] = [(clock.start, dict(self._told))]
        self._past: dict[tuple[Slot, datetime], Served] = {}

    def observe(self, task: str = "", within: float = 0.0) -> TargetState:
        """One look; if it may be old, as old as it may be, but no older than `lag`."""
        with self.wire.call("target.observe"):
            age = 0.0 if task else min(within, self.lag)
            if age > 0:
                return replace(self.look(self.clock.now() - timedelta(seconds=age)), age=age)
            one_off = self.one_offs.shown(task, self.clock.now()) if task else None
            return replace(self.look(), task=one_off) if one_off else self.look()

    def look(self, moment: datetime | None = None) -> TargetState:
        """The same, uncounted; also of a past moment."""
        at = moment or self.clock.now()
        told = self._at(at)
        blue, green = (
            self.tasks.state(told[s], self._weight(told[s], at), at) for s in (Slot.BLUE, Slot.GREEN)
        )
        return TargetState(blue, green, self.preview, min_capacity=2, max_capacity=4)

    def served(self, slot: Slot, moment: datetime) -> Served:
        """What the slot's target group served at a moment (for the metrics)."""
        kept = self._past.get((slot, moment))
        if kept is not None:
            return kept
        told = self.tasks.present(self._at(moment)[slot], moment)
        _, healthy = self.tasks.up(told, moment)
        _, leaving = self.tasks.leaving(told, moment)
        answers = told.before if leaving and not healthy else told
        found = Served(answers.release if answers else None, told.weight, healthy + leaving)
        if moment < self.clock.now():  # what was does not change any more
            self._past[slot, moment] = found
        return found

    def apply(self, action: Action) -> None:
        """Do one action; the second time it changes nothing."""
        with self.wire.call("target.apply"):
            self.do(action)

    def do(self, action: Action) -> None:
        """The effect of one action."""
        self.applied.append((self.clock.now(), action))
        before = (dict(self._told), self.preview, tuple(self.one_offs.runs))
        match action:
            case Launch():
                self._launch(action)
            case ShiftTraffic():
                self._shift(action)
            case Drain():
                self._drain(action)
            case RunOnce():
                self.one_offs.begin(action, self.clock.now())
            case EndTask():
                self.one_offs.end(action, self.clock.now())
        if before != (self._told, self.preview, tuple(self.one_offs.runs)):
            self.effects.append((self.clock.now(), action))
            self._note()

    def seed(self, slot: Slot, release: Release, count: int = 2, weight: int = 100) -> None:
        """As if it had been running since the beginning."""
        self._told[slot] = Told(
            slot, release, ((LONG_AGO, count),), weight, launched=LONG_AGO, fate=Fate(LONG_AGO)
        )
        self._told[slot.other] = replace(self._told[slot.other], weight=100 - weight)
        self._note()

    def set_weight(self, slot: Slot, weight: int) -> None:
        """Somebody else moves the traffic."""
        self._told[slot] = replace(self._told[slot], weight=weight)
        self._told[slot.other] = replace(self._told[slot.other], weight=100 - weight)
        self._note()

    def scale(self, slot: Slot, count: int) -> None:
        """Autoscaling (or a person) changes the number of tasks."""
        told = self._present(slot)
        now = self.clock.now()
        self._told[slot] = self._scaled_to_nothing(told) if count == 0 else replace(
            told, batches=resized(told.batches, count, now)
        )  # fmt: skip
        self._note()

    def run(self, slot: Slot, release: Release, count: int) -> None:
        """Somebody else has the slot run another release."""
        self._run(slot, release, count)
        self._note()

    def _launch(self, action: Launch) -> None:
        """A new deployment, unless the slot runs the release already (see `services.launch_change`)."""
        self.preview = action.slot
        told, now = self._present(action.slot), self.clock.now()
        gave_up = self.tasks.fate(told).gave_up
        same = told.release is not None and told.release.id == action.release.id
        if same and told.desired and (gave_up is None or gave_up > now):
            batches = resized(told.batches, max(action.count, told.desired), now)
            self._told[action.slot] = replace(told, batches=batches)
            return
        self._run(action.slot, action.release, max(action.count, told.desired))

    def _run(self, slot: Slot, release: Release, count: int) -> None:
        told, now = self._present(slot), self.clock.now()
        fate = self.tasks.fate(told)
        arrived = told.release is not None and fate.arrived is not None and fate.arrived <= now
        before = replace(told, fate=fate, before=None) if arrived else told.before
        self._told[slot] = Told(slot, release, ((now, count),), told.weight, launched=now, before=before)

    def _shift(self, action: ShiftTraffic) -> None:
        now = self.clock.now()
        gets, gives = action.candidate, action.candidate.other
        if action.percent < self._told[gets].weight:
            gets, gives = gives, gets
        weights = {action.candidate: action.percent, action.candidate.other: 100 - action.percent}
        if all(self._told[slot].weight == weight for slot, weight in weights.items()):
            return
        answers = self._told[gets].desired > 0 and self.served(gets, now).healthy > 0
        if not answers and self.served(gives, now).healthy > 0:
            raise RefusedError(
                f"Traffic was not shifted to {gets}", "no target of it is healthy", "Look at its tasks."
            )
        for slot, weight in weights.items():
            self._told[slot] = replace(self._told[slot], weight=weight)
        self.moved.append((now, self._told[Slot.GREEN].weight))

    def _drain(self, action: Drain) -> None:
        told = self._told[action.slot]
        if told.weight > 0:
            raise RefusedError(
                f"{action.slot} was not drained", f"it has {told.weight} % of the traffic", "Shift it first."
            )
        if told.desired:
            self._told[action.slot] = self._scaled_to_nothing(self._present(action.slot))

    def _scaled_to_nothing(self, told: Told) -> Told:
        """A deployment of no tasks has arrived; one that was given up stays so."""
        fate, now = self.tasks.fate(told), self.clock.now()
        ended = fate if fate.gave_up is not None and fate.gave_up <= now else Fate(fate.arrived or now)
        return replace(told, batches=(), before=None, fate=ended)

    def _present(self, slot: Slot) -> Told:
        return self.tasks.present(self._told[slot], self.clock.now())

    def _note(self) -> None:
        self._history.append((self.clock.now(), dict(self._told)))

    def _at(self, moment: datetime) -> dict[Slot, Told]:
        for since, told in reversed(self._history):
            if since <= moment:
                return told
        return self._history[0][1]

    def _weight(self, told: Told, now: datetime) -> int:
        if not self.propagation:
            return told.weight
        seen = [w for at, w in self.moved if (now - at).total_seconds() >= self.propagation]
        if not seen and not self.moved:
            return told.weight
        green = seen[-1] if seen else 0
        return green if told.slot is Slot.GREEN else 100 - green
