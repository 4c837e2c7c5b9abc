"""CloudWatch's deciding parts, without a sandbox.

Amazon CloudWatch user guide: "Evaluating an alarm", "Configuring how CloudWatch alarms treat missing data",
"CloudWatch statistics definitions", "Metrics concepts".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.sandbox.cloudwatch.alarms import AlarmRule, Point, evaluate, step_of, window
from delivery.sandbox.cloudwatch.statistics import Bucket, is_extended, is_statistic, needed_samples
from delivery.sandbox.cloudwatch.store import MetricStore, key_of


def rule(**more: Any) -> AlarmRule:
    """More than ten, in one of one period, unless told otherwise."""
    values = {
        "comparison": "GreaterThanThreshold",
        "threshold": 10.0,
        "period": 60,
        "periods": 1,
        "to_alarm": 1,
    }
    return AlarmRule(**{**values, **more})


def points(text: str) -> list[Point | None]:
    """`0 - X`: a good datapoint, none, a breaching one; oldest first, as the user guide draws them."""
    values = {"0": 1.0, "X": 11.0}
    return [Point(60 * n, values[c]) if c in values else None for n, c in enumerate(text.split())]


def states(text: str, to_alarm: int, current: str = "OK") -> list[str]:
    """The state under each treatment: missing, ignore, breaching, notBreaching."""
    kinds = ("missing", "ignore", "breaching", "notBreaching")
    asked = [rule(periods=3, to_alarm=to_alarm, missing=kind) for kind in kinds]
    return [evaluate(r, points(text), current).state for r in asked]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("0 - X - X", ["OK", "OK", "OK", "OK"]),
        ("- - - - 0", ["OK", "OK", "OK", "OK"]),
        ("- - - - -", ["INSUFFICIENT_DATA", "retained", "ALARM", "OK"]),
        ("0 X X - X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("- - X - -", ["ALARM", "retained", "ALARM", "OK"]),
    ],
)
def test_three_of_three_datapoints_with_missing_data(data: str, expected: list[str]) -> None:
    """The guide's table for Datapoints to Alarm 3, Evaluation Periods 3, evaluation range 5."""
    for current in ("OK", "ALARM"):
        assert states(data, 3, current) == [current if e == "retained" else e for e in expected]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("0 - X - X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("0 0 X 0 X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
        ("0 - X - -", ["OK", "OK", "ALARM", "OK"]),
        ("- - - - 0", ["OK", "OK", "ALARM", "OK"]),
        ("- - - X -", ["ALARM", "retained", "ALARM", "OK"]),
    ],
)
def test_two_of_three_datapoints_with_missing_data(data: str, expected: list[str]) -> None:
    """The guide's table for Datapoints to Alarm 2, Evaluation Periods 3, evaluation range 5."""
    for current in ("OK", "ALARM"):
        assert states(data, 2, current) == [current if e == "retained" else e for e in expected]


@pytest.mark.parametrize("data", ["- - - - X", "- - - X -"])
def test_an_alarm_does_not_fire_prematurely(data: str) -> None:
    """With 3 of 3 and missing data treated as missing, a lone new breaching datapoint waits for the next."""
    assert states(data, 3)[0] == "OK"
    assert states(data.replace("-", "X", 1) if data.startswith("- - - X") else "- - X X X", 3)[0] == "ALARM"


def test_the_evaluation_range_is_longer_than_the_evaluation_periods() -> None:
    """Five periods are retrieved for three: older datapoints count only when newer ones are missing."""
    assert window(rule(periods=3), 600) == (300, 600)
    assert states("X X 0 0 0", 1) == ["OK"] * 4
    assert states("X X - - 0", 2) == ["ALARM"] * 4


def test_a_standard_alarm_is_evaluated_every_minute_and_a_short_one_every_ten_seconds() -> None:
    """Also an alarm over five minutes is looked at each minute, over the five before."""
    assert [step_of(p) for p in (10, 20, 30, 60, 300, 3600)] == [10, 10, 10, 60, 60, 60]


