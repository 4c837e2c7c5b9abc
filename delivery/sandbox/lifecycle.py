"""Start, stop and look at a sandbox from outside; `down` cleans up even after a `kill -9`."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, NotFound

from delivery.sandbox.config import LABEL, Endpoints, SandboxConfig, SandboxError, which

START_TIMEOUT = 60.0


def up(config: SandboxConfig) -> Endpoints:
    """Start it in the background and return when it answers."""
    if alive(config):
        raise SandboxError(
            f"The sandbox {config.name!r} is already up",
            f"process {_pid(config)} runs it",
            "Use it, or stop it first with `delivery sandbox down`.",
        )
    down(config)  # what a killed one left would hold the ports
    _check(config)
    path = config.save()
    log = (config.state_dir / "sandbox.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", "delivery.sandbox", str(path)],
        stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    (config.state_dir / "pid").write_text(str(process.pid))
    _await_ready(config, process)
    return config.endpoints


def _await_ready(config: SandboxConfig, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not (config.state_dir / "ready").exists():
        refused = config.state_dir / "refused"
        if process.poll() is not None:
            if refused.exists():
                raise SandboxError(*refused.read_text().split("\n"))
            tail = (config.state_dir / "sandbox.log").read_text().strip().splitlines()[-1:] or ["it ended"]
            raise SandboxError(
                "The sandbox did not start", tail[0], f"See {config.state_dir / 'sandbox.log'}."
            )
        if time.monotonic() > deadline:
            down(config)
            raise SandboxError("The sandbox did not start", f"not ready within {START_TIMEOUT:g} s")
        time.sleep(0.05)


def down(config: SandboxConfig) -> None:
    """Stop it and remove what it made: processes, containers, network, state. Safe when nothing runs."""
    pid = _pid(config)
    if pid is not None and _is_ours(pid, "delivery.sandbox"):
        os.kill(pid, signal.SIGTERM)
        if not _gone(pid, 30):
            os.kill(pid, signal.SIGKILL)
    if pid is not None and not _cmdline(pid):
        _gone(pid, 5)  # a process that was just killed gives its ports back a moment after its memory
    sweep(config)
    shutil.rmtree(config.state_dir, ignore_errors=True)


def status(config: SandboxConfig) -> dict[str, Any]:
    """Whether it runs, where, and its containers, as plain data."""
    running = alive(config)
    containers = _containers(config) if running else []
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
            {"container": c.short_id, "status": c.status, "image": (c.attrs["Config"]["Image"])}
            for c in containers
        ],
    }


def sweep(config: SandboxConfig) -> None:
    """Remove containers, network and helper processes of this sandbox, whoever started them."""
    for name in ("haproxy", "docker-registry"):
        for pid in _processes(name, str(config.state_dir)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    try:
        client = docker.from_env()
    except DockerException:
        return  # no engine, no containers
    for container in _containers(config):
        with contextlib.suppress(NotFound, APIError):
            container.remove(force=True, v=True)
    for network in client.networks.list(filters={"label": f"{LABEL}={config.name}"}):
        with contextlib.suppress(NotFound, APIError):
            network.remove()


def _containers(config: SandboxConfig) -> list[Any]:
    client = docker.from_env()
    return list(client.containers.list(all=True, filters={"label": f"{LABEL}={config.name}"}))


def _check(config: SandboxConfig) -> None:
    """Refuse with a sentence before anything is started."""
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
    _check_port("DNS", config.dns_port, socket.SOCK_DGRAM)
    _check_addresses(config.address_prefix)


def _check_addresses(prefix: str) -> None:
    """Two proxies can listen on one address, and the kernel gives each a share of the connections."""
    for address in (f"{prefix}.{n}" for n in range(1, 9)):
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex((address, 80)) == 0:
                raise SandboxError(
                    "The sandbox cannot start",
                    f"something already answers on {address}:80, which its load balancers would use",
                    "Is another sandbox running (`delivery sandbox status`, `make clean`)?",
                )


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
    return pid is not None and _is_ours(pid, "delivery.sandbox")


def _cmdline(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _is_ours(pid: int, word: str) -> bool:
    return word in _cmdline(pid)


def _gone(pid: int, seconds: float) -> bool:
    """Wait for a process to end; a finished child of ours is reaped."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        if _ended(pid):
            return True
        time.sleep(0.02)
    return False


def _ended(pid: int) -> bool:
    """It does not exist, or is a zombie, which holds nothing any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


def _processes(program: str, mark: str) -> list[int]:
    """Running processes of a program whose arguments name our state folder."""
    pids = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()]
    return [p for p in pids if (line := _cmdline(p)).split(" ")[0].endswith(program) and mark in line]
