"""What every test may ask for: one sandbox per session, its clients, and the images of its tasks.

Tests that need it are marked `sandbox`. `make test` runs them in one process, after the others have had all
processors: they measure time, and there is one sandbox. A missing prerequisite is an error that names it.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import docker
import pytest

from delivery.sandbox import Endpoints, SandboxConfig, down, up
from delivery.sandbox.base_image import ensure, ensure_gates
from delivery.sandbox.control import Control

if TYPE_CHECKING:
    from delivery.adapters.aws.session import Aws

#: What makes a client speak to the sandbox, or to somebody's real account: no other test may see it.
_FOREIGN = ("AWS_", "GITHUB_", "DELIVERY_", "DAGSTER_")


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox that answers. `environment` is what a child process needs to speak to it, PATH included."""

    config: SandboxConfig
    endpoints: Endpoints
    environment: dict[str, str]

    @property
    def control(self) -> Control:
        """Faults, scan findings, the registry: what no AWS client can do."""
        return Control(self.endpoints.aws)

    def now(self) -> float:
        """AWS's time in this sandbox, seconds since the epoch: for StartTime and EndTime."""
        return self.control.now()

    def client(self, service: str) -> Any:
        """A plain boto3 client, as a stranger would make it."""
        return boto3.client(
            service,
            endpoint_url=self.endpoints.aws,
            region_name=self.endpoints.region,
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",
        )


def free_ports(number: int) -> list[int]:
    """Ports nobody listens on, all different; free for TCP and UDP at the moment of asking."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < number:
            tcp = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            tcp.bind(("127.0.0.1", 0))
            udp = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            try:
                udp.bind(("127.0.0.1", tcp.getsockname()[1]))
            except OSError:
                continue
            found.append(tcp.getsockname()[1])
    return found


def own_prefix() -> str:
    """Loopback addresses that no other session's load balancers have: by process, and by call."""
    call, pid = next(_PREFIXES), os.getpid()
    return f"127.{64 + call % 64}.{pid % 254 + 1}"


_PREFIXES = count()


def sandbox_config(state_dir: Path, name: str, prefix: str = "") -> SandboxConfig:
    """A sandbox of its own: free ports, its own name and addresses."""
    aws, github, registry, dns = free_ports(4)
    return SandboxConfig(
        state_dir, name=name, aws_port=aws, github_port=github, registry_port=registry,
        dns_port=dns, address_prefix=prefix or own_prefix(), parent_pid=os.getpid(),
    )  # fmt: skip


def clean_environment() -> dict[str, str]:
    """This process's environment without anything that points at an account, ours or another's.

    The virtual environment's programs come first on PATH, also when it was not activated.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
    programs = str(Path(sys.executable).parent)
    return {**kept, "PATH": f"{programs}:{kept.get('PATH', os.defpath)}"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows the end of the sandbox's log, which is gone with the session."""
    report = yield
    sandbox = getattr(item, "funcargs", {}).get("sandbox")
    if report.failed and isinstance(sandbox, RunningSandbox):
        log = sandbox.config.state_dir / "sandbox.log"
        if log.exists():
            report.sections.append(("sandbox.log", "\n".join(log.read_text().splitlines()[-40:])))
    return report


@pytest.fixture(autouse=True)
def _no_foreign_environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test without the sandbox finds no endpoint and no credentials; one with it finds the sandbox's."""
    for name in [n for n in os.environ if n.startswith(_FOREIGN)]:
        monkeypatch.delenv(name)
    if "sandbox" in request.fixturenames:
        for name, value in request.getfixturevalue("sandbox").endpoints.environment().items():
            monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """The one sandbox of this session; always taken down, whatever the tests did to it."""
    # Two sessions side by side must not share load balancer addresses: HAProxy would share the port too.
    prefix = f"127.{1 + os.getpid() // 250 % 250}.{1 + os.getpid() % 250}"
    config = sandbox_config(tmp_path_factory.mktemp("sandbox") / "state", f"tests-{os.getpid()}", prefix)
    try:
        endpoints = up(config)
        with pytest.MonkeyPatch.context() as patch:
            # For fixtures wider than one test, which are made before a test's own environment is.
            for name, value in endpoints.environment().items():
                patch.setenv(name, value)
            yield RunningSandbox(config, endpoints, {**clean_environment(), **endpoints.environment()})
    finally:
        down(config)


#: AWS seconds per real second of the `compressed` sandbox: a CloudWatch minute passes in three seconds.
SCALE = 20.0


@pytest.fixture(scope="session")
def compressed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """A sandbox whose time runs twenty times as fast, for what AWS takes minutes for."""
    state = tmp_path_factory.mktemp("compressed") / "state"
    config = replace(sandbox_config(state, f"compressed-{os.getpid()}"), time_scale=SCALE)
    try:
        endpoints = up(config)
        yield RunningSandbox(config, endpoints, {**clean_environment(), **endpoints.environment()})
    finally:
        down(config)


@pytest.fixture(scope="session")
def sandbox_aws(sandbox: RunningSandbox) -> Aws:
    """The product's own AWS session, pointed at the sandbox by its environment alone."""
    from delivery.adapters.aws.session import Aws

    return Aws(sandbox.endpoints.region, sandbox.endpoints.aws)


@pytest.fixture(scope="session")
def docker_client() -> Iterator[docker.DockerClient]:
    """The Docker engine of this machine; an error, not a skip, when there is none."""
    client = docker.from_env(timeout=60)
    client.ping()
    yield client
    client.close()


@pytest.fixture(scope="session")
def python_image(docker_client: docker.DockerClient) -> str:
    """A base image with this machine's Python, for tasks; built once per machine."""
    return ensure(docker_client)


@pytest.fixture(scope="session")
def gates_image(docker_client: docker.DockerClient) -> str:
    """The image of the sample's gates: Python with ruff, pytest and coverage."""
    return ensure_gates(docker_client)


@pytest.fixture
def other_sandbox(tmp_path: Path) -> Iterator[Callable[[], SandboxConfig]]:
    """Configurations of sandboxes beside the session's, taken down after the test."""
    made: list[SandboxConfig] = []

    def make() -> SandboxConfig:
        config = sandbox_config(tmp_path / f"sandbox-{len(made)}", f"other-{os.getpid()}-{len(made)}")
        made.append(config)
        return config

    yield make
    for config in made:
        down(config)
