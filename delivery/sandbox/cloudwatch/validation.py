"""What PutMetricAlarm, PutCompositeAlarm and PutMetricData refuse, in CloudWatch's words.

Source: "PutMetricAlarm", "PutCompositeAlarm" and "PutMetricData" in the Amazon CloudWatch API reference.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterCombination, InvalidParameterValue, ValidationError

from delivery.sandbox.cloudwatch import composite
from delivery.sandbox.cloudwatch.alarms import OPERATORS
from delivery.sandbox.cloudwatch.queries import check_queries, require, seconds
from delivery.sandbox.cloudwatch.statistics import is_extended

Settings = Mapping[str, Any]

_STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
_BANDS = ("LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold")
_MISSING = ("breaching", "notBreaching", "ignore", "missing")
_SINGLE = ("MetricName", "Namespace", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic")
_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
DAY, WEEK = 86_400, 604_800
#: PutMetricData takes moments from two weeks ago to two hours ahead.
OLDEST, NEWEST = 14 * DAY, 2 * 3600


def check_metric_alarm(settings: Settings) -> None:
    """Raises ValidationError, as PutMetricAlarm does."""
    require(settings, "AlarmName", "ComparisonOperator", "EvaluationPeriods")
    _check_name(settings)
    _check_comparison(settings)
    _check_actions(settings)
    _whole(settings, "EvaluationPeriods")
    _whole(settings, "DatapointsToAlarm")
    if int(settings.get("DatapointsToAlarm") or 0) > int(settings["EvaluationPeriods"]):
        raise ValidationError("DatapointsToAlarm must be less than or equal to EvaluationPeriods.")
    if (settings.get("TreatMissingData") or "missing") not in _MISSING:
        raise ValidationError(
            f"Option {settings['TreatMissingData']} is not supported. Supported options for parameter "
            "TreatMissingData are breaching, notBreaching, ignore and missing."
        )
    low = settings.get("EvaluateLowSampleCountPercentile")
    if low and low not in ("evaluate", "ignore"):
        raise ValidationError(
            f"Option {low} is not supported. Supported options for parameter "
            "EvaluateLowSampleCountPercentile are evaluate and ignore."
        )
    if settings.get("Metrics"):
        _check_metrics(settings)
    else:
        _check_single(settings)


def _check_name(settings: Settings) -> None:
    if not 1 <= len(settings["AlarmName"]) <= 255:
        raise ValidationError(
            f"1 validation error detected: Value '{settings['AlarmName']}' at 'alarmName' failed to satisfy "
            "constraint: Member must have length between 1 and 255"
        )


def _check_comparison(settings: Settings) -> None:
    operator = settings.get("ComparisonOperator")
    if operator in _BANDS or settings.get("ThresholdMetricId"):
        raise ValidationError("The sandbox does not play anomaly detection.")
    if operator not in OPERATORS:
        raise ValidationError(_enum(operator, "comparisonOperator", (*OPERATORS, *_BANDS)))
    if settings.get("Threshold") is None:
        raise ValidationError("The parameter Threshold is required.\n")


def _check_single(settings: Settings) -> None:
    for name in ("MetricName", "Namespace", "Period"):
        if not settings.get(name):
            raise ValidationError(f"The parameter {name} is required.\n")
    statistic, extended = settings.get("Statistic"), settings.get("ExtendedStatistic")
    if bool(statistic) == bool(extended):
        raise ValidationError("Exactly one of Statistic and ExtendedStatistic must be specified.")
    if statistic and statistic not in _STATISTICS:
        raise ValidationError(_enum(statistic, "statistic", _STATISTICS))
    if extended and not is_extended(extended):
        raise ValidationError(f"The value {extended} for parameter ExtendedStatistic is not supported.")
    period = _whole(settings, "Period")
    if period not in (10, 20, 30) and period % 60:
        raise ValidationError("Period must be 10, 20, 30 or a multiple of 60.")
    _check_length(period, int(settings["EvaluationPeriods"]))


def _check_metrics(settings: Settings) -> None:
    metrics: Sequence[Settings] = settings["Metrics"]
    both = [name for name in _SINGLE if settings.get(name)]
    if both:
        raise ValidationError(
            f"The parameters {both[0]} and Metrics are mutually exclusive and you have specified both."
        )
    check_queries(metrics, "Metrics")
    if sum(bool(m.get("ReturnData", True)) for m in metrics) != 1:
        raise ValidationError("Exactly one element of the metrics list should return data.")
    periods = [int(m["MetricStat"]["Period"]) for m in metrics if m.get("MetricStat")]
    _check_length(max(periods, default=60), int(settings["EvaluationPeriods"]))


def _check_length(period: int, periods: int) -> None:
    limit = WEEK if period >= 3600 else DAY
    if period * periods > limit:
        span = "a week" if limit == WEEK else "a day"
        raise ValidationError(
            f"Metrics cannot be checked across more than {span} "
            f"(EvaluationPeriods * Period must be <= {limit})."
        )


def _check_actions(settings: Settings) -> None:
    for kind in _ACTIONS:
        actions = settings.get(kind) or ()
        if len(actions) > 5:
            raise ValidationError(f"The collection {kind} must not have a size greater than 5.")
        for arn in actions:
            if not str(arn).startswith("arn:") or str(arn).count(":") < 5:
                raise ValidationError(f"Invalid arn syntax: {arn}")


def _whole(settings: Settings, name: str) -> int:
    value = settings.get(name)
    if value is None:
        return 0
    if int(value) < 1:
        raise ValidationError(
            f"1 validation error detected: Value '{value}' at '{name[0].lower()}{name[1:]}' failed to "
            "satisfy constraint: Member must have value greater than or equal to 1"
        )
    return int(value)


def _enum(value: Any, name: str, allowed: Collection[str]) -> str:
    return (
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: "
        f"Member must satisfy enum value set: [{', '.join(allowed)}]"
    )


def check_composite_alarm(settings: Settings, known: Collection[str]) -> None:
    """Raises ValidationError, as PutCompositeAlarm does. `known` are the names of all alarms."""
    require(settings, "AlarmName", "AlarmRule")
    _check_name(settings)
    _check_actions(settings)
    try:
        rule = composite.parse(settings.get("AlarmRule") or "")
    except composite.RuleError as error:
        raise ValidationError(f"AlarmRule must be a valid expression: {error}") from error
    absent = sorted({name for name in composite.names(rule) if name not in known})
    if absent:
        raise ValidationError(
            f"Could not save the composite alarm as alarms [{', '.join(absent)}] in the alarm rule do not "
            "exist"
        )
    if settings["AlarmName"] in set(composite.names(rule)):
        raise ValidationError("An alarm rule must not name its own alarm.")


def check_datum(namespace: str, datum: Settings, number: int, now: float) -> None:
    """Raises InvalidParameterValue or InvalidParameterCombination, as PutMetricData does for one datum."""
    where = f"MetricData.member.{number}"
    require(datum, "MetricName")
    if namespace.startswith("AWS/"):
        raise InvalidParameterValue("The value AWS/ for parameter Namespace is invalid.")
    kinds = [k for k in ("Value", "Values", "StatisticValues") if datum.get(k) is not None]
    if len(kinds) > 1:
        raise InvalidParameterCombination(
            f"The parameters {where}.{kinds[0]} and {where}.{kinds[1]} are mutually exclusive and you have "
            "specified both."
        )
    if not kinds:
        raise InvalidParameterCombination(
            f"At least one of the parameters {where}.Value, {where}.Values or {where}.StatisticValues must "
            "be specified."
        )
    values, counts = datum.get("Values") or [], datum.get("Counts")
    if counts is not None and len(counts) != len(values):
        raise InvalidParameterValue(
            f"The parameters {where}.Values and {where}.Counts must be of the same size."
        )
    for value in (*values, *([datum["Value"]] if "Value" in datum else ())):
        if not math.isfinite(float(value)):
            raise InvalidParameterValue(f"The value {value} for parameter {where}.Value is invalid.")
    if datum.get("StorageResolution") not in (None, 1, 60):
        raise InvalidParameterValue(
            f"The value {datum['StorageResolution']} for parameter {where}.StorageResolution is invalid."
        )
    if datum.get("Timestamp") is not None and not -OLDEST <= seconds(datum["Timestamp"]) - now <= NEWEST:
        raise InvalidParameterValue(
            f"The parameter {where}.Timestamp must specify a time within the past two weeks or the next two "
            "hours."
        )
