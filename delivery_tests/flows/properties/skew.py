"""The world of a history by a clock that is ahead or behind.

A history is quick: its periods are a thirtieth of CloudWatch's, and a few seconds of skew are not. So the
moments of measurements are told by the same clock; only locks, time-outs and records are by different ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from delivery.core.release import Slot
from delivery.core.sample import Reading, Sample, Series
from delivery_tests.fakes import FakeEnvironment, FakeWorld, VirtualClock


class Askew:
    """That world, `ahead` (or behind) of its time."""

    def __init__(self, world: FakeWorld, ahead: timedelta) -> None:
        self._world, self._ahead = world, ahead
        self.clock = _Clock(world.clock, ahead)

    def environment(self, *arguments: Any) -> FakeEnvironment:
        """Its ports."""
        ports = self._world.environment(*arguments)
        metrics: Any = _Metrics(ports.metrics, self._ahead)
        return replace(ports, metrics=metrics)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)


class _Clock:
    def __init__(self, clock: VirtualClock, ahead: timedelta) -> None:
        self._clock, self._ahead = clock, ahead

    def now(self) -> datetime:
        return self._clock.now() + self._ahead

    def sleep_until(self, moment: datetime) -> None:
        self._clock.sleep_until(moment - self._ahead)


class _Metrics:
    def __init__(self, metrics: Any, ahead: timedelta) -> None:
        self._metrics, self._ahead = metrics, ahead

    def read(self, readings: Sequence[Reading], within: float = 0.0) -> tuple[Series, ...]:
        ahead = self._ahead
        asked = [replace(r, start=r.start - ahead, end=r.end - ahead) for r in readings]
        return tuple(
            replace(s, samples=self._moved(s.samples), witness=self._moved(s.witness))
            for s in self._metrics.read(asked, within)
        )

    def alarms(self, slot: Slot, within: float = 0.0) -> Mapping[str, str]:
        found: Mapping[str, str] = self._metrics.alarms(slot, within)
        return found

    def _moved(self, samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
        return tuple(Sample(s.at + self._ahead, s.value) for s in samples)
