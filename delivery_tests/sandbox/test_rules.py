"""The sandbox's deciding parts, without a sandbox: the documentation as functions."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from dnslib import DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from delivery.sandbox.cloudwatch.alarms import AlarmRule, evaluate
from delivery.sandbox.cloudwatch.store import MetricStore, key_of
from delivery.sandbox.dns import DnsServer, Record
from delivery.sandbox.ecs.plan import ServiceView, Stage, TaskView, backoff, breaker_threshold, next_moves
from delivery.sandbox.elb.render import Backend, Condition, Frontend, Rule, render
from delivery.sandbox.elb.requests import Request
from delivery.sandbox.elb.targets import matches
from delivery.sandbox.faults import Fault, Faults, call_of
from delivery_tests.conftest import free_ports

# --- ECS ----------------------------------------------------------------------


def task(name: str, revision: str = "new", stage: Stage = Stage.SERVING, unhealthy: bool = False) -> TaskView:
    """One living task."""
    return TaskView(name, revision, stage, unhealthy)


def test_a_new_service_starts_all_its_tasks() -> None:
    """Nothing runs: the desired count is started."""
    assert next_moves(ServiceView("new", 3), []).start == 3


def test_old_tasks_stay_until_new_ones_serve() -> None:
    """Minimum 100 %: while the new task only starts, no serving old task is stopped."""
    tasks = [task("o1", "old"), task("o2", "old"), task("n1", stage=Stage.STARTING)]
    moves = next_moves(ServiceView("new", 2), tasks)
    assert (moves.stop, moves.start) == ((), 1)


def test_the_maximum_is_not_passed() -> None:
    """Maximum 100 % with minimum 50 %: room is made before anything is started."""
    tasks = [task("o1", "old"), task("o2", "old")]
    moves = next_moves(ServiceView("new", 2, 50, 100), tasks)
    assert moves.start == 0 and len(moves.stop) == 1


def test_a_settled_service_does_nothing() -> None:
    """Every task runs the newest revision and serves."""
    moves = next_moves(ServiceView("new", 2), [task("n1"), task("n2")])
    assert moves.settled and not moves.start and not moves.stop


def test_an_unhealthy_task_is_replaced() -> None:
    """A task the load balancer calls unhealthy is stopped, and another is started beside it."""
    moves = next_moves(ServiceView("new", 1), [task("n1", unhealthy=True)])
    assert (moves.start, moves.stop) == (1, ("n1",))


def test_nothing_is_started_while_backing_off() -> None:
    """A service that is not startable waits, and goes on stopping."""
    moves = next_moves(ServiceView("new", 0, startable=False), [task("n1")])
    assert moves.start == 0 and moves.stop == ("n1",)


STAGES = st.sampled_from([Stage.STARTING, Stage.SERVING, Stage.STOPPING])
TASKS = st.lists(
    st.builds(TaskView, st.uuids().map(str), st.sampled_from(["new", "old"]), STAGES), max_size=12
)


@given(st.integers(0, 6), st.integers(0, 100), st.integers(100, 200), TASKS)
def test_limits_hold_whatever_is_there(low: int, minimum: int, maximum: int, tasks: list[TaskView]) -> None:
    """No start goes above the maximum, and no stop of an old task below the minimum."""
    service = ServiceView("new", low, minimum, maximum)
    moves = next_moves(service, tasks)
    alive = [t for t in tasks if t.stage is not Stage.STOPPING]
    ceiling = max(1, low * maximum // 100) if low else 0
    assert moves.start == 0 or len(alive) + moves.start <= ceiling
    serving = [t for t in alive if t.stage is Stage.SERVING]
    stopped_old = [t for t in serving if t.task_id in moves.stop and t.revision == "old"]
    if stopped_old:
        assert (len(serving) - len(stopped_old)) * 100 >= min(low, len(serving)) * minimum or low == 0


@pytest.mark.parametrize(("desired", "failed"), [(1, 3), (6, 3), (20, 10), (25, 13), (1000, 200)])
def test_the_breakers_threshold(desired: int, failed: int) -> None:
    """Half the desired count, at least 3 and at most 200."""
    assert breaker_threshold(desired) == failed


def test_restarts_are_throttled() -> None:
    """The first failures restart at once, later ones wait longer and longer, up to a limit."""
    waits = [backoff(n) for n in range(12)]
    assert waits[:3] == [0, 0, 0] and waits == sorted(waits) and waits[-1] == 30


# --- CloudWatch -----------------------------------------------------------------


def rule(**more: Any) -> AlarmRule:
    """More than ten, in one of one period, unless told otherwise."""
    values = {
        "comparison": "GreaterThanThreshold",
        "threshold": 10.0,
        "period": 60,
        "periods": 1,
        "to_alarm": 1,
    }
    return AlarmRule(**{**values, **more})


def test_the_threshold_itself_is_not_above_it() -> None:
    """GreaterThanThreshold is strict, GreaterThanOrEqualToThreshold is not."""
    assert evaluate(rule(), [10.0], "OK").state == "OK"
    assert evaluate(rule(comparison="GreaterThanOrEqualToThreshold"), [10.0], "OK").state == "ALARM"


def test_m_out_of_n_datapoints() -> None:
    """Three breaching of five are enough when three are asked for, and two are not."""
    asked = rule(periods=5, to_alarm=3)
    assert evaluate(asked, [11, 0, 12, 0, 13], "OK").state == "ALARM"
    assert evaluate(asked, [11, 0, 12, 0, 0], "OK").state == "OK"


@pytest.mark.parametrize(
    ("missing", "state"),
    [("missing", "INSUFFICIENT_DATA"), ("notBreaching", "OK"), ("breaching", "ALARM"), ("ignore", "ALARM")],
)
def test_missing_data_is_treated_as_told(missing: str, state: str) -> None:
    """No data at all: each of the four treatments; `ignore` keeps the state, which was ALARM."""
    assert evaluate(rule(missing=missing), [None], "ALARM").state == state


def test_periods_are_aligned_and_exact() -> None:
    """Values are counted into periods aligned to the epoch; a period without values is not in the answer."""
    store = MetricStore()
    for at in (120.2, 125.0, 179.9, 245.0):
        store.add("AWS/ApplicationELB", "RequestCount", {"LoadBalancer": "a"}, at, 1.0)
    key = key_of("AWS/ApplicationELB", "RequestCount", {"LoadBalancer": "a"})
    assert store.query(key, "Sum", 60, 0, 300) == [(120, 3.0), (240, 1.0)]
    assert store.query(key_of("AWS/ApplicationELB", "RequestCount", {}), "Sum", 60, 0, 300) == []


@pytest.mark.parametrize(
    ("name", "value"), [("p50", 50), ("p99", 99), ("p100", 100), ("Average", 50.5), ("Maximum", 100)]
)
def test_statistics_of_a_hundred_values(name: str, value: float) -> None:
    """Percentiles are values that were measured."""
    store = MetricStore()
    for number in range(1, 101):
        store.add("AWS/ECS", "CPUUtilization", {}, 10.0, float(number))
    assert store.query(key_of("AWS/ECS", "CPUUtilization", {}), name, 10, 0, 60) == [(10, value)]


# --- ELB ------------------------------------------------------------------------


def test_a_request_line_tells_who_answered() -> None:
    """A target's own 500, and a 503 that the proxy gave because there was no server."""
    own = Request.parse("group|s0|500|12|l-one|--")
    none = Request.parse("group|<NOSRV>|503|-1|l-one|SC")
    assert own is not None and (own.by_target, own.status, own.seconds) == (True, 500, 0.0125)
    assert none is not None and not none.by_target
    assert Request.parse("[NOTICE] haproxy started") is None


