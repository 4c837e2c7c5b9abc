"""All alarms that fire, for the one alarm sensor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from delivery.adapters.aws.errors import translated
from delivery.adapters.aws.session import Aws
from delivery.ports import FiringAlarm


class CloudWatchAlarms:
    """`Alarms` of the account and region."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def firing(self) -> tuple[FiringAlarm, ...]:
        """Every alarm in ALARM state, metric and composite ones, by name; one paginated call."""
        with translated("The firing alarms could not be listed"):
            pages = self._aws.client("cloudwatch").get_paginator("describe_alarms")
            found = [
                _alarm(alarm)
                for page in pages.paginate(StateValue="ALARM", AlarmTypes=["MetricAlarm", "CompositeAlarm"])
                for alarm in (*page.get("MetricAlarms", ()), *page.get("CompositeAlarms", ()))
            ]
        return tuple(sorted(found, key=lambda alarm: alarm.name))


def _alarm(alarm: dict[str, Any]) -> FiringAlarm:
    # The transition is when it began to fire; the other stamp also moves when only the reason changes.
    since: datetime = alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"]
    period = float(alarm.get("Period") or 0)
    # One period more than is evaluated: a period is published, and its alarm evaluated, after its end.
    span = timedelta(seconds=period * (int(alarm.get("EvaluationPeriods") or 0) + 1) if period else 0)
    return FiringAlarm(alarm["AlarmName"], since.astimezone(UTC), alarm.get("StateReason", ""), span)
