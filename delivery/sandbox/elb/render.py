"""Load balancers, listeners, rules and targets as one HAProxy configuration. Pure.

The matching rule is chosen first (`txn.rule`), so that priorities hold across forwards, redirects and
fixed responses. Weighted forwards draw one number of 10000 per request: exact weights, no stickiness.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Condition:
    """`field` is `path-pattern`, `host-header` or `http-header` (then with `header`)."""

    field: str
    values: tuple[str, ...]
    header: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: all conditions must hold; `action` is ELB's action as data."""

    name: str
    conditions: tuple[Condition, ...]
    action: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frontend:
    """One listener at its own address; rules in order of priority, the default last."""

    name: str
    address: str
    port: int
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Backend:
    """One target group's servers that get traffic."""

    name: str
    servers: tuple[tuple[str, int], ...]


_GLOBAL = """global
    log stdout len 2048 format raw local0
    stats socket {socket} mode 600 level admin
    description {generation}
    hard-stop-after 60s
    maxconn 4000
defaults
    mode http
    log global
    log-format "%b|%s|%ST|%Tr|%f|%ts"
    retries 0
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 60s
    http-reuse safe
"""


def render(socket: str, generation: str, frontends: Iterable[Frontend], backends: Iterable[Backend]) -> str:
    """The whole configuration file."""
    lines = [_GLOBAL.format(socket=socket, generation=generation)]
    for frontend in frontends:
        lines += [f"frontend {frontend.name}", f"    bind {frontend.address}:{frontend.port}"]
        lines += [f"    {line}" for line in _rules(frontend.rules)]
    for backend in backends:
        lines += [f"backend {backend.name}", "    balance roundrobin"]
        lines += [f"    server s{i} {host}:{port}" for i, (host, port) in enumerate(backend.servers)]
    lines += ["backend none", ""]
    return "\n".join(lines)


def _rules(rules: Sequence[Rule]) -> Iterable[str]:
    yield "http-request set-var(txn.draw) rand(10000)"
    for rule in rules:
        tests = " ".join(_test(c) for c in rule.conditions)
        free = "!{ var(txn.rule) -m found }"
        yield f"http-request set-var(txn.rule) str({rule.name}) if {free} {tests}".rstrip()
    done = [line for r in rules for line in _action(r.action, f"{{ var(txn.rule) -m str {r.name} }}")]
    # HAProxy processes every http-request before any use_backend: written in that order, too.
    yield from sorted(done, key=lambda line: line.startswith("use_backend"))
    yield "default_backend none"


def _test(condition: Condition) -> str:
    patterns = " ".join(_regex(v) for v in condition.values)
    match condition.field:
        case "path-pattern":
            return f"{{ path -m reg {patterns} }}"
        case "host-header":
            return f"{{ req.hdr(host),field(1,:) -m reg -i {patterns} }}"
        case "http-header":
            return f"{{ req.hdr({condition.header}) -m reg -i {patterns} }}"
    raise ValueError(f"the sandbox does not know the condition {condition.field!r}")


def _regex(pattern: str) -> str:
    """ELB's `*` and `?` as an anchored expression, quoted for HAProxy."""
    escaped = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return "'^" + escaped.replace("'", r"'\''") + "$'"


def _action(action: dict[str, Any], when: str) -> Iterable[str]:
    match action.get("Type"):
        case "fixed-response":
            fixed = action.get("FixedResponseConfig") or {}
            kind = fixed.get("ContentType") or "text/plain"
            body = str(fixed.get("MessageBody") or "").replace("\\", "").replace('"', "")
            yield (
                f"http-request return status {fixed.get('StatusCode', 200)} content-type {kind} "
                f'string "{body}" if {when}'
            )
        case "redirect":
            redirect = action.get("RedirectConfig") or {}
            code = str(redirect.get("StatusCode") or "HTTP_302").removeprefix("HTTP_")
            scheme = str(redirect.get("Protocol") or "https").lower().replace("#{protocol}", "http")
            yield f"http-request redirect scheme {scheme} code {code} if {when}"
        case "forward":
            yield from _forward(action, when)


def _forward(action: dict[str, Any], when: str) -> Iterable[str]:
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or [
        {"TargetGroupArn": action["TargetGroupArn"], "Weight": 1}
    ]
    total = sum(int(g.get("Weight", 1)) for g in groups)
    drawn = 0
    for group in groups:
        weight = int(group.get("Weight", 1))
        if not weight:
            continue
        drawn += weight
        limit = round(drawn * 10000 / total)
        backend = name_of(group["TargetGroupArn"])
        yield f"use_backend {backend} if {when} {{ var(txn.draw) -m int lt {limit} }}"


def name_of(arn: str) -> str:
    """A target group's or listener's name in the configuration: the unique end of its ARN."""
    return arn.rsplit("/", 1)[-1]
