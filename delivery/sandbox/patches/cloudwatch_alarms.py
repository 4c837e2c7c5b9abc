"""CloudWatch's alarms: put, told, changed and deleted as documented; the evaluator holds them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from moto.cloudwatch.exceptions import InvalidFormat, ResourceNotFoundException, ValidationError
from moto.cloudwatch.models import CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.cloudwatch.alarm import Alarm
from delivery.sandbox.cloudwatch.alarms import INSUFFICIENT
from delivery.sandbox.cloudwatch.evaluator import AlarmEvaluator
from delivery.sandbox.cloudwatch.queries import require, seconds
from delivery.sandbox.cloudwatch.validation import check_composite_alarm, check_metric_alarm
from delivery.sandbox.patches.cloudwatch import InvalidNextToken

#: What PutMetricAlarm's parameters are called where moto's other services make alarms.
_NAMES = {
    "name": "AlarmName", "namespace": "Namespace", "metric_name": "MetricName", "period": "Period",
    "comparison_operator": "ComparisonOperator", "evaluation_periods": "EvaluationPeriods",
    "threshold": "Threshold", "statistic": "Statistic", "extended_statistic": "ExtendedStatistic",
    "description": "AlarmDescription", "dimensions": "Dimensions", "alarm_actions": "AlarmActions",
    "ok_actions": "OKActions", "insufficient_data_actions": "InsufficientDataActions", "unit": "Unit",
    "datapoints_to_alarm": "DatapointsToAlarm", "actions_enabled": "ActionsEnabled",
    "treat_missing_data": "TreatMissingData",
}  # fmt: skip


def evaluated_by(evaluator: AlarmEvaluator) -> None:
    """Every operation on alarms asks the evaluator."""
    put_alarms(evaluator)
    made_by_services(evaluator)
    describe_alarms(evaluator)
    describe_for_metric(evaluator)
    delete_alarms(evaluator)
    set_state(evaluator)
    enable_actions(evaluator)
    alarm_history(evaluator)
    known_resources(evaluator)


def put_alarms(evaluator: AlarmEvaluator) -> None:
    """moto accepts what CloudWatch refuses, begins with OK instead of INSUFFICIENT_DATA, forgets the state
    when an alarm is put again, and has no PutCompositeAlarm."""

    def put_metric_alarm(self: CloudWatchResponse) -> ActionResult:
        return _put(evaluator, self, check_metric_alarm)

    def put_composite_alarm(self: CloudWatchResponse) -> ActionResult:
        return _put(evaluator, self, lambda settings: check_composite_alarm(settings, evaluator.alarms))

    CloudWatchResponse.put_metric_alarm = put_metric_alarm  # type: ignore[method-assign]
    CloudWatchResponse.put_composite_alarm = put_composite_alarm  # type: ignore[attr-defined]


def _put(
    evaluator: AlarmEvaluator, response: CloudWatchResponse, check: Callable[[dict[str, Any]], None]
) -> ActionResult:
    settings = {k: v for k, v in response._get_params().items() if v is not None}
    check(settings)
    known = settings["AlarmName"] in evaluator.alarms
    alarm = evaluator.put({k: v for k, v in settings.items() if k != "Tags"})
    if settings.get("Tags") and not known:  # tags of an alarm that exists are TagResource's
        response.cloudwatch_backend.tagger.tag_resource(alarm.alarm_arn, settings["Tags"])
    return EmptyResult()


def made_by_services(evaluator: AlarmEvaluator) -> None:
    """moto's Auto Scaling makes alarms past the API, in a shape of its own that nobody evaluates."""

    def put_metric_alarm(self: CloudWatchBackend, **values: Any) -> Alarm:
        return evaluator.put({_NAMES[k]: v for k, v in values.items() if k in _NAMES and v is not None})

    CloudWatchBackend.put_metric_alarm = put_metric_alarm  # type: ignore[method-assign,assignment]


