"""Alarms as AWS's time passes: which minute is judged when, and what follows, on a clock of the test's own.

Amazon CloudWatch user guide: "Evaluating an alarm", "Alarm actions". The first three alarms are the source
design's triggers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from delivery.sandbox.clock import Clock
from delivery.sandbox.cloudwatch.alarm import Alarm
from delivery.sandbox.cloudwatch.evaluator import SETTLE, AlarmEvaluator
from delivery.sandbox.cloudwatch.statistics import Bucket
from delivery.sandbox.cloudwatch.store import MetricStore, key_of

START = 1_800_000_000 // 60 * 60
LATENCY = {"MetricName": "TargetResponseTime", "Statistic": "Average", "Threshold": 5.0,
           "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 5}  # fmt: skip
ERRORS = {"MetricName": "HTTPCode_Target_5XX_Count", "Statistic": "Sum", "Threshold": 10.0,
          "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1}  # fmt: skip
HOSTS = {"MetricName": "HealthyHostCount", "Statistic": "Minimum", "Threshold": 1.0, "EvaluationPeriods": 2,
         "ComparisonOperator": "LessThanThreshold"}  # fmt: skip
TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"


@dataclass
class HandClock(Clock):
    """Tells the time it was set to."""

    moment: float = START

    def now(self) -> float:
        """The moment."""
        return self.moment


@dataclass
class Account:
    """An evaluator over a store, without moto: what it published and put on the bus is kept."""

    clock: HandClock = field(default_factory=HandClock)
    published: list[dict[str, Any]] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    scaled: list[tuple[str, float | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        topic = SimpleNamespace(publish=lambda text, subject: self.published.append(json.loads(text)))
        self.store = MetricStore(now=self.clock.now)
        bus: Any = SimpleNamespace(put=lambda *event: self.events.append(event))
        cloudwatch, sns = SimpleNamespace(alarms={}), SimpleNamespace(topics={TOPIC: topic})
        self.evaluator = AlarmEvaluator(
            lambda: cloudwatch, lambda: sns, self.store, bus, "123456789012", "us-east-1",
            lambda arn, alarm, value: self.scaled.append((arn, value)), clock=self.clock,
        )  # fmt: skip

    def alarm(self, settings: dict[str, Any], **more: Any) -> Alarm:
        """An alarm on a load balancer's metric, with periods of a minute, telling the topic."""
        usual = {"AlarmName": "web", "Namespace": "AWS/ApplicationELB", "Period": 60, "AlarmActions": [TOPIC]}
        return self.evaluator.put({**usual, **settings, **more})

    def measured(self, metric: str, minute: int, *values: float) -> None:
        """Values in the middle of a minute after the start."""
        for value in values:
            self.store.add("AWS/ApplicationELB", metric, {}, START + 60 * minute + 30, value)

    def at(self, seconds: float) -> None:
        """Let the time be so many seconds after the start, and the evaluator look."""
        self.clock.moment = START + seconds
        self.evaluator.tick()


@pytest.fixture
def account() -> Account:
    """Nothing has happened."""
    return Account()


def minutes(account: Account, settings: dict[str, Any], values: list[list[float]]) -> list[str]:
    """The alarm's state after each minute, the values of one minute after another."""
    alarm, states = account.alarm(settings, TreatMissingData="notBreaching"), []
    for minute, several in enumerate(values):
        account.measured(str(settings["MetricName"]), minute, *several)
        account.at(60 * (minute + 1) + SETTLE)
        states.append(alarm.state.value)
    return states


def test_response_time_above_five_seconds_for_five_minutes(account: Account) -> None:
    """Average 5 s is not above 5 s; a hair more fires after exactly the fifth minute, not the fourth."""
    assert minutes(account, LATENCY, [[5.0]] * 6) == ["OK"] * 6
    assert minutes(Account(), LATENCY, [[4.0, 6.000001]] * 6) == ["OK"] * 4 + ["ALARM"] * 2
    assert minutes(Account(), LATENCY, [[9.0]] * 4 + [[5.0], [9.0]]) == ["OK"] * 6


def test_more_than_ten_errors_in_one_minute(account: Account) -> None:
    """Ten in a minute are not more than ten, eleven are; twenty over two minutes are not."""
    assert minutes(account, ERRORS, [[1.0] * 10, [1.0] * 10]) == ["OK", "OK"]
    assert minutes(Account(), ERRORS, [[1.0] * 10, [1.0] * 11]) == ["OK", "ALARM"]


def test_no_healthy_host_for_two_minutes(account: Account) -> None:
    """One minute without a healthy host is not two; a single look at 0 makes a minute's Minimum 0."""
    assert minutes(account, HOSTS, [[1, 1], [1, 0], [1, 1], [1, 1]]) == ["OK"] * 4
    assert minutes(Account(), HOSTS, [[1, 1], [1, 0], [0, 0], [1, 1]]) == ["OK", "OK", "ALARM", "OK"]


