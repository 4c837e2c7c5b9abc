"""moto's load balancers and target groups as what the proxy is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from delivery.sandbox.elb.model import IDLE_TIMEOUT, Backend, Condition, Frontend, Rule, Server, name_of

_CONFIGS = {
    "path-pattern": "PathPatternConfig",
    "host-header": "HostHeaderConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}
#: From a listener to the files of its certificates; none for one without HTTPS or without their keys.
Certificates = Callable[[Any], tuple[str, ...]]


def frontend_of(listener: Any) -> str:
    """A listener's name in the proxy."""
    return f"l-{name_of(listener.arn)}"


def frontends(balancer: Any, scale: float, certificates: Certificates) -> list[Frontend]:
    """A load balancer's listeners. An HTTPS listener whose certificate has no key here gets no frontend."""
    return [
        Frontend(
            frontend_of(x), balancer.dns_name, int(x.port), tuple(rules(x)), files, idle_of(balancer) / scale,
            str(balancer.attrs.get("routing.http.xff_header_processing.mode") or "append"), scale,
        )
        for x in balancer.listeners.values()
        for files in [certificates(x)]
        if x.protocol == "HTTP" or (x.protocol == "HTTPS" and files)
    ]  # fmt: skip


def idle_of(balancer: Any) -> float:
    """The load balancer's idle timeout in AWS seconds."""
    return float(balancer.attrs.get("idle_timeout.timeout_seconds") or IDLE_TIMEOUT)


def rules(listener: Any) -> list[Rule]:
    """A listener's rules in order of priority, its default last."""
    ordered = sorted((r for r in listener.rules.values() if not r.is_default), key=lambda r: int(r.priority))
    own = [Rule(f"r{r.priority}", conditions(r.conditions), _last(r.actions)) for r in ordered]
    return [*own, Rule("default", (), _last(listener.default_actions))]


def _last(actions: list[Any]) -> dict[str, Any]:
    """The last action decides (what precedes it authenticates, which is not played here)."""
    found = [dict(getattr(a, "data", a)) for a in actions]
    return max(found, key=lambda a: int(a.get("Order") or 0), default={})


def conditions(given: Iterable[Mapping[str, Any]]) -> tuple[Condition, ...]:
    """Conditions in either of the two ways the API has."""
    return tuple(_condition(c) for c in given)


def _condition(condition: Mapping[str, Any]) -> Condition:
    kind = condition.get("Field", "")
    config = condition.get(_CONFIGS.get(kind, "")) or {}
    values = config.get("Values") or condition.get("Values") or ()
    if kind == "query-string":
        values = [(v.get("Key") or "", v.get("Value") or "") for v in values]
    expressions = config.get("RegexValues") or condition.get("RegexValues") or ()
    return Condition(kind, tuple(values), config.get("HttpHeaderName", ""), tuple(expressions))


def backend(group: Any, servers: Iterable[Server], idle: float, scale: float) -> Backend:
    """A target group with the servers that get its traffic; `idle` in AWS seconds."""
    said = group.attributes
    by_cookie = str(said.get("stickiness.enabled")).lower() == "true"
    sticky = 0.0
    if by_cookie and said.get("stickiness.type", "lb_cookie") == "lb_cookie":
        sticky = float(said.get("stickiness.lb_cookie.duration_seconds") or 86400)
    algorithm = str(said.get("load_balancing.algorithm.type") or "round_robin")
    return Backend(
        name_of(group.arn), tuple(servers), algorithm, idle / scale, sticky / scale, group.protocol == "HTTPS"
    )
