"""The command line on a world in memory."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import delivery
from delivery.cli.installation import Installation
from delivery.cli.main import main
from delivery.settings import Settings
from delivery_tests.catalog.files import GOOD, write
from delivery_tests.cli.webserver import FakeDagster
from delivery_tests.fakes.world import FakeWorld

ROOT = Path(delivery.__file__).parents[1]
BUCKET = "delivery-state-123456789012"

Run = Callable[..., Result]


@pytest.fixture
def world() -> FakeWorld:
    """Everything outside, in memory."""
    return FakeWorld()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A project of its own with one service `web` and the Terraform of this one."""
    write(
        tmp_path / "defs", GOOD.replace("infra/staging.tfvars", "infra/environments/staging/service.tfvars")
    )
    shutil.copytree(ROOT / "infra", tmp_path / "infra", ignore=shutil.ignore_patterns(".terraform*"))
    return Settings.read(
        {
            "DELIVERY_ROOT": str(tmp_path),
            "DELIVERY_DEFS": str(tmp_path / "defs"),
            "DELIVERY_BUCKET": BUCKET,
            "AWS_REGION": "us-east-1",
        }
    )


@pytest.fixture
def dagster() -> FakeDagster:
    """A Dagster that is down until a test says otherwise."""
    return FakeDagster()


@pytest.fixture
def run(settings: Settings, world: FakeWorld, dagster: FakeDagster) -> Run:
    """`run("status", "web")`: the command's result, with its output and its errors apart."""

    def call(*arguments: str, typed: str | None = None) -> Result:
        installation = Installation(settings, world, dagster)
        return CliRunner().invoke(main, list(arguments), obj=installation, input=typed)

    return call
