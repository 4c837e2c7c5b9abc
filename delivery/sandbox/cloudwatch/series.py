"""What metric math calculates with: scalars, time series, and arrays of them. Pure.

Source: "Metric math syntax and functions" in the Amazon CloudWatch user guide. Where an operation has no
result for a moment (no datapoint on one side, a division by zero), the result has no datapoint there.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from delivery.sandbox.cloudwatch.expression import ExpressionError


@dataclass(frozen=True)
class Series:
    """Values by the start of their period, one every `period` seconds at most, and what it is called."""

    points: Mapping[int, float]
    period: int = 60
    label: str = ""


Value = float | Series | list[Series] | str


@dataclass
class Scope:
    """What an expression sees: series by id, and the span they were asked for (`end` exclusive).

    `aligned`: periods begin at multiples of the period, not at `start`.
    """

    series: dict[str, Value]
    start: int
    end: int
    metrics: Sequence[str] = field(default=())
    aligned: bool = True

    def moments(self, period: int) -> range:
        """The start of every period of the span."""
        return range(self.start // period * period if self.aligned else self.start, self.end, period)


def _power(base: float, exponent: float) -> float:
    result = base**exponent
    if isinstance(result, complex):
        raise ArithmeticError("not a real number")
    return float(result)


def _truth(test: Callable[[float, float], bool]) -> Callable[[float, float], float]:
    return lambda a, b: 1.0 if test(a, b) else 0.0


OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "^": _power,
    "==": _truth(operator.eq), "!=": _truth(operator.ne), "<": _truth(operator.lt),
    "<=": _truth(operator.le), ">": _truth(operator.gt), ">=": _truth(operator.ge),
    "&&": _truth(lambda a, b: bool(a) and bool(b)), "||": _truth(lambda a, b: bool(a) or bool(b)),
}  # fmt: skip


def binary(combine: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """Scalars make a scalar, a series makes a series, an array an array of them."""
    if isinstance(left, str) or isinstance(right, str):
        raise ExpressionError("A text cannot be calculated with")
    if isinstance(left, list) and isinstance(right, list):
        raise ExpressionError(
            "Unsupported operand type(s) for an operator: '[Array[TimeSeries], Array[TimeSeries]]'"
        )
    if isinstance(left, list):
        return [as_series(binary(combine, item, right)) for item in left]
    if isinstance(right, list):
        return [as_series(binary(combine, left, item)) for item in right]
    if isinstance(left, float) and isinstance(right, float):
        value = _attempt(combine, left, right)
        return value if value is not None else Series({})
    return _pointwise(combine, left, right)


def _pointwise(
    combine: Callable[[float, float], float], left: float | Series, right: float | Series
) -> Series:
    one = left if isinstance(left, Series) else right
    assert isinstance(one, Series)
    points: dict[int, float] = {}
    for at in one.points:
        a = left.points.get(at) if isinstance(left, Series) else left
        b = right.points.get(at) if isinstance(right, Series) else right
        value = _attempt(combine, a, b) if a is not None and b is not None else None
        if value is not None:
            points[at] = value
    other = right if isinstance(right, Series) else one
    return replace(one, points=points, period=max(one.period, other.period))


def _attempt(combine: Callable[[float, float], float], a: float, b: float) -> float | None:
    try:
        return combine(a, b)
    except ArithmeticError:
        return None


def as_series(value: Value) -> Series:
    """The series a value must be."""
    if not isinstance(value, Series):
        raise ExpressionError("Expected a time series")
    return value


def listed(value: Value) -> list[Series]:
    """An array as it is, a series as an array of one."""
    if isinstance(value, list):
        return value
    return [as_series(value)]
