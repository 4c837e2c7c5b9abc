"""Elastic Load Balancing's deciding parts, without a sandbox: the documentation as functions.

Pages of the Application Load Balancers user guide: "Listener rules", "Health checks for Application Load
Balancer target groups", "CloudWatch metrics for your Application Load Balancer"; quotas.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.config import which
from delivery.sandbox.elb.actions import location
from delivery.sandbox.elb.balancer import Balancer
from delivery.sandbox.elb.health import HEALTHY, NOT_REGISTERED, Health, matches, mismatch
from delivery.sandbox.elb.matching import test_of as acl_of
from delivery.sandbox.elb.model import Backend, Condition, Frontend, Rule, Server
from delivery.sandbox.elb.proxy import Refused
from delivery.sandbox.elb.render import files, render
from delivery.sandbox.elb.requests import Request
from delivery.sandbox.elb.targets import Target, Targets
from delivery_tests.sandbox.edge import fixed, forward, redirect


def listener(*rules: Rule, **more: Any) -> Frontend:
    """One with these rules."""
    return Frontend("l-1", "127.0.0.9", 80, rules, **more)


def configured(*rules: Rule) -> str:
    """The proxy's configuration of one listener with these rules."""
    return render("/s", "g", [listener(*rules)], [Backend("blue", (Server("t-1", "10.0.0.1", 80),))])


def test_weights_become_shares_of_their_sum() -> None:
    """A number out of the sum of the weights is drawn; a group of weight 0 is never chosen."""
    text = configured(Rule("default", (), forward(("x/blue", 999), ("x/green", 1), ("x/red", 0))))
    assert "set-var(txn.draw) rand(1000)" in text
    assert re.search(r"txn.group\) str\(blue\) .* lt 999 ", text)
    assert re.search(r"txn.group\) str\(green\) .* lt 1000 ", text)
    assert "str(red)" not in text


def expression(condition: Condition) -> str:
    """The one pattern of a condition."""
    return acl_of(condition).split("'")[-2]


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        ("/a.b/*", "/a.b/", "/aXb/"), ("/?", "/x", "/"), ("/a+(b)", "/a+(b)", "/aab"),
        ("/*.png", "/x.png", "/xpng"),
    ],
)  # fmt: skip
def test_patterns_are_elbs_not_regular_expressions(pattern: str, good: str, bad: str) -> None:
    """`*` and `?` are wild, everything else is itself."""
    found = expression(Condition("path-pattern", (pattern,)))
    assert re.search(found, good) and not re.search(found, bad)


HOSTILE = (
    "a'b",
    'a"b',
    "a\\b",
    "a b",
    "a\nb",
    "a#b",
    "a%b",
    "a{b}",
    "$HOME",
    "a\tb",
    "ü",
    "-f /etc/passwd",
    "a\x00b",
)


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_breaks_the_configuration(tmp_path: Path, value: str) -> None:
    """Whatever stands in a condition or an action, the proxy takes the configuration, and it is one word."""
    conditions = (
        Condition("http-header", (value,), "X-A"), Condition("query-string", ((value, value),)),
        Condition("path-pattern", (value,)), Condition("host-header", (value,)),
    )  # fmt: skip
    actions = [fixed(value), redirect(301, host=value, path=f"/{value}", query=value), forward(("x/blue", 1))]
    rules = [Rule(f"r{n}", conditions, action) for n, action in enumerate(actions)]
    front = listener(*rules)
    for name, content in files([front]).items():
        (tmp_path / name).write_bytes(content)
    backend = Backend("blue", (Server("t-1", "10.0.0.1", 80),), sticky=60.0)
    (tmp_path / "cfg").write_text(render("/s", "g", [front], [backend], str(tmp_path)))
    program = [which("haproxy") or "haproxy", "-c", "-q", "-f", str(tmp_path / "cfg")]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_redirect_without_a_query_has_no_question_mark() -> None:
    """A query that was not changed is left out when there is none; an empty one is left out always."""
    keep = {"Protocol": "HTTPS", "Host": "#{host}", "Port": "443", "Path": "/#{path}", "Query": "#{query}"}
    assert location(keep, listener()).endswith("%[var(txn.query)]")
    assert "?" not in location({**keep, "Query": ""}, listener())