def describe_alarms(evaluator: AlarmEvaluator) -> None:
    """moto looks at one filter only, tells composite alarms nobody asked for, and knows no pages."""

    def describe(self: CloudWatchResponse) -> ActionResult:
        params = self._get_params()
        if params.get("AlarmNames") and params.get("AlarmNamePrefix"):
            raise ValidationError("AlarmNames and AlarmNamePrefix cannot both be specified.")
        types = params.get("AlarmTypes") or ["MetricAlarm"]
        found = [a for a in evaluator.alarms.values() if a.kind in types and _asked(evaluator, a, params)]
        page, token = _page(sorted(found, key=lambda a: (a.rule is None, a.name)), params, 50)
        shown: dict[str, Any] = {"MetricAlarms": [], "CompositeAlarms": []}
        for alarm in page:
            shown[f"{alarm.kind}s"].append(alarm.described())
        return ActionResult({**shown, **token})

    CloudWatchResponse.describe_alarms = describe  # type: ignore[method-assign]


def _asked(evaluator: AlarmEvaluator, alarm: Alarm, params: dict[str, Any]) -> bool:
    """Whether all the filters of a DescribeAlarms let an alarm pass."""
    names, actions = params.get("AlarmNames"), params.get("ActionPrefix")
    parent, child = params.get("ChildrenOfAlarmName"), params.get("ParentsOfAlarmName")
    held = [arn for kind in ("AlarmActions", "OKActions", "InsufficientDataActions")
            for arn in alarm.settings[kind]]  # fmt: skip
    return (
        (not names or alarm.name in names)
        and alarm.name.startswith(params.get("AlarmNamePrefix") or "")
        and params.get("StateValue") in (None, alarm.state.value)
        and (not actions or any(arn.startswith(actions) for arn in held))
        and (not parent or (parent in evaluator.alarms and alarm.name in evaluator.alarms[parent].children))
        and (not child or child in alarm.children)
    )


def _page(found: list[Any], params: dict[str, Any], usual: int) -> tuple[list[Any], dict[str, str]]:
    """The page a token names, and the next token if there is more."""
    token = params.get("NextToken")
    if token is not None and not str(token).isdigit():
        raise InvalidNextToken
    start, size = int(token or 0), int(params.get("MaxRecords") or usual)
    if not 1 <= size <= 100:
        raise ValidationError(
            f"1 validation error detected: Value '{size}' at 'maxRecords' failed to satisfy constraint: "
            "Member must have value between 1 and 100"
        )
    more = start + size < len(found)
    return found[start : start + size], {"NextToken": str(start + size)} if more else {}


def describe_for_metric(evaluator: AlarmEvaluator) -> None:
    """moto looks at name and namespace only, not at dimensions, statistic, period and unit."""

    def describe_alarms_for_metric(self: CloudWatchResponse) -> ActionResult:
        params = self._get_params()
        require(params, "MetricName", "Namespace")
        wanted = _identity(params)
        given = {k for k in ("Statistic", "ExtendedStatistic", "Period", "Unit") if params.get(k) is not None}
        found = [
            alarm.described() for alarm in evaluator.alarms.values()
            if alarm.rule is None and _identity(alarm.settings) == wanted
            and all(alarm.settings.get(k) == params[k] for k in given)
        ]  # fmt: skip
        return ActionResult({"MetricAlarms": found})

    CloudWatchResponse.describe_alarms_for_metric = describe_alarms_for_metric  # type: ignore[method-assign]


def _identity(settings: dict[str, Any]) -> tuple[Any, ...]:
    named = sorted((d["Name"], d["Value"]) for d in settings.get("Dimensions") or ())
    return settings.get("Namespace"), settings.get("MetricName"), named


def delete_alarms(evaluator: AlarmEvaluator) -> None:
    """moto says nothing of names it does not know, and deletes what a composite alarm looks at."""

    def delete(self: CloudWatchResponse) -> ActionResult:
        require(self._get_params(), "AlarmNames")
        evaluator.delete(self._get_param("AlarmNames"))
        return EmptyResult()

    def delete_past_api(self: CloudWatchBackend, alarm_names: Iterable[str]) -> None:
        evaluator.delete([name for name in alarm_names if name in evaluator.alarms])

    CloudWatchResponse.delete_alarms = delete  # type: ignore[method-assign]
    CloudWatchBackend.delete_alarms = delete_past_api  # type: ignore[method-assign]


