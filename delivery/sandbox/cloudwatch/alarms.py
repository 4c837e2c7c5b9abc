"""When an alarm fires: AWS's rules for periods, M of N datapoints and missing data. Pure.

Source: "Evaluating an alarm" and "Configuring how CloudWatch alarms treat missing data" in the Amazon
CloudWatch user guide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"

_COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (lambda value, limit: value > limit, "greater than"),
    "GreaterThanOrEqualToThreshold": (lambda value, limit: value >= limit, "greater than or equal to"),
    "LessThanThreshold": (lambda value, limit: value < limit, "less than"),
    "LessThanOrEqualToThreshold": (lambda value, limit: value <= limit, "less than or equal to"),
}
#: The comparison operators that need no anomaly detection.
OPERATORS = tuple(_COMPARISONS)
#: So many periods more than EvaluationPeriods are retrieved, for when some have no data: 5 for 3.
EXTRA_PERIODS = 2


@dataclass(frozen=True, slots=True)
class Point:
    """One period's value: `at` is its start (seconds since the epoch), `samples` how much it is made of."""

    at: int
    value: float
    samples: float = 1.0


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """What an alarm asks of its metric: `to_alarm` of `periods` datapoints of `period` seconds must breach.

    `missing` is one of CloudWatch's four treatments. `samples` is how many a datapoint must have to be judged
    at all (percentiles with EvaluateLowSampleCountPercentile `ignore`), 0 for any number.
    """

    comparison: str
    threshold: float
    period: int
    periods: int
    to_alarm: int
    missing: str = "missing"
    samples: float = 0.0

    def breaches(self, value: float) -> bool:
        """Whether one value is on the wrong side of the threshold."""
        return _COMPARISONS[self.comparison][0](value, self.threshold)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The state that follows, CloudWatch's sentence for it, and the datapoints judged, oldest first."""

    state: str
    reason: str
    points: tuple[Point, ...]


def evaluate(rule: AlarmRule, points: Sequence[Point | None], current: str) -> Evaluation:
    """Judge an evaluation range, oldest period first; None is a period without data.

    The newest `periods` datapoints that exist count, wherever in the range they lie. Only when there are
    fewer, missing ones are filled in, as few as possible.
    """
    real = [(age, p) for age, p in enumerate(reversed(points), 1) if p is not None][: rule.periods]
    judged = tuple(p for _, p in reversed(real))
    breaching = [age for age, p in real if rule.breaches(p.value)]
    absent = rule.periods - len(real)
    if rule.samples and any(p.samples < rule.samples for p in judged):
        return Evaluation(current, "", judged)
    if not absent or rule.missing in ("breaching", "notBreaching"):
        bad = len(breaching) + (absent if rule.missing == "breaching" else 0)
        state = ALARM if bad >= rule.to_alarm else OK
    elif len(breaching) >= rule.to_alarm:
        state = ALARM
    elif len(breaching) < len(real):
        state = OK
    else:
        state = _only_breaching_or_none(rule, breaching, current)
    return Evaluation(state, _reason(rule, judged, absent, state, current), judged)


def _only_breaching_or_none(rule: AlarmRule, breaching: Sequence[int], current: str) -> str:
    """Too few datapoints, and none of them is good. `ignore` keeps the state.

    "Avoiding premature transitions to alarm state": the alarm fires nevertheless once its oldest breaching
    datapoint is as old as DatapointsToAlarm; until then the next datapoint may be a good one, and it waits.
    """
    if rule.missing == "ignore":
        return current
    if not breaching:
        return INSUFFICIENT
    return ALARM if max(breaching) >= rule.to_alarm else current


def _reason(rule: AlarmRule, judged: Sequence[Point], absent: int, state: str, current: str) -> str:
    if state == INSUFFICIENT:
        return f"Insufficient Data: {_count(rule.periods, 'datapoint')} {_were(rule.periods)} unknown."
    filled = ""
    if absent and rule.missing in ("breaching", "notBreaching"):
        kind = "Breaching" if rule.missing == "breaching" else "NonBreaching"
        filled = f"{_count(absent, 'missing datapoint')} {_were(absent)} treated as [{kind}]"
    if not judged:
        none = f"no datapoints were received for {_count(rule.periods, 'period')}"
        return f"Threshold Crossed: {none} and {filled}."
    shown = [p for p in judged if rule.breaches(p.value) == (state == ALARM)]
    needed = rule.to_alarm if state == ALARM else rule.periods - rule.to_alarm + 1
    values = ", ".join(f"{float(p.value)} ({_short(p.at)})" for p in shown)
    words = _COMPARISONS[rule.comparison][1]
    return (
        f"Threshold Crossed: {len(shown)} out of the last {len(judged)} datapoints [{values}] "
        f"{'was' if len(shown) == 1 else 'were'} {'' if state == ALARM else 'not '}{words} the threshold "
        f"({float(rule.threshold)})"
        + (f" and {filled}" if filled else "")
        + f" (minimum {_count(needed, 'datapoint')} for {_from(state, current)} transition)."
    )


def _from(state: str, current: str) -> str:
    return f"{'OK' if state == ALARM and current == state else current} -> {state}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _short(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%d/%m/%y %H:%M:%S")


def step_of(period: int) -> int:
    """How often an alarm is evaluated, in seconds: every minute, or every ten seconds for short periods."""
    return 60 if period >= 60 else 10


def window(rule: AlarmRule, end: int) -> tuple[int, int]:
    """The evaluation range that ends at a moment: start and end, in seconds since the epoch."""
    return end - rule.period * (rule.periods + EXTRA_PERIODS), end
