"""`delivery sandbox up|down|status|env`, and its refusals: a sentence and what to do."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from click.testing import CliRunner, Result

from delivery.cli.installation import Installation
from delivery.cli.main import main
from delivery.cli.sandbox import FOLDER
from delivery.sandbox import SandboxConfig, down, lifecycle, status
from delivery.sandbox.config import LABEL
from delivery.settings import Settings
from delivery_tests.conftest import free_ports


class Shell:
    """`delivery …` in a project of its own, on ports of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ports = dict(zip(("aws", "github", "registry", "dns"), free_ports(4), strict=True))

    def __call__(self, *arguments: str) -> Result:
        """Run one command."""
        installation = Installation(Settings.read({"DELIVERY_ROOT": str(self.root)}))
        return CliRunner().invoke(main, list(arguments), obj=installation)

    def up(self, **other: int) -> Result:
        """`sandbox up` on our ports, or on other ones."""
        options = [f"--{name}-port={port}" for name, port in {**self.ports, **other}.items()]
        return self("sandbox", "up", *options)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """Whatever was started is taken down again."""
    made = Shell(tmp_path)
    yield made
    config = tmp_path / FOLDER / "config.json"
    if config.exists():
        down(SandboxConfig.read(config))


@pytest.mark.sandbox
def test_up_status_env_and_down_are_one_life(shell: Shell, docker_client: docker.DockerClient) -> None:
    """What `up` started is shown by `status`, reachable by `env`, and gone after `down`."""
    assert shell.up().exit_code == 0
    shown = shell("sandbox", "status").stdout
    assert "up (process" in shown and f"http://127.0.0.1:{shell.ports['aws']}" in shown
    lines = shell("sandbox", "env").stdout.splitlines()
    assert f"export AWS_ENDPOINT_URL=http://127.0.0.1:{shell.ports['aws']}" in lines
    config = SandboxConfig.read(shell.root / FOLDER / "config.json")
    assert shell("sandbox", "down").exit_code == 0
    assert not (shell.root / FOLDER).exists() and not status(config)["running"]
    assert not docker_client.networks.list(filters={"label": f"{LABEL}={config.name}"})
    assert "down" in shell("sandbox", "status").stdout


@pytest.mark.sandbox
def test_a_second_up_is_refused(shell: Shell) -> None:
    """The running one is left alone, and the sentence says how to stop it."""
    shell.up()
    again = shell.up()
    assert again.exit_code == 1 and "already up" in again.stderr and "delivery sandbox down" in again.stderr


@pytest.mark.parametrize("name", ["aws", "github", "registry"])
def test_a_taken_port_is_named(shell: Shell, name: str) -> None:
    """Somebody else's port is refused before anything is started, and the hint finds the process."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        refused = shell.up(**{name: port})
    assert refused.exit_code == 1
    assert f"port {port}" in refused.stderr and f"sport = :{port}" in refused.stderr
    assert not (shell.root / FOLDER / "pid").exists()


def test_a_taken_dns_port_is_named(shell: Shell) -> None:
    """DNS listens on UDP: a UDP socket of somebody else is seen too."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", shell.ports["dns"]))
        refused = shell.up()
    assert refused.exit_code == 1 and f"port {shell.ports['dns']}" in refused.stderr


def test_docker_not_running_is_told(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an answering Docker engine the sentence says so, and how to start it."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nobody/listens/here.sock")
    refused = shell.up()
    assert refused.exit_code == 1
    assert (
        "the Docker engine does not answer" in refused.stderr and "systemctl start docker" in refused.stderr
    )


def test_a_missing_program_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without HAProxy the sentence names the program and its package."""
    monkeypatch.setattr(lifecycle, "which", lambda program: None if program == "haproxy" else program)
    refused = shell.up()
    assert refused.exit_code == 1
    assert "the program haproxy is not installed" in refused.stderr and "make setup" in refused.stderr


@pytest.mark.sandbox
def test_down_cleans_up_after_a_kill(shell: Shell) -> None:
    """After `kill -9` of its process `down` still finds the proxy, the registry and the network."""
    shell.up()
    pid = int((shell.root / FOLDER / "pid").read_text())
    os.kill(pid, signal.SIGKILL)
    assert shell("sandbox", "down").exit_code == 0
    mark = str(shell.root / FOLDER)
    left = [p for p in Path("/proc").iterdir() if p.name.isdigit() and mark in _arguments(p)]
    assert left == []


def _arguments(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
