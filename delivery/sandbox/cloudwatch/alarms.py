"""When an alarm fires: AWS's rules for periods, M of N datapoints and missing data. Pure.

Source: "Evaluating an alarm" and "Configuring how CloudWatch alarms treat missing data" in the
CloudWatch user guide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": lambda value, limit: value > limit,
    "GreaterThanOrEqualToThreshold": lambda value, limit: value >= limit,
    "LessThanThreshold": lambda value, limit: value < limit,
    "LessThanOrEqualToThreshold": lambda value, limit: value <= limit,
}


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """What an alarm asks of its metric. `missing` is one of CloudWatch's four treatments."""

    comparison: str
    threshold: float
    period: int
    periods: int
    to_alarm: int
    missing: str = "missing"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The state that follows and CloudWatch's kind of sentence for it."""

    state: str
    reason: str
    points: tuple[float | None, ...]


def evaluate(rule: AlarmRule, points: Sequence[float | None], current: str) -> Evaluation:
    """Judge the last N periods, oldest first; None is a period without data."""
    breach = _COMPARISONS[rule.comparison]
    present = [p for p in points if p is not None]
    breaching = sum(breach(p, rule.threshold) for p in present)
    absent = len(points) - len(present)
    if not present and rule.missing in ("missing", "ignore"):
        state = current if rule.missing == "ignore" else "INSUFFICIENT_DATA"
        return Evaluation(state, "Insufficient Data: no datapoints were received", tuple(points))
    if rule.missing == "breaching":
        breaching += absent
    state = "ALARM" if breaching >= rule.to_alarm else "OK"
    shown = ", ".join("missing" if p is None else f"{p:g}" for p in points)
    word = "crossed" if state == "ALARM" else "did not cross"
    reason = (
        f"Threshold Crossed: {breaching} out of the last {len(points)} datapoints [{shown}] "
        f"{word} the threshold ({rule.threshold:g}) by {rule.comparison}."
    )
    return Evaluation(state, reason, tuple(points))
