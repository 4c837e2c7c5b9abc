"""One alarm: what PutMetricAlarm or PutCompositeAlarm said, and its state.

Source: "MetricAlarm" and "CompositeAlarm" in the Amazon CloudWatch API reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from delivery.sandbox.cloudwatch import composite
from delivery.sandbox.cloudwatch.alarms import INSUFFICIENT, AlarmRule
from delivery.sandbox.cloudwatch.statistics import needed_samples

INITIAL = "Unchecked: Initial alarm creation"
#: Which of an alarm's actions belong to which state.
ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}


@dataclass(frozen=True, slots=True)
class State:
    """OK, ALARM or INSUFFICIENT_DATA; why, as a sentence and as JSON; since when."""

    value: str
    reason: str
    data: str
    since: datetime


@dataclass(slots=True)
class Alarm:
    """A metric alarm or a composite one. `settings` are the request's parameters under their AWS names.

    `judged` is the end of the last period that was evaluated, None when it must be evaluated anew.
    """

    settings: dict[str, Any]
    alarm_arn: str
    configured: datetime
    state: State = field(init=False)
    judged: int | None = None
    suppressed_by: str = ""

    def __post_init__(self) -> None:
        self.state = State(INSUFFICIENT, INITIAL, "", self.configured)
        self.settings.setdefault("ActionsEnabled", True)
        for actions in ACTIONS.values():
            self.settings[actions] = list(self.settings.get(actions) or ())

    @property
    def name(self) -> str:
        """Its name, unique in account and region."""
        return str(self.settings["AlarmName"])

    @property
    def rule(self) -> str | None:
        """The rule of a composite alarm; None for a metric alarm."""
        return self.settings.get("AlarmRule")

    @property
    def kind(self) -> str:
        """MetricAlarm or CompositeAlarm."""
        return "MetricAlarm" if self.rule is None else "CompositeAlarm"

    @property
    def children(self) -> set[str]:
        """The names of the alarms a composite alarm looks at."""
        return set(composite.names(composite.parse(self.rule))) if self.rule else set()

    @property
    def state_value(self) -> str:
        """Its state, as moto's filters ask for it."""
        return self.state.value

    @property
    def alarm_actions(self) -> list[str]:
        """Its actions for ALARM, as moto's filters ask for them."""
        return list(self.settings["AlarmActions"])

    @property
    def actions_enabled(self) -> bool:
        """Whether it acts."""
        return bool(self.settings["ActionsEnabled"])

    @actions_enabled.setter
    def actions_enabled(self, enabled: bool) -> None:
        self.settings["ActionsEnabled"] = enabled

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """Its queries: the Metrics it was put with, or the one metric it names."""
        found = self.settings.get("Metrics")
        if found:
            return list(found)
        stat = {
            "Metric": {k: self.settings.get(k) for k in ("Namespace", "MetricName", "Dimensions")},
            "Period": self.settings["Period"],
            "Stat": self.statistic,
            "Unit": self.settings.get("Unit"),
        }
        return [{"Id": "m1", "MetricStat": stat, "ReturnData": True}]

    @property
    def statistic(self) -> str:
        """Sum, p99, …; empty for metric math."""
        return str(self.settings.get("Statistic") or self.settings.get("ExtendedStatistic") or "")

    @property
    def period(self) -> int:
        """Seconds of one datapoint; of metric math, of its longest metric."""
        if self.settings.get("Period"):
            return int(self.settings["Period"])
        queries: Sequence[Mapping[str, Any]] = self.metrics
        return max(int(q.get("Period") or q.get("MetricStat", {}).get("Period") or 60) for q in queries)

    @property
    def asks(self) -> AlarmRule:
        """What it asks of its datapoints."""
        held = self.settings
        few = held.get("EvaluateLowSampleCountPercentile") == "ignore"
        return AlarmRule(
            held["ComparisonOperator"], float(held["Threshold"]), self.period, int(held["EvaluationPeriods"]),
            int(held.get("DatapointsToAlarm") or held["EvaluationPeriods"]),
            held.get("TreatMissingData") or "missing", needed_samples(self.statistic) if few else 0.0,
        )  # fmt: skip

    def described(self) -> dict[str, Any]:
        """As DescribeAlarms shows it."""
        state = {
            "StateValue": self.state.value, "StateReason": self.state.reason,
            "StateUpdatedTimestamp": self.state.since, "StateTransitionedTimestamp": self.state.since,
            "AlarmConfigurationUpdatedTimestamp": self.configured, "AlarmArn": self.alarm_arn,
        }  # fmt: skip
        if self.state.data:
            state["StateReasonData"] = self.state.data
        if self.suppressed_by:
            state["ActionsSuppressedBy"] = self.suppressed_by
        own = {k: v for k, v in self.settings.items() if k != "Tags" and v is not None}
        if self.rule is None:
            own["Dimensions"] = list(own.get("Dimensions") or ())
        return {**own, **state}
