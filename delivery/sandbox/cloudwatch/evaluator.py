"""The alarms of one account and region: evaluated as time passes, changed by clients, acting on both.

Source: "Evaluating an alarm", "Alarm actions" and "Create a composite alarm" in the Amazon CloudWatch user
guide. A standard alarm is evaluated every minute and one with a shorter period every ten seconds, at the
boundaries of AWS's time; boundaries that passed between two looks are made up for, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.cloudwatch.exceptions import ResourceNotFound, ValidationError
from moto.core.exceptions import ServiceException

from delivery.sandbox.clock import CLOCK, Clock
from delivery.sandbox.cloudwatch import composite, notices
from delivery.sandbox.cloudwatch.alarm import ACTIONS, Alarm, State
from delivery.sandbox.cloudwatch.alarms import ALARM, OK, Evaluation, Point, evaluate, step_of, window
from delivery.sandbox.cloudwatch.history import History, stamp
from delivery.sandbox.cloudwatch.queries import evaluate_queries, key_from
from delivery.sandbox.cloudwatch.series import Series
from delivery.sandbox.cloudwatch.store import MetricStore
from delivery.sandbox.events import EventBus
from delivery.sandbox.server import STATE

#: Real seconds after a boundary until what happened before it has been counted.
SETTLE = 0.5
#: So many boundaries are made up for at most, after the process was held up.
CATCH_UP = 30
#: An Auto Scaling policy as an action: its ARN, the alarm, and the newest datapoint (or None).
Scale = Callable[[str, Alarm, float | None], None]


@dataclass
class AlarmEvaluator:
    """All alarms, which live in moto's backend so that its other calls see them."""

    cloudwatch: Callable[[], Any]
    sns: Callable[[], Any]
    store: MetricStore
    events: EventBus
    account: str
    region: str
    scale: Scale = lambda arn, alarm, value: None
    history: History = field(default_factory=History)
    clock: Clock = field(default_factory=lambda: CLOCK)

    @property
    def alarms(self) -> dict[str, Alarm]:
        """By name."""
        found: dict[str, Alarm] = self.cloudwatch().alarms
        return found

    # --- what clients do ------------------------------------------------------------

    def put(self, settings: dict[str, Any]) -> Alarm:
        """Create an alarm, or replace the settings of one; its state then stays. The settings are valid."""
        known = self.alarms.get(settings["AlarmName"])
        arn = f"arn:aws:cloudwatch:{self.region}:{self.account}:alarm:{settings['AlarmName']}"
        alarm = Alarm(settings, arn, self.clock.utcnow())
        if known is not None:
            alarm.state = known.state
        self.alarms[alarm.name] = alarm
        self.history.configured(alarm, "updated" if known else "created", alarm.configured)
        return alarm

    def delete(self, names: Iterable[str]) -> None:
        """Delete alarms. Raises ResourceNotFound for unknown names, after the others are gone."""
        wanted, absent = list(dict.fromkeys(names)), []
        for name in wanted:
            users = [a.name for a in self.alarms.values() if name in a.children and a.name not in wanted]
            if users:
                raise ValidationError(
                    f"Cannot delete {name} as there are composite alarm(s) depending on it: {users}"
                )
        for name in wanted:
            alarm = self.alarms.pop(name, None)
            if alarm is None:
                absent.append(name)
            else:
                self.history.configured(alarm, "deleted", self.clock.utcnow())
        if absent:
            raise ResourceNotFound(f"The named alarms do not exist: {', '.join(absent)}")

    def set_state(self, name: str, value: str, reason: str, data: str) -> None:
        """SetAlarmState: until the next evaluation, which is soon."""
        if name not in self.alarms:
            raise ResourceNotFound("Unknown")
        self._change(self.alarms[name], value, reason, data)

    # --- what time does -------------------------------------------------------------

    def tick(self) -> None:
        """Evaluate every alarm at each boundary that has passed since the last look."""
        now = self.clock.now()
        with STATE:
            for alarm in list(self.alarms.values()):
                if alarm.rule is None:
                    self._catch_up(alarm, now)
            self._composites()

    def _catch_up(self, alarm: Alarm, now: float) -> None:
        step = step_of(alarm.period)
        newest = int((now - self.clock.scale * SETTLE - self.store.delay) // step) * step
        if alarm.judged == newest:
            return
        first = newest if alarm.judged is None else max(alarm.judged + step, newest - CATCH_UP * step)
        for end in range(first, newest + 1, step):
            self._evaluate(alarm, end)
        alarm.judged = newest

    def _evaluate(self, alarm: Alarm, end: int) -> None:
        points = self._points(alarm, end)
        verdict = evaluate(alarm.asks, points, alarm.state.value)
        if verdict.state != alarm.state.value:
            self._change(alarm, verdict.state, verdict.reason, self._data(alarm, verdict), verdict.points)
        elif verdict.state == ALARM and alarm.actions_enabled:
            # Auto Scaling is asked again every minute while the alarm stays.
            self._scale(alarm, verdict.points)

    def _data(self, alarm: Alarm, verdict: Evaluation) -> str:
        return notices.reason_data(alarm, verdict, stamp(self.clock.utcnow()))

    def _points(self, alarm: Alarm, end: int) -> list[Point | None]:
        """The evaluation range that ends at `end`, oldest first."""
        rule = alarm.asks
        start, end = window(rule, end)
        found: dict[int, Point] = {}
        if alarm.settings.get("Metrics"):
            values = evaluate_queries(self.store, alarm.metrics, start, end, aligned=False)
            returned = next(q["Id"] for q in alarm.metrics if q.get("ReturnData", True))
            series = values[returned]
            if isinstance(series, Series):
                found = {at: Point(at, value) for at, value in series.points.items()}
        else:
            stat = alarm.metrics[0]["MetricStat"]
            periods = self.store.periods(key_from(stat["Metric"]), rule.period, start, end, stat["Unit"])
            for at, bucket in periods:
                value = bucket.statistic(alarm.statistic)
                if value is not None:
                    found[at] = Point(at, value, bucket.count)
        return [found.get(at) for at in range(start, end, rule.period)]

    def _composites(self) -> None:
        """Each composite alarm once its parts changed; one that looks at another follows in the same look."""
        several = [a for a in self.alarms.values() if a.rule is not None]
        for _ in several:
            if not sum(self._compose(alarm) for alarm in several):
                return

    def _compose(self, alarm: Alarm) -> bool:
        parts = [self.alarms[name] for name in sorted(alarm.children) if name in self.alarms]
        states = {part.name: part.state.value for part in parts}
        value = ALARM if composite.holds(composite.parse(alarm.rule or ""), states.get) else OK
        if value == alarm.state.value:
            return False
        newest = max(parts, key=lambda part: part.state.since, default=alarm)
        at = newest.state.since.strftime("%A %d %B, %Y %H:%M:%S UTC")
        reason = f"{newest.alarm_arn} transitioned to {newest.state.value} at {at}"
        data = notices.composite_data([p for p in parts if p.state.value == ALARM] or [newest])
        self._change(alarm, value, reason, data)
        return True

    # --- what follows ----------------------------------------------------------------

    def _change(self, alarm: Alarm, value: str, reason: str, data: str, points: Sequence[Point] = ()) -> None:
        """Give an alarm its state; when it is another one, tell and act."""
        before, now = alarm.state, self.clock.utcnow()
        alarm.state = State(value, reason, data, now)
        if before.value == value:
            return
        self.history.changed(alarm, before)
        self.events.put(
            "aws.cloudwatch", "CloudWatch Alarm State Change", [alarm.alarm_arn], notices.event(alarm, before)
        )
        alarm.suppressed_by = "Alarm" if self._suppressed(alarm) else ""
        if not alarm.actions_enabled or alarm.suppressed_by:
            return
        for arn in alarm.settings[ACTIONS[value]]:
            if ":sns:" in arn:
                self._publish(alarm, before, arn, now)
            elif ":scalingPolicy:" not in arn:
                self.history.acted(alarm, arn, now, "The sandbox does not run this kind of action")
        self._scale(alarm, points)

    def _suppressed(self, alarm: Alarm) -> bool:
        """Whether its ActionsSuppressor is in ALARM."""
        name = str(alarm.settings.get("ActionsSuppressor") or "").split(":alarm:")[-1]
        return name in self.alarms and self.alarms[name].state.value == ALARM

    def _publish(self, alarm: Alarm, before: State, arn: str, now: datetime) -> None:
        topic = self.sns().topics.get(arn)
        if topic is None:
            self.history.acted(alarm, arn, now, f"Resource: {arn} does not exist")
            return
        text = notices.message(alarm, before, self.account, self.region)
        try:
            topic.publish(text, subject=notices.subject(alarm, self.region))
        except ServiceException as error:
            self.history.acted(alarm, arn, now, str(error))
        else:
            self.history.acted(alarm, arn, now)

    def _scale(self, alarm: Alarm, points: Sequence[Point]) -> None:
        """Its Auto Scaling policies of this state."""
        for arn in alarm.settings[ACTIONS[alarm.state.value]]:
            if ":scalingPolicy:" in arn:
                self.scale(arn, alarm, points[-1].value if points else None)