@pytest.mark.parametrize(
    ("comparison", "on", "above", "below"),
    [
        ("GreaterThanThreshold", "OK", "ALARM", "OK"),
        ("GreaterThanOrEqualToThreshold", "ALARM", "ALARM", "OK"),
        ("LessThanThreshold", "OK", "OK", "ALARM"),
        ("LessThanOrEqualToThreshold", "ALARM", "OK", "ALARM"),
    ],
)
def test_comparison_operators(comparison: str, on: str, above: str, below: str) -> None:
    """The threshold itself is above nothing and below nothing, unless the operator says "or equal"."""
    asked = rule(comparison=comparison)
    found = [evaluate(asked, [Point(0, v)], "OK").state for v in (10.0, 10.0000001, 9.9999999)]
    assert found == [on, above, below]


def test_m_out_of_n_datapoints() -> None:
    """Three breaching of five are enough when three are asked for, and two are not."""
    asked = rule(periods=5, to_alarm=3)
    assert evaluate(asked, points("X 0 X 0 X"), "OK").state == "ALARM"
    assert evaluate(asked, points("X 0 X 0 0"), "OK").state == "OK"


def test_a_percentile_of_too_few_samples_keeps_the_state() -> None:
    """EvaluateLowSampleCountPercentile `ignore`: p99 needs 10/(1-0.99) = 1000 samples to be significant."""
    assert [round(needed_samples(p)) for p in ("p50", "p90", "p99", "p10", "Average")] == [
        20,
        100,
        1000,
        100,
        0,
    ]
    asked = rule(samples=1000)
    assert evaluate(asked, [Point(0, 11.0, 999)], "OK").state == "OK"
    assert evaluate(asked, [Point(0, 11.0, 1000)], "OK").state == "ALARM"


def test_reasons_are_cloudwatchs_sentences() -> None:
    """The datapoints that decided, with their times, and what is needed for the change."""
    alarm = evaluate(rule(periods=2, to_alarm=1), points("0 X"), "OK").reason
    assert alarm == (
        "Threshold Crossed: 1 out of the last 2 datapoints [11.0 (01/01/70 00:01:00)] was greater than the "
        "threshold (10.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    ok = evaluate(rule(), points("0"), "ALARM").reason
    assert ok.endswith(
        "was not greater than the threshold (10.0) (minimum 1 datapoint for ALARM -> OK transition)."
    )
    none = evaluate(rule(missing="notBreaching"), points("-"), "ALARM").reason
    assert none == (
        "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as "
        "[NonBreaching]."
    )
    assert evaluate(rule(), points("-"), "OK").reason == "Insufficient Data: 1 datapoint was unknown."


@given(
    st.lists(st.sampled_from("0X-"), min_size=5, max_size=5), st.integers(1, 3),
    st.sampled_from(["missing", "ignore", "breaching", "notBreaching"]), st.sampled_from(["OK", "ALARM"]),
)  # fmt: skip
def test_treatment_does_not_matter_when_enough_data_is_there(
    data: list[str], to_alarm: int, missing: str, current: str
) -> None:
    """With as many real datapoints as Evaluation Periods the treatment is ignored, whatever the data."""
    asked = rule(periods=3, to_alarm=to_alarm, missing=missing)
    real = [c for c in data if c != "-"][-3:]
    found = evaluate(asked, points(" ".join(data)), current).state
    if len(real) == 3:
        assert found == ("ALARM" if real.count("X") >= to_alarm else "OK")


# --- statistics ------------------------------------------------------------------


def hundred() -> Bucket:
    """1, 2, …, 100."""
    bucket = Bucket()
    for number in range(1, 101):
        bucket.add(float(number))
    return bucket


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Average", 50.5), ("Sum", 5050), ("Minimum", 1), ("Maximum", 100), ("SampleCount", 100),
        ("p50", 50), ("p99", 99), ("p99.9", 100), ("p100", 100), ("p0", 1),
        ("tm90", 45.5), ("TM(10%:90%)", 50.5), ("IQM", 50.5), ("TM(2:10)", 6.5), ("TM(:10)", 5.5),
        ("tc90", 90), ("ts10", 55), ("PR(:50)", 50), ("PR(90:)", 10), ("wm90", 49.95),
    ],
)  # fmt: skip
def test_statistics_of_a_hundred_values(name: str, value: float) -> None:
    """Every statistic of the numbers from 1 to 100; percentiles are values that were measured."""
    assert hundred().statistic(name) == pytest.approx(value)


