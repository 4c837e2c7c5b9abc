"""From moto's load balancers to the proxy, every tick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from delivery.sandbox.elb.proxy import Proxy
from delivery.sandbox.elb.render import Backend, Condition, Frontend, Rule, name_of
from delivery.sandbox.elb.targets import Targets
from delivery.sandbox.server import STATE


@dataclass
class Balancer:
    """Keeps the proxy what the API says, and publishes target health once it is."""

    backend: Callable[[], Any]
    proxy: Proxy
    targets: Targets
    _groups: dict[str, str] = field(default_factory=dict)
    _balancers: dict[str, str] = field(default_factory=dict)

    def names(self, backend: str, frontend: str) -> tuple[str | None, str | None]:
        """CloudWatch's dimensions (target group, load balancer) for names in the proxy; takes no lock."""
        return self._groups.get(backend), self._balancers.get(frontend)

    def tick(self) -> None:
        """Apply what changed. States seen here are published only afterwards."""
        with STATE:
            elb = self.backend()
            frontends = [f for lb in elb.load_balancers.values() for f in _frontends(lb)]
            backends = [
                Backend(name_of(arn), tuple((t.address, t.port) for t in self.targets.routable(arn)))
                for arn in elb.target_groups
            ]
            self._groups = {name_of(arn): suffix_of(arn) for arn in elb.target_groups}
            self._balancers = {
                frontend_of(x): suffix_of(b.arn)
                for b in elb.load_balancers.values() for x in b.listeners.values()
            }  # fmt: skip
            states = {key: (t.state, t.reason) for key, t in self.targets.entries.items()}
        if frontends or backends:
            self.proxy.apply(frontends, _renamed(backends))
        with STATE:
            self.targets.publish(states)


def frontend_of(listener: Any) -> str:
    """A listener's name in the proxy."""
    return f"l-{name_of(listener.arn)}"


def suffix_of(arn: str) -> str:
    """The part of an ARN that CloudWatch uses as a dimension."""
    return arn.rsplit(":", 1)[-1].removeprefix("loadbalancer/")


def _renamed(backends: list[Backend]) -> list[Backend]:
    return sorted(backends, key=lambda b: b.name)


def _frontends(balancer: Any) -> list[Frontend]:
    """Its HTTP listeners. TLS is not terminated here: an HTTPS listener gets no frontend."""
    listeners = [x for x in balancer.listeners.values() if x.protocol == "HTTP"]
    return [Frontend(frontend_of(x), balancer.dns_name, int(x.port), tuple(_rules_of(x))) for x in listeners]


def _rules_of(listener: Any) -> list[Rule]:
    ordered = [r for r in listener.rules.values() if not r.is_default]
    ordered.sort(key=lambda r: int(r.priority))
    rules = [
        Rule(f"r{r.priority}", tuple(_condition(c) for c in r.conditions), _data(r.actions)) for r in ordered
    ]
    return [*rules, Rule("default", (), _data(listener.default_actions))]


def _data(actions: list[Any]) -> dict[str, Any]:
    """The last action decides (what precedes it authenticates, which is not played here)."""
    last = actions[-1]
    return dict(getattr(last, "data", last))


def _condition(condition: dict[str, Any]) -> Condition:
    kind = condition.get("Field", "")
    configs = {
        "path-pattern": "PathPatternConfig",
        "host-header": "HostHeaderConfig",
        "http-header": "HttpHeaderConfig",
    }
    values = condition.get(configs.get(kind, "")) or {}
    return Condition(
        kind, tuple(values.get("Values") or condition.get("Values") or ()), values.get("HttpHeaderName", "")
    )
