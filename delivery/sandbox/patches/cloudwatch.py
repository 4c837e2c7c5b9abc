"""CloudWatch: ELB and ECS metrics come from what was measured; alarm history exists."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult

from delivery.sandbox.cloudwatch.store import MetricStore, key_of


class ValidationError(ServiceException):
    """CloudWatch's own error for a query it cannot answer."""

    code = "ValidationError"


def measure_from(store: MetricStore) -> None:
    """GetMetricData and GetMetricStatistics answer AWS/ApplicationELB and AWS/ECS from `store`."""
    _metric_data(store)
    _metric_statistics(store)


def _metric_data(store: MetricStore) -> None:
    """moto fails with 500 on percentiles and returns nothing for metric math; the latter is refused here,
    for an empty answer would be believed."""
    ask_moto = CloudWatchResponse.get_metric_data

    def get_metric_data(self: CloudWatchResponse) -> ActionResult:
        params = self._get_params()
        queries = params.get("MetricDataQueries", [])
        if any("Expression" in q for q in queries):
            raise ValidationError("The sandbox does not evaluate metric expressions.")
        ours = [
            q for q in queries if store.knows(q.get("MetricStat", {}).get("Metric", {}).get("Namespace", ""))
        ]
        if not ours:
            return ask_moto(self)
        if len(ours) != len(queries):
            raise ValidationError("The sandbox does not mix its own and other namespaces in one call.")
        start, end = _seconds(params["StartTime"]), _seconds(params["EndTime"])
        newest_first = (params.get("ScanBy") or "TimestampDescending") == "TimestampDescending"
        results = [_result(store, q, start, end, newest_first) for q in ours]
        return ActionResult({"MetricDataResults": results})

    CloudWatchResponse.get_metric_data = get_metric_data  # type: ignore[method-assign]


def _metric_statistics(store: MetricStore) -> None:
    ask_moto = CloudWatchResponse.get_metric_statistics

    def get_metric_statistics(self: CloudWatchResponse) -> ActionResult:
        namespace = self._get_param("Namespace")
        if not store.knows(namespace):
            return ask_moto(self)
        metric, period = self._get_param("MetricName"), self._get_int_param("Period")
        dimensions = {d["Name"]: d["Value"] for d in self._get_param("Dimensions", [])}
        span = _seconds(self._get_param("StartTime")), _seconds(self._get_param("EndTime"))
        points: dict[int, dict[str, Any]] = {}
        for statistic in self._get_param("Statistics", []):
            for at, value in store.query(key_of(namespace, metric, dimensions), statistic, period, *span):
                points.setdefault(at, {"Timestamp": datetime.fromtimestamp(at, UTC)})[statistic] = value
        return ActionResult({"Label": metric, "Datapoints": list(points.values())})

    CloudWatchResponse.get_metric_statistics = get_metric_statistics  # type: ignore[method-assign]


def alarm_history() -> None:
    """DescribeAlarmHistory is a 500 in moto, though it keeps the states."""

    def describe_alarm_history(self: CloudWatchResponse) -> ActionResult:
        wanted = self._get_param("AlarmName")
        items = []
        for alarm in self.cloudwatch_backend.alarms.values():
            if wanted in (None, alarm.name):
                items += [_history_item(alarm, *entry) for entry in _changes(alarm)]
        items.sort(key=lambda item: item["Timestamp"], reverse=True)
        return ActionResult({"AlarmHistoryItems": items})

    CloudWatchResponse.describe_alarm_history = describe_alarm_history  # type: ignore[attr-defined]


def _changes(alarm: Any) -> list[tuple[str, str, str, datetime]]:
    """`(from, to, reason, when)`; moto keeps each state that was left, the newest is on the alarm."""
    states = [(e[3], e[1], e[4]) for e in alarm.history]
    states.append((alarm.state_value, alarm.state_reason, alarm.state_updated_timestamp))
    return [(old[0], new[0], new[1], new[2]) for old, new in pairwise(states)]


def _history_item(alarm: Any, before: str, after: str, reason: str, at: datetime) -> dict[str, Any]:
    return {
        "AlarmName": alarm.name,
        "AlarmType": "MetricAlarm",
        "Timestamp": at,
        "HistoryItemType": "StateUpdate",
        "HistorySummary": f"Alarm updated from {before} to {after}",
        "HistoryData": reason,
    }


def _result(
    store: MetricStore, query: dict[str, Any], start: float, end: float, newest_first: bool
) -> dict[str, Any]:
    stat = query["MetricStat"]
    metric = stat["Metric"]
    dimensions = {d["Name"]: d["Value"] for d in metric.get("Dimensions", [])}
    key = key_of(metric["Namespace"], metric["MetricName"], dimensions)
    points = store.query(key, stat["Stat"], int(stat["Period"]), start, end)
    if newest_first:
        points.reverse()
    return {
        "Id": query["Id"],
        "Label": query.get("Label") or metric["MetricName"],
        "StatusCode": "Complete",
        "Timestamps": [datetime.fromtimestamp(at, UTC) for at, _ in points],
        "Values": [value for _, value in points],
    }


def _seconds(moment: Any) -> float:
    """moto hands naive UTC datetimes, or text."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    if isinstance(moment, int | float):
        return float(moment)
    aware: datetime = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.timestamp()
