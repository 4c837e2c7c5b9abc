"""Metric math, and the two queries that read metrics, without a sandbox.

Amazon CloudWatch user guide: "Using math expressions with CloudWatch metrics". API reference:
"GetMetricData", "GetMetricStatistics".
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.cloudwatch.exceptions import InvalidParameterCombination, InvalidParameterValue, ValidationError

from delivery.sandbox.cloudwatch.expression import ExpressionError, parse
from delivery.sandbox.cloudwatch.metric_math import evaluate
from delivery.sandbox.cloudwatch.queries import metric_data, metric_statistics
from delivery.sandbox.cloudwatch.series import Scope, Series, Value
from delivery.sandbox.cloudwatch.statistics import Bucket
from delivery.sandbox.cloudwatch.store import MetricStore, key_of

#: m1 has no datapoint in the third minute, errors none in the fourth.
M1 = Series({0: 1.0, 60: 2.0, 180: 4.0})
ERRORS = Series({0: 10.0, 60: 0.0, 120: 5.0})


def value(text: str) -> Value:
    """An expression over m1 and errors, from 0 to 240 s."""
    scope = Scope({"m1": M1, "errors": ERRORS}, 0, 240, ["m1", "errors"])
    return evaluate(parse(text), scope)


def shown(text: str) -> Any:
    """A scalar, or the datapoints of a series, or of each series of an array."""
    found = value(text)
    if isinstance(found, list):
        return [dict(s.points) for s in found]
    return dict(found.points) if isinstance(found, Series) else found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("-2 ^ 2", -4), ("2 ^ 3 ^ 2", 512), ("7 - 2 - 1", 4),
        ("1 < 2", 1), ("1 >= 2", 0), ("1 == 1 && 2 != 2", 0), ("0 || 1", 1), ("1 OR 0 AND 0", 1),
        (".5 + 1e1", 10.5),
        ("m1 + 1", {0: 2, 60: 3, 180: 5}), ("-m1", {0: -1, 60: -2, 180: -4}),
        ("m1 ^ 2", {0: 1, 60: 4, 180: 16}),
        ("m1 + errors", {0: 11, 60: 2}), ("m1 / errors", {0: 0.1}), ("m1 > 1", {0: 0, 60: 1, 180: 1}),
        ("100 * errors / (m1 + errors)", {0: pytest.approx(90.909, abs=0.001), 60: 0}),
        ("METRICS() * 2", [{0: 2, 60: 4, 180: 8}, {0: 20, 60: 0, 120: 10}]),
        ("[m1, errors] > 3", [{0: 0, 60: 0, 180: 1}, {0: 1, 60: 0, 120: 1}]),
    ],
)  # fmt: skip
def test_operators(text: str, expected: Any) -> None:
    """Scalars make scalars, a series makes a series; a moment that one side lacks has no datapoint."""
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SUM(m1)", 7), ("AVG(m1)", 7 / 3), ("MIN(m1)", 1), ("MAX(m1)", 4), ("DATAPOINT_COUNT(m1)", 3),
        ("SUM(METRICS())", {0: 11, 60: 2, 120: 5, 180: 4}),
        ("MAX([m1, errors])", {0: 10, 60: 2, 120: 5, 180: 4}),
        ("AVG([m1, errors])", {0: 5.5, 60: 1, 120: 5, 180: 4}), ('METRICS("err")', [{0: 10, 60: 0, 120: 5}]),
        ("MIN(m1, 2)", {0: 1, 60: 2, 180: 2}), ("STDDEV(m1)", pytest.approx(1.2472, abs=1e-4)),
        ("ABS(0 - m1)", {0: 1, 60: 2, 180: 4}), ("CEIL(m1 / 3)", {0: 1, 60: 1, 180: 2}),
        ("FLOOR(m1 / 3)", {0: 0, 60: 0, 180: 1}), ("LOG10(errors)", {0: 1, 120: pytest.approx(0.69897)}),
        ("FILL(m1, 0)", {0: 1, 60: 2, 120: 0, 180: 4}), ("FILL(m1, REPEAT)", {0: 1, 60: 2, 120: 2, 180: 4}),
        ("FILL(m1, LINEAR)", {0: 1, 60: 2, 120: 3, 180: 4}),
        ("FILL(m1, errors)", {0: 1, 60: 2, 120: 5, 180: 4}),
        ("IF(m1 > 1, m1)", {60: 2, 180: 4}), ("IF(m1 > 1, 1, 0)", {0: 0, 60: 1, 180: 1}),
        ("IF(m1 > 1 AND errors < 1, errors, m1)", {0: 1, 60: 0}),
        ("IF(1, m1, errors)", {0: 1, 60: 2, 180: 4}),
        ("DIFF(m1)", {60: 1, 180: 2}), ("RATE(m1)", {60: 1 / 60, 180: 2 / 120}),
        ("DIFF_TIME(m1)", {60: 60, 180: 120}),
        ("PERIOD(m1)", 60), ("SUM(m1) / PERIOD(m1)", 7 / 60), ("RUNNING_SUM(m1)", {0: 1, 60: 3, 180: 7}),
        ("TIME_SERIES(5)", {0: 5, 60: 5, 120: 5, 180: 5}), ("FIRST(METRICS())", {0: 1, 60: 2, 180: 4}),
        ("LAST(METRICS())", {0: 10, 60: 0, 120: 5}), ("MINUTE(m1)", {0: 0, 60: 1, 120: 2, 180: 3}),
        ("FILL(METRICS(), 0)", [{0: 1, 60: 2, 120: 0, 180: 4}, {0: 10, 60: 0, 120: 5, 180: 0}]),
    ],
)  # fmt: skip
def test_functions(text: str, expected: Any) -> None:
    """The functions as the guide's table describes them."""
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("NOPE(m1)", "Unsupported function 'NOPE'"), ("m1 +", "Unexpected 'end of expression'"),
        ("m9", "Unknown id 'm9'"), ("(m1", "Expected '\\)'"), ("m1 $ 2", "Unexpected '\\$'"),
        ("", "Unexpected"),
        ("SUM()", "Wrong number of arguments"), ("FILL(m1, NEVER)", "Unknown fill"),
        ("METRICS() + METRICS()", "Unsupported operand type"), ("m1 m1", "Unexpected 'm1'"),
    ],
)  # fmt: skip
def test_what_is_no_expression(text: str, why: str) -> None:
    """A wrong expression says what is wrong."""
    with pytest.raises(ExpressionError, match=why):
        value(text)


