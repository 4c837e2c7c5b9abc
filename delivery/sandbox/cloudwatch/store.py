"""Measurements in one-second buckets, so that any period of whole seconds can be asked for. Pure memory."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Key = tuple[str, str, tuple[tuple[str, str], ...]]

#: Seconds kept; older buckets are dropped.
RETENTION = 3 * 3600
#: Single values kept per second and metric for percentiles; beyond it every other one is dropped.
MAX_VALUES = 512


def key_of(namespace: str, metric: str, dimensions: Mapping[str, str]) -> Key:
    """The identity of a metric: namespace, name and the exact set of dimensions."""
    return namespace, metric, tuple(sorted(dimensions.items()))


@dataclass(slots=True)
class Bucket:
    """One second of one metric."""

    count: int = 0
    total: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    values: list[float] = field(default_factory=list)

    def add(self, value: float) -> None:
        """Count one value."""
        self.count += 1
        self.total += value
        self.low, self.high = min(self.low, value), max(self.high, value)
        self.values.append(value)
        if len(self.values) > MAX_VALUES:
            del self.values[::2]

    def merge(self, other: Bucket) -> None:
        """Count what another bucket counted."""
        self.count += other.count
        self.total += other.total
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.values += other.values

    def statistic(self, name: str) -> float:
        """`Sum`, `Average`, `Minimum`, `Maximum`, `SampleCount` or a percentile such as `p99`."""
        match name:
            case "Sum":
                return self.total
            case "Average":
                return self.total / self.count
            case "Minimum":
                return self.low
            case "Maximum":
                return self.high
            case "SampleCount":
                return float(self.count)
        share = float(name.removeprefix("p")) / 100
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


class MetricStore:
    """All metrics of the world; safe to use from several threads."""

    def __init__(self) -> None:
        self._series: dict[Key, OrderedDict[int, Bucket]] = {}
        self._lock = threading.Lock()

    def add(
        self, namespace: str, metric: str, dimensions: Mapping[str, str], at: float, value: float
    ) -> None:
        """Count one value at a moment (seconds since the epoch)."""
        second = int(at)
        with self._lock:
            series = self._series.setdefault(key_of(namespace, metric, dimensions), OrderedDict())
            series.setdefault(second, Bucket()).add(value)
            while series and next(iter(series)) < second - RETENTION:
                series.popitem(last=False)

    def knows(self, namespace: str) -> bool:
        """Whether this store, and not moto, measures the namespace."""
        return namespace in ("AWS/ApplicationELB", "AWS/ECS")

    def query(
        self, key: Key, statistic: str, period: int, start: float, end: float
    ) -> list[tuple[int, float]]:
        """`(start of period, value)` of every period with data in [start, end), oldest first.

        Periods are aligned to the epoch, as CloudWatch's are.
        """
        return [(at, b.statistic(statistic)) for at, b in self._periods(key, period, start, end)]

    def _periods(self, key: Key, period: int, start: float, end: float) -> Iterable[tuple[int, Bucket]]:
        merged: OrderedDict[int, Bucket] = OrderedDict()
        first = int(start // period) * period
        with self._lock:
            series = self._series.get(key) or OrderedDict[int, Bucket]()
            for second in sorted(s for s in series if first <= s < end):
                merged.setdefault(second // period * period, Bucket()).merge(series[second])
        return list(merged.items())

    def metrics(self) -> list[Key]:
        """Every metric that was ever measured."""
        with self._lock:
            return list(self._series)
