"""The warm process: imports everything, then forks a worker for each run it is told of.

`python -m delivery.orchestration.launcher.server FD`, where FD is a connected socket; Warm is its other end.
It has one thread and holds no connection to anything when it forks, which is what makes forking safe. It ends
when the other end is closed, hence also when the daemon is killed.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from typing import Any, TextIO

import dagster as dg

from delivery.orchestration.launcher.reading import Reading
from delivery.orchestration.launcher.run_body import INTERRUPTS, execute, opened
from delivery.orchestration.launcher.worker import Worker

#: Seconds between two looks for workers that have ended.
REAP_EVERY = 1.0


def main(descriptor: int) -> None:
    """Load, say so, and serve until the other end is closed."""
    with socket.socket(fileno=descriptor) as connection, connection.makefile("r") as lines:
        Server(connection, lines).run()


class Server:
    """One warm process."""

    def __init__(self, connection: socket.socket, lines: TextIO) -> None:
        self._connection, self._lines = connection, lines
        self._instance_ref = ""

    def run(self) -> None:
        """Load what the first line says, then serve."""
        told = self._hear()
        if told is None:
            return
        self._instance_ref = told["instance"]
        try:
            reading = load(told["modules"], self._instance_ref)
            alone()
        except Exception as error:
            traceback.print_exc()
            self._say({"error": f"{type(error).__name__}: {error}"})
            return
        gc.collect()
        gc.freeze()  # what is there now is shared with every worker: do not touch it
        self._say({"ready": True})
        self._serve(reading)

    def _serve(self, reading: Reading) -> None:
        while True:
            if not select.select([self._connection], [], [], REAP_EVERY)[0]:
                _reap()
                continue
            told = self._hear()
            if told is None:
                return
            changed = reading.changed()
            if changed:
                self._say({"changed": changed})
                return
            self._fork(told["run"])

    def _fork(self, run_id: str) -> None:
        """A worker that begins when the launcher has written down who it is, and else never does."""
        gate, opener = os.pipe()
        # A signal that comes before the worker can take it waits, instead of killing it unheard.
        signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
        pid = os.fork()
        if not pid:
            os.close(opener)
            self._work(run_id, gate)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
        os.close(gate)
        worker = Worker.of_process(pid)
        self._say({"pid": worker.pid, "start": worker.start})
        if self._hear() is not None:
            with contextlib.suppress(BrokenPipeError):  # it died: the run monitor tells
                os.write(opener, b"g")
        os.close(opener)

    def _work(self, run_id: str, gate: int) -> None:
        """All of a worker's life. It never returns into the server's."""
        code = 1
        try:
            os.setsid()
            self._lines.close()  # both, or the socket stays open: its end must be seen when the server dies
            self._connection.close()
            if os.read(gate, 1):
                code = execute(run_id, self._instance_ref)
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _hear(self) -> dict[str, Any] | None:
        """The next line; None when the other end is closed."""
        try:
            line = self._lines.readline()
        except OSError:
            return None
        return json.loads(line) if line else None

    def _say(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more: the next `_hear` ends the server
            self._connection.sendall(json.dumps(message).encode() + b"\n")


def load(modules: Sequence[str], instance_ref: str) -> Reading:
    """Open the instance once, import the modules, and resolve every job of their definitions."""
    with opened(instance_ref) as instance:
        instance.get_runs_count()
        with Reading() as reading:
            instance.inject_env_vars(None)  # `.env`: the definitions read the environment
            for name in modules:
                for found in vars(importlib.import_module(name)).values():
                    if isinstance(found, dg.Definitions):
                        found.get_repository_def().get_all_jobs()
    return reading


def alone() -> None:
    """RuntimeError when there are more threads than this one: a lock held by another would stay locked
    in the worker for ever. Counts those of libraries too."""
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        raise RuntimeError(f"the definitions started {threads - 1} threads, so forking is not safe")


def _reap() -> None:
    """Wait for workers that have ended, so that they do not stay as zombies."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    main(int(sys.argv[1]))
