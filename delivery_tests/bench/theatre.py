"""A stage for benchmarks: the demo's, on ports and in folders of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from delivery.cli.control_plane import ControlPlane
from delivery.cli.demo.report import Teller
from delivery.cli.demo.setting import Venue, staged
from delivery.cli.demo.story import Edit, Stage
from delivery_tests.conftest import clean_environment, free_ports, sandbox_config

ROOT = Path(__file__).parents[2]


@contextmanager
def theatre(rate: float = 80.0) -> Iterator[tuple[Venue, Stage, ControlPlane]]:
    """Everything set up; what happens is told on standard error. `rate`: requests/s of the load to come."""
    with tempfile.TemporaryDirectory(prefix="delivery-bench-") as folder:
        config = sandbox_config(Path(folder) / "sandbox", f"bench-{os.getpid()}", "127.0.5")
        venue = Venue(ROOT, Path(folder) / "demo", config, free_ports(1)[0], clean_environment())
        teller = Teller(Console(stderr=True))
        with staged(venue, teller, rate=rate) as (stage, plane):
            yield venue, stage, plane


def small_change(number: int) -> Edit:
    """A commit that changes one line that nobody runs."""
    return Edit(
        f"A small change, number {number}", {"app/__init__.py": f'"""The sample, edition {number}."""\n'}
    )