@pytest.mark.parametrize(
    ("matcher", "good", "bad"), [("200", 200, 201), ("200-299", 204, 302), ("200,302", 302, 301)]
)
def test_matchers(matcher: str, good: int, bad: int) -> None:
    """A code, a range, a list."""
    assert matches(matcher, good) and not matches(matcher, bad)


def forward(*weights: tuple[str, int]) -> dict[str, Any]:
    """A forward action."""
    groups = [{"TargetGroupArn": f"arn:targetgroup/x/{name}", "Weight": weight} for name, weight in weights]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}


def configured(*rules: Rule) -> str:
    """The proxy's configuration of one listener with these rules."""
    blue = Backend("blue", (("10.0.0.1", 80),))
    return render("/stats", "generation", [Frontend("l", "127.0.0.9", 80, rules)], [blue])


def test_weights_become_shares_of_ten_thousand() -> None:
    """90 and 10 split at 9000; a group of weight 0 is not named at all."""
    front = Frontend(
        "l", "127.0.0.9", 80, (Rule("default", (), forward(("blue", 90), ("green", 10), ("red", 0))),)
    )
    text = render("/s", "g", [front], [Backend("blue", (("10.0.0.1", 80),))])
    assert "use_backend blue if { var(txn.rule) -m str default } { var(txn.draw) -m int lt 9000 }" in text
    assert "use_backend green" in text and "lt 10000" in text and "use_backend red" not in text
    assert "server s0 10.0.0.1:80" in text


