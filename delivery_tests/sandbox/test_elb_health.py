"""Target states, draining and metrics of Elastic Load Balancing, in compressed time: 20 AWS seconds a second.

Pages of the Application Load Balancers user guide: "Health checks for Application Load Balancer target
groups", "Edit target group attributes" (deregistration delay), "CloudWatch metrics for your Application Load
Balancer", "Troubleshoot your Application Load Balancers".
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.edge import Edge, forward, path
from delivery_tests.sandbox.stack import eventually

pytestmark = pytest.mark.sandbox
#: Real seconds: one between checks, half a one for an answer.
CHECKS = {"HealthCheckIntervalSeconds": 20, "HealthCheckTimeoutSeconds": 10}


@pytest.fixture(scope="module")
def edge(compressed: RunningSandbox) -> Iterator[Edge]:
    """A load balancer that waits long for its targets."""
    made = Edge(compressed)
    idle(made, 2400)
    yield made
    made.close()


def idle(edge: Edge, seconds: int) -> None:
    """Set the idle timeout."""
    edge.elb.modify_load_balancer_attributes(
        LoadBalancerArn=edge.balancer,
        Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": str(seconds)}],
    )


def behind(edge: Edge, where: str, *upstreams: Any, delay: int = 300, **more: Any) -> str:
    """A group that gets what is under a path."""
    group = edge.group(*upstreams, **{**CHECKS, **more})
    edge.elb.modify_target_group_attributes(
        TargetGroupArn=group,
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": str(delay)}],
    )
    edge.rule([path(where)], forward((group, 1)))
    return group


def states(edge: Edge, group: str) -> list[tuple[str, str]]:
    """State and reason of its targets."""
    return [(h["State"], h.get("Reason", "")) for h in edge.health(group)]


def test_a_group_nobody_uses_is_not_checked(edge: Edge) -> None:
    """Without a listener or rule its targets are unused, Target.NotInUse; nobody asks them."""
    upstream = edge.upstream()
    group = edge.group(upstream, **CHECKS)
    unused = eventually(lambda: edge.health(group), lambda h: h[0]["State"] == "unused")
    assert unused[0]["Reason"] == "Target.NotInUse" and upstream.asked == []
    edge.rule([path("/unused")], forward((group, 1)))
    edge.healthy(group)
    assert "/health" in upstream.asked


def test_states_follow_what_the_target_answers(edge: Edge) -> None:
    """initial, healthy after one passed check, unhealthy with the code it gave, healthy after two passed."""
    upstream = edge.upstream()
    upstream.health = 500
    group = behind(edge, "/states", upstream)
    (first,) = edge.health(group)
    assert (first["State"], first["Reason"]) == ("initial", "Elb.RegistrationInProgress")
    early = (first["Reason"], "Target.NotInUse")  # a look may come before the rule that was just made
    checked = eventually(lambda: edge.health(group), lambda h: h[0].get("Reason") not in early)
    assert checked[0] == {
        "State": "initial", "Reason": "Elb.InitialHealthChecking",
        "Description": "Initial health checks in progress",
    }  # fmt: skip
    bad = eventually(lambda: edge.health(group), lambda h: h[0]["State"] == "unhealthy")
    assert bad[0]["Reason"] == "Target.ResponseCodeMismatch"
    assert bad[0]["Description"] == "Health checks failed with these codes: [500]"
    upstream.health = 200
    good = eventually(lambda: edge.health(group), lambda h: h[0]["State"] != "unhealthy")
    assert good == [{"State": "healthy"}]


def test_only_unhealthy_targets_all_get_traffic(edge: Edge) -> None:
    """When all targets are unhealthy the load balancer fails open."""
    upstream = edge.upstream("open")
    upstream.health = 404
    group = behind(edge, "/open", upstream)
    eventually(lambda: states(edge, group), lambda s: s == [("unhealthy", "Target.ResponseCodeMismatch")])
    eventually(lambda: edge.said("/open"), lambda body: body == "open")


def test_a_target_that_does_not_answer_in_time(edge: Edge) -> None:
    """A check without an answer within the timeout: Target.Timeout, Request timed out."""
    group = behind(edge, "/timeout", edge.upstream(), HealthCheckPath="/slow/2")
    seen = eventually(lambda: edge.health(group), lambda h: h[0]["State"] == "unhealthy")
    assert (seen[0]["Reason"], seen[0]["Description"]) == ("Target.Timeout", "Request timed out")


def test_a_refusing_target(edge: Edge) -> None:
    """A target that refuses: Target.FailedHealthChecks; requests to it are 502, and counted as the ELB's."""
    upstream = edge.upstream()
    group = behind(edge, "/refused", upstream)
    edge.healthy(group)
    upstream.stop()
    assert edge.ask("/refused")[0] == 502
    seen = eventually(lambda: edge.health(group), lambda h: h[0]["State"] == "unhealthy")
    assert (seen[0]["Reason"], seen[0]["Description"]) == (
        "Target.FailedHealthChecks",
        "Health checks failed",
    )
    eventually(lambda: edge.total("TargetConnectionErrorCount", group))
    assert edge.total("HTTPCode_ELB_502_Count") >= 1 and edge.total("HTTPCode_ELB_5XX_Count") >= 1
    assert edge.total("HTTPCode_Target_5XX_Count", group) == 0


