"""Elastic Load Balancing carries requests as the Application Load Balancers user guide says.

Pages: "Listener rules for your Application Load Balancer" (actions, conditions), "HTTP headers and
Application Load Balancers", "Troubleshoot your Application Load Balancers", "Sticky sessions for your
Application Load Balancer". Targets are programs of these tests, registered by address with RegisterTargets.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.edge import Edge, fixed, forward, path, redirect
from delivery_tests.sandbox.stack import eventually

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def edge(sandbox: RunningSandbox) -> Iterator[Edge]:
    """A load balancer with two groups of one target each, under /one and /two; and the rules below."""
    made = Edge(sandbox)
    one, two = made.group(made.upstream("one")), made.group(made.upstream("two"))
    made.groups = {"one": one, "two": two}  # type: ignore[attr-defined]
    for number, (conditions, action) in enumerate(rules(one, two), 1):
        made.rule(conditions, action, number)
    made.healthy(one, two)
    eventually(lambda: made.said("/weights"), lambda b: b in ("one", "two"))
    yield made
    made.close()


NASTY = 'it\'s "quoted" \\ back\\slash\n%[src] 100% ${HOME} #{path}\r\n}\x7f ümlaut\n'


def header(name: str, *values: str) -> dict[str, Any]:
    """A header condition."""
    return {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": name, "Values": list(values)}}


def query(*pairs: tuple[str, str]) -> dict[str, Any]:
    """A query string condition."""
    values = [{"Key": k, "Value": v} if k else {"Value": v} for k, v in pairs]
    return {"Field": "query-string", "QueryStringConfig": {"Values": values}}


def rules(one: str, two: str) -> list[tuple[list[dict[str, Any]], dict[str, Any]]]:
    """Every condition and every action once, in order of priority."""
    method = {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["PURGE", "PUT"]}}
    host = {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example.com", "exact.test"]}}
    here = {"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8", "127.0.0.0/8"]}}
    away = {"Field": "source-ip", "SourceIpConfig": {"Values": ["192.0.2.0/24"]}}
    return [
        ([path("/weights")], forward((one, 900), (two, 100))),
        ([path("/none")], forward((one, 0), (two, 0))),
        ([path("/sticky")], forward((one, 500), (two, 500), sticky=600)),
        ([path("/one/*", "/echo", "/close", "/garbage", "/length")], forward((one, 1))),
        ([path("/empty")], fixed(status="204")),
        ([path("/nasty")], fixed(NASTY, "503")),
        ([path("/json")], fixed('{"a": "b"}', "200", "application/json")),
        ([path("/all")], redirect(302, protocol="HTTPS", host="new.#{host}", port="8443",
                                  path="/x/#{path}/#{port}", query="was=#{query}&p=#{protocol}")),
        ([path("/secure*")], redirect(301, protocol="HTTPS", port="443")),
        ([path("/quoted")], redirect(302, path="/it's\"a b%25;\\{#{path}}")),
        ([path("/a.b/?"), here], fixed("dots")),
        ([path("/'quoted\"$~@:+&")], fixed("characters")),
        ([path("/away"), away], fixed("from elsewhere")),
        ([host], fixed("host")),
        ([header("X-Kind", "beta *", "c'a\"n\\a ry")], fixed("header")),
        ([method], fixed("method")),
        ([query(("version", "v?"), ("", "exact*"))], fixed("query")),
        ([query(("star", "\\*"))], fixed("star")),
    ]  # fmt: skip


def test_weights_split_requests_exactly(edge: Edge) -> None:
    """Weights 900 and 100 send nine requests of ten to the first group."""
    counts = edge.count(3000, "/weights")
    assert set(counts) == {"one", "two"}
    assert 218 <= counts["two"] <= 382  # five standard deviations round 300


def test_groups_with_weight_zero_get_nothing(edge: Edge) -> None:
    """When every group of the action has weight 0 the load balancer answers 503 itself."""
    status, headers, _ = edge.ask("/none")
    assert (status, headers["server"]) == (503, "awselb/2.0")


def test_path_patterns_tell_case_and_know_wildcards(edge: Edge) -> None:
    """`*` is any number of characters, `?` exactly one, a dot a dot; case counts, the query does not."""
    assert edge.said("/a.b/x") == "dots" and edge.said("/a.b/x?y=z") == "dots"
    for other in ("/a.b/", "/a.b/xy", "/aXb/x", "/A.b/x"):
        assert edge.ask(other)[0] == 404, other
    assert edge.said("/'quoted\"$~@:+&") == "characters"


def test_many_conditions_must_all_hold(edge: Edge) -> None:
    """A rule whose path fits and whose source does not is passed over."""
    assert edge.ask("/away")[0] == 404


def test_host_headers_do_not_tell_case(edge: Edge) -> None:
    """Host names are compared without case and without the port; values are alternatives."""
    for name in ("www.Example.COM", "a.b.example.com:80", "EXACT.test"):
        assert edge.said("/h", headers={"Host": name}) == "host", name
    for name in ("example.com", "www.example.com.evil.test"):
        assert edge.ask("/h", headers={"Host": name})[0] == 404, name


def test_headers_are_compared_without_case(edge: Edge) -> None:
    """The strings of a header condition are wild and know no case, quotes and backslashes are themselves."""
    assert edge.said("/h", headers={"x-kind": "BETA tester"}) == "header"
    assert edge.said("/h", headers={"X-Kind": "c'a\"n\\a ry"}) == "header"
    assert edge.ask("/h", headers={"X-Kind": "beta"})[0] == 404


def test_methods_tell_case(edge: Edge) -> None:
    """Request methods must match exactly; custom ones may be named."""
    assert edge.said("/m", method="PURGE") == "method" and edge.said("/m", method="PUT") == "method"
    assert edge.ask("/m", method="purge")[0] in (400, 404) and edge.ask("/m", method="POST")[0] == 404


def test_query_strings_match_any_of_their_pairs(edge: Edge) -> None:
    """Keys and values are wild and know no case; an escaped star is one; a value may have any key."""
    for good in ("version=v1", "a=b&Version=V2", "x=exactly", "exact"):
        assert edge.said(f"/q?{good}") == "query", good
    assert edge.said("/q?star=*") == "star"
    for bad in ("version=v12", "aversion=v1", "star=x", "version=", ""):
        assert edge.ask(f"/q?{bad}")[0] == 404, bad


def test_a_fixed_response_may_be_empty(edge: Edge) -> None:
    """A fixed response without a message has an empty body."""
    status, headers, body = edge.ask("/empty")
    assert (status, body, headers["server"]) == (204, "", "awselb/2.0")


def test_a_fixed_response_is_sent_as_it_is(edge: Edge) -> None:
    """Quotes, backslashes, newlines and what looks like configuration arrive byte for byte."""
    assert edge.ask("/nasty")[2] == NASTY
    status, headers, body = edge.ask("/json")
    assert (status, headers["content-type"], json.loads(body)) == (200, "application/json", {"a": "b"})


def test_a_redirect_uses_all_keywords(edge: Edge) -> None:
    """protocol, host, port, path and query may each be used again; the path comes without its slash."""
    status, headers, _ = edge.ask("/all?a=b", headers={"Host": "shop.test:80"})
    assert status == 302
    assert headers["location"] == "https://new.shop.test:8443/x/all/80?was=a=b&p=http"


def test_a_redirect_keeps_what_it_does_not_name(edge: Edge) -> None:
    """HTTP to HTTPS keeps host, path and query, and names the port."""
    status, headers, _ = edge.ask("/secure/a?b=c", headers={"Host": "shop.test"})
    assert (status, headers["location"]) == (301, "https://shop.test:443/secure/a?b=c")
    assert edge.ask("/secure", headers={"Host": "shop.test"})[1]["location"] == "https://shop.test:443/secure"
    assert headers["server"] == "awselb/2.0"


def test_no_redirect_leaves_its_quotes(edge: Edge) -> None:
    """Quotes, spaces, per cent signs and backslashes of a redirect's path arrive in the Location."""
    where = edge.ask("/quoted", headers={"Host": "shop.test"})[1]["location"]
    assert where == "http://shop.test:80/it's\"a%20b%25;\\{quoted}"


