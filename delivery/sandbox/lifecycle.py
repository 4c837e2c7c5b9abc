"""Start, stop and look at a sandbox from outside; `down` cleans up even after a `kill -9`."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import docker
from docker.errors import DockerException

from delivery.sandbox import claims
from delivery.sandbox.config import Endpoints, SandboxConfig, SandboxError, which
from delivery.sandbox.leftovers import MARK, command_of, containers, gone, processes, sweep

START_TIMEOUT = 60.0


def up(config: SandboxConfig) -> Endpoints:
    """Start it in the background and return when it answers.

    The addresses of its load balancers may be others than asked for, when those are in use.
    """
    with claims.starting(config.state_dir):
        if alive(config):
            raise SandboxError(
                f"The sandbox {config.name!r} is already up",
                f"process {_pid(config)} runs it",
                "Use it, or stop it first with `delivery sandbox down`.",
            )
        down(config)  # what a killed one left would hold the ports
        _check(config)
        config = replace(config, address_prefix=claims.free_prefix(config.address_prefix))
        _await_ready(config, _spawn(config))
    return config.endpoints


def _spawn(config: SandboxConfig) -> subprocess.Popen[bytes]:
    """Its process. What it and its children write into the usual folder for such files is its own, too."""
    path = config.save()
    temporary = config.state_dir / "tmp"
    temporary.mkdir(exist_ok=True)
    environment = {**os.environ, MARK: str(config.state_dir), "TMPDIR": str(temporary)}
    with (config.state_dir / "sandbox.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "delivery.sandbox", str(path)], env=environment,
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    (config.state_dir / "pid").write_text(str(process.pid))
    return process


def _await_ready(config: SandboxConfig, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not (config.state_dir / "ready").exists():
        refused = config.state_dir / "refused"
        if process.poll() is not None:
            if refused.exists():
                raise SandboxError(*refused.read_text().split("\n"))
            log = config.state_dir / "sandbox.log"
            lines = log.read_text().strip().splitlines() if log.exists() else []
            raise SandboxError("The sandbox did not start", (lines or ["it ended"])[-1], f"See {log}.")
        if time.monotonic() > deadline:
            down(config)
            raise SandboxError("The sandbox did not start", f"not ready within {START_TIMEOUT:g} s")
        time.sleep(0.05)


def down(config: SandboxConfig) -> None:
    """Stop it and remove what it made: processes, containers, network, state. Safe when nothing runs."""
    pid = _pid(config)
    if pid is not None and _is_ours(pid, config):
        os.kill(pid, signal.SIGTERM)
        if not gone(pid, 30):
            os.kill(pid, signal.SIGKILL)
    if pid is not None and not command_of(pid):
        gone(pid, 5)  # a process that was just killed gives its ports back a moment after its memory
    left = processes(config.state_dir)
    sweep(config)
    for other in left:
        gone(other, 5)
    shutil.rmtree(config.state_dir, ignore_errors=True)


def status(config: SandboxConfig) -> dict[str, Any]:
    """Whether it runs, where, and its containers, as plain data."""
    running = alive(config)
    return {
        "name": config.name,
        "running": running,
        "pid": _pid(config) if running else None,
        "endpoints": {
            "aws": config.endpoints.aws,
            "github": config.endpoints.github,
            "registry": config.endpoints.registry,
            "dns": config.endpoints.dns,
        },
        "state": str(config.state_dir),
        "tasks": [
            {"container": c.short_id, "status": c.status, "image": c.attrs["Config"]["Image"]}
            for c in (containers(config) if running else [])
        ],
    }


def _check(config: SandboxConfig) -> None:
    """Refuse with a sentence before anything is started."""
    _check_numbers({**config.ports, "DNS": config.dns_port})
    for program in ("haproxy", "docker-registry"):
        if which(program) is None:
            raise SandboxError(
                "The sandbox cannot start", f"the program {program} is not installed",
                f"Install it with `apt-get install {program}`, or run `make setup`.",
            )  # fmt: skip
    try:
        docker.from_env(timeout=10).ping()
    except DockerException:
        raise SandboxError(
            "The sandbox cannot start", "the Docker engine does not answer",
            "Start it, e.g. with `systemctl start docker`, or run `make setup`.",
        ) from None  # fmt: skip
    for what, port in config.ports.items():
        _check_port(what, port, socket.SOCK_STREAM)
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        _check_port("DNS", config.dns_port, kind)


def _check_numbers(ports: dict[str, int]) -> None:
    """Ports of its own, of which each can be told to clients: none that the kernel chooses."""
    for what, port in ports.items():
        same = [other for other, number in ports.items() if number == port]
        if not 0 < port < 65536 or len(same) > 1:
            why = f"port {port} (its {what}) is not 1 to 65535"
            if len(same) > 1:
                why = f"port {port} is asked for more than once ({', '.join(same)})"
            raise SandboxError("The sandbox cannot start", why, "Choose another.")


def _check_port(what: str, port: int, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            flag = "t" if kind is socket.SOCK_STREAM else "u"
            raise SandboxError(
                "The sandbox cannot start",
                f"port {port} (its {what}) is taken by another process",
                f"Stop that process (`ss -l{flag}np 'sport = :{port}'` names it), or choose another.",
            ) from None


def _pid(config: SandboxConfig) -> int | None:
    try:
        return int((config.state_dir / "pid").read_text())
    except (FileNotFoundError, ValueError):
        return None


def alive(config: SandboxConfig) -> bool:
    """Whether its process runs."""
    pid = _pid(config)
    return pid is not None and _is_ours(pid, config)


def _is_ours(pid: int, config: SandboxConfig) -> bool:
    """Whether it runs this sandbox: numbers of processes are given out again, also to other sandboxes."""
    return f"delivery.sandbox {config.state_dir}" in command_of(pid)
