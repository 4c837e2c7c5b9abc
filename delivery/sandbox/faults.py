"""Faults on demand: the next calls of one operation fail, come late, hang, or lose their answer.

Each names a service, an operation, and how many calls it is for. What an operation is called: AWS's own name
(`UpdateService`, `ChangeResourceRecordSets`, `PutObject`); for REST also method and path (`PUT /bucket/key`),
which is the only name for GitHub.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args, get_type_hints

from delivery.sandbox.chaos.services import check_operation, service_named
from delivery.sandbox.config import SandboxError

Kind = Literal["error", "throttle", "delay", "lost", "hang"]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(slots=True)
class Fault:
    """One fault. `operation` is a prefix, empty for any.

    error     the call is answered with `status` and `code`, and does nothing
    throttle  the same, in the words the service throttles with
    delay     the call is done `seconds` (AWS's) later
    lost      the call is done, and its answer never arrives
    hang      the connection is silent for `seconds`, then closed; nothing was done

    count        for so many calls; 0 is until it is cleared
    after        so many calls are let through first
    target       only calls that have this text in their body or path, e.g. a service's name
    probability  of each call, from a generator with `seed`; a call that was lucky does not count
    """

    service: str
    operation: str = ""
    kind: Kind = "error"
    count: int = 1
    after: int = 0
    status: int = 500
    code: str = "InternalFailure"
    message: str = "The sandbox was told to answer so."
    seconds: float = 0.0
    target: str = ""
    probability: float = 1.0
    seed: int = 0

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Fault:
        """A fault as people write it. SandboxError names the field that is wrong."""
        kinds = get_type_hints(cls)
        for name, value in given.items():
            if name not in kinds:
                _refuse(name, f"there is no such field; there are: {', '.join(kinds)}")
            wanted = (int, float) if kinds[name] is float else kinds[name]
            wanted = str if name == "kind" else wanted
            if isinstance(value, bool) or not isinstance(value, wanted):
                _refuse(name, f"{value!r} should be a {'text' if wanted is str else 'number'}")
        if "service" not in given:
            _refuse("service", "it is missing")
        return cls(**given).checked()

    def checked(self) -> Fault:
        """Itself, with the name its service signs for; throttling in that service's words."""
        service = service_named(self.service)
        check_operation(service, self.operation)
        if self.kind not in KINDS:
            _refuse("kind", f"{self.kind!r} is none of {', '.join(KINDS)}")
        for name in ("count", "after", "seconds"):
            if getattr(self, name) < 0:
                _refuse(name, "it cannot be negative")
        if not 0 < self.probability <= 1:
            _refuse("probability", f"{self.probability:g} is not above 0 and up to 1")
        if self.kind in ("error", "throttle") and not 300 <= self.status <= 599:
            _refuse("status", f"{self.status} is no HTTP status of a refusal (300 to 599)")
        self.service = service.name
        if self.kind == "throttle":
            (self.code, self.status), self.message = service.throttled, service.message
        return self

    @property
    def refuses(self) -> bool:
        """Whether the call is answered with an error, and does nothing."""
        return self.kind in ("error", "throttle")

    def fits(self, service: str, operations: tuple[str, ...], content: bytes) -> bool:
        """Whether it is meant for this call."""
        if self.service != service or not any(o.startswith(self.operation) for o in operations):
            return False
        return not self.target or self.target.encode() in content or self.target in " ".join(operations)


def _refuse(name: str, why: str) -> None:
    raise SandboxError("The sandbox knows no such fault", f"{name}: {why}")


@dataclass
class Faults:
    """The faults to come; safe to use from several threads."""

    _waiting: list[tuple[Fault, random.Random]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault) -> None:
        """Let it happen."""
        with self._lock:
            self._waiting.append((fault, random.Random(fault.seed)))

    def clear(self) -> None:
        """No more faults."""
        with self._lock:
            self._waiting.clear()

    def told(self) -> list[dict[str, Any]]:
        """What is still to come, as plain data; a fault's usual fields are left out."""
        usual = {f.name: f.default for f in fields(Fault)}
        with self._lock:
            waiting = [asdict(fault) for fault, _ in self._waiting]
        keep = ("kind", "count")
        return [{k: v for k, v in fault.items() if k in keep or v != usual[k]} for fault in waiting]

    def take(self, service: str, *operations: str, content: bytes = b"") -> Fault | None:
        """The fault for this call, used up by it. `operations` are all names the call has."""
        with self._lock:
            for entry in self._waiting:
                fault, chance = entry
                if not fault.fits(service, operations, content):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    return None
                if fault.probability < 1 and chance.random() >= fault.probability:
                    return None
                if fault.count == 1:
                    self._waiting.remove(entry)
                fault.count = max(0, fault.count - 1)
                return fault
        return None