def test_a_client_stays_with_its_target_group(edge: Edge) -> None:
    """Target group stickiness sends a client with the AWSALBTG cookie to the group it had first."""
    _, headers, first = edge.ask("/sticky")
    assert headers["set-cookie"].startswith("AWSALBTG")
    connection = http.client.HTTPConnection(edge.address, 80)
    connection.request("GET", "/sticky")
    answer = connection.getresponse()
    name = answer.read().decode()
    cookies = [c.split(";")[0] for c in answer.headers.get_all("Set-Cookie") or []]
    assert [c.split("=")[0] for c in cookies] == ["AWSALBTG", "AWSALBTGCORS"]
    again = {edge.said("/sticky", headers={"Cookie": cookies[0]}) for _ in range(30)}
    assert again == {name} and first in ("one", "two")


def test_targets_are_told_of_the_client(edge: Edge) -> None:
    """X-Forwarded-For, -Proto and -Port are set, and X-Amzn-Trace-Id is made."""
    told = {k.lower(): v for k, v in json.loads(edge.said("/echo"))}
    assert told["x-forwarded-for"] == "127.0.0.1"
    assert (told["x-forwarded-proto"], told["x-forwarded-port"]) == ("http", "80")
    root, seconds, rest = told["x-amzn-trace-id"].split("-")
    assert (root, len(seconds), len(rest)) == ("Root=1", 8, 24)


