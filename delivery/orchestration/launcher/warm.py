"""The warm process, seen from the launcher: start it, have it fork, end it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from delivery.errors import ProviderError
from delivery.orchestration.launcher.worker import Worker

#: Seconds for importing everything, on a busy machine; then for one fork.
LOAD_TIMEOUT = 60.0
FORK_TIMEOUT = 10.0
SERVER = "delivery.orchestration.launcher.server"


class Stale(ProviderError):
    """The warm process is of no use any more: the code changed, or it is gone. A fresh one may do."""


class Warm:
    """One warm process. It ends when this object is closed, and when this process ends in any way:
    the other end of the connection is nobody else's."""

    def __init__(self, modules: Sequence[str], instance_ref: str) -> None:
        """Start it, and let it load in its own time."""
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", SERVER, str(theirs.fileno())],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self._lines = self._socket.makefile("r")
        self._ready = False
        self._say({"modules": list(modules), "instance": instance_ref})

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def fork(self, run_id: str) -> Worker:
        """A process for that run, which waits for `go`. Stale, or ProviderError when it cannot be."""
        if not self._ready:
            self._hear(LOAD_TIMEOUT)
            self._ready = True
        self._say({"run": run_id})
        answer = self._hear(FORK_TIMEOUT)
        if answer.get("changed"):
            raise Stale("the definitions are loaded again", f"{answer['changed']} changed")
        return Worker(int(answer["pid"]), int(answer["start"]))

    def go(self) -> None:
        """Let the process of the last fork begin. Without this it ends, having done nothing."""
        self._say({"go": True})

    def close(self) -> None:
        """End it. Runs that it has forked go on."""
        self._lines.close()
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def _say(self, message: dict[str, Any]) -> None:
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            raise self._gone() from None

    def _hear(self, seconds: float) -> dict[str, Any]:
        self._socket.settimeout(seconds)
        try:
            line = self._lines.readline()
        except TimeoutError:
            raise ProviderError("the warm process is not used", f"no answer within {seconds:g} s") from None
        except OSError:
            raise self._gone() from None
        if not line:
            raise self._gone()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ProviderError("the warm process is not used", answer["error"])
        return answer

    def _gone(self) -> Stale:
        return Stale("the warm process is started again", f"the one before (pid {self.pid}) is gone")
