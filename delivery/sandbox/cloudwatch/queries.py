"""GetMetricData and GetMetricStatistics answered from the store.

Source: "GetMetricData", "MetricDataQuery", "MetricStat" and "GetMetricStatistics" in the Amazon CloudWatch
API reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterCombination, InvalidParameterValue, ValidationError
from moto.core.exceptions import ServiceException

from delivery.sandbox.cloudwatch import expression
from delivery.sandbox.cloudwatch.expression import ExpressionError
from delivery.sandbox.cloudwatch.metric_math import evaluate
from delivery.sandbox.cloudwatch.series import Scope, Series, Value, listed
from delivery.sandbox.cloudwatch.statistics import is_extended, is_statistic
from delivery.sandbox.cloudwatch.store import Key, MetricStore, key_of

Query = Mapping[str, Any]

_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
_SHORT_PERIODS = (1, 5, 10, 20, 30)
#: GetMetricData answers so many datapoints per call, GetMetricStatistics so many at all.
MAX_DATAPOINTS, MAX_STATISTICS, MAX_QUERIES = 100_800, 1_440, 500


def seconds(moment: Any) -> float:
    """A moment of a request: moto hands naive UTC datetimes, numbers, or text."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    if isinstance(moment, int | float):
        return float(moment)
    aware: datetime = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.timestamp()


class MissingParameter(ServiceException):
    """A required parameter is not there; clients that check their input never get here."""

    code = "MissingParameter"


def require(params: Query, *names: str) -> None:
    """Raises MissingParameter for the first that is not there."""
    for name in names:
        if params.get(name) is None:
            raise MissingParameter(f"The parameter {name} is required.")


def valid_period(period: int) -> bool:
    """1, 5, 10, 20, 30 or a multiple of 60 seconds."""
    return period in _SHORT_PERIODS or (period > 0 and period % 60 == 0)


