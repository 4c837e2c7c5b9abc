"""The process of one run, as anybody on this machine can find it again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: The tag that tells which process works on a run: `run:pid:start`.
WORKER = "delivery/worker"
_STATE, _START = 0, 19
_DEAD = ("Z", "X")


@dataclass(frozen=True, slots=True)
class Worker:
    """A process, known by its id and its start in clock ticks since boot: the pair is never used again."""

    pid: int
    start: int

    @classmethod
    def of_process(cls, pid: int) -> Worker:
        """The process that has this id now; OSError when there is none."""
        return cls(pid, int(_stat(pid)[_START]))

    @classmethod
    def of_run(cls, run_id: str, tags: Mapping[str, str]) -> Worker | None:
        """The process of that run. None when it was started another way: the tags of a run that is
        repeated are copied from the one before, whose process they name."""
        run, _, rest = tags.get(WORKER, "").partition(":")
        pid, _, start = rest.partition(":")
        return cls(int(pid), int(start)) if run == run_id and pid.isdigit() and start.isdigit() else None

    def tag(self, run_id: str) -> dict[str, str]:
        """What `of_run` reads."""
        return {WORKER: f"{run_id}:{self.pid}:{self.start}"}

    @property
    def alive(self) -> bool:
        """Whether it still runs; one that nobody has waited for yet does not."""
        try:
            found = _stat(self.pid)
        except OSError:
            return False
        return int(found[_START]) == self.start and found[_STATE] not in _DEAD

    def send(self, signal: int) -> bool:
        """Send it a signal; False when it is gone."""
        if not self.alive:
            return False
        try:
            os.kill(self.pid, signal)
        except ProcessLookupError:
            return False
        return True


def _stat(pid: int) -> list[str]:
    """proc(5): the fields from the third on; the second, the name, may hold blanks and brackets."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
