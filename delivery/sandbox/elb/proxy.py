"""The HAProxy process: a configuration goes in, and `apply` returns when it is what carries traffic."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from delivery.sandbox.config import SandboxError, which
from delivery.sandbox.elb.render import Backend, Frontend, render


class Proxy:
    """One HAProxy in master-worker mode; reloads lose no connection."""

    def __init__(self, folder: Path, requests: int) -> None:
        """`requests`: the open pipe that gets one line per request."""
        self._folder, self._requests = folder, requests
        self._folder.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._generation = 0
        self._applied: tuple[Sequence[Frontend], Sequence[Backend]] | None = None
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

    def apply(self, frontends: Sequence[Frontend], backends: Sequence[Backend]) -> bool:
        """Make this what carries traffic; True when something changed. Returns after it is in force."""
        if (frontends, backends) == self._applied:
            return False
        self._generation += 1
        generation = f"generation-{self._generation}"
        config = self._folder / "haproxy.cfg"
        text = render(str(self._folder / "stats.sock"), generation, frontends, backends)
        fresh = config.with_suffix(".new")
        fresh.write_text(text)
        self._check(fresh)
        fresh.replace(config)
        if self._process is None or self._process.poll() is not None:
            self._start(config)
        else:
            self._process.send_signal(signal.SIGUSR2)
        self._wait(generation)
        self._applied = (frontends, backends)
        return True

    def _check(self, config: Path) -> None:
        done = subprocess.run(
            [self._program, "-c", "-q", "-f", str(config)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SandboxError("The load balancer's configuration is not valid", done.stderr.strip()[-500:])

    def _start(self, config: Path) -> None:
        with (self._folder / "haproxy.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-W", "-db", "-f", str(config)],
                stdout=self._requests, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def _wait(self, generation: str, timeout: float = 15.0) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if f"description: {generation}\n" in self._info():
                return
            if self._process is not None and self._process.poll() is not None:
                break
            time.sleep(0.02)
        tail = (self._folder / "haproxy.log").read_text()[-600:]
        raise SandboxError(
            "The load balancer did not take its new configuration",
            tail.strip() or f"no answer within {timeout:g} s",
            "Ports below 1024 need root, or `sysctl net.ipv4.ip_unprivileged_port_start=80`.",
        )

    def _info(self) -> str:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
                link.settimeout(2)
                link.connect(str(self._folder / "stats.sock"))
                link.sendall(b"show info\n")
                parts = []
                while chunk := link.recv(65536):
                    parts.append(chunk)
        except OSError:
            return ""
        return b"".join(parts).decode(errors="replace").replace("Description", "description")

    def stop(self) -> None:
        """End it at once, with all its workers."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(timeout=5)
