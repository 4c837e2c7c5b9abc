"""CloudWatch's metrics: one store for what was measured and for what clients put. Dashboards."""

from __future__ import annotations

from typing import Any

from moto.cloudwatch.models import Dashboard
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.cloudwatch.dashboards import problems_of
from delivery.sandbox.cloudwatch.queries import key_from, metric_data, metric_statistics, require, seconds
from delivery.sandbox.cloudwatch.statistics import Bucket
from delivery.sandbox.cloudwatch.store import Key, MetricStore
from delivery.sandbox.cloudwatch.validation import check_datum

#: ListMetrics tells so many metrics a page, and those with data in the last two weeks.
PAGE, LISTED = 500, 14 * 86_400
#: RecentlyActive has this one value: the last three hours.
RECENT = 3 * 3600


class InvalidNextToken(ServiceException):
    """A token nobody gave out."""

    code = "InvalidNextToken"
    message = "The next token specified is invalid."


def one_store(store: MetricStore) -> None:
    """GetMetricData, GetMetricStatistics, PutMetricData and ListMetrics all ask `store`."""
    answer_metric_data(store)
    answer_metric_statistics(store)
    keep_put_data(store)
    list_known_metrics(store)


def answer_metric_data(store: MetricStore) -> None:
    """moto fails with 500 on percentiles, ignores periods and answers nothing for metric math."""

    def get_metric_data(self: CloudWatchResponse) -> ActionResult:
        return ActionResult(metric_data(store, self._get_params()))

    CloudWatchResponse.get_metric_data = get_metric_data  # type: ignore[method-assign]


def answer_metric_statistics(store: MetricStore) -> None:
    """moto knows no ExtendedStatistics, no limit of 1440 datapoints, and mixes up dimensions."""

    def get_metric_statistics(self: CloudWatchResponse) -> ActionResult:
        return ActionResult(metric_statistics(store, self._get_params()))

    CloudWatchResponse.get_metric_statistics = get_metric_statistics  # type: ignore[method-assign]


def keep_put_data(store: MetricStore) -> None:
    """moto keeps what is put where only its own answers see it, and lets clients claim AWS's own metrics."""

    def put_metric_data(self: CloudWatchResponse) -> ActionResult:
        params, now = self._get_params(), CLOCK.now()
        require(params, "Namespace", "MetricData")
        namespace, data = params["Namespace"], params.get("MetricData") or []
        for number, datum in enumerate(data, 1):
            check_datum(namespace, datum, number, now)
        for datum in data:
            at = seconds(datum["Timestamp"]) if datum.get("Timestamp") is not None else now
            resolution = int(datum.get("StorageResolution") or 60)
            key = key_from({**datum, "Namespace": namespace})
            store.put(key, at, _bucket(datum), datum.get("Unit") or "None", resolution)
        return EmptyResult()

    CloudWatchResponse.put_metric_data = put_metric_data  # type: ignore[method-assign]


def _bucket(datum: dict[str, Any]) -> Bucket:
    bucket = Bucket()
    several = datum.get("StatisticValues")
    if several:
        bucket.add_set(
            float(several["SampleCount"]), float(several["Sum"]), float(several["Minimum"]),
            float(several["Maximum"]),
        )  # fmt: skip
        return bucket
    values = datum.get("Values") or [datum["Value"]]
    counts = datum.get("Counts") or [1] * len(values)
    for value, count in zip(values, counts, strict=True):
        bucket.add(float(value), float(count))
    return bucket


def list_known_metrics(store: MetricStore) -> None:
    """moto lists metrics its own services claim, which nobody measured, and not those of the store."""

    def list_metrics(self: CloudWatchResponse) -> ActionResult:
        params, now = self._get_params(), CLOCK.now()
        span = RECENT if params.get("RecentlyActive") == "PT3H" else LISTED
        known = sorted(key for key, last in store.metrics() if last > now - span and _asked(key, params))
        token = params.get("NextToken")
        if token is not None and not str(token).isdigit():
            raise InvalidNextToken
        start = int(token or 0)
        shown: dict[str, Any] = {"Metrics": [_listed(key) for key in known[start : start + PAGE]]}
        if start + PAGE < len(known):
            shown["NextToken"] = str(start + PAGE)
        return ActionResult(shown)

    CloudWatchResponse.list_metrics = list_metrics  # type: ignore[method-assign]


def _asked(key: Key, params: dict[str, Any]) -> bool:
    namespace, metric, dimensions = key
    if params.get("Namespace") not in (None, namespace) or params.get("MetricName") not in (None, metric):
        return False
    held = dict(dimensions)
    return all(
        d["Name"] in held and d.get("Value") in (None, held[d["Name"]])
        for d in params.get("Dimensions") or ()
    )


def _listed(key: Key) -> dict[str, Any]:
    namespace, metric, dimensions = key
    named = [{"Name": n, "Value": v} for n, v in dimensions]
    return {"Namespace": namespace, "MetricName": metric, "Dimensions": named}


class DashboardInvalidInputError(ServiceException):
    """A body that is no dashboard; `dashboardValidationMessages` say where."""

    code = "InvalidParameterInput"

    def __init__(self, messages: list[dict[str, str]]) -> None:
        super().__init__("The field DashboardBody must be a valid JSON object")
        self.dashboardValidationMessages = self.dashboard_validation_messages = messages


def checked_dashboards() -> None:
    """moto accepts any JSON as a dashboard's body, and stamps it with the machine's local time."""
    store = CloudWatchResponse.put_dashboard

    def put_dashboard(self: CloudWatchResponse) -> ActionResult:
        messages = problems_of(self._get_param("DashboardBody") or "")
        if messages:
            raise DashboardInvalidInputError(messages)
        answer = store(self)
        dashboard: Dashboard = self.cloudwatch_backend.dashboards[self._get_param("DashboardName")]
        dashboard.last_modified = CLOCK.utcnow()
        return answer

    CloudWatchResponse.put_dashboard = put_dashboard  # type: ignore[method-assign]
