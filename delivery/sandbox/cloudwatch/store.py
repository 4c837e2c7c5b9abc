"""All metrics of the world in one place: measured ones and those that clients put. Pure memory.

Source: "Metrics concepts" (resolution, periods, retention) in the Amazon CloudWatch user guide.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.cloudwatch.statistics import Bucket

Key = tuple[str, str, tuple[tuple[str, str], ...]]

#: Datapoints shorter than a minute are kept three hours and then become minutes, kept fifteen days.
FINE_RETENTION = 3 * 3600
RETENTION = 15 * 86400
#: The units of what the sandbox measures.
_UNITS = {
    "TargetResponseTime": "Seconds",
    "CPUUtilization": "Percent",
    "MemoryUtilization": "Percent",
}


def key_of(namespace: str, metric: str, dimensions: Mapping[str, str]) -> Key:
    """The identity of a metric: namespace, name and the exact set of dimensions."""
    return namespace, metric, tuple(sorted(dimensions.items()))


@dataclass(slots=True)
class _Series:
    """The datapoints of one metric in one unit, by their start.

    `width` is how long each lasts, in seconds; `delay` how long after its end it is published, None for
    what clients put, which is seen at once.
    """

    width: int
    delay: float | None
    fine: dict[int, Bucket] = field(default_factory=dict)
    minutes: dict[int, Bucket] = field(default_factory=dict)
    swept: float = 0.0
    last: float = 0.0

    def at(self, moment: float) -> Bucket:
        """The datapoint a moment falls into."""
        self.last = max(self.last, moment)
        return self.fine.setdefault(int(moment // self.width) * self.width, Bucket())

    def sweep(self, now: float) -> None:
        """Once an hour: old seconds become minutes, old minutes go."""
        if now - self.swept < 3600:
            return
        self.swept = now
        for start in [s for s in self.fine if s < now - FINE_RETENTION]:
            self.minutes.setdefault(start // 60 * 60, Bucket()).merge(self.fine.pop(start))
        for start in [s for s in self.minutes if s < now - RETENTION]:
            del self.minutes[start]

    def between(self, start: float, end: float, now: float) -> Iterator[tuple[int, Bucket]]:
        """The published datapoints in [start, end), oldest first."""
        last = end if self.delay is None else min(end, now - self.width - self.delay + 1e-6)
        for held in (self.minutes, self.fine):
            first = int(-(-start // self.width) * self.width)
            if held is self.fine and (end - first) / self.width < len(held):
                starts = [s for s in range(first, int(end) + 1, self.width) if s in held]
            else:
                starts = sorted(held)
            for at in starts:
                if start <= at < end and at <= last:
                    yield at, held[at]


class MetricStore:
    """All metrics; safe to use from several threads.

    `resolution` is the length of a measured datapoint and `delay` the time after its end until it is
    published, both in AWS seconds. Datapoints of one second without a delay are seen while they still grow.
    """

    def __init__(
        self, resolution: int = 1, delay: float = 0.0, now: Callable[[], float] | None = None
    ) -> None:
        self.resolution, self.delay = resolution, delay
        self._now = now or (lambda: CLOCK.now())
        self._series: dict[Key, dict[str, _Series]] = {}
        self._lock = threading.Lock()

    def add(
        self, namespace: str, metric: str, dimensions: Mapping[str, str], at: float, value: float
    ) -> None:
        """Count one measured value at a moment (AWS's seconds since the epoch)."""
        key, unit = key_of(namespace, metric, dimensions), _UNITS.get(metric, "Count")
        with self._lock:
            at_once = self.resolution == 1 and not self.delay
            series = self._of(key, unit, self.resolution, None if at_once else self.delay)
            series.at(at).add(value)
            series.sweep(at)

    def put(self, key: Key, at: float, bucket: Bucket, unit: str = "None", resolution: int = 60) -> None:
        """Count what a client put: one value, several, or a statistic set."""
        with self._lock:
            series = self._of(key, unit, resolution, None)
            series.width = min(series.width, resolution)
            series.at(at).merge(bucket)
            series.sweep(self._now())

    def _of(self, key: Key, unit: str, width: int, delay: float | None) -> _Series:
        units = self._series.setdefault(key, {})
        if unit not in units:
            units[unit] = _Series(width, delay, swept=self._now())
        return units[unit]

    def query(
        self, key: Key, statistic: str, period: int, start: float, end: float, unit: str | None = None
    ) -> list[tuple[int, float]]:
        """`(start of period, value)` of every period with data in [start, end), oldest first.

        Periods are aligned to the epoch, as CloudWatch's are.
        """
        first = int(start // period) * period
        return [
            (at, value)
            for at, bucket in self.periods(key, period, first, end, unit)
            if (value := bucket.statistic(statistic)) is not None
        ]

    def periods(
        self, key: Key, period: int, start: float, end: float, unit: str | None = None
    ) -> list[tuple[int, Bucket]]:
        """What was counted in each period with data, oldest first; the first period begins at `start`."""
        merged: dict[int, Bucket] = {}
        first, now = int(start), self._now()
        with self._lock:
            for name, series in self._series.get(key, {}).items():
                if unit is not None and name != unit:
                    continue
                for at, bucket in series.between(first, end, now):
                    merged.setdefault((at - first) // period * period + first, Bucket()).merge(bucket)
        return sorted(merged.items())

    def units(self, key: Key) -> list[str]:
        """The units a metric was measured in."""
        with self._lock:
            return sorted(self._series.get(key, {}))

    def metrics(self) -> list[tuple[Key, float]]:
        """Every metric with a datapoint, and the moment of its newest one."""
        with self._lock:
            return [(k, max(s.last for s in units.values())) for k, units in self._series.items()]
