"""Target health by really asking, with each group's own path, matcher, interval and thresholds.

Source: "Health checks for Application Load Balancer target groups" in the ELB user guide. A state is
published only after the proxy works by it, so what DescribeTargetHealth says is what traffic gets.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from delivery.sandbox.server import STATE

_REASONS = {"initial": "Elb.RegistrationInProgress", "draining": "Target.DeregistrationInProgress"}


@dataclass
class Target:
    """One container in one target group. Keyed by container, for Docker gives addresses out again."""

    group: str
    container_id: str
    address: str
    port: int
    state: str = "initial"
    reason: str = _REASONS["initial"]
    passed: int = 0
    failed: int = 0
    due: float = 0.0
    asking: bool = False
    published: tuple[str, str] = ("initial", _REASONS["initial"])


@dataclass
class Targets:
    """All targets of the world. Methods that touch moto's groups are called with its lock held."""

    backend: Callable[[], Any]
    entries: dict[tuple[str, str], Target] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._askers = ThreadPoolExecutor(max_workers=16, thread_name_prefix="health")
        self._applied = threading.Condition()
        self._generation = 0

    def register(self, group: str, address: str, port: int, container_id: str) -> None:
        """Add a container to a group; it gets no traffic before its first passed check."""
        self.entries[group, container_id] = Target(group, container_id, address, port)
        self._group(group).targets[address] = {"Id": address, "Port": port}

    def deregister(self, container_id: str) -> list[str]:
        """Take a container out of traffic, at the proxy's next change; the groups it was in."""
        mine = [t for t in self.entries.values() if t.container_id == container_id]
        for target in mine:
            target.state, target.reason = "draining", _REASONS["draining"]
        return [t.group for t in mine]

    def forget(self, container_id: str) -> None:
        """Remove its traces, unless its address is another's by now."""
        for key in [k for k in self.entries if k[1] == container_id]:
            gone = self.entries.pop(key)
            group = self.backend().target_groups.get(gone.group)
            taken = any(t.address == gone.address and t.group == gone.group for t in self.entries.values())
            if group is not None and not taken:
                group.targets.pop(gone.address, None)

    def states_of(self, container_id: str) -> list[str]:
        """The published states of a container in its groups."""
        return [t.published[0] for t in self.entries.values() if t.container_id == container_id]

    def published(self, group: str, address: str) -> tuple[str, str]:
        """What DescribeTargetHealth says of an address: state and reason."""
        for target in reversed(list(self.entries.values())):
            if target.group == group and target.address == address:
                return target.published
        return "unused", "Target.NotRegistered"

    def routable(self, group: str) -> list[Target]:
        """The targets that get traffic: the healthy ones, or all when none is healthy (ELB fails open)."""
        mine = [t for t in self.entries.values() if t.group == group and t.state != "draining"]
        healthy = [t for t in mine if t.state == "healthy"]
        return healthy or [t for t in mine if t.state == "unhealthy"]

    def in_group(self, group: str) -> list[Target]:
        """Registered and not draining."""
        return [t for t in self.entries.values() if t.group == group and t.state != "draining"]

    def publish(self, states: dict[tuple[str, str], tuple[str, str]]) -> None:
        """The proxy now works by these states."""
        for key, state in states.items():
            if key in self.entries:
                self.entries[key].published = state
        with self._applied:
            self._generation += 1
            self._applied.notify_all()

    def wait_drained(self, container_id: str, idle: float = 1.0) -> None:
        """Until the proxy no longer sends anything to the container, and what was on its way is done."""
        with self._applied:
            before = self._generation
            self._applied.wait_for(lambda: self._generation >= before + 2, timeout=15)
        time.sleep(idle)

    def tick(self) -> None:
        """Ask the targets whose interval has passed."""
        now = time.monotonic()
        with STATE:
            groups = dict(self.backend().target_groups)
            for target in list(self.entries.values()):
                group = groups.get(target.group)
                if group is None or target.asking or target.state == "draining" or now < target.due:
                    continue
                target.asking, target.due = True, now + int(group.health_check_interval_seconds)
                self._askers.submit(self._ask, target, group)

    def _ask(self, target: Target, group: Any) -> None:
        problem = _problem(target, group)
        with STATE:
            target.asking = False
            if target.state == "draining":
                return
            target.passed, target.failed = (0, target.failed + 1) if problem else (target.passed + 1, 0)
            needed = 1 if target.state == "initial" else int(group.healthy_threshold_count)
            if target.passed >= needed:
                target.state, target.reason = "healthy", ""
            elif target.failed >= int(group.unhealthy_threshold_count):
                target.state, target.reason = "unhealthy", problem

    def _group(self, arn: str) -> Any:
        return self.backend().target_groups[arn]


def _problem(target: Target, group: Any) -> str:
    """Why the target failed this check, in ELB's reason codes; empty when it passed."""
    timeout = float(group.health_check_timeout_seconds)
    connection = http.client.HTTPConnection(target.address, target.port, timeout=timeout)
    try:
        connection.request(
            "GET", group.health_check_path or "/", headers={"User-Agent": "ELB-HealthChecker/2.0"}
        )
        status = connection.getresponse().status
    except TimeoutError:
        return "Target.Timeout"
    except (OSError, http.client.HTTPException):
        return "Target.FailedHealthChecks"
    finally:
        connection.close()
    matcher = str((getattr(group, "matcher", None) or {}).get("HttpCode", "200"))
    return "" if matches(matcher, status) else "Target.ResponseCodeMismatch"


def matches(matcher: str, status: int) -> bool:
    """Whether a status fits `200`, `200,302` or `200-299`."""
    for part in matcher.split(","):
        low, _, high = part.strip().partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False