@given(st.text(alphabet='m19+-*/^()<>=&|,[] "SUMIF', max_size=20))
def test_any_text_is_an_expression_or_an_error(text: str) -> None:
    """Whatever is asked, the answer is a value or a refusal, never a crash."""
    with suppress(ExpressionError):
        value(text)


# --- GetMetricData and GetMetricStatistics --------------------------------------------


@pytest.fixture
def store() -> MetricStore:
    """Requests in three minutes: 1, 2 and 4 of them."""
    made = MetricStore(now=lambda: 10_000.0)
    for minute, count in ((0, 1), (60, 2), (180, 4)):
        for number in range(count):
            made.add("AWS/ApplicationELB", "RequestCount", {"LoadBalancer": "a"}, minute + number, 1.0)
    bucket = Bucket()
    bucket.add(5.0, 2)
    made.put(key_of("Mine", "Size", {}), 60.0, bucket, "Bytes")
    return made


def stat(id: str, period: int = 60, statistic: str = "Sum", metric: str = "RequestCount", **more: Any) -> Any:
    """A query of one metric."""
    balancer = [{"Name": "LoadBalancer", "Value": "a"}]
    named = {"Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": balancer}
    return {"Id": id, "MetricStat": {"Metric": named, "Period": period, "Stat": statistic}, **more}


SIZE: dict[str, Any] = {
    "Id": "size",
    "MetricStat": {"Metric": {"Namespace": "Mine", "MetricName": "Size"}, "Period": 60, "Stat": "Sum"},
}


def asked(store: MetricStore, *queries: Any, **more: Any) -> dict[str, Any]:
    """GetMetricData from 0 to 300 s, oldest first."""
    params = {"StartTime": 0.0, "EndTime": 300.0, "ScanBy": "TimestampAscending", **more}
    return metric_data(store, {**params, "MetricDataQueries": list(queries)})


def results(store: MetricStore, *queries: Any, **more: Any) -> dict[str, list[float]]:
    """The values by id."""
    return {r["Id"]: r["Values"] for r in asked(store, *queries, **more)["MetricDataResults"]}


def test_metrics_and_expressions_in_one_request(store: MetricStore) -> None:
    """Namespaces mix, expressions use other ids in any order, ReturnData false is not told."""
    math = [{"Id": "e2", "Expression": "e1 + 1"}, {"Id": "e1", "Expression": "m1 * 10 + size"}]
    found = results(store, *math, stat("m1", ReturnData=False), SIZE)
    assert found == {"e2": [31.0], "e1": [30.0], "size": [10.0]}


def test_the_newest_comes_first_unless_asked_otherwise(store: MetricStore) -> None:
    """ScanBy is TimestampDescending by default."""
    assert results(store, stat("m1"), ScanBy=None) == {"m1": [4.0, 2.0, 1.0]}
    (found,) = asked(store, stat("m1"))["MetricDataResults"]
    assert found["Timestamps"][0] == datetime.fromtimestamp(0, UTC) and found["StatusCode"] == "Complete"


def test_a_series_without_data_is_empty_and_complete(store: MetricStore) -> None:
    """No data is no datapoints: never a zero, and no error."""
    (found,) = asked(store, stat("m1", metric="Nothing"))["MetricDataResults"]
    assert (found["Values"], found["Timestamps"], found["StatusCode"]) == ([], [], "Complete")


