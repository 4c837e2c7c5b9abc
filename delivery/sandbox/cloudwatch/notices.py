"""What an alarm tells: the message to SNS and the event to EventBridge, as documented. Pure.

Source: "Alarm events and EventBridge" in the Amazon CloudWatch user guide; the message to SNS as AWS's
examples of an alarm notification show it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import botocore.session

from delivery.sandbox.cloudwatch.alarm import Alarm, State
from delivery.sandbox.cloudwatch.alarms import Evaluation
from delivery.sandbox.cloudwatch.history import stamp

_SHORT = {"Average": "AVERAGE", "Sum": "SUM", "Minimum": "MINIMUM", "Maximum": "MAXIMUM",
          "SampleCount": "SAMPLE_COUNT"}  # fmt: skip


@cache
def region_name(region: str) -> str:
    """`US East (N. Virginia)` of us-east-1: messages name regions so."""
    partitions = botocore.session.get_session().get_data("endpoints")["partitions"]
    found = [p["regions"][region]["description"] for p in partitions if region in p["regions"]]
    return str(found[0]) if found else region


def subject(alarm: Alarm, region: str) -> str:
    """The subject of its message."""
    return f'{alarm.state.value}: "{alarm.name}" in {region_name(region)}'


def message(alarm: Alarm, before: State, account: str, region: str) -> str:
    """The message to SNS."""
    held = alarm.settings
    told: dict[str, Any] = {
        "AlarmName": alarm.name,
        "AlarmDescription": held.get("AlarmDescription"),
        "AWSAccountId": account,
        "AlarmConfigurationUpdatedTimestamp": stamp(alarm.configured),
        "NewStateValue": alarm.state.value,
        "NewStateReason": alarm.state.reason,
        "StateChangeTime": stamp(alarm.state.since),
        "Region": region_name(region),
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before.value,
        "OKActions": held["OKActions"],
        "AlarmActions": held["AlarmActions"],
        "InsufficientDataActions": held["InsufficientDataActions"],
    }
    if alarm.rule is None:
        return json.dumps({**told, "Trigger": _trigger(alarm)})
    return json.dumps({**told, "AlarmRule": alarm.rule})


def _trigger(alarm: Alarm) -> dict[str, Any]:
    held = alarm.settings
    common = {
        "Period": alarm.period,
        "EvaluationPeriods": held["EvaluationPeriods"],
        "DatapointsToAlarm": held.get("DatapointsToAlarm") or held["EvaluationPeriods"],
        "ComparisonOperator": held["ComparisonOperator"],
        "Threshold": held["Threshold"],
        "TreatMissingData": held.get("TreatMissingData") or "missing",
        "EvaluateLowSampleCountPercentile": held.get("EvaluateLowSampleCountPercentile") or "",
    }
    if held.get("Metrics"):
        return {**common, "Metrics": held["Metrics"]}
    extended = held.get("ExtendedStatistic")
    statistic = {"StatisticType": "Statistic", "Statistic": _SHORT.get(alarm.statistic)}
    if extended:
        statistic = {"StatisticType": "ExtendedStatistic", "ExtendedStatistic": extended}
    metric = {"MetricName": held["MetricName"], "Namespace": held["Namespace"], **statistic}
    dimensions = [{"value": d["Value"], "name": d["Name"]} for d in held.get("Dimensions") or ()]
    return {**metric, "Unit": held.get("Unit"), "Dimensions": dimensions, **common}


def event(alarm: Alarm, before: State) -> dict[str, Any]:
    """The detail of a `CloudWatch Alarm State Change` event."""
    configuration: dict[str, Any] = {}
    if alarm.settings.get("AlarmDescription"):
        configuration["description"] = alarm.settings["AlarmDescription"]
    if alarm.rule is None:
        configuration["metrics"] = [_query(q) for q in alarm.metrics]
    else:
        configuration["alarmRule"] = alarm.rule
    return {
        "alarmName": alarm.name,
        "configuration": configuration,
        "previousState": _state(before),
        "state": _state(alarm.state),
    }


def _state(state: State) -> dict[str, Any]:
    told = {"value": state.value, "reason": state.reason, "timestamp": stamp(state.since)}
    return {**told, "reasonData": state.data} if state.data else told


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": query["Id"], "returnData": query.get("ReturnData", True)}
    if query.get("Label"):
        shown["label"] = query["Label"]
    if query.get("Expression"):
        return {**shown, "expression": query["Expression"]}
    stat = query["MetricStat"]
    dimensions = {d["Name"]: d["Value"] for d in stat["Metric"].get("Dimensions") or ()}
    metric = {"namespace": stat["Metric"]["Namespace"], "name": stat["Metric"]["MetricName"]}
    metric_stat = {
        "metric": {**metric, "dimensions": dimensions},
        "period": stat["Period"],
        "stat": stat["Stat"],
    }
    return {**shown, "metricStat": metric_stat}


def reason_data(alarm: Alarm, verdict: Evaluation, now: str) -> str:
    """StateReasonData: the datapoints that were judged."""
    rule = alarm.asks
    told: dict[str, Any] = {"version": "1.0", "queryDate": now}
    if verdict.points:
        told["startDate"] = _at(verdict.points[0].at)
    if alarm.settings.get("Unit"):
        told["unit"] = alarm.settings["Unit"]
    if alarm.statistic:
        told["statistic"] = alarm.statistic
    told |= {
        "period": rule.period,
        "recentDatapoints": [p.value for p in verdict.points],
        "threshold": rule.threshold,
        "evaluatedDatapoints": [
            {"timestamp": _at(p.at), "sampleCount": float(p.samples), "value": p.value}
            for p in reversed(verdict.points)
        ],
    }
    return json.dumps(told)


def _at(at: float) -> str:
    return stamp(datetime.fromtimestamp(at, UTC))


def composite_data(triggering: Sequence[Alarm]) -> str:
    """StateReasonData of a composite alarm: the alarms that made it change."""
    told = [
        {"arn": a.alarm_arn, "state": {"value": a.state.value, "timestamp": stamp(a.state.since)}}
        for a in triggering
    ]
    return json.dumps({"triggeringAlarms": told})
