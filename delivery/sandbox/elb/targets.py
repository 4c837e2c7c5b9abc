"""Targets and their states, from registering to the end of draining.

Source: "Target groups for your Application Load Balancers" (registered targets, deregistration delay) and
"Health checks for Application Load Balancer target groups" in the user guide. A state is published only after
the proxy works by it, so what DescribeTargetHealth says is what traffic gets.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.elb.health import (
    CHECKING,
    DRAINING,
    HEALTHY,
    NOT_IN_USE,
    NOT_REGISTERED,
    REGISTERING,
    Check,
    Health,
    matcher_of,
)  # fmt: skip
from delivery.sandbox.elb.usage import used_groups
from delivery.sandbox.server import STATE

#: Real seconds without a request on its way after which a draining target is done. The old worker of the
#: proxy learns a moment later than the new one that it is the old one.
QUIET = 0.5
#: (group, container or address, port). Containers have a name of their own, for Docker reuses addresses.
Key = tuple[str, str, int]


@dataclass
class Target:
    """One address in one target group; `container_id` is empty when an API caller registered it."""

    group: str
    container_id: str
    address: str
    port: int
    health: Health = REGISTERING
    published: Health = REGISTERING
    passed: int = 0
    failed: int = 0
    due: float = 0.0
    asking: bool = False
    #: When it began to drain (AWS seconds), since when nothing is on its way (real), and that it is done.
    since: float = 0.0
    quiet: float | None = None
    drained: bool = False

    @property
    def key(self) -> Key:
        return self.group, self.container_id or self.address, self.port

    @property
    def server(self) -> str:
        """Its name in the proxy."""
        return f"t-{self.container_id[:12] or self.address.replace(':', '_')}-{self.port}"

    @property
    def leaving(self) -> bool:
        """Deregistered."""
        return self.health.state == "draining"

    def judged(self, found: Health, healthy_after: int, unhealthy_after: int) -> None:
        """Count one check. A newly registered target is healthy after one passed check."""
        good = found is HEALTHY
        self.passed, self.failed = (self.passed + 1, 0) if good else (0, self.failed + 1)
        initial = self.health.state == "initial"
        if self.passed >= (1 if initial else healthy_after):
            self.health = HEALTHY
        elif self.failed >= unhealthy_after or (not good and self.health.state == "unhealthy"):
            self.health = found
        elif initial:
            self.health = CHECKING


@dataclass
class Targets:
    """All targets of the world. Methods that touch moto's groups are called with its lock held.

    `detours` sends the checks and the traffic of a container to another address, for faults on the wire.
    """

    backend: Callable[[], Any]
    entries: dict[Key, Target] = field(default_factory=dict)
    detours: dict[str, tuple[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._askers = ThreadPoolExecutor(max_workers=16, thread_name_prefix="health")
        self._changed = threading.Condition(STATE)

    # --- coming and going -------------------------------------------------------------

    def register(self, group: str, address: str, port: int, container_id: str = "") -> None:
        """Add an address to a group; it gets no traffic before its first passed check."""
        for known in self.at(group, address, port):
            if known.container_id == container_id or not container_id:
                if known.leaving:
                    known.health, known.drained, known.quiet = REGISTERING, False, None
                    known.passed = known.failed = 0
                return
        target = Target(group, container_id, address, port)
        self.entries.pop(target.key, None)  # the newest is last
        self.entries[target.key] = target

    def deregister(self, container_id: str) -> list[str]:
        """Take a container out of traffic, at the proxy's next change; the groups it was in."""
        mine = [t for t in self.entries.values() if t.container_id == container_id]
        self.leave(mine)
        return [t.group for t in mine]

    def leave(self, targets: Iterable[Target]) -> None:
        """Deregister: no new requests, what is on its way may finish."""
        for target in targets:
            if not target.leaving:
                target.health, target.since = DRAINING, CLOCK.monotonic()

    def forget(self, container_id: str) -> None:
        """The container is gone. What had drained is shown as draining until its delay is over, as by ELB."""
        for target in [t for t in self.entries.values() if t.container_id == container_id]:
            if target.leaving and target.group in used_groups(self.backend()):
                target.drained = True
            else:
                del self.entries[target.key]

    def at(self, group: str, address: str, port: int | None = None) -> list[Target]:
        """The group's targets at an address, the newest last."""
        mine = [t for t in self.entries.values() if t.group == group and t.address == address]
        return [t for t in mine if port is None or t.port == port]

    # --- looking ------------------------------------------------------------------------

    def states_of(self, container_id: str) -> list[str]:
        """The published states of a container in its groups."""
        return [t.published.state for t in self.entries.values() if t.container_id == container_id]

    def published(self, group: str, address: str, port: int | None = None) -> Health:
        """What DescribeTargetHealth says of an address."""
        return next((t.published for t in reversed(self.at(group, address, port))), NOT_REGISTERED)

    def listed(self, group: str) -> list[Target]:
        """The group's targets, also the draining ones; of an address used again, the newest."""
        newest = {(t.address, t.port): t for t in self.entries.values() if t.group == group}
        return list(newest.values())

    def in_group(self, group: str) -> list[Target]:
        """Registered and not draining."""
        return [t for t in self.entries.values() if t.group == group and not t.leaving]

    def routable(self, group: str) -> list[Target]:
        """The targets that get traffic: the healthy ones, or all when too few are (ELB fails open)."""
        mine = self.in_group(group)
        healthy = [t for t in mine if t.health.state == "healthy"]
        unhealthy = [t for t in mine if t.health.state == "unhealthy"]
        attributes = getattr(self.backend().target_groups.get(group), "attributes", {})
        needed = attributes.get("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count")
        return healthy if len(healthy) >= int(needed or 1) else healthy + unhealthy

    def place(self, target: Target) -> tuple[str, int]:
        """Where a target is really reached."""
        return self.detours.get(target.container_id, (target.address, target.port))

    # --- draining -----------------------------------------------------------------------

    def publish(self, states: Mapping[Key, Health]) -> None:
        """The proxy now works by these states."""
        with self._changed:
            for key, state in states.items():
                if key in self.entries:
                    self.entries[key].published = state
            self._changed.notify_all()

    def draining(self) -> list[Target]:
        """Those the proxy sends nothing to any more, which may still have something to finish."""
        return [t for t in self.entries.values() if t.published is DRAINING and t.leaving and not t.drained]

    def watch(self, target: Target, on_their_way: int) -> None:
        """What the proxy still has open to a draining target."""
        with self._changed:
            now = time.monotonic()
            target.quiet = None if on_their_way else target.quiet or now
            if target.quiet and now - target.quiet >= QUIET:
                target.drained = True
                self._changed.notify_all()

    def expired(self) -> list[Target]:
        """Those whose deregistration delay is over; from now on they are unused."""
        gone = []
        with self._changed:
            for target in [t for t in self.entries.values() if t.leaving and t.published is DRAINING]:
                if CLOCK.monotonic() - target.since >= self.delay(target.group):
                    gone.append(self.entries.pop(target.key))
            if gone:
                self._changed.notify_all()
        return gone

    def delay(self, group: str) -> float:
        """The group's deregistration delay in AWS seconds; 0 for one that nothing uses."""
        elb = self.backend()
        known = elb.target_groups.get(group)
        if known is None or group not in used_groups(elb):
            return 0.0
        return float(known.attributes.get("deregistration_delay.timeout_seconds", 300))

    def wait_drained(self, container_id: str) -> None:
        """Until nothing is on its way to the container any more, or its deregistration delay is over."""
        with self._changed:
            mine = [t for t in self.entries.values() if t.container_id == container_id]
            longest = max((self.delay(t.group) for t in mine), default=0.0)
            self._changed.wait_for(
                lambda: all(t.drained or t.key not in self.entries for t in mine), CLOCK.real(longest) + 15
            )

    # --- asking -------------------------------------------------------------------------

    def tick(self) -> None:
        """Ask the targets whose interval has passed."""
        now = CLOCK.monotonic()
        with STATE:
            if not self.entries:
                return
            elb = self.backend()
            used = used_groups(elb)
            for target in list(self.entries.values()):
                group = elb.target_groups.get(target.group)
                if group is None:
                    del self.entries[target.key]
                elif not target.leaving:
                    self._look(target, group, target.group in used, now)

    def _look(self, target: Target, group: Any, used: bool, now: float) -> None:
        if not used:
            target.health, target.passed, target.failed = NOT_IN_USE, 0, 0
            return
        if target.health is NOT_IN_USE:
            target.health, target.due = REGISTERING, 0.0
        if target.asking or now < target.due:
            return
        target.asking, target.due = True, now + float(group.health_check_interval_seconds)
        self._askers.submit(self._ask, target, self.check(target, group), group)

    def check(self, target: Target, group: Any) -> Check:
        """The health check of one target, as its group says."""
        host, port = self.place(target)
        own = str(group.health_check_port or "traffic-port")
        if own not in ("traffic-port", str(target.port)):
            host, port = target.address, int(own)
        return Check(
            host, port, group.health_check_path or "/",
            CLOCK.real(float(group.health_check_timeout_seconds)), matcher_of(group),
            group.health_check_protocol == "HTTPS",
        )  # fmt: skip

    def _ask(self, target: Target, check: Check, group: Any) -> None:
        found = check.ask()
        with STATE:
            target.asking = False
            if not target.leaving and target.health is not NOT_IN_USE:
                target.judged(found, int(group.healthy_threshold_count), int(group.unhealthy_threshold_count))
