"""From moto's load balancers to the proxy, every tick."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.elb import reading
from delivery.sandbox.elb.model import IDLE_TIMEOUT, Backend, Frontend, Server, name_of, suffix_of
from delivery.sandbox.elb.proxy import Proxy, Refused
from delivery.sandbox.elb.targets import Target, Targets
from delivery.sandbox.elb.usage import used_groups
from delivery.sandbox.server import STATE

log = logging.getLogger(__name__)


def no_certificates(listener: Any) -> tuple[str, ...]:
    """For a world without HTTPS listeners."""
    return ()


@dataclass
class Balancer:
    """Keeps the proxy what the API says, and publishes target health once it is.

    `propagation` is the time, in AWS seconds, until a changed listener or rule is seen in traffic: the API
    tells the new one at once.
    """

    backend: Callable[[], Any]
    proxy: Proxy
    targets: Targets
    propagation: float = 0.0
    certificates: reading.Certificates = no_certificates
    _groups: dict[str, str] = field(default_factory=dict)
    _balancers: dict[str, str] = field(default_factory=dict)
    _targets: dict[str, int] = field(default_factory=dict)
    _changes: deque[tuple[float, list[Frontend]]] = field(default_factory=deque)
    _good: list[Frontend] = field(default_factory=list)
    _told: str = ""
    _overdue: list[Target] = field(default_factory=list)

    def names(self, backend: str, frontend: str) -> tuple[str | None, str | None]:
        """CloudWatch's dimensions (target group, load balancer) for names in the proxy; takes no lock."""
        return self._groups.get(backend), self._balancers.get(frontend)

    def share(self, backend: str) -> float:
        """What one request is of `RequestCountPerTarget`; takes no lock."""
        return 1.0 / max(1, self._targets.get(backend, 1))

    def tick(self) -> None:
        """Apply what changed. States seen here are published only afterwards."""
        with STATE:
            elb = self.backend()
            wanted = [
                f for lb in elb.load_balancers.values()
                for f in reading.frontends(lb, CLOCK.scale, self.certificates)
            ]  # fmt: skip
            backends = self._backends(elb)
            self._groups = {name_of(arn): suffix_of(arn) for arn in elb.target_groups}
            self._balancers = {
                reading.frontend_of(x): suffix_of(b.arn)
                for b in elb.load_balancers.values() for x in b.listeners.values()
            }  # fmt: skip
            states = {key: t.health for key, t in self.targets.entries.items()}
        self._targets = {b.name: len(b.servers) for b in backends}
        if self._apply(self._propagated(wanted), backends):
            self.targets.publish(states)
        self._drain()

    def _backends(self, elb: Any) -> list[Backend]:
        used = used_groups(elb)
        made = []
        for arn, group in elb.target_groups.items():
            balancer = elb.load_balancers.get(used.get(arn))
            idle = reading.idle_of(balancer) if balancer else IDLE_TIMEOUT
            servers = [Server(t.server, *self.targets.place(t)) for t in self.targets.routable(arn)]
            made.append(reading.backend(group, servers, idle, CLOCK.scale))
        return sorted(made, key=lambda b: b.name)

    def _propagated(self, wanted: list[Frontend]) -> list[Frontend]:
        """The listeners as they were `propagation` seconds ago."""
        now = CLOCK.monotonic()
        if not self._changes or self._changes[-1][1] != wanted:
            self._changes.append((now, wanted))
        while len(self._changes) > 1 and self._changes[1][0] <= now - self.propagation:
            self._changes.popleft()
        since, oldest = self._changes[0]
        return oldest if since <= now - self.propagation else []

    def _apply(self, frontends: list[Frontend], backends: list[Backend]) -> bool:
        """Whether the proxy now works by these targets. Listeners it refuses stay as they were."""
        if not frontends and not backends and self.proxy.process_id is None:
            return True
        try:
            self.proxy.apply(frontends, backends)
            self._good, self._told = frontends, ""
        except Refused as refused:
            if str(refused) != self._told:
                log.error("listeners and rules stay as they were before this change: %s", refused)
                self._told = str(refused)
            self.proxy.apply(self._good, backends)
        return True

    def _drain(self) -> None:
        """Watch what draining targets still have to answer, and close it when their delay is over."""
        with STATE:
            leaving = self.targets.draining()
        if leaving and (open_to := self.proxy.in_flight()) is not None:
            for target in leaving:
                self.targets.watch(target, open_to[name_of(target.group), target.server])
        self._overdue += [t for t in self.targets.expired() if not t.drained]
        self._overdue = [t for t in self._overdue if not self.proxy.cut(name_of(t.group), t.server)]