def test_names_of_statistics() -> None:
    """What is no statistic is refused rather than guessed at."""
    good = ["Sum", "p99", "p99.99", "tm95", "wm98", "TM(5%:95%)", "TC(0.005:0.030)", "PR(:300)", "IQM"]
    assert all(is_statistic(n) for n in good) and not is_extended("Sum")
    assert not any(is_statistic(n) for n in ["sum", "p101", "p", "tm", "Median", "PR(5%:95%)", "TM(:)", ""])


def test_a_statistic_set_has_no_percentiles() -> None:
    """Percentiles need raw values, unless SampleCount is 1 or Minimum and Maximum are equal."""
    several, one = Bucket(), Bucket()
    several.add_set(3, 9, 1, 5)
    one.add_set(4, 8, 2, 2)
    assert several.statistic("p50") is None and several.statistic("Average") == 3
    assert one.statistic("p50") == 2


def test_negative_values_have_no_percentiles() -> None:
    """Percentile statistics are not available when any of the values is negative."""
    bucket = Bucket()
    bucket.add(-1.0)
    assert bucket.statistic("p50") is None and bucket.statistic("Minimum") == -1


# --- the store ---------------------------------------------------------------------

KEY = key_of("AWS/ApplicationELB", "RequestCount", {"LoadBalancer": "a"})


def counted(store: MetricStore, *moments: float) -> None:
    """One request at each moment."""
    for at in moments:
        store.add(KEY[0], KEY[1], dict(KEY[2]), at, 1.0)


def test_periods_are_aligned_and_exact() -> None:
    """Values are counted into periods aligned to the epoch; a period without values is not in the answer."""
    store = MetricStore()
    counted(store, 120.2, 125.0, 179.9, 245.0)
    assert store.query(KEY, "Sum", 60, 0, 300) == [(120, 3.0), (240, 1.0)]
    assert store.query(key_of("AWS/ApplicationELB", "RequestCount", {}), "Sum", 60, 0, 300) == []


def clocked(**more: Any) -> tuple[MetricStore, Callable[[float], None]]:
    """A store, and what sets its clock."""
    now = [0.0]
    return MetricStore(now=lambda: now[0], **more), lambda moment: now.__setitem__(0, moment)


def test_a_datapoint_is_stamped_at_its_start_and_published_after_its_end() -> None:
    """Resolution 60 and delay 120: what happened in a minute is seen two minutes after it, at its start."""
    store, at = clocked(resolution=60, delay=120.0)
    counted(store, 60.0, 119.0)
    at(239.0)
    assert store.query(KEY, "Sum", 60, 0, 300) == []
    at(240.0)
    assert store.query(KEY, "Sum", 60, 0, 300) == [(60, 2.0)]
    assert store.query(KEY, "Sum", 1, 0, 300) == [(60, 2.0)]


def test_short_datapoints_become_minutes_after_three_hours() -> None:
    """Data points with a period of less than 60 seconds are available for 3 hours, of 60 for 15 days."""
    store, at = clocked()
    at(1.0)
    counted(store, 60.0, 61.0, 62.0)
    at(60.0 + 4 * 3600)
    counted(store, 60.0 + 4 * 3600)
    assert store.query(KEY, "Sum", 1, 0, 200) == [(60, 3.0)]
    at(16 * 86400.0)
    counted(store, 16 * 86400.0)
    assert store.query(KEY, "Sum", 60, 0, 86400) == []


def test_units_are_kept_apart() -> None:
    """A query with a unit sees only what was put in it; one without sees all."""
    store, key = MetricStore(), key_of("Mine", "Size", {})
    for unit, value in (("Bytes", 1.0), ("Kilobytes", 2.0)):
        bucket = Bucket()
        bucket.add(value)
        store.put(key, 60.0, bucket, unit)
    assert store.query(key, "Sum", 60, 0, 120, "Bytes") == [(60, 1.0)]
    assert store.query(key, "Sum", 60, 0, 120) == [(60, 3.0)]
    assert store.units(key) == ["Bytes", "Kilobytes"]
