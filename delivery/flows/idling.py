"""Looks that may be a few seconds old, for a rollout that only waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from delivery.core.analysis import Verdict
from delivery.core.idling import calm
from delivery.core.release import Slot
from delivery.core.rollout import Rollout
from delivery.core.sample import Reading, Series
from delivery.core.target import TargetState
from delivery.ports import EnvironmentPorts, Metrics, Prober, Target


@dataclass(frozen=True, slots=True)
class Calm:
    """A rollout of which nothing is expected but waiting: since when, and when it was last seen afresh."""

    rollout: Rollout
    since: datetime
    fresh_at: datetime

    def quiet(self, now: datetime) -> float:
        """For how many seconds."""
        return (now - self.since).total_seconds()


def within(kept: Calm | None, rollout: Rollout, now: datetime) -> float:
    """How old a look may be, seconds: never from before the last fresh one. 0: measured now."""
    if kept is None or kept.rollout != rollout:
        return 0.0
    return max(0.0, (now - kept.fresh_at).total_seconds())


def kept_calm(
    kept: Calm | None, rollout: Rollout, seen: TargetState, verdict: Verdict | None, fresh_at: datetime | None
) -> Calm | None:
    """What is known after one more look (a fresh one was asked for at `fresh_at`); None: something is up."""
    if not calm(rollout, seen, verdict):
        return None
    same = kept if kept is not None and kept.rollout == rollout else None
    if fresh_at is None:
        return same
    return Calm(rollout, same.since if same else fresh_at, fresh_at)


@dataclass(frozen=True, slots=True)
class Lately:
    """The ports of an environment, whose answers may be `within` seconds old."""

    ports: EnvironmentPorts
    within: float

    @property
    def target(self) -> Target:
        """The target itself: who looks at it says how old the look may be."""
        return self.ports.target

    @property
    def metrics(self) -> Metrics:
        """Measurements of a moment ago."""
        return _LateMetrics(self.ports.metrics, self.within)

    @property
    def prober(self) -> Prober:
        """Requests are always sent now."""
        return self.ports.prober


@dataclass(frozen=True, slots=True)
class _LateMetrics:
    metrics: Metrics
    longest: float

    def read(self, readings: Sequence[Reading], within: float = 0.0) -> tuple[Series, ...]:
        return self.metrics.read(readings, within or self.longest)

    def alarms(self, slot: Slot, within: float = 0.0) -> Mapping[str, str]:
        return self.metrics.alarms(slot, within or self.longest)
