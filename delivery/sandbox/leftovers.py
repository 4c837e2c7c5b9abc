"""What a sandbox leaves when it is killed: processes, containers, networks, volumes. All are marked."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, NotFound

from delivery.sandbox.config import LABEL, SandboxConfig

#: In the environment of its process, and so of every process that one starts: the state folder.
MARK = "DELIVERY_SANDBOX_STATE"


def sweep(config: SandboxConfig) -> None:
    """Remove processes, containers, network and volumes of this sandbox, whoever started them.

    The calling process is spared. Safe when nothing is there, and when Docker does not run.
    """
    for pid in processes(config.state_dir):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    try:
        client = docker.from_env()
        found = containers(config)
    except DockerException:
        return  # no engine, no containers
    mark = {"label": f"{LABEL}={config.name}"}
    for container in found:
        with contextlib.suppress(NotFound, APIError):
            container.remove(force=True, v=True)
    things: list[Any] = [*client.networks.list(filters=mark), *client.volumes.list(filters=mark)]
    for thing in things:
        with contextlib.suppress(NotFound, APIError):
            thing.remove()
    client.close()


def containers(config: SandboxConfig) -> list[Any]:
    """Its containers, running or not."""
    client = docker.from_env()
    return list(client.containers.list(all=True, filters={"label": f"{LABEL}={config.name}"}))


def processes(state_dir: Path) -> list[int]:
    """Processes of the sandbox whose state is there, except the calling one."""
    mark = f"{MARK}={state_dir}".encode()
    pids = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()]
    return [pid for pid in pids if pid != os.getpid() and mark in _environment(pid)]


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []  # it has ended, or is another user's


def command_of(pid: int) -> str:
    """A process's command line; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def gone(pid: int, seconds: float) -> bool:
    """Wait for a process to end; a finished child of ours is reaped."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        if ended(pid):
            return True
        time.sleep(0.02)
    return False


def ended(pid: int) -> bool:
    """It does not exist, or is a zombie, which holds nothing any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True
