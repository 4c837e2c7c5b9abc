"""How many targets are healthy, and how many connections open, looked at each second.

Source: "CloudWatch metrics for your Application Load Balancer" in the user guide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.cloudwatch.store import MetricStore
from delivery.sandbox.elb.model import suffix_of
from delivery.sandbox.elb.proxy import Proxy
from delivery.sandbox.elb.reading import frontend_of
from delivery.sandbox.elb.requests import NAMESPACE
from delivery.sandbox.elb.targets import Targets
from delivery.sandbox.elb.usage import used_groups
from delivery.sandbox.server import STATE


@dataclass
class Hosts:
    """HealthyHostCount and UnHealthyHostCount of every group with targets; ActiveConnectionCount."""

    backend: Callable[[], Any]
    targets: Targets
    proxy: Proxy
    store: MetricStore

    def tick(self) -> None:
        """Count once. A target whose first checks are not over is neither healthy nor unhealthy."""
        now, counted = CLOCK.now(), []
        with STATE:
            elb = self.backend()
            for group, balancer in used_groups(elb).items():
                states = Counter(t.published.state for t in self.targets.in_group(group))
                if states:
                    spans = {"TargetGroup": suffix_of(group), "LoadBalancer": suffix_of(balancer)}
                    counted.append((spans, states["healthy"], states["unhealthy"]))
            listeners = {
                frontend_of(x): suffix_of(b.arn)
                for b in elb.load_balancers.values() for x in b.listeners.values()
            }  # fmt: skip
        for spans, healthy, unhealthy in counted:
            self.store.add(NAMESPACE, "HealthyHostCount", spans, now, healthy)
            self.store.add(NAMESPACE, "UnHealthyHostCount", spans, now, unhealthy)
        self._connections(now, listeners)

    def _connections(self, now: float, listeners: dict[str, str]) -> None:
        """Reported while there are any."""
        open_now: Counter[str] = Counter()
        if listeners:
            for name, number in self.proxy.connections().items():
                if name in listeners:
                    open_now[listeners[name]] += number
        for balancer, number in open_now.items():
            if number:
                self.store.add(NAMESPACE, "ActiveConnectionCount", {"LoadBalancer": balancer}, now, number)
