"""Measurements of a slot: of the fake world's traffic, and of real requests counted by the sandbox."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from delivery.adapters.aws.metrics import CloudWatchMetrics
from delivery.adapters.aws.shared import SharedReads
from delivery.core.analysis import Rule
from delivery.core.infra import DeployContract
from delivery.core.release import Slot
from delivery.core.sample import Reading, Series
from delivery.ports import Metrics
from delivery_tests.conftest import RunningSandbox
from delivery_tests.contract.cloud import aws_of, aws_that_does_not_answer
from delivery_tests.fakes import Behaviour, FakeWorld, sample_contract, sample_release
from delivery_tests.sandbox.conftest import app_image  # noqa: F401  - a fixture
from delivery_tests.sandbox.stack import Stack, eventually

#: Seconds of a datapoint: the shortest period of CloudWatch's but one.
PER = 5
ERRORS = Rule("errors", "HTTPCode_Target_5XX_Count", "Sum", ">", 10, per=PER, duration=PER, no_data="zero")
LATENCY = Rule("latency", "TargetResponseTime", "p99", ">", 5, per=PER, duration=PER)
HOSTS = Rule("hosts", "HealthyHostCount", "Minimum", "<", 1, per=PER, duration=PER, no_data="fail")
RULES = (ERRORS, LATENCY, HOSTS)


def readings(rules: Sequence[Rule], slot: Slot, start: datetime, end: datetime) -> list[Reading]:
    """What is asked for these rules."""
    return [
        Reading(r.name, r.metric, r.statistic, r.per, slot, start, end, r.no_data == "zero") for r in rules
    ]


def read(
    metrics: Metrics, rules: Sequence[Rule], slot: Slot, start: datetime, end: datetime
) -> dict[str, Series]:
    """The answers by name."""
    return {series.rule: series for series in metrics.read(readings(rules, slot, start, end))}


@dataclass
class Scene:
    """Both slots serve one task or more; blue has all the traffic and a third of it fails.

    `served` and `failed` are blue's true counts between `start` and `end`.
    """

    metrics: Metrics
    start: datetime
    end: datetime
    served: float
    failed: float
    fire: Callable[[str], None]

    def read(self, slot: Slot, **changes: datetime) -> Mapping[str, Series]:
        """All rules over the scene's span."""
        return read(self.metrics, RULES, slot, changes.get("start", self.start), changes.get("end", self.end))


def fake_scene() -> Scene:
    """Ten seconds of the fake world."""
    world = FakeWorld()
    ports = world.at()
    good, bad = sample_release("good"), sample_release("bad")
    ports.target.seed(Slot.GREEN, good, weight=0)
    ports.target.seed(Slot.BLUE, bad)
    world.behave(bad.commit, Behaviour(error_rate=1 / 3))
    start = world.clock.now()
    world.clock.advance(4 * PER)
    served = ports.metrics.requests_per_second * 4 * PER

    def fire(name: str) -> None:
        world.alarms.fire(name, world.clock.now(), "12 of 10")

    return Scene(ports.metrics, start, world.clock.now(), served, served / 3, fire)


def contract_of(stack: Stack) -> DeployContract:
    """What Terraform would output for the stack."""
    suffixes = {slot: {d["Name"]: d["Value"] for d in stack.dimensions(slot)} for slot in stack.groups}
    return replace(
        sample_contract(),
        cluster=stack.name,
        services={slot: f"{stack.name}-{slot}" for slot in stack.groups},
        target_group_suffixes={slot: named["TargetGroup"] for slot, named in suffixes.items()},
        load_balancer_suffix=suffixes["blue"]["LoadBalancer"],
        alarm_names={
            slot: (f"{stack.name}-{slot}-5xx", f"{stack.name}-{slot}-hosts") for slot in stack.groups
        },
    )


def sandbox_scene(sandbox: RunningSandbox, stack: Stack, folder: Path) -> Scene:
    """Thirty real requests, ten of them answered 500."""
    for slot in ("blue", "green"):
        stack.group(slot)
    stack.route(blue=100, green=0)
    for slot in ("blue", "green"):
        stack.service(slot, stack.revision(NAME=slot))
    for slot in ("blue", "green"):
        eventually(lambda slot=slot: stack.health(slot), lambda h: h == [("healthy", "")], 60)
    eventually(stack.ask, lambda answer: answer == (200, "blue"))
    cloudwatch = sandbox.client("cloudwatch")
    contract = contract_of(stack)
    for names in contract.alarm_names.values():
        name = names[0]  # the other one is not there
        cloudwatch.put_metric_alarm(
            AlarmName=name, Namespace="Test", MetricName="M", Statistic="Sum", Period=60,
            EvaluationPeriods=1, Threshold=10, ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="ignore",
        )  # fmt: skip
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="fine")
    # The requests above belong to periods before: wait for the next one, and let the last one end.
    start = _wait_for_period(datetime.now(UTC) + timedelta(seconds=2))
    before = sum(stack.total("RequestCount", "blue"))
    answers = stack.ask_many(20) + stack.ask_many(10, "/status/500")
    assert answers == {(200, "blue"): 20, (500, "blue"): 10}
    eventually(lambda: sum(stack.total("RequestCount", "blue")) - before, lambda n: n == 30)
    end = _wait_for_period(max(datetime.now(UTC), start + timedelta(seconds=3 * PER)))

    def fire(name: str) -> None:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="12 of 10")

    aws = aws_of(sandbox)
    return Scene(CloudWatchMetrics(aws, contract, SharedReads(aws, folder)), start, end, 30, 10, fire)


