"""docs/features.md cannot rot: every row has a test, or says why not, and every test it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| (\w+) \| (.+?) \| (.+) \|$", re.MULTILINE)
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
PAGE = (ROOT / "docs" / "features.md").read_text()
FEATURES = {row[1]: row[2] for row in ROW.finditer(PAGE)}
ROWS = {row[1]: row[3] for row in ROW.finditer(PAGE)}
#: The rows of strategies, health and rollback; the boxes of the source design; what a graph makes natural.
WANTED = [*map(str, range(24, 57)), *(f"S{n}" for n in range(6, 15)), "N2", "N3", "N4"]


def collected(file: Path) -> set[str]:
    """The tests that pytest collects from the file."""
    if not file.is_file() or not file.name.startswith("test_"):
        return set()
    names = (n.name for n in ast.parse(file.read_text()).body if isinstance(n, ast.FunctionDef))
    return {name for name in names if name.startswith("test_")}


def unknown(text: str) -> list[str]:
    """The tests named in the text that are not there."""
    here = ROOT / "delivery_tests"
    return [f"{file}::{name}" for file, name in NAMED.findall(text) if name not in collected(here / file)]


def test_every_row_is_there() -> None:
    """None is left out, and none is told twice."""
    found = [row[1] for row in ROW.finditer(PAGE)]
    assert [number for number in found if number != "#"] == WANTED


@pytest.mark.parametrize("number", WANTED)
def test_a_row_names_tests_that_exist_or_says_why_not(number: str) -> None:
    """A test that was renamed is missed here."""
    shown, reason = ROWS[number], f"\n* **{number}** "
    assert NAMED.findall(shown) or (shown == "not done, see below" and reason in PAGE)
    assert ("in part" not in FEATURES[number]) or reason in PAGE
    assert unknown(shown) == []


def test_a_test_that_is_not_there_is_found() -> None:
    """The look itself can fail: a wrong file, a wrong name, a helper that is no test file."""
    named = "`test_features.py::test_every_row_is_there`, `test_features.py::test_gone`, `gone.py::test_a`"
    assert unknown(named) == ["test_features.py::test_gone", "gone.py::test_a"]