def test_draining_lets_requests_finish(edge: Edge) -> None:
    """A deregistered target gets nothing new, what is on its way is answered, and it stays draining."""
    upstream, other = edge.upstream("leaving"), edge.upstream("staying")
    group = behind(edge, "/drain/*", upstream)
    edge.healthy(group)
    answers: list[str] = []
    running = threading.Thread(target=lambda: answers.append(edge.said("/drain/slow/2")))
    running.start()
    upstream.wait_for("/drain/slow/2")
    edge.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "127.0.0.1", "Port": upstream.port}])
    draining = eventually(lambda: edge.health(group), lambda h: h[0]["State"] == "draining")
    assert draining[0]["Description"] == "Target deregistration is in progress"
    edge.register(group, other)
    eventually(lambda: ("healthy", "") in states(edge, group))
    assert set(edge.count(20, "/drain/slow/0")) == {"staying"}
    running.join()
    assert answers == ["leaving"]
    assert ("draining", "Target.DeregistrationInProgress") in states(edge, group)


def test_what_outlasts_the_delay_is_cut(edge: Edge) -> None:
    """After the deregistration delay the target is unused, and its open connections are closed."""
    upstream = edge.upstream()
    group = behind(edge, "/cut/*", upstream, delay=40)
    edge.healthy(group)
    answers: list[str] = []
    running = threading.Thread(target=lambda: answers.append(edge.said("/cut/slow/9")))
    running.start()
    upstream.wait_for("/cut/slow/9")
    target = {"Id": "127.0.0.1", "Port": upstream.port}
    edge.elb.deregister_targets(TargetGroupArn=group, Targets=[target])
    eventually(lambda: states(edge, group), lambda s: s == [])
    named = edge.elb.describe_target_health(TargetGroupArn=group, Targets=[target])
    (health,) = named["TargetHealthDescriptions"]
    assert health["TargetHealth"] == {
        "State": "unused", "Reason": "Target.NotRegistered",
        "Description": "Target is not registered to the target group",
    }  # fmt: skip
    running.join(5)
    assert answers and answers[0] != "one"


def test_a_target_that_is_silent_too_long_is_504(edge: Edge) -> None:
    """No answer within the idle timeout: the load balancer answers 504, and counts it as its own."""
    group = behind(edge, "/silent/*", edge.upstream())
    edge.healthy(group)
    idle(edge, 20)
    try:
        eventually(lambda: edge.ask("/silent/slow/4")[0], lambda status: status == 504)
    finally:
        idle(edge, 2400)
    eventually(lambda: edge.total("HTTPCode_ELB_504_Count"))
    assert edge.total("HTTPCode_Target_5XX_Count", group) == 0


def test_metrics_count_who_answered(edge: Edge) -> None:
    """Requests, answers by class, response times in AWS's seconds, hosts; each with its dimensions."""
    upstream, empty = edge.upstream(), behind(edge, "/nobody")
    group = behind(edge, "/status/*", upstream)
    timed = behind(edge, "/timed/*", edge.upstream())
    edge.healthy(group, timed)
    eventually(lambda: edge.ask("/nobody")[0], lambda status: status == 503)
    before = {m: edge.total(m) for m in ("RequestCount", "HTTPCode_ELB_503_Count", "HTTPCode_ELB_4XX_Count")}
    for _ in range(20):
        assert edge.ask("/status/500")[0] == 500
        assert edge.ask("/nobody")[0] == 503
    assert edge.ask("/nowhere")[0] == 404 and edge.ask("/timed/slow/0.1")[0] == 200
    eventually(lambda: edge.total("TargetResponseTime", timed, "Maximum"), lambda t: 2.0 <= t < 10.0)
    eventually(lambda: edge.total("HTTPCode_Target_5XX_Count", group), lambda n: n == 20)
    assert edge.total("RequestCount", group) == 20 and edge.total("RequestCountPerTarget", group) == 20
    assert edge.total("RequestCountPerTarget", group, LoadBalancer="") == 20
    # A request for which no target could be chosen is none of RequestCount's.
    assert edge.total("RequestCount") - before["RequestCount"] == 21
    assert edge.total("HTTPCode_ELB_503_Count") - before["HTTPCode_ELB_503_Count"] == 20
    assert edge.total("HTTPCode_ELB_4XX_Count") - before["HTTPCode_ELB_4XX_Count"] == 1
    assert edge.total("HTTPCode_ELB_5XX_Count", empty) == 0  # it has no TargetGroup dimension
    assert edge.total("HealthyHostCount", group, "Maximum") == 1
    assert edge.total("UnHealthyHostCount", group, "Maximum") == 0
    assert edge.total("HealthyHostCount", empty, "SampleCount") == 0


def test_malformed_requests_are_counted_as_the_load_balancers(edge: Edge) -> None:
    """What is no HTTP is answered 400, which is HTTPCode_ELB_4XX_Count; no target was asked."""
    before = edge.total("HTTPCode_ELB_4XX_Count")
    with socket.create_connection((edge.address, 80)) as link:
        link.sendall(b"this is no request\r\n\r\n")
        assert b" 400 " in link.recv(4096)
    eventually(lambda: edge.total("HTTPCode_ELB_4XX_Count"), lambda n: n == before + 1)


def test_a_client_that_leaves_is_460(edge: Edge) -> None:
    """A client that closes before the answer is counted as the load balancer's 4XX."""
    upstream = edge.upstream()
    group = behind(edge, "/left/*", upstream)
    edge.healthy(group)
    before = edge.total("HTTPCode_ELB_4XX_Count")
    with socket.create_connection((edge.address, 80)) as link:
        link.sendall(b"GET /left/slow/1 HTTP/1.1\r\nHost: x\r\n\r\n")
        upstream.wait_for("/left/slow/1")
    eventually(lambda: edge.total("HTTPCode_ELB_4XX_Count"), lambda n: n == before + 1)
    assert edge.total("HTTPCode_Target_2XX_Count", group) == 0