def test_start_times_are_rounded_down(store: MetricStore) -> None:
    """To the whole minute, so the minute of the start is there whole; EndTime is exclusive."""
    assert results(store, stat("m1"), StartTime=61.5) == {"m1": [2.0, 4.0]}
    assert results(store, stat("m1"), EndTime=180.0) == {"m1": [1.0, 2.0]}
    assert results(store, stat("m1", 10), StartTime=181.0, EndTime=200.0) == {"m1": [4.0]}


def test_a_unit_filters(store: MetricStore) -> None:
    """Only data of that unit; a conversion there is none."""
    query = {"Id": "m", "MetricStat": {**SIZE["MetricStat"], "Unit": "Bits"}}
    assert results(store, query) == {"m": []}


def test_pages_of_datapoints(store: MetricStore) -> None:
    """MaxDatapoints cuts the answer; NextToken goes on, and the cut series is PartialData until it ends."""
    first = asked(store, stat("m1"), SIZE, MaxDatapoints=2)
    assert [(r["Values"], r["StatusCode"]) for r in first["MetricDataResults"]] == [
        ([1.0, 2.0], "PartialData")
    ]
    second = asked(store, stat("m1"), SIZE, MaxDatapoints=2, NextToken=first["NextToken"])
    assert [r["Values"] for r in second["MetricDataResults"]] == [[4.0], [10.0]]
    assert "NextToken" not in second


@pytest.mark.parametrize(
    ("queries", "more", "why"),
    [
        ([stat("m1")], {"StartTime": 300.0, "EndTime": 0.0}, "EndTime must be greater than StartTime"),
        ([stat("m1")], {"EndTime": 0.0}, "must not equal"),
        ([stat("m1", 7)], {}, "Period is not valid"), ([stat("m1", 90)], {}, "Period is not valid"),
        ([stat("m1", 60, "Median")], {}, "Stat is not supported"), ([stat("M1")], {}, "expected pattern"),
        ([stat("m1"), stat("m1")], {}, "not unique"), ([{"Id": "m1"}], {}, "MetricStat is required"),
        ([{**stat("m1"), "Expression": "1"}], {}, "mutually exclusive"),
        ([{"Id": "e1", "Expression": "NOPE(1)"}], {}, "in expression 'e1': Unsupported function 'NOPE'"),
        ([{"Id": "e1", "Expression": "e2"}, {"Id": "e2", "Expression": "e1"}], {}, "Circular"),
        ([{"Id": "e1", "Expression": "1 + 1"}], {}, "must return a time series"),
        ([{"Id": "e1", "Expression": "SELECT AVG(CPU) FROM X"}], {}, "Metrics Insights"),
        ([stat(f"m{n}") for n in range(501)], {}, "size greater than 500"), ([], {}, "is required"),
    ],
)  # fmt: skip
def test_what_get_metric_data_refuses(store: MetricStore, queries: list[Any], more: Any, why: str) -> None:
    """ValidationError, and the whole request fails."""
    with pytest.raises(ValidationError, match=why):
        asked(store, *queries, **more)


def statistics(store: MetricStore, **more: Any) -> list[dict[str, Any]]:
    """GetMetricStatistics from 0 to 300 s."""
    balancer = [{"Name": "LoadBalancer", "Value": "a"}]
    params = {
        "Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount", "Dimensions": balancer, "Period": 60,
        "StartTime": 0.0, "EndTime": 300.0, "Statistics": ["Sum"], **more,
    }  # fmt: skip
    return list(metric_statistics(store, params)["Datapoints"])


def test_statistics_of_a_metric(store: MetricStore) -> None:
    """One datapoint per period with data, with its unit, plain and extended statistics."""
    found = statistics(store, ExtendedStatistics=["p50", "tm90"])
    assert [p["Sum"] for p in found] == [1.0, 2.0, 4.0]
    assert found[0]["ExtendedStatistics"] == {"p50": 1.0, "tm90": 1.0} and found[0]["Unit"] == "Count"


def test_periods_of_statistics_begin_at_the_start_time(store: MetricStore) -> None:
    """A period of two minutes from 60 s is 60 to 180 s, and 180 to 300 s."""
    found = statistics(store, Period=120, StartTime=65.0)
    assert [(p["Timestamp"].timestamp(), p["Sum"]) for p in found] == [(60, 2.0), (180, 4.0)]


def test_statistics_have_a_limit() -> None:
    """1440 datapoints per request, and CloudWatch's sentence about it."""
    with pytest.raises(InvalidParameterCombination, match=r"up to 1,441 datapoints.*limit of 1,440"):
        statistics(MetricStore(), EndTime=1441 * 60.0)
    assert statistics(MetricStore(), EndTime=1440 * 60.0) == []


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"Statistics": []}, InvalidParameterCombination), ({"EndTime": 0.0}, InvalidParameterValue),
        ({"Period": 7}, InvalidParameterValue), ({"ExtendedStatistics": ["median"]}, InvalidParameterValue),
    ],
)  # fmt: skip
def test_what_get_metric_statistics_refuses(store: MetricStore, more: Any, error: type[Exception]) -> None:
    """The documented errors of the call."""
    with pytest.raises(error):
        statistics(store, **more)