@pytest.mark.parametrize(
    ("line", "counted"),
    [
        ("blue|t-1|200|12|l-1|--", {"RequestCount", "HTTPCode_Target_2XX_Count", "TargetResponseTime"}),
        ("blue|t-1|500|12|l-1|--", {"RequestCount", "HTTPCode_Target_5XX_Count", "TargetResponseTime"}),
        ("blue|t-1|200|12|l-1|CD", {"RequestCount", "HTTPCode_Target_2XX_Count", "TargetResponseTime"}),
        ("blue|t-1|101|12|l-1|--", {"RequestCount", "TargetResponseTime"}),
        ("blue|t-1|502|-1|l-1|SH", {"RequestCount", "HTTPCode_ELB_5XX_Count", "HTTPCode_ELB_502_Count"}),
        ("blue|t-1|504|-1|l-1|sH", {"RequestCount", "HTTPCode_ELB_5XX_Count", "HTTPCode_ELB_504_Count"}),
        ("blue|t-1|503|-1|l-1|SC", {"RequestCount", "TargetConnectionErrorCount", "HTTPCode_ELB_5XX_Count",
                                    "HTTPCode_ELB_502_Count"}),
        ("blue|t-1|400|-1|l-1|CH", {"RequestCount", "HTTPCode_ELB_4XX_Count"}),
        ("blue|<NOSRV>|503|-1|l-1|SC", {"HTTPCode_ELB_5XX_Count", "HTTPCode_ELB_503_Count"}),
        ("l-1|<NOSRV>|400|-1|l-1|PR", {"HTTPCode_ELB_4XX_Count"}),
        ("l-1|<NOSRV>|463|-1|l-1|LR", {"HTTPCode_ELB_4XX_Count"}),
        ("l-1|<NOSRV>|200|-1|l-1|LR", {"HTTP_Fixed_Response_Count"}),
        ("l-1|<NOSRV>|301|-1|l-1|LR", {"HTTP_Redirect_Count", "HTTPCode_ELB_3XX_Count"}),
    ],
)  # fmt: skip
def test_a_request_is_counted_for_who_answered(line: str, counted: set[str]) -> None:
    """A target's answer is Target's, one given in its place ELB's; RequestCount needs a chosen target."""
    request = Request.parse(line)
    assert request is not None
    assert {name for name, _, _ in request.metrics()} == counted


def test_response_times_are_aws_seconds() -> None:
    """In compressed time an answer took as many more seconds; the proxy's milliseconds are cut off."""
    request = Request.parse("blue|t-1|200|12|l-1|--")
    assert request is not None
    times = {name: value for name, value, _ in request.metrics(20.0)}
    assert times["TargetResponseTime"] == pytest.approx(0.25)
    assert Request.parse("[NOTICE] haproxy started") is None


@pytest.mark.parametrize(
    ("matcher", "good", "bad"), [("200", 200, 201), ("200-299", 204, 302), ("200,302", 302, 301)]
)
def test_matchers(matcher: str, good: int, bad: int) -> None:
    """A code, a range, a list."""
    assert matches(matcher, good) and not matches(matcher, bad)


def states(found: list[Health]) -> Iterator[str]:
    """The states a new target goes through; three in a row make it healthy again, two unhealthy."""
    target = Target("group", "", "10.0.0.1", 80)
    for one in found:
        target.judged(one, 3, 2)
        yield target.health.reason or target.health.state


def test_thresholds_are_in_a_row() -> None:
    """One passed check makes a new target healthy, later ones need the threshold, without interruption."""
    bad, checking = mismatch(500), "Elb.InitialHealthChecking"
    wrong = "Target.ResponseCodeMismatch"
    assert list(states([bad, HEALTHY])) == [checking, "healthy"]
    assert list(states([bad, bad])) == [checking, wrong]
    assert list(states([HEALTHY, bad, HEALTHY, bad, bad])) == ["healthy"] * 4 + [wrong]
    recovering = [bad, bad, HEALTHY, HEALTHY, bad, HEALTHY, HEALTHY, HEALTHY]
    assert list(states(recovering)) == [checking, *[wrong] * 6, "healthy"]


def world(action: dict[str, Any], delay: int = 300) -> Any:
    """A load balancer with one listener that does this, and the group `x/blue`."""
    group = SimpleNamespace(
        arn="x/blue", attributes={"deregistration_delay.timeout_seconds": delay}, protocol="HTTP",
    )  # fmt: skip
    default = SimpleNamespace(is_default=True, actions=[SimpleNamespace(data=action)], priority="default")
    heard = SimpleNamespace(
        arn="a:loadbalancer/app/x/1/9", port=80, protocol="HTTP", rules={"d": default},
        default_actions=default.actions,
    )  # fmt: skip
    balancer = SimpleNamespace(
        arn="a:loadbalancer/app/x/1", dns_name="127.0.0.9", attrs={}, listeners={"l": heard}
    )
    return SimpleNamespace(load_balancers={balancer.arn: balancer}, target_groups={group.arn: group})


