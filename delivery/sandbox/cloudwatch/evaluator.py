"""Evaluates moto's alarms every second and tells SNS, as the documented message."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from delivery.sandbox.cloudwatch.alarms import AlarmRule, evaluate
from delivery.sandbox.cloudwatch.store import MetricStore, key_of
from delivery.sandbox.server import STATE

#: A period is judged this many seconds after its end, when its last request has been counted.
SETTLE = 1.0


@dataclass
class AlarmEvaluator:
    """All alarms of one account and region."""

    cloudwatch: Callable[[], Any]
    sns: Callable[[], Any]
    store: MetricStore
    account: str
    region: str

    def tick(self) -> None:
        """Evaluate every alarm on the last complete periods."""
        now = time.time()
        with STATE:
            for alarm in list(self.cloudwatch().alarms.values()):
                if alarm.rule is None and alarm.metric_name and self.store.knows(alarm.namespace):
                    self._evaluate(alarm, now)

    def _evaluate(self, alarm: Any, now: float) -> None:
        period, periods = int(alarm.period), int(alarm.evaluation_periods)
        end = int((now - SETTLE) // period) * period
        start = end - period * periods
        dimensions = {d.name: d.value for d in alarm.dimensions}
        key = key_of(alarm.namespace, alarm.metric_name, dimensions)
        statistic = alarm.statistic or alarm.extended_statistic
        values = dict(self.store.query(key, statistic, period, start, end))
        points = [values.get(at) for at in range(start, end, period)]
        rule = AlarmRule(
            alarm.comparison_operator, float(alarm.threshold), period, periods,
            int(alarm.datapoints_to_alarm or periods), alarm.treat_missing_data or "missing",
        )  # fmt: skip
        verdict = evaluate(rule, points, alarm.state_value)
        if verdict.state != alarm.state_value:
            data = {
                "version": "1.0",
                "period": period,
                "recentDatapoints": [p for p in points if p is not None],
            }
            before = alarm.state_value
            alarm.update_state(verdict.reason, json.dumps(data), verdict.state)
            self._tell(alarm, before)

    def _tell(self, alarm: Any, before: str) -> None:
        actions = {
            "ALARM": alarm.alarm_actions,
            "OK": alarm.ok_actions,
            "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
        }[alarm.state_value]
        if not alarm.actions_enabled:
            return
        for arn in actions or ():
            if ":sns:" in arn and arn in self.sns().topics:
                subject = f'{alarm.state_value}: "{alarm.name}" in {self.region}'
                self.sns().topics[arn].publish(json.dumps(self._message(alarm, before)), subject=subject)

    def _message(self, alarm: Any, before: str) -> dict[str, Any]:
        return {
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.description,
            "AWSAccountId": self.account,
            "AlarmArn": alarm.alarm_arn,
            "NewStateValue": alarm.state_value,
            "OldStateValue": before,
            "NewStateReason": alarm.state_reason,
            "StateChangeTime": datetime.now(UTC).isoformat(),
            "Region": self.region,
            "Trigger": {
                "MetricName": alarm.metric_name,
                "Namespace": alarm.namespace,
                "Statistic": alarm.statistic,
                "Dimensions": [{"name": d.name, "value": d.value} for d in alarm.dimensions],
                "Period": alarm.period,
                "EvaluationPeriods": alarm.evaluation_periods,
                "ComparisonOperator": alarm.comparison_operator,
                "Threshold": alarm.threshold,
                "TreatMissingData": alarm.treat_missing_data,
            },
        }
