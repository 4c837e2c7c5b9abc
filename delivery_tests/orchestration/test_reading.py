"""What the loading of definitions read is noticed when it changes, and nothing else is."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from delivery.orchestration.launcher.reading import Reading


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Reading]:
    """A folder with a service, and a module that reads it as it is imported."""
    name = f"reads_{uuid4().hex}"
    (tmp_path / "defs" / "web").mkdir(parents=True)
    (tmp_path / "defs" / "web" / "defs.yaml").write_text("one")
    (tmp_path / f"{name}.py").write_text(
        "from pathlib import Path\n"
        "for folder in (Path(__file__).parent / 'defs').iterdir():\n"
        "    (folder / 'defs.yaml').read_text()\n"
    )
    (tmp_path / "module").symlink_to(f"{name}.py")
    for path in tmp_path.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    monkeypatch.syspath_prepend(str(tmp_path))
    with Reading() as reading:
        importlib.import_module(name)
    return tmp_path, reading


def _edit_yaml(folder: Path) -> None:
    (folder / "defs" / "web" / "defs.yaml").write_text("two")


def _edit_module(folder: Path) -> None:
    (folder / "module").write_text("changed = True\n")


def _add_service(folder: Path) -> None:
    (folder / "defs" / "api").mkdir()


def _remove_service(folder: Path) -> None:
    (folder / "defs" / "web" / "defs.yaml").unlink()


def test_nothing_changed(read: tuple[Path, Reading]) -> None:
    """As long as nobody touches what was read, the warm process is used."""
    folder, reading = read
    (folder / "something-else").write_text("not read")
    (folder / "defs" / "__pycache__").mkdir()
    assert reading.changed() == ""


@pytest.mark.parametrize("change", [_edit_yaml, _edit_module, _add_service, _remove_service])
def test_a_change_is_noticed(read: tuple[Path, Reading], change: Callable[[Path], None]) -> None:
    """An edited service or module, a new service, a removed one."""
    folder, reading = read
    change(folder)
    assert str(folder) in reading.changed()


def test_a_file_written_during_the_reading_counts_as_changed(tmp_path: Path) -> None:
    """Which of its states was read cannot be known."""
    with Reading() as reading:
        path = tmp_path / "defs.yaml"
        path.write_text("half")
        path.read_text()
    assert reading.changed() == str(path)