class Listening:
    """A proxy that remembers what it was told; `refuses` says what it does not take."""

    process_id = 1

    def __init__(self, refuses: Callable[[Any], bool] = lambda frontends: False) -> None:
        self.told: list[tuple[Any, Any]] = []
        self.open: dict[tuple[str, str], int] | None = {}
        self.was_cut: list[tuple[str, str]] = []
        self.refuses = refuses

    def apply(self, frontends: Any, backends: Any) -> bool:
        if self.refuses(frontends):
            raise Refused("no", "no")
        self.told.append((frontends, backends))
        return True

    def in_flight(self) -> Any:
        return None if self.open is None else Counter(self.open)

    def cut(self, backend: str, server: str) -> bool:
        self.was_cut.append((backend, server))
        return True


def test_what_the_proxy_refuses_leaves_the_rest_running() -> None:
    """Listeners stay as they were before a change that cannot be; targets go on being followed."""
    elb, wrong = world(fixed("good")), fixed("wrong")
    proxy = Listening(lambda fronts: any(r.action == wrong for f in fronts for r in f.rules))
    balancer = Balancer(lambda: elb, proxy, Targets(lambda: elb))  # type: ignore[arg-type]
    balancer.tick()
    good = proxy.told[-1][0]
    (heard,) = elb.load_balancers["a:loadbalancer/app/x/1"].listeners.values()
    heard.default_actions = [SimpleNamespace(data=wrong)]
    balancer.tick()
    assert proxy.told[-1][0] == good and len(proxy.told) == 2


def test_draining_ends_with_what_is_on_its_way_or_with_the_delay() -> None:
    """A draining target is watched; when the deregistration delay is over, what is still open is cut."""
    elb = world(forward(("x/blue", 1)), delay=0)
    targets, proxy = Targets(lambda: elb), Listening()
    balancer = Balancer(lambda: elb, proxy, targets)  # type: ignore[arg-type]
    targets.register("x/blue", "10.0.0.1", 80)
    (target,) = targets.entries.values()
    target.health = HEALTHY
    balancer.tick()
    assert [s.name for s in proxy.told[-1][1][0].servers] == [target.server]
    proxy.open = {("blue", target.server): 1}
    targets.leave([target])
    balancer.tick()
    assert proxy.told[-1][1][0].servers == ()
    assert proxy.was_cut == [("blue", target.server)]
    assert targets.published("x/blue", "10.0.0.1", 80) is NOT_REGISTERED


def test_nothing_heard_is_not_nothing_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the proxy cannot be asked a target is not drained; once nothing was open for a while, it is."""
    monkeypatch.setattr("delivery.sandbox.elb.targets.QUIET", 0.0)
    elb = world(forward(("x/blue", 1)))
    targets, proxy = Targets(lambda: elb), Listening()
    balancer = Balancer(lambda: elb, proxy, targets)  # type: ignore[arg-type]
    targets.register("x/blue", "10.0.0.1", 80)
    (target,) = targets.entries.values()
    targets.leave([target])
    for seen in (None, {("blue", target.server): 1}):
        proxy.open = seen
        balancer.tick()
        assert not target.drained
    proxy.open = {}
    balancer.tick()
    assert target.drained and target.published.state == "draining"


def test_a_detour_is_where_checks_and_requests_go() -> None:
    """A container's detour stands in for its address, for the proxy's servers and for the health check."""
    elb = world(forward(("x/blue", 1)))
    targets = Targets(lambda: elb)
    targets.register("x/blue", "172.17.0.9", 8080, "container")
    (target,) = targets.entries.values()
    targets.detours["container"] = ("127.0.0.1", 9999)
    assert targets.place(target) == ("127.0.0.1", 9999)
    group = SimpleNamespace(
        health_check_port="traffic-port", health_check_path="/h", health_check_timeout_seconds=5,
        matcher={"HttpCode": "200"}, health_check_protocol="HTTP",
    )  # fmt: skip
    check = targets.check(target, group)
    assert (check.host, check.port, check.path, check.timeout) == ("127.0.0.1", 9999, "/h", CLOCK.real(5))


def test_an_address_used_again_is_shown_once() -> None:
    """Docker gives addresses out again: the newest container of an address is the one that is told."""
    elb = world(forward(("x/blue", 1)))
    targets = Targets(lambda: elb)
    targets.register("x/blue", "172.17.0.9", 8080, "old")
    targets.deregister("old")
    targets.register("x/blue", "172.17.0.9", 8080, "new")
    assert [t.container_id for t in targets.listed("x/blue")] == ["new"]
    assert targets.states_of("new") == ["initial"]