def test_patterns_are_elbs_not_regular_expressions() -> None:
    """`*` and `?` are wild, a dot is a dot."""
    front = Frontend(
        "l", "127.0.0.9", 80, (Rule("r1", (Condition("path-pattern", ("/a.b/*?",)),), forward(("x", 1))),)
    )
    assert r"path -m reg '^/a\.b/.*.$'" in render("/s", "g", [front], [])


# --- DNS ------------------------------------------------------------------------


def answers(*records: Record, name: str, kind: str = "A") -> list[str]:
    """What a server with these records says."""
    server = DnsServer(free_ports(1)[0], lambda: records)
    try:
        reply = DNSRecord.parse(server.answer(DNSRecord.question(name, kind).pack()))
    finally:
        server.stop()
    return [str(r.rdata) for r in reply.rr] or [str(reply.header.get_rcode())]


def test_records_answer_by_type() -> None:
    """An address, an alias to a name, a CNAME, a text; an unknown name is NXDOMAIN (3)."""
    records = (
        Record("a.test", "A", ("127.0.0.5",)), Record("b.test", "CNAME", ("a.test",)),
        Record("t.test", "TXT", ("hello",)),
    )  # fmt: skip
    assert answers(*records, name="A.test") == ["127.0.0.5"]
    assert answers(*records, name="b.test") == ["a.test."]
    assert answers(*records, name="t.test", kind="TXT") == ['"hello"']
    assert answers(*records, name="none.test") == ["3"]


# --- faults -----------------------------------------------------------------------


def test_a_fault_is_taken_as_often_as_said() -> None:
    """`after` calls go through, `count` fail, and others are never touched."""
    faults = Faults()
    faults.add(Fault("ecs", "UpdateService", count=2, after=1))
    assert faults.take("ecs", "DescribeServices") is None
    taken = [faults.take("ecs", "UpdateService") is not None for _ in range(5)]
    assert taken == [False, True, True, False, False]


def test_faults_are_taken_once_by_many_threads() -> None:
    """Fifty callers at once share three faults."""
    faults, taken = Faults(), []
    faults.add(Fault("ecs", count=3))
    threads = [threading.Thread(target=lambda: taken.append(faults.take("ecs", "X"))) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(f is not None for f in taken) == 3


@pytest.mark.parametrize(
    ("environ", "body", "call"),
    [
        ({"HTTP_X_AMZ_TARGET": "AmazonEC2ContainerServiceV20141113.UpdateService"}, b"", "UpdateService"),
        ({"CONTENT_TYPE": "application/x-www-form-urlencoded"}, b"Action=ModifyRule&Version=1", "ModifyRule"),
        (
            {"PATH_INFO": "/service/GraniteServiceVersion20100801/operation/DescribeAlarms"},
            b"",
            "DescribeAlarms",
        ),
        ({"REQUEST_METHOD": "PUT", "PATH_INFO": "/bucket/key"}, b"", "PUT /bucket/key"),
    ],
)
def test_operations_are_known_in_every_protocol(environ: dict[str, str], body: bytes, call: str) -> None:
    """JSON, query, CBOR and REST have their own places for it; the signature names the service."""
    signed = {"HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 Credential=k/20261124/us-east-1/svc/aws4_request, …"}
    assert call_of({**environ, **signed}, body) == ("svc", call)
