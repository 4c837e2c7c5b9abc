"""The functions of metric math, by name. Pure. Each gets the scope and its evaluated arguments.

Source: "Functions supported for metric math" in the Amazon CloudWatch user guide.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import accumulate, pairwise

from delivery.sandbox.cloudwatch.expression import ExpressionError
from delivery.sandbox.cloudwatch.series import Scope, Series, Value, as_series, binary

Points = Mapping[int, float]


def _scalar(value: Value) -> float:
    if not isinstance(value, float):
        raise ExpressionError("Expected a scalar")
    return value


def _each(value: Value, change: Callable[[Series], Series]) -> Value:
    return [change(s) for s in value] if isinstance(value, list) else change(as_series(value))


def _summary(combine: Callable[[list[float]], float]) -> Callable[..., Value]:
    """Of one series: a scalar. Of an array: a series, moment by moment over those that have a datapoint."""

    def function(scope: Scope, value: Value, *more: Value) -> Value:
        if more:  # MAX(m1, 5)
            result = value
            for other in more:
                result = binary(lambda a, b: combine([a, b]), result, other)
            return result
        if isinstance(value, float):
            return value
        if isinstance(value, list):
            moments = sorted({at for s in value for at in s.points})
            points = {at: combine([s.points[at] for s in value if at in s.points]) for at in moments}
            return Series(points, max((s.period for s in value), default=60))
        points_of = as_series(value).points
        return combine(list(points_of.values())) if points_of else Series({}, as_series(value).period)

    return function


def _pointwise(change: Callable[[float], float]) -> Callable[..., Value]:
    """A function of single values."""

    def one(series: Series) -> Series:
        points = {}
        for at, value in series.points.items():
            try:
                points[at] = float(change(value))
            except (ArithmeticError, ValueError):  # LOG(0) has no datapoint
                continue
        return replace(series, points=points)

    def function(scope: Scope, value: Value) -> Value:
        return float(change(value)) if isinstance(value, float) else _each(value, one)

    return function


def _steps(change: Callable[[tuple[int, float], tuple[int, float]], float]) -> Callable[..., Value]:
    """A function of each datapoint and the one before; the first has none."""

    def one(series: Series) -> Series:
        ordered = sorted(series.points.items())
        return replace(series, points={b[0]: change(a, b) for a, b in pairwise(ordered)})

    return lambda scope, value: _each(value, one)


def _calendar(part: Callable[[datetime], float]) -> Callable[..., Value]:
    def one(scope: Scope, series: Series) -> Series:
        moments = scope.moments(series.period)
        return replace(series, points={at: float(part(datetime.fromtimestamp(at, UTC))) for at in moments})

    return lambda scope, value: _each(value, lambda s: one(scope, s))


def _if(scope: Scope, condition: Value, yes: Value, no: Value | None = None) -> Value:
    """IF(condition, true value, false value): the latter may be left out, then there is no datapoint."""
    if isinstance(condition, float):
        chosen = yes if condition else no
        return chosen if chosen is not None else Series({})
    test = as_series(condition)
    points: dict[int, float] = {}
    for at, truth in test.points.items():
        chosen = yes if truth else no
        value = as_series(chosen).points.get(at) if isinstance(chosen, Series) else chosen
        if value is not None:
            points[at] = _scalar(value)
    return replace(test, points=points)


def _fill(scope: Scope, value: Value, filler: Value) -> Value:
    """FILL(m1, 0), FILL(m1, m2), FILL(m1, REPEAT), FILL(m1, LINEAR): datapoints where there are none."""
    if isinstance(filler, str) and filler not in ("REPEAT", "LINEAR"):
        raise ExpressionError(f"Unknown fill '{filler}'")
    return _each(value, lambda s: replace(s, points=dict(_filled(scope, s, filler))))


def _filled(scope: Scope, series: Series, filler: Value) -> Iterable[tuple[int, float]]:
    known = sorted(series.points)
    for at in sorted({*scope.moments(series.period), *known}):
        before = max((k for k in known if k <= at), default=None)
        after = min((k for k in known if k >= at), default=None)
        if at in series.points:
            yield at, series.points[at]
        elif isinstance(filler, float):
            yield at, filler
        elif isinstance(filler, Series):
            if at in filler.points:
                yield at, filler.points[at]
        elif filler == "REPEAT" and before is not None:
            yield at, series.points[before]
        elif filler == "LINEAR" and before is not None and after is not None:
            share = (at - before) / (after - before)
            yield at, series.points[before] + share * (series.points[after] - series.points[before])


def _metrics(scope: Scope, part: Value = "") -> Value:
    """METRICS() is every metric of the request; METRICS("errors") those whose id contains the text."""
    if not isinstance(part, str):
        raise ExpressionError("METRICS takes a text")
    found = [scope.series[name] for name in scope.metrics if part in name and name in scope.series]
    return [s for s in found if isinstance(s, Series)]


def _time_series(scope: Scope, value: Value) -> Value:
    """A scalar as a series: that value at every moment."""
    if isinstance(value, Series):
        return value
    period = max((s.period for s in scope.series.values() if isinstance(s, Series)), default=60)
    return Series(dict.fromkeys(scope.moments(period), _scalar(value)), period)


def _count(scope: Scope, value: Value) -> Value:
    if isinstance(value, list):
        moments = sorted({at for s in value for at in s.points})
        return Series({at: float(sum(at in s.points for s in value)) for at in moments})
    return float(len(as_series(value).points))


def _at(index: int) -> Callable[..., Value]:
    def function(scope: Scope, value: Value) -> Value:
        if not isinstance(value, list) or not value:
            raise ExpressionError("Expected an array of time series")
        return value[index]

    return function


def _running(series: Series) -> Series:
    moments = sorted(series.points)
    return replace(
        series, points=dict(zip(moments, accumulate(series.points[m] for m in moments), strict=True))
    )


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "SUM": _summary(math.fsum), "AVG": _summary(statistics.fmean), "MIN": _summary(min), "MAX": _summary(max),
    "STDDEV": _summary(statistics.pstdev),
    "ABS": _pointwise(abs), "CEIL": _pointwise(math.ceil), "FLOOR": _pointwise(math.floor),
    "LOG": _pointwise(math.log), "LOG10": _pointwise(math.log10),
    "DIFF": _steps(lambda a, b: b[1] - a[1]), "DIFF_TIME": _steps(lambda a, b: float(b[0] - a[0])),
    "RATE": _steps(lambda a, b: (b[1] - a[1]) / (b[0] - a[0])),
    "RUNNING_SUM": lambda scope, value: _each(value, _running),
    "DATAPOINT_COUNT": _count, "FILL": _fill, "IF": _if, "METRICS": _metrics, "TIME_SERIES": _time_series,
    "PERIOD": lambda scope, value: float(as_series(value).period),
    "FIRST": _at(0), "LAST": _at(-1),
    "REMOVE_EMPTY": lambda scope, value: [s for s in value if s.points],
    "EPOCH": _calendar(lambda m: m.timestamp()), "MINUTE": _calendar(lambda m: m.minute),
    "HOUR": _calendar(lambda m: m.hour), "DAY": _calendar(lambda m: m.isoweekday()),
    "DATE": _calendar(lambda m: m.day), "MONTH": _calendar(lambda m: m.month),
    "YEAR": _calendar(lambda m: m.year),
}  # fmt: skip