def set_state(evaluator: AlarmEvaluator) -> None:
    """moto changes the state, and neither acts nor tells anybody."""

    def set_alarm_state(self: CloudWatchResponse) -> ActionResult:
        params = self._get_params()
        require(params, "AlarmName", "StateValue", "StateReason")
        value, data = params.get("StateValue"), params.get("StateReasonData") or ""
        if value not in ("OK", "ALARM", INSUFFICIENT):
            raise ValidationError(
                f"1 validation error detected: Value '{value}' at 'stateValue' failed to satisfy constraint: "
                "Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]"
            )
        try:
            json.loads(data or "{}")
        except ValueError as error:
            raise InvalidFormat("StateReasonData is not valid JSON") from error
        evaluator.set_state(params["AlarmName"], value, params.get("StateReason") or "", data)
        return EmptyResult()

    CloudWatchResponse.set_alarm_state = set_alarm_state  # type: ignore[method-assign]


def enable_actions(evaluator: AlarmEvaluator) -> None:
    """moto does not write into the history that actions were enabled or disabled."""

    def switch(response: CloudWatchResponse, enabled: bool) -> ActionResult:
        for name in response._get_param("AlarmNames", []):
            alarm = evaluator.alarms.get(name)
            if alarm is not None and alarm.actions_enabled != enabled:
                alarm.actions_enabled, alarm.configured = enabled, CLOCK.utcnow()
                evaluator.history.configured(alarm, "updated", alarm.configured)
        return EmptyResult()

    CloudWatchResponse.enable_alarm_actions = lambda self: switch(self, True)  # type: ignore[method-assign]
    CloudWatchResponse.disable_alarm_actions = lambda self: switch(self, False)  # type: ignore[method-assign]


def alarm_history(evaluator: AlarmEvaluator) -> None:
    """DescribeAlarmHistory is a 500 in moto."""

    def describe_alarm_history(self: CloudWatchResponse) -> ActionResult:
        params = self._get_params()
        since, until = params.get("StartDate"), params.get("EndDate")
        types = params.get("AlarmTypes") or ["MetricAlarm"]
        if params.get("AlarmName"):  # of one alarm, whatever its type
            types = params.get("AlarmTypes") or ["MetricAlarm", "CompositeAlarm"]
        found = [
            item.described() for item in evaluator.history.items(CLOCK.utcnow())
            if item.alarm_type in types and params.get("AlarmName") in (None, item.alarm)
            and params.get("HistoryItemType") in (None, item.kind)
            and (since is None or item.at.timestamp() >= seconds(since))
            and (until is None or item.at.timestamp() <= seconds(until))
        ]  # fmt: skip
        if params.get("ScanBy") != "TimestampAscending":
            found.reverse()
        page, token = _page(found, params, 100)
        return ActionResult({"AlarmHistoryItems": page, **token})

    CloudWatchResponse.describe_alarm_history = describe_alarm_history  # type: ignore[attr-defined]


def known_resources(evaluator: AlarmEvaluator) -> None:
    """moto lists no tags, silently, of an alarm that does not exist, and cannot untag one without tags."""
    listed = CloudWatchResponse.list_tags_for_resource

    def known(response: CloudWatchResponse) -> str:
        arn = str(response._get_param("ResourceARN"))
        if ":alarm:" in arn and arn.split(":alarm:")[-1] not in evaluator.alarms:
            raise ResourceNotFoundException
        return arn

    def list_tags_for_resource(self: CloudWatchResponse) -> ActionResult:
        known(self)
        return listed(self)

    def untag_resource(self: CloudWatchResponse) -> ActionResult:
        keys = self._get_param("TagKeys", [])
        self.cloudwatch_backend.tagger.untag_resource_using_names(known(self), keys)
        return EmptyResult()

    CloudWatchResponse.list_tags_for_resource = list_tags_for_resource  # type: ignore[method-assign]
    CloudWatchResponse.untag_resource = untag_resource  # type: ignore[method-assign]