def rounded(start: float, period: int) -> int:
    """A StartTime is rounded down: to the whole minute, or to the division of a short period."""
    step = period if period < 60 else 60
    return int(start // step) * step


def key_from(metric: Query) -> Key:
    """The store's key of a metric as requests name it."""
    named = {d["Name"]: d["Value"] for d in metric.get("Dimensions") or ()}
    return key_of(metric.get("Namespace", ""), metric.get("MetricName", ""), named)


# --- GetMetricData ----------------------------------------------------------------


def metric_data(store: MetricStore, params: Query) -> dict[str, Any]:
    """The answer to GetMetricData. Raises ValidationError as CloudWatch does."""
    require(params, "MetricDataQueries", "StartTime", "EndTime")
    queries = params["MetricDataQueries"]
    start, end = seconds(params["StartTime"]), seconds(params["EndTime"])
    _check_span(start, end)
    check_queries(queries, "MetricDataQueries")
    found = evaluate_queries(store, queries, start, end)
    newest_first = (params.get("ScanBy") or "TimestampDescending") == "TimestampDescending"
    results = []
    for query in queries:
        if query.get("ReturnData", True):
            for series in _returned(query, found[query["Id"]]):
                points = sorted(series.points.items(), reverse=newest_first)
                results.append((query["Id"], query.get("Label") or series.label or query["Id"], points))
    return _page(results, int(params.get("MaxDatapoints") or MAX_DATAPOINTS), params.get("NextToken"))


def _check_span(start: float, end: float) -> None:
    if int(start) > int(end):
        raise ValidationError("The parameter EndTime must be greater than StartTime.")
    if int(start) == int(end):
        raise ValidationError("The parameter StartTime must not equal parameter EndTime.")


def check_queries(queries: Sequence[Query], where: str) -> None:
    """What CloudWatch refuses about a list of queries."""
    if len(queries) > MAX_QUERIES:
        raise ValidationError(f"The collection {where} must not have a size greater than {MAX_QUERIES}.")
    if not queries:
        raise ValidationError(f"The parameter {where} is required.\n")
    for number, query in enumerate(queries, 1):
        _check_query(query, f"{where}.member.{number}")
    ids = [q["Id"] for q in queries]
    if len(set(ids)) != len(ids):
        raise ValidationError(f"The values for parameter id in {where} are not unique.")


def _check_query(query: Query, where: str) -> None:
    if not _ID.fullmatch(query.get("Id") or ""):
        raise ValidationError(
            f"The value {query.get('Id')} for parameter {where}.Id is not matching the expected pattern "
            "^[a-z][a-zA-Z0-9_]*$."
        )
    stat, text = query.get("MetricStat"), query.get("Expression")
    if stat is not None:
        require(stat, "Metric", "Period", "Stat")
    if stat is None and text is None:
        raise ValidationError(f"The parameter {where}.MetricStat is required.\n")
    if stat is not None and text is not None:
        raise ValidationError(
            f"The parameters {where}.Expression and {where}.MetricStat are mutually exclusive and you have "
            "specified both."
        )
    if stat is None:
        _check_expression(query)
        return
    if not valid_period(int(stat["Period"])):
        raise ValidationError(
            f"The value {stat['Period']} for parameter {where}.MetricStat.Period is not valid. "
            "It must be 1, 5, 10, 20, 30 or a multiple of 60."
        )
    if not is_statistic(stat["Stat"]):
        raise ValidationError(
            f"The value {stat['Stat']} for parameter {where}.MetricStat.Stat is not supported."
        )


def _check_expression(query: Query) -> None:
    """Metrics Insights, SEARCH and anomaly bands are not played here, and say so."""
    text = str(query["Expression"])
    if re.match(r"\s*SELECT\b", text, re.IGNORECASE):
        raise ValidationError("The sandbox does not answer Metrics Insights queries.")
    try:
        expression.parse(text)
    except ExpressionError as error:
        raise _in_expression(query, error) from error


def _in_expression(query: Query, error: Exception) -> ValidationError:
    return ValidationError(f"Error in expression '{query['Id']}': {error}")


def evaluate_queries(
    store: MetricStore, queries: Sequence[Query], start: float, end: float, aligned: bool = True
) -> dict[str, Value]:
    """The value of every query by its id. `aligned`: periods begin at their multiples, not at `start`."""
    found: dict[str, Value] = {}
    metrics = [q["Id"] for q in queries if q.get("MetricStat")]
    for query in queries:
        if query.get("MetricStat"):
            found[query["Id"]] = _metric(store, query, start, end, aligned)
    for query in _ordered([q for q in queries if not q.get("MetricStat")]):
        shortest = min((s.period for s in found.values() if isinstance(s, Series)), default=60)
        scope = Scope(found, rounded(start, shortest), int(end), metrics, aligned)
        try:
            found[query["Id"]] = evaluate(expression.parse(query["Expression"]), scope)
        except ExpressionError as error:
            raise _in_expression(query, error) from error
    return found


def _metric(store: MetricStore, query: Query, start: float, end: float, aligned: bool) -> Series:
    stat = query["MetricStat"]
    period, metric = int(stat["Period"]), stat["Metric"]
    first = rounded(start, period)
    if aligned:
        first = first // period * period
    found = store.periods(key_from(metric), period, first, end, stat.get("Unit"))
    values = {at: v for at, bucket in found if (v := bucket.statistic(stat["Stat"])) is not None}
    return Series(values, period, query.get("Label") or metric["MetricName"])


def _ordered(queries: Sequence[Query]) -> Iterator[Query]:
    """Expressions after those they name. One that names itself, over others or not, is refused."""
    left = {q["Id"]: q for q in queries}
    needs = {id: set(expression.names(expression.parse(q["Expression"]))) for id, q in left.items()}
    while left:
        ready = [id for id in left if not needs[id] & set(left)]
        if not ready:
            raise _in_expression(next(iter(left.values())), ExpressionError("Circular reference"))
        for id in ready:
            yield left.pop(id)


def _returned(query: Query, value: Value) -> list[Series]:
    if isinstance(value, float | str):
        raise _in_expression(query, ExpressionError("The expression must return a time series"))
    series = listed(value)
    if query.get("MetricStat") or isinstance(value, list):
        return series
    return [replace(s, label="") for s in series]


def _page(results: list[tuple[str, str, list[tuple[int, float]]]], room: int, token: Any) -> dict[str, Any]:
    """So many datapoints of the results, beginning where the token says."""
    if token is not None and not str(token).isdigit():
        raise ValidationError("The specified nextToken is invalid.")
    skip, page = int(token or 0), []
    done, total = skip, sum(len(points) for _, _, points in results)
    for id, label, points in results:
        here = points[skip : skip + room]
        if here or (not points and not token):
            complete = skip + room >= len(points)
            page.append(
                {
                    "Id": id, "Label": label, "StatusCode": "Complete" if complete else "PartialData",
                    "Timestamps": [datetime.fromtimestamp(at, UTC) for at, _ in here],
                    "Values": [value for _, value in here],
                }
            )  # fmt: skip
        room, done, skip = room - len(here), done + len(here), max(0, skip - len(points))
    answer: dict[str, Any] = {"MetricDataResults": page, "Messages": []}
    return {**answer, "NextToken": str(done)} if done < total else answer


# --- GetMetricStatistics ------------------------------------------------------------


def metric_statistics(store: MetricStore, params: Query) -> dict[str, Any]:
    """The answer to GetMetricStatistics. Raises InvalidParameterValue and InvalidParameterCombination."""
    require(params, "Namespace", "MetricName", "StartTime", "EndTime", "Period")
    names = [*(params.get("Statistics") or ()), *(params.get("ExtendedStatistics") or ())]
    start, end, period = seconds(params["StartTime"]), seconds(params["EndTime"]), int(params["Period"])
    if not names:
        raise InvalidParameterCombination("Must specify either Statistics or ExtendedStatistics")
    if start >= end:
        raise InvalidParameterValue("The parameter StartTime must be less than the parameter EndTime.")
    if not valid_period(period):
        raise InvalidParameterValue("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
    wrong = [n for n in params.get("ExtendedStatistics") or () if not is_extended(n)]
    if wrong:
        raise InvalidParameterValue(
            f"The value {wrong[0]} for parameter ExtendedStatistics is not supported."
        )
    asked = int(-(-(end - start) // period))
    if asked > MAX_STATISTICS:
        raise InvalidParameterCombination(
            f"You have requested up to {asked:,} datapoints, which exceeds the limit of {MAX_STATISTICS:,}. "
            "You may reduce the datapoints requested by increasing Period, or decreasing the time range."
        )
    key = key_from(params)
    points = []
    for unit in store.units(key):
        if params.get("Unit") in (None, unit):
            found = store.periods(key, period, rounded(start, period), end, unit)
            points += [_datapoint(at, bucket, names, unit) for at, bucket in found]
    return {"Label": params["MetricName"], "Datapoints": points}


def _datapoint(at: int, bucket: Any, names: Sequence[str], unit: str) -> dict[str, Any]:
    values = {n: v for n in names if (v := bucket.statistic(n)) is not None}
    extended = {n: v for n, v in values.items() if is_extended(n)}
    plain = {n: v for n, v in values.items() if not is_extended(n)}
    point = {"Timestamp": datetime.fromtimestamp(at, UTC), "Unit": unit, **plain}
    return {**point, "ExtendedStatistics": extended} if extended else point
