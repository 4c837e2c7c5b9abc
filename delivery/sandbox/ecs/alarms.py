"""What a deployment asks of CloudWatch's alarms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def alarm_states(cloudwatch: Callable[[], Any]) -> Callable[[str], tuple[str, float] | None]:
    """By name: an alarm's state and how many AWS seconds it looks back; None for an unknown one.

    Source: "How CloudWatch alarms detect Amazon ECS deployment failures" in the ECS developer guide: the
    bake time follows from the alarms' own properties.
    """

    def state(name: str) -> tuple[str, float] | None:
        alarm = cloudwatch().alarms.get(name)
        if alarm is None:
            return None
        seconds = float(getattr(alarm, "period", None) or 60)
        return str(alarm.state_value), seconds * int(getattr(alarm, "evaluation_periods", None) or 1)

    return state
