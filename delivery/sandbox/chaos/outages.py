"""What a test may break, in one place: calls, slots, the registry, Docker, the clock, DNS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from delivery.sandbox.chaos.slots import SlotFault, SlotFaults
from delivery.sandbox.clock import CLOCK
from delivery.sandbox.config import SandboxError
from delivery.sandbox.control import Actions
from delivery.sandbox.dns import CHANGES
from delivery.sandbox.ecr import Registry
from delivery.sandbox.ecs.containers import Containers
from delivery.sandbox.faults import Fault, Faults
from delivery.sandbox.github.limits import HOUR, RateLimits


@dataclass
class Outages:
    """All faults of one sandbox."""

    faults: Faults
    slots: SlotFaults
    registry: Registry
    containers: Containers
    quotas: RateLimits
    registry_is: str = "up"

    def actions(self) -> Actions:
        """They as the control API has them."""
        return {
            "GET faults": lambda body: {"faults": self.in_force()},
            "POST faults": lambda body: self.faults.add(Fault.read(body)),
            "POST slots": self._slot,
            "POST registry": lambda body: self._registry(_choice(body, "up", "down", "full")),
            "POST docker": self._docker,
            "POST skew": self._skew,
            "POST dns": self._dns,
            "POST quota": self._quota,
            "POST clear": lambda body: self.clear(),
        }

    def clear(self) -> None:
        """Everything works again."""
        self.faults.clear()
        self.slots.clear()
        self.quotas.clear()
        self._registry("up")
        self.containers.available = True
        CLOCK.skew, CHANGES.stuck = 0.0, False

    def in_force(self) -> list[dict[str, Any]]:
        """What is broken, and what is going to be: `what`, `kind`, and the kind's own fields."""
        found = [{"what": _call(f), **f} for f in self.faults.told()]
        found += [{"what": f"slot {f['service']}", **f} for f in self.slots.told()]
        if self.registry_is != "up":
            found.append({"what": "registry", "kind": self.registry_is})
        if not self.containers.available:
            found.append({"what": "docker", "kind": "stopped"})
        if CLOCK.skew:
            found.append({"what": "clock", "kind": "skew", "seconds": CLOCK.skew})
        if CHANGES.stuck:
            found.append({"what": "dns", "kind": "stuck"})
        for login, limit in self.quotas.told().items():
            found.append({"what": f"github {login}".strip(), "kind": "quota", "requests": limit})
        return found

    def _registry(self, state: str) -> None:
        self.registry_is = state
        self.registry.full = state == "full"
        if state == "down":
            self.registry.stop()
        else:
            self.registry.start()

    def _slot(self, body: Mapping[str, Any]) -> None:
        if body.get("kind") == "ok":
            self.slots.clear(_said(body, "service", str))
        else:
            self.slots.add(SlotFault.read(body))

    def _docker(self, body: Mapping[str, Any]) -> None:
        self.containers.available = _choice(body, "up", "stopped") == "up"

    @staticmethod
    def _skew(body: Mapping[str, Any]) -> None:
        CLOCK.skew = float(_said(body, "seconds", (int, float)))

    @staticmethod
    def _dns(body: Mapping[str, Any]) -> None:
        CHANGES.stuck = _choice(body, "up", "stuck") == "stuck"

    def _quota(self, body: Mapping[str, Any]) -> None:
        limit, seconds = _said(body, "limit", int), body.get("seconds", HOUR)
        if limit < 0 or not isinstance(seconds, (int, float)) or seconds <= 0:
            raise SandboxError(
                "The sandbox knows no such fault", "limit cannot be negative, seconds must be above 0"
            )
        self.quotas.set_limit(limit, _said({"login": "", **body}, "login", str), seconds)


def _call(fault: Mapping[str, Any]) -> str:
    return f"{fault['service']} {fault.get('operation', '')}".strip()


def _choice(body: Mapping[str, Any], *states: str) -> str:
    state = str(_said(body, "state", str))
    if state not in states:
        raise SandboxError(
            "The sandbox knows no such fault", f"state: {state!r} is none of {', '.join(states)}"
        )
    return state


def _said(body: Mapping[str, Any], name: str, kind: Any) -> Any:
    value = body.get(name)
    if value is None or isinstance(value, bool) or not isinstance(value, kind):
        raise SandboxError(
            "The sandbox knows no such fault", f"{name}: {value!r} is missing or of the wrong kind"
        )
    return value