def _wait_for_period(moment: datetime) -> datetime:
    """The first start of a period after `moment`, which has come when this returns."""
    at = -(-moment.timestamp() // PER) * PER
    eventually(time.time, lambda now: now >= at)
    return datetime.fromtimestamp(at, UTC)


@pytest.fixture(scope="module")
def stack(sandbox: RunningSandbox, app_image: str) -> Iterator[Stack]:  # noqa: F811
    """One stack for the whole suite: making it takes longer than asking it."""
    made = Stack(sandbox, app_image)
    yield made
    made.close()


@pytest.fixture(scope="module", params=["fake", pytest.param("adapter", marks=pytest.mark.sandbox)])
def scene(request: pytest.FixtureRequest) -> Scene:
    """Traffic that has happened."""
    if request.param == "fake":
        return fake_scene()
    folder = request.getfixturevalue("tmp_path_factory").mktemp("reads")
    return sandbox_scene(request.getfixturevalue("sandbox"), request.getfixturevalue("stack"), folder)


def test_every_error_is_counted_and_every_request(scene: Scene) -> None:
    """The sums over the periods are exactly what was served, and the query is kept as evidence."""
    errors = scene.read(Slot.BLUE)["errors"]
    assert errors.error == "" and errors.rule == "errors"
    assert sum(s.value for s in errors.samples) == pytest.approx(scene.failed)
    assert errors.requests == pytest.approx(scene.served)
    assert "HTTPCode_Target_5XX_Count" in errors.query


def test_samples_are_in_order_in_utc_and_at_the_start_of_their_periods(scene: Scene) -> None:
    """Each sample's time is the start of a whole period inside the span, oldest first."""
    samples = scene.read(Slot.BLUE)["hosts"].samples
    times = [s.at for s in samples]
    assert len(samples) >= 3 and times == sorted(times)
    assert all(t.timestamp() % PER == 0 and t.utcoffset() == timedelta(0) for t in times)
    assert scene.start <= times[0] and times[-1] + timedelta(seconds=PER) <= scene.end


def test_what_the_slot_did_is_the_slots_own(scene: Scene) -> None:
    """A slot without traffic has healthy hosts, but no errors, times or requests; and that is no error."""
    green = scene.read(Slot.GREEN)
    assert green["hosts"].samples and all(s.value >= 1 for s in green["hosts"].samples)
    assert green["errors"].samples == green["latency"].samples == ()
    assert green["errors"].requests == 0
    assert {s.error for s in green.values()} == {""}


def test_both_slots_are_read_together_each_over_its_own_span(scene: Scene) -> None:
    """Readings of both slots come back in their order and as if asked alone, with the requests per period."""
    first = scene.read(Slot.BLUE)["hosts"].samples[0].at
    span = (first, first + timedelta(seconds=PER))
    mixed = [*readings(RULES, Slot.BLUE, scene.start, scene.end), *readings(RULES, Slot.GREEN, *span)]
    together = scene.metrics.read(mixed)
    assert [s.rule for s in together] == [r.name for r in mixed]
    assert together[:3] == tuple(scene.read(Slot.BLUE).values())
    assert [s.at for s in together[5].samples] == [first]
    errors = together[0]
    assert sum(s.value for s in errors.witness) == errors.requests == pytest.approx(scene.served)
    assert {s.at for s in errors.samples} <= {s.at for s in errors.witness}


def test_answers_that_may_be_old_are_those_of_before(scene: Scene) -> None:
    """What is long published is the same asked afresh, asked for all workers, and told of what was asked."""
    asked = readings(RULES, Slot.BLUE, scene.start, scene.end)
    fresh = scene.metrics.read(asked)
    assert [scene.metrics.read(asked, within=20.0) for _ in range(2)] == [fresh, fresh]
    empty = readings(RULES, Slot.BLUE, scene.end, scene.end)
    assert all(s.samples == () and not s.error for s in scene.metrics.read(empty, within=20.0))


def test_times_are_measured_in_seconds(scene: Scene) -> None:
    """A percentile of the response time, in seconds."""
    samples = scene.read(Slot.BLUE)["latency"].samples
    assert samples and all(0 < s.value < 2 for s in samples)


def test_only_complete_periods_are_read(scene: Scene) -> None:
    """A span that cuts its only period at both ends has no sample, for half a sum is no sum."""
    first = scene.read(Slot.BLUE)["hosts"].samples[0].at
    later, end = first + timedelta(seconds=0.5), first + timedelta(seconds=2 * PER - 0.5)
    cut = scene.read(Slot.BLUE, start=later, end=end)
    assert [s.samples for s in cut.values()] == [(), (), ()]
    whole = scene.read(Slot.BLUE, start=first, end=end)
    assert [s.at for s in whole["hosts"].samples] == [first]


def test_an_empty_span_asks_nothing_and_says_nothing(scene: Scene) -> None:
    """No time, no rules: no samples, no error."""
    assert all(s.samples == () and not s.error for s in scene.read(Slot.BLUE, end=scene.start).values())
    assert scene.metrics.read(()) == ()


def test_alarms_are_told_with_state_and_reason(scene: Scene) -> None:
    """A slot's alarms by name; only the one that fires says ALARM, and it says why."""
    before = scene.metrics.alarms(Slot.BLUE)
    assert before and not any(state.startswith("ALARM") for state in before.values())
    name = next(n for n in before if n.endswith("5xx"))
    scene.fire(name)
    after = scene.metrics.alarms(Slot.BLUE)
    assert after[name] == "ALARM: 12 of 10"
    assert {n: s for n, s in after.items() if n != name} == {n: s for n, s in before.items() if n != name}
    assert not any(state.startswith("ALARM") for state in scene.metrics.alarms(Slot.GREEN).values())
    old = scene.metrics.alarms(Slot.BLUE, within=20.0)
    assert [n for n, state in old.items() if state.startswith("ALARM")] == [name] and old[name] == after[name]


def test_a_provider_that_does_not_answer_is_an_error_in_each_series() -> None:
    """Could not look is never "nothing was there": each series says so, with its query."""
    metrics = CloudWatchMetrics(aws_that_does_not_answer(), sample_contract())
    start = datetime(2026, 1, 1, tzinfo=UTC)
    told = read(metrics, RULES, Slot.BLUE, start, start + timedelta(minutes=1))
    assert set(told) == {"errors", "latency", "hosts"}
    assert all("could not be read" in s.error and s.query and s.requests is None for s in told.values())


@pytest.mark.sandbox
def test_an_alarm_that_is_gone_says_so(sandbox: RunningSandbox) -> None:
    """An alarm of the contract that CloudWatch does not have is insufficient data, not silence."""
    contract = replace(sample_contract(), alarm_names={"blue": ("deleted-by-hand",), "green": ()})
    metrics = CloudWatchMetrics(aws_of(sandbox), contract)
    assert metrics.alarms(Slot.BLUE) == {
        "deleted-by-hand": "INSUFFICIENT_DATA: CloudWatch has no alarm of this name"
    }
    assert metrics.alarms(Slot.GREEN) == {}


@pytest.mark.sandbox
@pytest.mark.parametrize("scene", ["adapter"], indirect=True)
def test_cpu_comes_from_ecs_in_the_same_request(sandbox: RunningSandbox, stack: Stack, scene: Scene) -> None:
    """A rule on the tasks' CPU has ECS's dimensions, and stands beside the load balancer's in one read."""
    metrics = CloudWatchMetrics(aws_of(sandbox), contract_of(stack))
    cpu = Rule("cpu", "CPUUtilization", "Average", ">", 90, per=PER, duration=PER)

    def look() -> Mapping[str, Series]:
        now = datetime.now(UTC)
        return read(metrics, (cpu, HOSTS), Slot.GREEN, now - timedelta(seconds=60), now)

    found = eventually(look, lambda series: series["cpu"].samples)
    assert f"ServiceName={stack.name}-green" in found["cpu"].query and found["hosts"].samples
    assert all(0 <= s.value <= 100 for s in found["cpu"].samples)


@pytest.mark.sandbox
def test_all_rules_cost_one_request(sandbox: RunningSandbox) -> None:
    """However many rules, slots, spans and namespaces: one GetMetricData, for its price is per request."""
    aws, calls = aws_of(sandbox), []
    aws.client("cloudwatch").meta.events.register(
        "before-call", lambda **call: calls.append(call["model"].name)
    )
    more = (replace(ERRORS, name="slow", per=60), replace(LATENCY, name="cpu", metric="CPUUtilization"))
    now = datetime.now(UTC)
    asked = readings((*RULES, *more), Slot.BLUE, now - timedelta(minutes=5), now)
    asked += readings(RULES, Slot.GREEN, now - timedelta(minutes=9), now)
    told = CloudWatchMetrics(aws, sample_contract()).read(asked)
    assert calls == ["GetMetricData"]
    assert [s.rule for s in told] == [r.name for r in asked] and {s.error for s in told} == {""}
