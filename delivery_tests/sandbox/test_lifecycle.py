"""Start and end of a sandbox: nothing is left, however it ended; nobody gets in another's way."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from delivery.sandbox import SandboxConfig, SandboxError, claims, cleaning, down, status, up
from delivery.sandbox.config import LABEL
from delivery.sandbox.leftovers import MARK, processes
from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.stack import Stack, eventually

pytestmark = pytest.mark.sandbox

Make = Callable[[], SandboxConfig]


def processes_of(config: SandboxConfig) -> list[str]:
    """Command lines of what it started, and of whatever names its state folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            marked = f"{MARK}={config.state_dir}".encode() in (entry / "environ").read_bytes()
        except OSError:
            continue
        if marked or str(config.state_dir) in line:
            found.append(line)
    return found


def things_of(config: SandboxConfig, client: docker.DockerClient) -> list[object]:
    """Its containers, networks and volumes."""
    mark: dict[str, Any] = {"label": f"{LABEL}={config.name}"}
    return [
        *client.containers.list(all=True, filters=mark),
        *client.networks.list(filters=mark),
        *client.volumes.list(filters=mark),
    ]


def taken(config: SandboxConfig) -> list[str]:
    """Its ports that something still listens on."""
    ports = {**config.ports, "DNS": config.dns_port}
    found = []
    for what, port in ports.items():
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                found.append(what)
    return found


def busy(config: SandboxConfig, image: str) -> Stack:
    """Start it, with one task running behind a load balancer."""
    endpoints = up(config)
    stack = Stack(RunningSandbox(config, endpoints, {}), image)
    stack.group("blue")
    stack.route(blue=100)
    stack.service("blue", stack.revision())
    eventually(lambda: stack.health("blue"), lambda h: h == [("healthy", "")])
    return stack


def killed(config: SandboxConfig) -> None:
    """`kill -9` of its process alone."""
    os.kill(int((config.state_dir / "pid").read_text()), signal.SIGKILL)
    eventually(lambda: not status(config)["running"])


def test_down_leaves_nothing(other_sandbox: Make, app_image: str, docker_client: docker.DockerClient) -> None:
    """After `down` there is no process, container, network, volume, port or file of it; twice is once."""
    config = other_sandbox()
    busy(config, app_image)
    assert len(status(config)["tasks"]) == 1
    down(config)
    assert processes_of(config) == [] and things_of(config, docker_client) == [] and taken(config) == []
    assert not config.state_dir.exists()
    down(config)


def test_down_after_a_kill_leaves_nothing(
    other_sandbox: Make, app_image: str, docker_client: docker.DockerClient
) -> None:
    """`kill -9` leaves proxy, registry and tasks running; `down` and a new `up` find and remove them."""
    config = other_sandbox()
    busy(config, app_image)
    old = processes(config.state_dir)
    killed(config)
    assert things_of(config, docker_client) and processes_of(config)
    stack = busy(config, app_image)
    assert len(docker_client.containers.list(filters={"label": f"{LABEL}={config.name}"})) == 1
    assert set(old).isdisjoint(processes(config.state_dir))
    assert stack.ask()[0] == 200
    killed(config)
    down(config)
    assert processes_of(config) == [] and things_of(config, docker_client) == [] and taken(config) == []
    assert not config.state_dir.exists()


def test_cleaning_takes_what_was_abandoned_and_leaves_the_living(
    other_sandbox: Make, sandbox: RunningSandbox, docker_client: docker.DockerClient
) -> None:
    """The network of a sandbox whose process was killed is found without its state; this session's stays."""
    config = other_sandbox()
    up(config)
    killed(config)
    found = {c.name for c in cleaning.abandoned(docker_client)}
    assert config.name in found and sandbox.config.name not in found


def test_a_second_sandbox_on_the_same_addresses_gets_others(other_sandbox: Make, app_image: str) -> None:
    """Two proxies on one address would share its connections: the second sandbox takes other addresses."""
    first, second = other_sandbox(), other_sandbox()
    second = replace(second, address_prefix=first.address_prefix)
    stack = Stack(RunningSandbox(first, up(first), {}), app_image)
    eventually(stack.ask, lambda answer: answer[0] == 404)
    other = Stack(RunningSandbox(second, up(second), {}), app_image)
    eventually(other.ask, lambda answer: answer[0] == 404)
    assert not other.address.startswith(first.address_prefix)


def test_of_two_starts_at_once_one_wins(other_sandbox: Make) -> None:
    """Two `up` in one folder at the same moment: one sandbox runs, the other call says who is at it."""
    config = other_sandbox()
    program = (
        "import sys; from pathlib import Path; from delivery.sandbox import SandboxConfig, SandboxError, up\n"
        "try: up(SandboxConfig.read(Path(sys.argv[1]))); print('up')\n"
        "except SandboxError as error: print(error)"
    )
    copy = replace(config, state_dir=config.state_dir).save().rename(config.state_dir.parent / "wanted.json")

    def start(_: int) -> str:
        command = [sys.executable, "-c", program, str(copy)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout.strip()

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(start, range(2)), key=lambda text: text != "up")
    assert said[0] == "up"
    assert "is being started already: process " in said[1] or "is already up: process " in said[1]
    assert status(config)["running"]


def test_a_claim_names_its_holder_and_ends_with_it() -> None:
    """Whoever is late learns which process has the name; a name is free again when its holder is gone."""
    name = f"test {os.getpid()}"
    with claims.claim(name):
        with pytest.raises(claims.Taken) as refused:
            claims.claim(name)
        assert refused.value.pid == os.getpid() == claims.holder(name)
    assert claims.holder(name) == 0
    claims.claim(name).close()


def test_addresses_somebody_answers_on_are_not_taken() -> None:
    """A prefix with a listener on port 80 is passed over for the next one."""
    with socket.socket() as other:
        other.bind(("127.199.7.3", 80))
        other.listen()
        assert claims.free_prefix("127.199.7") == "127.199.8"
    assert claims.free_prefix("127.199.7") == "127.199.7"


def test_a_start_that_is_going_on_is_told(tmp_path: Path) -> None:
    """The second start in a folder is refused with the first one's process."""
    with claims.starting(tmp_path):
        again = claims.starting(tmp_path)
        with pytest.raises(SandboxError, match=f"process {os.getpid()} is at it"):
            again.__enter__()


def test_a_sandbox_ends_with_its_parent(other_sandbox: Make, docker_client: docker.DockerClient) -> None:
    """When the process it was started for is killed, it cleans up and ends without being told."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as parent:
        config = replace(other_sandbox(), parent_pid=parent.pid)
        up(config)
        parent.kill()
    eventually(lambda: status(config)["running"], lambda running: not running)
    eventually(lambda: things_of(config, docker_client), lambda things: things == [])
    assert processes_of(config) == [] and taken(config) == []


def test_a_state_folder_may_lie_deep(other_sandbox: Make, app_image: str) -> None:
    """A socket's path has at most 107 characters; a project's folder may have more."""
    config = other_sandbox()
    config = replace(config, state_dir=config.state_dir / ("deep" * 20) / "state")
    try:
        stack = Stack(RunningSandbox(config, up(config), {}), app_image)
        eventually(stack.ask, lambda answer: answer[0] == 404)
    finally:
        down(config)
