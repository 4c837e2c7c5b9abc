"""`delivery sandbox up|down|status|env`, and its refusals: a sentence and what to do."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from click.testing import CliRunner, Result

from delivery.cli.installation import Installation
from delivery.cli.main import main
from delivery.cli.sandbox_at import FOLDER
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
        """`sandbox up` on our ports, or on other ones; with other settings."""
        ports = {**self.ports, **{k: v for k, v in other.items() if k in self.ports}}
        options = [f"--{name}-port={port}" for name, port in ports.items()]
        options += [f"--{k.replace('_', '-')}={v}" for k, v in other.items() if k not in ports]
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
def test_faults_are_made_listed_and_cleared_by_hand(shell: Shell) -> None:
    """Each command tells what it did; `list` shows all that is in force, `status --json` too."""
    shell.up(time_scale=20)
    for words in (
        "throttle ecs UpdateService --count 3",
        "error elbv2 ModifyRule --status 503 --code ServiceUnavailable",
        "delay cloudwatch GetMetricData --seconds 5 --count 0", "lost s3 PutObject", "hang sts --seconds 1",
        "registry full", "docker stopped", "dns stuck", "skew --seconds 100", "quota 7",
    ):  # fmt: skip
        done = shell("sandbox", "fault", *words.split())
        assert done.exit_code == 0, done.output
    listed = shell("sandbox", "fault", "list").stdout
    for word in (
        "ThrottlingException",
        "ServiceUnavailable",
        "PutObject",
        "registry",
        "docker",
        "dns",
        "100 s",
        "7 requests an hour",
    ):
        assert word in listed
    world = json.loads(shell("sandbox", "status", "--json").stdout)
    assert world["running"] and world["scale"] == 20 and len(world["faults"]) == 10
    assert shell("sandbox", "fault", "clear").exit_code == 0
    assert "Nothing is broken" in shell("sandbox", "fault", "list").stdout


@pytest.mark.sandbox
def test_watching_goes_on_until_it_is_interrupted(shell: Shell) -> None:
    """`status --watch` looks again and again, also through a terminal's pipe; Ctrl-C ends it cleanly."""
    shell.up()
    command = [str(Path(sys.executable).with_name("delivery")), "sandbox", "status", "--watch"]
    environment = {**os.environ, "DELIVERY_ROOT": str(shell.root)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # A suite that runs in a shell's background ignores Ctrl-C, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as watching:  # fmt: skip
        assert watching.stdout is not None and watching.stderr is not None
        assert b"local-" in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        assert watching.wait(30) == 0
        assert b"Traceback" not in watching.stderr.read()


@pytest.mark.sandbox
def test_a_fault_that_cannot_happen_is_refused(shell: Shell) -> None:
    """A wrong word gets a sentence and the nearest right one."""
    shell.up()
    wrong = shell("sandbox", "fault", "throttle", "ecs", "UpdateServices")
    assert wrong.exit_code == 1 and "Did you mean UpdateService?" in wrong.stderr
    nobody = shell("sandbox", "fault", "slot", "web-blue", "crash")
    assert nobody.exit_code == 1 and "no ECS service 'web-blue'" in nobody.stderr


def test_a_fault_needs_a_running_sandbox(shell: Shell) -> None:
    """Without one the sentence says how to start it."""
    refused = shell("sandbox", "fault", "throttle", "ecs")
    assert refused.exit_code == 1 and "The sandbox is not up" in refused.stderr
    assert "delivery sandbox up" in refused.stderr
    assert json.loads(shell("sandbox", "status", "--json").stdout)["running"] is False


def test_a_clock_that_stands_still_is_refused(shell: Shell) -> None:
    """A scale of nothing would never let anything happen."""
    assert "--time-scale must be above 0" in shell("sandbox", "up", "--time-scale", "0").stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--time-scale", "nan"), "--time-scale must be above 0"),
        (("--dns-delay", "-1"), "--dns-delay must be 0 to 86400"),
        (("--aws-port", "99999"), "port 99999 (its AWS) is not 1 to 65535"),
        (("--aws-port", "0"), "port 0 (its AWS) is not 1 to 65535"),
        (("--aws-port", "4580"), "port 4580 is asked for more than once (AWS, GitHub)"),
    ],
)
def test_settings_that_cannot_be_are_refused(shell: Shell, words: tuple[str, str], said: str) -> None:
    """A number that is none, below nothing, or no port, starts nothing and is named."""
    refused = shell("sandbox", "up", *words)
    assert refused.exit_code != 0 and said in refused.stderr


def test_the_help_of_fault_teaches(shell: Shell) -> None:
    """Its examples are in it, one per line."""
    shown = shell("sandbox", "fault", "--help").stdout
    assert "\n  delivery sandbox fault throttle ecs UpdateService --count 3\n" in shown


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
