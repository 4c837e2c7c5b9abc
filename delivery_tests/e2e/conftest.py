"""One stage for the whole story: set up once, played on act by act, cleared away at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from delivery.cli.control_plane import ControlPlane
from delivery.cli.demo.report import Teller
from delivery.cli.demo.setting import Venue, staged
from delivery.cli.demo.story import Stage
from delivery_tests.conftest import clean_environment, free_ports, sandbox_config

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Theatre:
    """The stage, the Dagster behind it, and since when it stands."""

    venue: Venue
    stage: Stage
    plane: ControlPlane
    since: datetime


@pytest.fixture(scope="package")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    """Sandbox, infrastructure, Dagster and the sample's repository, as `make demo` sets them up."""
    folder = tmp_path_factory.mktemp("story")
    config = sandbox_config(folder / "sandbox", f"story-{os.getpid()}", "127.0.4")
    venue = Venue(ROOT, folder / "demo", config, free_ports(1)[0], clean_environment())
    with (folder / "story.log").open("w") as log:
        teller = Teller(Console(file=log, width=160))
        with staged(venue, teller, rate=80.0) as (stage, plane):
            yield Theatre(venue, stage, plane, datetime.now(UTC))