def test_forwarded_headers_are_continued(edge: Edge) -> None:
    """The client's address is appended to X-Forwarded-For, and an own trace gets Self before it."""
    asked = {"X-Forwarded-For": "203.0.113.7", "X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678"}
    told = [(k.lower(), v) for k, v in json.loads(edge.said("/echo", headers=asked))]
    assert ("x-forwarded-for", "203.0.113.7, 127.0.0.1") in told
    (trace,) = [v for k, v in told if k == "x-amzn-trace-id"]
    assert trace.startswith("Self=1-") and trace.endswith(f";{asked['X-Amzn-Trace-Id']}")


def test_too_many_addresses_are_463(edge: Edge) -> None:
    """An X-Forwarded-For header with more than 30 addresses is answered 463."""
    assert edge.ask("/echo", headers={"X-Forwarded-For": ", ".join(["203.0.113.7"] * 31)})[0] == 463


def test_large_headers_and_bodies_pass(edge: Edge) -> None:
    """A header of 16 K and a body of 1 MB reach the target."""
    told = dict(json.loads(edge.said("/echo", headers={"X-Large": "x" * 16_000})))
    assert len(told["x-large"]) == 16_000
    assert edge.said("/length", method="POST", body=b"x" * 1024 * 1024) == str(1024 * 1024)


def test_connections_stay_open(edge: Edge) -> None:
    """Many requests go over one connection (HTTP keep-alive)."""
    connection = http.client.HTTPConnection(edge.address, 80, timeout=5)
    for _ in range(5):
        connection.request("GET", "/one/x")
        assert connection.getresponse().read() == b"one"
        port = connection.sock.getsockname()[1] if connection.sock else 0
        assert port
    connection.close()


def test_websockets_pass(edge: Edge) -> None:
    """An upgraded connection carries bytes in both directions."""
    with socket.create_connection((edge.address, 80), timeout=5) as link:
        link.sendall(
            b"GET /one/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert b"101" in link.recv(4096).split(b"\r\n")[0]
        link.sendall(b"hello")
        assert link.recv(100) == b"hello"


def test_malformed_requests_are_400(edge: Edge) -> None:
    """What is no HTTP is answered by the load balancer."""
    with socket.create_connection((edge.address, 80), timeout=5) as link:
        link.sendall(b"this is no request\r\n\r\n")
        answer = link.recv(4096)
    assert b" 400 " in answer.split(b"\r\n")[0]


@pytest.mark.parametrize("trouble", ["close", "garbage"])
def test_a_target_that_answers_badly_is_502(edge: Edge, trouble: str) -> None:
    """A target that hangs up or sends no HTTP: the load balancer answers 502 with its own page."""
    status, headers, body = edge.ask(f"/{trouble}")
    assert (status, headers["server"]) == (502, "awselb/2.0") and "502 Bad Gateway" in body
