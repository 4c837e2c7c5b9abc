"""One metric over one stretch of time, and every statistic of it. Pure.

Source: "CloudWatch statistics definitions" in the Amazon CloudWatch user guide.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

_BASIC = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
_NUMBER = r"\d{1,3}(?:\.\d{1,10})?"
_PERCENTILE = re.compile(rf"p({_NUMBER})")
_SHORT = re.compile(rf"(tm|wm|tc|ts)({_NUMBER})")
_RANGE = re.compile(rf"(TM|WM|TC|TS|PR)\(({_NUMBER})?(%)?:({_NUMBER})?(%)?\)")


@dataclass(slots=True)
class Bucket:
    """What was counted in one stretch of time.

    `values` is how often each value came; `opaque` says that some came as a finished statistic set, of
    which no percentile can be told.
    """

    count: float = 0
    total: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    values: dict[float, float] = field(default_factory=dict)
    opaque: bool = False

    def add(self, value: float, count: float = 1) -> None:
        """Count one value, or several equal ones."""
        self.count += count
        self.total += value * count
        self.low, self.high = min(self.low, value), max(self.high, value)
        self.values[value] = self.values.get(value, 0) + count

    def add_set(self, count: float, total: float, low: float, high: float) -> None:
        """Count a StatisticSet. Of one value, or of equal ones, percentiles are known all the same."""
        if count == 1 or low == high:
            self.add(low, count)
            return
        self.count += count
        self.total += total
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.opaque = True

    def merge(self, other: Bucket) -> None:
        """Count what another bucket counted."""
        self.count += other.count
        self.total += other.total
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.opaque = self.opaque or other.opaque
        for value, count in other.values.items():
            self.values[value] = self.values.get(value, 0) + count

    def statistic(self, name: str) -> float | None:
        """The statistic of that name; None where it has none: no percentile of sets or below zero."""
        match name:
            case "Sum":
                return self.total
            case "Average":
                return self.total / self.count if self.count else None
            case "Minimum":
                return self.low
            case "Maximum":
                return self.high
            case "SampleCount":
                return float(self.count)
        if self.opaque or not self.count or self.low < 0:
            return None
        found = _PERCENTILE.fullmatch(name)
        return self._percentile(float(found[1])) if found else self._trimmed(name)

    def _percentile(self, percent: float) -> float:
        """The smallest value that so many percent of the values do not exceed: one that was measured."""
        wanted, seen = max(1.0, math.ceil(percent / 100 * self.count - 1e-9)), 0.0
        for value in sorted(self.values):
            seen += self.values[value]
            if seen >= wanted:
                return value
        return self.high

    def _trimmed(self, name: str) -> float | None:
        kind, low, high, percents = _bounds(name)
        if kind == "PR":
            return 100 * self._between(low, high)[0] / self.count
        if percents:
            low = self._percentile(low) if low > 0 else -math.inf
            high = self._percentile(high) if high < 100 else math.inf
        kept, total = self._between(low, high)
        if kind == "TC":
            return kept
        if kind == "TS":
            return total
        if kind == "WM":
            clipped = (max(low, min(high, v)) * n for v, n in self.values.items())
            return sum(clipped) / self.count
        return total / kept if kept else None

    def _between(self, low: float, high: float) -> tuple[float, float]:
        """How many values lie above `low` (or on it, when all do) and not above `high`, and their sum."""
        kept = [(v, n) for v, n in self.values.items() if (low < v or v == low == self.low) and v <= high]
        return sum(n for _, n in kept), sum(v * n for v, n in kept)


def _bounds(name: str) -> tuple[str, float, float, bool]:
    """Kind, low, high, and whether these are percents: `tm90` is the mean of the lowest 90 percent."""
    if name == "IQM":
        return "TM", 25, 75, True
    short = _SHORT.fullmatch(name)
    if short:
        return short[1].upper(), 0, float(short[2]), True
    kind, low, low_percent, high, high_percent = _RANGE.fullmatch(name).groups()  # type: ignore[union-attr]
    percents = bool(low_percent or high_percent)
    top = 100.0 if percents else math.inf
    return kind, float(low) if low else -math.inf, float(high) if high else top, percents


def is_statistic(name: str) -> bool:
    """Whether CloudWatch knows a statistic of this name."""
    return name in _BASIC or is_extended(name)


def is_extended(name: str) -> bool:
    """Whether it is one of the extended ones: percentiles, trimmed means and their kin."""
    if name == "IQM":
        return True
    simple = _PERCENTILE.fullmatch(name) or _SHORT.fullmatch(name)
    if simple:
        return float(simple[simple.lastindex or 1]) <= 100
    ranged = _RANGE.fullmatch(name)
    return bool(ranged) and not (name.startswith("PR") and "%" in name) and "(:)" not in name


def needed_samples(name: str) -> float:
    """How many samples make a percentile statistically significant: 1000 for p99, 20 for p50."""
    found = _PERCENTILE.fullmatch(name)
    if not found or float(found[1]) in (0.0, 100.0):
        return 0
    share = float(found[1]) / 100
    return round(10 / (1 - share) if share >= 0.5 else 10 / share, 6)
