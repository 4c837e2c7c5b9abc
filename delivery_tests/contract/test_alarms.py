"""The alarms that fire, in memory and in CloudWatch."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from delivery.adapters.aws.alarms import CloudWatchAlarms
from delivery.errors import UnavailableError
from delivery.ports import Alarms
from delivery_tests.contract.cloud import aws_of, aws_that_does_not_answer
from delivery_tests.fakes import FakeAlarms, Wire

REASON = "Threshold Crossed: 1 datapoint [12.0] was greater than the threshold (10.0)."


@dataclass
class Scene:
    """The port, and how tests make an alarm fire and stop; names begin with `prefix`."""

    alarms: Alarms
    fire: Callable[[str], None]
    clear: Callable[[str], None]
    prefix: str

    def names(self) -> list[str]:
        """The test's own firing alarms: others share the account."""
        return [a.name.removeprefix(self.prefix) for a in self.alarms.firing() if self.mine(a.name)]

    def mine(self, name: str) -> bool:
        """Whether the alarm is this test's."""
        return name.startswith(self.prefix)


@pytest.fixture(params=["fake", pytest.param("adapter", marks=pytest.mark.sandbox)])
def scene(request: pytest.FixtureRequest) -> Scene:
    """No alarm fires."""
    prefix = f"t{uuid.uuid4().hex[:8]}-"
    if request.param == "fake":
        fake = FakeAlarms(Wire())
        return Scene(
            fake,
            lambda name: fake.fire(prefix + name, datetime.now(UTC), REASON),
            lambda name: fake.clear(prefix + name),
            prefix,
        )
    sandbox = request.getfixturevalue("sandbox")
    cloudwatch = sandbox.client("cloudwatch")

    def turn(name: str, state: str) -> None:
        # A metric nobody puts, and `ignore`: nothing but this test moves the alarm.
        cloudwatch.put_metric_alarm(
            AlarmName=prefix + name, Namespace="Test", MetricName="M", Statistic="Sum", Period=60,
            EvaluationPeriods=1, Threshold=10, ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="ignore",
        )  # fmt: skip
        cloudwatch.set_alarm_state(AlarmName=prefix + name, StateValue=state, StateReason=REASON)

    return Scene(
        CloudWatchAlarms(aws_of(sandbox)), lambda n: turn(n, "ALARM"), lambda n: turn(n, "OK"), prefix
    )


def test_only_firing_alarms_are_told(scene: Scene) -> None:
    """An alarm is told from when it fires until it stops, in order of names."""
    assert scene.names() == []
    scene.fire("web-5xx")
    scene.fire("api-5xx")
    assert scene.names() == ["api-5xx", "web-5xx"]
    scene.clear("api-5xx")
    assert scene.names() == ["web-5xx"]


def test_a_firing_alarm_says_since_when_and_why(scene: Scene) -> None:
    """The moment is in UTC and about now; the reason is the provider's own."""
    before = datetime.now(UTC)
    scene.fire("web-5xx")
    alarm = next(a for a in scene.alarms.firing() if scene.mine(a.name))
    assert alarm.reason == REASON
    assert alarm.since.utcoffset() == timedelta(0)
    assert timedelta(seconds=-2) < alarm.since - before < timedelta(minutes=1)


def test_an_account_that_does_not_answer_is_an_error_not_silence() -> None:
    """Not being able to look is never "no alarm"."""
    with pytest.raises(UnavailableError, match="alarms could not be listed"):
        CloudWatchAlarms(aws_that_does_not_answer()).firing()
