"""What happened to alarms, newest first, as DescribeAlarmHistory tells it.

Source: "AlarmHistoryItem" in the Amazon CloudWatch API reference. It is kept 30 days, also of alarms that are
gone.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from delivery.sandbox.cloudwatch.alarm import Alarm, State

RETENTION = timedelta(days=30)
#: So many items of all alarms are held at most; the oldest go first.
LIMIT = 20_000


def stamp(moment: datetime) -> str:
    """A moment as CloudWatch writes it into its JSON: `2026-11-24T10:17:26.123+0000`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"


@dataclass(frozen=True, slots=True)
class Item:
    """One entry. `kind` is ConfigurationUpdate, StateUpdate or Action."""

    alarm: str
    alarm_type: str
    kind: str
    at: datetime
    summary: str
    data: dict[str, Any]

    def described(self) -> dict[str, Any]:
        """As DescribeAlarmHistory shows it."""
        return {
            "AlarmName": self.alarm, "AlarmType": self.alarm_type, "Timestamp": self.at,
            "HistoryItemType": self.kind, "HistorySummary": self.summary,
            "HistoryData": json.dumps(self.data),
        }  # fmt: skip


@dataclass
class History:
    """Of all alarms of one account and region."""

    _items: deque[Item] = field(default_factory=lambda: deque(maxlen=LIMIT))

    def configured(self, alarm: Alarm, verb: str, at: datetime) -> None:
        """Created, updated or deleted."""
        name = {"created": "createdAlarm", "updated": "updatedAlarm", "deleted": "deletedAlarm"}[verb]
        kind = {"created": "Create", "updated": "Update", "deleted": "Delete"}[verb]
        data = {"version": "1.0", "type": kind, name: configuration(alarm)}
        self._add(alarm, "ConfigurationUpdate", at, f'Alarm "{alarm.name}" {verb}', data)

    def changed(self, alarm: Alarm, before: State) -> None:
        """It went from one state to another."""
        data = {"version": "1.0", "oldState": _state(before), "newState": _state(alarm.state)}
        summary = f"Alarm updated from {before.value} to {alarm.state.value}"
        self._add(alarm, "StateUpdate", alarm.state.since, summary, data)

    def acted(self, alarm: Alarm, arn: str, at: datetime, error: str = "") -> None:
        """It did something, or could not."""
        data = {
            "actionState": "Failed" if error else "Succeeded",
            "stateUpdateTimestamp": int(alarm.state.since.timestamp() * 1000),
            "notificationResource": arn,
        }
        summary = f"Failed to execute action {arn}" if error else f"Successfully executed action {arn}"
        self._add(alarm, "Action", at, summary, {**data, "error": error} if error else data)

    def items(self, now: datetime) -> Iterator[Item]:
        """Oldest first, of the last 30 days."""
        return (item for item in list(self._items) if item.at > now - RETENTION)

    def _add(self, alarm: Alarm, kind: str, at: datetime, summary: str, data: dict[str, Any]) -> None:
        self._items.append(Item(alarm.name, alarm.kind, kind, at, summary, data))


def _state(state: State) -> dict[str, Any]:
    told: dict[str, Any] = {"stateValue": state.value, "stateReason": state.reason}
    return {**told, "stateReasonData": json.loads(state.data)} if state.data else told


def configuration(alarm: Alarm) -> dict[str, Any]:
    """An alarm's settings as the history writes them: names begin in lower case."""
    shown = alarm.described()
    return {_lower(k): _plain(v) for k, v in shown.items() if k != "StateReasonData"}


def _lower(name: str) -> str:
    return "okactions" if name == "OKActions" else name[:1].lower() + name[1:]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, dict):
        return {_lower(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value