def test_a_minute_is_judged_once_it_has_ended(account: Account) -> None:
    """Not before its end, however many errors there are already."""
    alarm = account.alarm(ERRORS)
    account.measured("HTTPCode_Target_5XX_Count", 0, *[1.0] * 50)
    account.at(59.9)
    assert alarm.state.value == "INSUFFICIENT_DATA"
    account.at(60 + SETTLE)
    assert alarm.state.value == "ALARM"


def test_the_publication_delay_is_waited_for(account: Account) -> None:
    """With a delay of 120 s a minute is judged two minutes after its end."""
    account.store.delay = 120.0
    alarm = account.alarm(ERRORS)
    account.measured("HTTPCode_Target_5XX_Count", 0, *[1.0] * 11)
    account.at(179.9)
    assert alarm.state.value == "INSUFFICIENT_DATA"
    account.at(180 + SETTLE)
    assert alarm.state.value == "ALARM"


def test_minutes_that_passed_between_two_looks_are_made_up_for(account: Account) -> None:
    """However late it looks, each minute is judged: the alarm fired and recovered, as the history says."""
    alarm = account.alarm(ERRORS, TreatMissingData="notBreaching")
    account.at(SETTLE)
    account.measured("HTTPCode_Target_5XX_Count", 1, *[1.0] * 11)
    account.at(600 + SETTLE)
    summaries = [i.summary for i in account.evaluator.history.items(account.clock.utcnow())]
    assert alarm.state.value == "OK"
    assert summaries.count("Alarm updated from OK to ALARM") == 1


def test_a_five_minute_period_slides_every_minute(account: Account) -> None:
    """At the end of minute 6 it judges minutes 2 to 6: eleven errors across a boundary of five are seen."""
    alarm = account.alarm(ERRORS, Period=300, TreatMissingData="notBreaching")
    account.at(SETTLE)
    account.measured("HTTPCode_Target_5XX_Count", 4, *[1.0] * 6)
    account.measured("HTTPCode_Target_5XX_Count", 5, *[1.0] * 5)
    account.at(300 + SETTLE)
    assert alarm.state.value == "OK"
    account.at(360 + SETTLE)
    assert alarm.state.value == "ALARM"


def test_an_alarm_on_metric_math(account: Account) -> None:
    """Errors in percent of requests, over two metrics, FILLed where there were none."""

    def metric(id: str, name: str) -> dict[str, Any]:
        stat = {
            "Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": name},
            "Period": 60,
            "Stat": "Sum",
        }
        return {"Id": id, "MetricStat": stat, "ReturnData": False}

    rate = {"Id": "rate", "Expression": "100 * FILL(errors, 0) / requests"}
    queries = [metric("errors", "HTTPCode_Target_5XX_Count"), metric("requests", "RequestCount"), rate]
    alarm = account.evaluator.put({
        "AlarmName": "rate", "Metrics": queries, "Threshold": 5.0, "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold", "AlarmActions": [],
    })  # fmt: skip
    account.measured("RequestCount", 0, *[1.0] * 100)
    account.at(60 + SETTLE)
    assert alarm.state.value == "OK"
    account.measured("RequestCount", 1, *[1.0] * 100)
    account.measured("HTTPCode_Target_5XX_Count", 1, *[1.0] * 6)
    account.at(120 + SETTLE)
    assert alarm.state.value == "ALARM"
    assert json.loads(alarm.state.data)["recentDatapoints"] == [6.0]


def test_a_percentile_alarm_with_few_samples(account: Account) -> None:
    """EvaluateLowSampleCountPercentile `ignore` keeps the state until there are enough samples."""
    slow = {**LATENCY, "Statistic": None, "ExtendedStatistic": "p90", "EvaluationPeriods": 1}
    judged = account.alarm(slow, AlarmName="evaluate")
    ignored = account.alarm(slow, AlarmName="ignore", EvaluateLowSampleCountPercentile="ignore")
    account.measured("TargetResponseTime", 0, *[9.0] * 99)
    account.at(60 + SETTLE)
    assert (judged.state.value, ignored.state.value) == ("ALARM", "INSUFFICIENT_DATA")
    account.measured("TargetResponseTime", 1, *[9.0] * 100)
    account.at(120 + SETTLE)
    assert ignored.state.value == "ALARM"


def test_a_change_tells_the_topic_and_the_bus(account: Account) -> None:
    """The documented message and the documented event, once per change; the history has both."""
    account.alarm(ERRORS, AlarmDescription="too many")
    account.measured("HTTPCode_Target_5XX_Count", 0, *[1.0] * 11)
    account.at(60 + SETTLE)
    account.at(61 + SETTLE)
    (message,), (event,) = account.published, account.events
    assert (message["NewStateValue"], message["OldStateValue"]) == ("ALARM", "INSUFFICIENT_DATA")
    assert message["Region"] == "US East (N. Virginia)" and message["Trigger"]["Statistic"] == "SUM"
    source, kind, resources, detail = event
    assert (source, kind) == ("aws.cloudwatch", "CloudWatch Alarm State Change")
    assert resources == ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:web"]
    assert detail["state"]["value"] == "ALARM" and detail["previousState"]["value"] == "INSUFFICIENT_DATA"
    assert json.loads(detail["state"]["reasonData"])["evaluatedDatapoints"][0]["value"] == 11.0
    kinds = [i.kind for i in account.evaluator.history.items(account.clock.utcnow())]
    assert kinds == ["ConfigurationUpdate", "StateUpdate", "Action"]


