"""Images and services of the sandbox that several contract suites share."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from delivery_tests.conftest import RunningSandbox
from delivery_tests.contract.cloud import aws_of
from delivery_tests.contract.programs import Images, push_images
from delivery_tests.contract.stage import Stage
from delivery_tests.contract.targets import EcsScene


@pytest.fixture(scope="session")
def stage_images(sandbox: RunningSandbox, docker_client: docker.DockerClient, python_image: str) -> Images:
    """One image per behaviour, in the sandbox's registry."""
    return push_images(docker_client, python_image, sandbox.client("ecr"))


@pytest.fixture
def ecs_scene(sandbox: RunningSandbox, stage_images: Images, tmp_path: Path) -> Iterator[EcsScene]:
    """A service of its own, taken down after the test."""
    stage = Stage(sandbox.client, f"s{uuid.uuid4().hex[:10]}")
    yield EcsScene(stage, stage_images, aws_of(sandbox), tmp_path)
    stage.close()
