"""The HAProxy process: a configuration goes in, and `apply` returns when it is what carries traffic."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from delivery.sandbox.config import SandboxError, which
from delivery.sandbox.elb.model import Backend, Frontend
from delivery.sandbox.elb.render import files, render

log = logging.getLogger(__name__)
#: Its sockets, in its folder. HAProxy runs there and names them so, for the kernel takes no path of more than
#: 107 characters and HAProxy appends to it while it starts.
STATS, MASTER = "stats.sock", "master.sock"
#: Real seconds until a listener that could not have its address tries again.
RETRY = 5.0


class Refused(SandboxError):
    """HAProxy does not take the configuration; the one before stays in force."""


class Proxy:
    """One HAProxy in master-worker mode; a reload lets the old worker finish what it has begun."""

    def __init__(self, folder: Path, requests: int) -> None:
        """`requests`: the open pipe that gets one line per request."""
        self._folder, self._requests = folder, requests
        self._folder.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._generation = 0
        self._applied: tuple[Sequence[Frontend], Sequence[Backend]] | None = None
        self._refused: tuple[tuple[Sequence[Frontend], Sequence[Backend]], str] | None = None
        self._kept: list[Frontend] = []
        self._again = 0.0
        self._program = which("haproxy") or ""
        if not self._program:
            raise SandboxError(
                "The sandbox has no load balancer",
                "the program haproxy is not installed",
                "Install it, e.g. `apt-get install haproxy`.",
            )

    @property
    def process_id(self) -> int | None:
        """The master's process, once it was started."""
        return self._process.pid if self._process else None

    @property
    def _running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def apply(self, frontends: Sequence[Frontend], backends: Sequence[Backend]) -> bool:
        """Make this what carries traffic; True when something changed. Returns after it is in force.

        Refused when HAProxy finds it wrong. A listener whose address cannot be had is left out, and told.
        """
        wanted = (frontends, backends)
        complete = len(self._kept) == len(frontends) or time.monotonic() < self._again
        if wanted == self._applied and self._running and complete:
            return False
        if self._refused is not None and self._refused[0] == wanted:
            raise Refused("The load balancer's configuration is not valid", self._refused[1])
        bound = {(f.address, f.port) for f in self._kept} if self._running else set()
        kept = [f for f in frontends if (f.address, f.port) in bound or _free(f)]
        self._again = time.monotonic() + RETRY
        if wanted == self._applied and self._running and kept == self._kept:
            return False
        self._generation += 1
        generation = f"generation-{self._generation}"
        config = self._written(generation, kept, backends, wanted)
        if self._running and self._process is not None:
            self._process.send_signal(signal.SIGUSR2)
        else:
            self._start(config)
        self._wait(generation)
        self._applied, self._kept = wanted, kept
        return True

    def _written(
        self, generation: str, frontends: Sequence[Frontend], backends: Sequence[Backend],
        wanted: tuple[Sequence[Frontend], Sequence[Backend]],
    ) -> Path:  # fmt: skip
        for name, content in files(frontends).items():
            if not (self._folder / name).exists():
                (self._folder / name).write_bytes(content)
        config = self._folder / "haproxy.cfg"
        fresh = config.with_suffix(".new")
        fresh.write_text(render(f"unix@{STATS}", generation, frontends, backends, str(self._folder)))
        done = subprocess.run(
            [self._program, "-c", "-q", "-f", str(fresh)],
            cwd=self._folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            self._refused = (wanted, done.stderr.strip()[-800:])
            raise Refused("The load balancer's configuration is not valid", self._refused[1])
        fresh.replace(config)
        return config

    def _start(self, config: Path) -> None:
        master = f"unix@{MASTER},mode,600"
        with (self._folder / "haproxy.log").open("ab") as out:
            self._process = subprocess.Popen(
                [self._program, "-W", "-db", "-S", master, "-f", str(config)],
                cwd=self._folder, stdout=self._requests, stderr=out, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def _wait(self, generation: str, timeout: float = 15.0) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if f"description: {generation}\n" in self._ask("show info").replace("Description", "description"):
                return
            if not self._running:
                break
            time.sleep(0.02)
        tail = (self._folder / "haproxy.log").read_text()[-600:]
        raise SandboxError(
            "The load balancer did not take its new configuration",
            tail.strip() or f"no answer within {timeout:g} s",
        )

    # --- what the workers, old and new, are doing ------------------------------------------

    def _workers(self) -> list[str]:
        shown = self._ask("show proc", MASTER).splitlines()
        return [line.split()[0] for line in shown if re.match(r"\d+\s+worker\s", line)]

    def in_flight(self) -> Counter[tuple[str, str]] | None:
        """Requests and upgraded connections on their way, by (backend, server), over all workers.

        None while the master cannot be asked, which it cannot for a moment of every reload.
        """
        found: Counter[tuple[str, str]] = Counter()
        workers = self._workers()
        if not workers:
            return None
        for worker in workers:
            answer = self._ask(f"@!{worker} show stat -1 4 -1", MASTER)
            if not answer.startswith("#"):
                return None
            for line in answer.splitlines():
                fields = line.split(",")
                if len(fields) > 4 and fields[4].isdigit():
                    found[fields[0], fields[1]] += int(fields[4])
        return found

    def connections(self) -> Counter[str]:
        """Clients' open connections by frontend."""
        found: Counter[str] = Counter()
        for line in self._ask("show stat -1 1 -1").splitlines():
            fields = line.split(",")
            if len(fields) > 4 and fields[4].isdigit():
                found[fields[0]] += int(fields[4])
        return found

    def cut(self, backend: str, server: str) -> bool:
        """Close what is still open to a server, in every worker; False when they cannot be asked just now.

        One by one, for an old worker no longer takes `shutdown sessions server`.
        """
        workers = self._workers()
        for worker in workers:
            for line in self._ask(f"@!{worker} show sess", MASTER).splitlines():
                if f" be={backend} srv={server} " in line:
                    self._ask(f"@!{worker} shutdown session {line.split(':')[0]}", MASTER)
        return bool(workers)

    def _ask(self, command: str, where: str = STATS) -> str:
        """What HAProxy answers on one of its sockets; nothing when it cannot be asked."""
        try:
            with _opened(self._folder) as folder, socket.socket(socket.AF_UNIX) as link:
                link.settimeout(2)
                link.connect(f"/proc/self/fd/{folder}/{where}")
                link.sendall(f"{command}\n".encode())
                link.shutdown(socket.SHUT_WR)
                parts = []
                while chunk := link.recv(65536):
                    parts.append(chunk)
        except OSError:
            return ""
        return b"".join(parts).decode(errors="replace")

    def stop(self) -> None:
        """End it at once, with all its workers."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(timeout=5)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """A descriptor of the folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _free(frontend: Frontend) -> bool:
    """Whether a listener can have its address. One that cannot must not keep the others from theirs."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((frontend.address, frontend.port))
        except OSError as error:
            log.error(
                "listener %s gets no traffic: %s:%s: %s. Ports below 1024 need root, or "
                "`sysctl net.ipv4.ip_unprivileged_port_start=80`.",
                frontend.name, frontend.address, frontend.port, error.strerror,
            )  # fmt: skip
            return False
    return True