def test_disabled_actions_are_not_taken(account: Account) -> None:
    """The state changes and the event is sent, the topic hears nothing."""
    alarm = account.alarm(ERRORS, ActionsEnabled=False)
    account.evaluator.set_state("web", "ALARM", "a test", "")
    assert alarm.state.value == "ALARM" and account.events and not account.published


def test_a_topic_that_is_gone_is_a_failed_action(account: Account) -> None:
    """The history says that the action failed, and the alarm goes on."""
    account.alarm(ERRORS, AlarmActions=[TOPIC + "-gone"])
    account.evaluator.set_state("web", "ALARM", "a test", "")
    last = list(account.evaluator.history.items(account.clock.utcnow()))[-1]
    assert last.summary.startswith("Failed to execute action") and last.data["actionState"] == "Failed"


def test_set_alarm_state_lasts_until_the_next_evaluation(account: Account) -> None:
    """It acts like any change, and the metric's truth returns soon."""
    alarm = account.alarm(ERRORS)
    account.measured("HTTPCode_Target_5XX_Count", 0, 1.0)
    account.at(60 + SETTLE)
    account.evaluator.set_state("web", "ALARM", "a test", "")
    account.evaluator.set_state("web", "ALARM", "the same again", "")
    account.at(90)
    assert alarm.state.value == "ALARM" and len(account.published) == 1
    account.measured("HTTPCode_Target_5XX_Count", 1, 1.0)
    account.at(120 + SETTLE)
    assert alarm.state.value == "OK"


def test_an_alarm_that_is_put_again_keeps_its_state(account: Account) -> None:
    """Its settings are replaced as a whole, its state is left unchanged."""
    account.alarm(ERRORS, AlarmDescription="old")
    account.evaluator.set_state("web", "ALARM", "a test", "")
    again = account.alarm(ERRORS)
    assert again.state.value == "ALARM" and "AlarmDescription" not in again.settings


def test_auto_scaling_is_asked_every_minute_while_the_alarm_stays(account: Account) -> None:
    """Other actions are taken once per change; Auto Scaling's each minute, with the newest datapoint."""
    policy = "arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:x:resource/ecs/a:policyName/p"
    account.alarm(ERRORS, AlarmActions=[policy, TOPIC])
    for minute, count in ((0, 11), (1, 12)):
        account.measured("HTTPCode_Target_5XX_Count", minute, *[1.0] * count)
        account.at(60 * (minute + 1) + SETTLE)
    assert account.scaled == [(policy, 11.0), (policy, 12.0)] and len(account.published) == 1


def test_composite_alarms_follow_their_parts(account: Account) -> None:
    """One over another composite alarm too, in the same look; a suppressor keeps it from acting."""
    account.alarm(ERRORS, AlarmName="errors", AlarmActions=[], TreatMissingData="ignore")
    account.alarm(ERRORS, AlarmName="pause", AlarmActions=[], TreatMissingData="ignore")
    inner = account.evaluator.put(
        {"AlarmName": "inner", "AlarmRule": "ALARM(errors)", "AlarmActions": [TOPIC]}
    )
    outer = account.evaluator.put({
        "AlarmName": "outer", "AlarmRule": "ALARM(inner) AND NOT OK(errors)", "AlarmActions": [TOPIC],
        "ActionsSuppressor": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:pause",
    })  # fmt: skip
    account.at(1)
    assert (inner.state.value, outer.state.value) == ("OK", "OK")
    account.evaluator.set_state("pause", "ALARM", "we are deploying", "")
    account.evaluator.set_state("errors", "ALARM", "a test", "")
    account.at(2)
    assert (inner.state.value, outer.state.value) == ("ALARM", "ALARM")
    assert "alarm:errors transitioned to ALARM at" in inner.state.reason
    assert json.loads(inner.state.data)["triggeringAlarms"][0]["state"]["value"] == "ALARM"
    assert [m["AlarmName"] for m in account.published] == ["inner"] and outer.suppressed_by == "Alarm"


def test_a_put_metric_is_judged_like_a_measured_one(account: Account) -> None:
    """One store: an alarm cannot tell who counted."""
    alarm = account.alarm(ERRORS, Namespace="Mine", MetricName="Failures")
    bucket = Bucket()
    bucket.add_set(3, 11, 1, 8)
    account.store.put(key_of("Mine", "Failures", {}), START + 1, bucket)
    account.at(60 + SETTLE)
    assert alarm.state.value == "ALARM"
