"""Start and end of a sandbox: nothing is left, however it ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from delivery.sandbox import SandboxConfig, SandboxError, cleaning, down, status, up
from delivery.sandbox.config import LABEL
from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.stack import Stack, eventually

pytestmark = pytest.mark.sandbox

Make = Callable[[], SandboxConfig]


def processes_of(config: SandboxConfig) -> list[str]:
    """Command lines that name its state folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(config.state_dir) in line:
            found.append(line)
    return found


def things_of(config: SandboxConfig, client: docker.DockerClient) -> list[object]:
    """Its containers and networks."""
    mark = {"label": f"{LABEL}={config.name}"}
    return [*client.containers.list(all=True, filters=mark), *client.networks.list(filters=mark)]


def busy(config: SandboxConfig, image: str) -> Stack:
    """Start it, with one task running behind a load balancer."""
    endpoints = up(config)
    stack = Stack(RunningSandbox(config, endpoints, {}), image)
    stack.group("blue")
    stack.route(blue=100)
    stack.service("blue", stack.revision())
    eventually(lambda: stack.health("blue"), lambda h: h == [("healthy", "")])
    return stack


def test_down_leaves_nothing(other_sandbox: Make, app_image: str, docker_client: docker.DockerClient) -> None:
    """After `down` there is no process, container, network or file of it."""
    config = other_sandbox()
    busy(config, app_image)
    assert len(status(config)["tasks"]) == 1
    down(config)
    assert processes_of(config) == [] and things_of(config, docker_client) == []
    assert not config.state_dir.exists()


def test_down_after_a_kill_leaves_nothing(
    other_sandbox: Make, app_image: str, docker_client: docker.DockerClient
) -> None:
    """`kill -9` leaves proxy, registry and tasks running; `down` and a new `up` find and remove them."""
    config = other_sandbox()
    busy(config, app_image)
    os.kill(int((config.state_dir / "pid").read_text()), signal.SIGKILL)
    eventually(lambda: not status(config)["running"])
    assert things_of(config, docker_client)
    stack = busy(config, app_image)
    assert len(docker_client.containers.list(filters={"label": f"{LABEL}={config.name}"})) == 1
    assert stack.ask()[0] == 200
    down(config)
    assert processes_of(config) == [] and things_of(config, docker_client) == []


def test_cleaning_takes_what_was_abandoned_and_leaves_the_living(
    other_sandbox: Make, sandbox: RunningSandbox, docker_client: docker.DockerClient
) -> None:
    """The network of a sandbox whose process was killed is found without its state; this session's stays."""
    config = other_sandbox()
    up(config)
    os.kill(int((config.state_dir / "pid").read_text()), signal.SIGKILL)
    eventually(lambda: not status(config)["running"])
    found = {c.name for c in cleaning.abandoned(docker_client)}
    assert config.name in found and sandbox.config.name not in found


def test_a_second_sandbox_on_the_same_addresses_is_refused(other_sandbox: Make, app_image: str) -> None:
    """Two proxies on one address would share its connections: the second sandbox is not started."""
    first, second = other_sandbox(), other_sandbox()
    stack = Stack(RunningSandbox(first, up(first), {}), app_image)
    eventually(stack.ask, lambda answer: answer[0] == 404)
    with pytest.raises(SandboxError, match=f"already answers on {stack.address}"):
        up(replace(second, address_prefix=first.address_prefix))
