"""Dagster's processes as `delivery up` keeps them: what dies is started again, what keeps dying is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from delivery.cli.control_plane import ENDS, ControlPlane
from delivery.errors import ProviderError


class Dying(ControlPlane):
    """A Dagster that ends as soon as it has started."""

    starts = 0

    def start(self) -> None:
        """Another process of that kind."""
        self.starts += 1
        self._process = subprocess.Popen(
            [sys.executable, "-c", "raise SystemExit(3)"], start_new_session=True
        )


def test_what_dies_is_started_again_and_what_keeps_dying_is_told(tmp_path: Path) -> None:
    """Each end is told with its exit code; after too many of them it is an error, not an endless loop."""
    plane, said = Dying(tmp_path, tmp_path / "home", {}), list[str]()
    plane.start()
    with pytest.raises(
        ProviderError, match=f"it ended {ENDS + 1} times within 10 minutes, last with exit code 3"
    ):
        plane.keep(said.append)
    assert plane.starts == ENDS + 1
    assert len([line for line in said if "exit code 3" in line and "starting it again" in line]) == ENDS


def test_what_was_stopped_is_not_started_again(tmp_path: Path) -> None:
    """`keep` returns at once when there is nothing to keep."""
    plane = Dying(tmp_path, tmp_path / "home", {})
    plane.keep(pytest.fail)
    assert plane.starts == 0
