"""What the sandbox's own tests share: an image that behaves as told, and a stack that uses it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.ecs_world import HandClock
from delivery_tests.sandbox.edge import Edge, Shop, forward, path
from delivery_tests.sandbox.forge import Forge
from delivery_tests.sandbox.stack import Stack

APP_IMAGE = "delivery/test-app:local"


@pytest.fixture(scope="session")
def app_image(docker_client: docker.DockerClient, python_image: str) -> str:
    """The tests' program as an image."""
    return build_app(docker_client, python_image)


def build_app(docker_client: docker.DockerClient, python_image: str) -> str:
    """Build it on a base image; its tag."""
    program = Path(__file__).with_name("app.py").read_bytes()
    dockerfile = f'FROM {python_image}\nCOPY app.py /app/app.py\nCMD ["python", "/app/app.py"]\n'.encode()
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, content in (("app.py", program), ("Dockerfile", dockerfile)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    context.seek(0)
    docker_client.images.build(fileobj=context, custom_context=True, tag=APP_IMAGE, rm=True, forcerm=True)
    return APP_IMAGE


@pytest.fixture
def stack(sandbox: RunningSandbox, app_image: str) -> Iterator[Stack]:
    """An empty stack of its own."""
    made = Stack(sandbox, app_image)
    yield made
    made.close()


@pytest.fixture(scope="session")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    """A GitHub without the rest of the sandbox; every test makes repositories of its own in it."""
    made = Forge(tmp_path_factory.mktemp("forge"))
    yield made
    made.stop()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """Moved by hand."""
    return HandClock(monkeypatch)


@pytest.fixture(scope="module")
def shop(sandbox: RunningSandbox) -> Iterator[Shop]:
    """Made once: refusals change nothing."""
    edge = Edge(sandbox)
    group = edge.group()
    yield Shop(edge, group, edge.rule([path("/shop")], forward((group, 1)), 50))
    edge.close()
