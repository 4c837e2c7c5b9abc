"""A slot's tasks crash, leak memory, turn slow, answer errors: really, in containers and on the wire.

A slot is named as its ECS service. Tasks that start while the fault holds have it, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from docker.errors import DockerException

from delivery.sandbox.chaos.detour import Detours, Trouble
from delivery.sandbox.clock import CLOCK
from delivery.sandbox.config import SandboxError
from delivery.sandbox.ecs.containers import Containers
from delivery.sandbox.ecs.model import Task
from delivery.sandbox.elb.targets import Targets
from delivery.sandbox.server import STATE

log = logging.getLogger(__name__)
Kind = Literal["crash", "leak", "slow", "errors"]
KINDS: tuple[str, ...] = get_args(Kind)
#: AWS seconds when none are said: until a task is killed, until its memory is full, what a request waits.
_USUAL = {"crash": 0.0, "leak": 20.0, "slow": 2.0, "errors": 0.0}

#: Fill the container's memory in steps, with what its image has. When it is full the kernel is to end the
#: program, not what fills it: that makes the program the first it would choose.
_LEAKS = (
    ("sh", "-c", "echo 1000 > /proc/1/oom_score_adj; "
     "while :; do head -c {step} /dev/zero; sleep {pause}; done | tail > /dev/null"),
    ("python", "-c", "import time; open('/proc/1/oom_score_adj', 'w').write('1000'); kept = []\n"
     "while True: kept.append(b'x' * {step}); time.sleep({pause})"),
)  # fmt: skip
_STEPS = 50


@dataclass(slots=True, eq=False)
class SlotFault:
    """What the tasks of `service` do.

    crash   SIGKILL `seconds` after the task was first seen running; `count` tasks, 0 for all there will be
    leak    memory grows until, about `seconds` later, the kernel ends the task (exit code 137)
    slow    requests whose path begins with `path` are answered `seconds` later
    errors  a share `rate` of these requests is answered with `status`
    """

    service: str
    kind: Kind
    seconds: float = -1.0
    rate: float = 1.0
    status: int = 500
    path: str = "/"
    count: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SandboxError(
                "The sandbox knows no such fault", f"kind: {self.kind!r} is none of {', '.join(KINDS)}"
            )
        if not 0 < self.rate <= 1:
            raise SandboxError(
                "The sandbox knows no such fault", f"rate: {self.rate:g} is not above 0 and up to 1"
            )
        if self.seconds < 0:
            self.seconds = _USUAL[self.kind]

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> SlotFault:
        """A fault as people write it. SandboxError names the field that is wrong."""
        for name, value in given.items():
            wanted = {"service": str, "kind": str, "path": str}.get(name, (int, float))
            if name not in cls.__slots__:
                raise SandboxError("The sandbox knows no such fault", f"{name}: there is no such field")
            if isinstance(value, bool) or not isinstance(value, wanted):
                raise SandboxError(
                    "The sandbox knows no such fault", f"{name}: {value!r} is of the wrong kind"
                )
        return cls(**given)

    def trouble(self) -> Trouble:
        """What the proxy before its tasks does."""
        rate = self.rate if self.kind == "errors" else 0.0
        return Trouble(self.path, self.seconds, rate, self.status)


@dataclass
class SlotFaults:
    """The faults in force, and the loop that does them. `services` names the ECS services there are."""

    containers: Containers
    targets: Targets
    tasks: Callable[[], Iterable[Task]]
    services: Callable[[], Iterable[str]]
    _faults: list[SlotFault] = field(default_factory=list)
    _done: set[tuple[SlotFault, str]] = field(default_factory=set)
    _seen: dict[str, float] = field(default_factory=dict)
    _open: dict[str, asyncio.Server] = field(default_factory=dict)
    _detours: Detours = field(default_factory=Detours)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def add(self, fault: SlotFault) -> None:
        """Let it happen; SandboxError for a service nobody made."""
        with STATE:
            known = sorted(self.services())
        if fault.service not in known:
            there = f"there are: {', '.join(known)}" if known else "there is none yet"
            raise SandboxError(f"The sandbox has no ECS service {fault.service!r}", there)
        with self._lock:
            self._faults.append(fault)

    def clear(self, service: str = "") -> None:
        """The tasks are well again: of one slot, or of all. What was killed stays dead."""
        with self._lock:
            self._faults = [f for f in self._faults if service and f.service != service]

    def told(self) -> list[dict[str, Any]]:
        """What is in force, as plain data."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def tick(self) -> None:
        """Do to each running task what its slot's faults say. Cheap when there are none."""
        if not self._faults and not self._open:
            return
        with STATE:
            running = [t for t in self.tasks() if t.service and t.running]
        for task in running:
            self._seen.setdefault(task.arn, CLOCK.monotonic())
            for fault in [f for f in self._faults if f.service == task.service]:
                if fault.kind in ("crash", "leak"):
                    self._hurt(task, fault)
        self._direct(running)

    def _hurt(self, task: Task, fault: SlotFault) -> None:
        key = (fault, task.arn)
        soon = fault.kind == "crash" and CLOCK.monotonic() - self._seen[task.arn] < fault.seconds
        if key in self._done or soon:
            return
        self._done.add(key)
        with contextlib.suppress(DockerException):
            if fault.kind == "crash":
                self.containers.client.api.kill(task.main.container_id, "SIGKILL")
            else:
                self._leak(task, CLOCK.real(fault.seconds))
        if fault.count == 1:
            with self._lock:
                self._faults.remove(fault)
        fault.count = max(0, fault.count - 1)

    def _leak(self, task: Task, seconds: float) -> None:
        """A process in the task's own container, which takes its memory bit by bit."""
        api, limit = self.containers.client.api, task.main.spec.memory or task.spec.memory_bytes
        numbers = {"step": limit // _STEPS, "pause": f"{seconds / _STEPS:.3f}"}
        why: Exception | None = None
        for *start, program in _LEAKS:
            command = [*start, program.format(**numbers)]
            try:
                made = api.exec_create(task.main.container_id, command, user="0", stdout=False, stderr=False)
                api.exec_start(made["Id"], detach=True)
            except DockerException as error:
                why = error
            else:
                return
        log.warning("cannot make %s leak: its image has neither sh nor python (%s)", task.service, why)

    def _direct(self, running: list[Task]) -> None:
        """Put the proxy before tasks that are to be slow or to fail; take it away from others."""
        troubled = {f.service for f in self._faults if f.kind in ("slow", "errors")}
        wanted = {t.container_id: t for t in running if t.service in troubled}
        for container_id, task in wanted.items():
            if container_id not in self._open and (where := self._where(container_id)):
                self._put(container_id, task.service, *where)
        for container_id in [c for c in self._open if c not in wanted]:
            with STATE:
                self.targets.detours.pop(container_id, None)
            self._detours.close(self._open.pop(container_id))

    def _where(self, container_id: str) -> tuple[str, int] | None:
        with STATE:
            mine = [t for t in self.targets.entries.values() if t.container_id == container_id]
        return (mine[0].address, mine[0].port) if mine else None

    def _put(self, container_id: str, service: str, address: str, port: int) -> None:
        place, server = self._detours.open(address, port, lambda: self._troubles(service))
        self._open[container_id] = server
        with STATE:
            self.targets.detours[container_id] = place

    def _troubles(self, service: str) -> list[Trouble]:
        return [f.trouble() for f in self._faults if f.service == service and f.kind in ("slow", "errors")]
