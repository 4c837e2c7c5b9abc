"""The rooms and who may enter which (DESIGN, section 4), read from the imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "delivery"
MODULES = sorted(PACKAGE.rglob("*.py"))

#: Room → what of ours it may import (itself always). `None`: everything but the sandbox.
MAY_IMPORT: dict[str, tuple[str, ...] | None] = {
    "errors": (),
    "core": ("errors",),
    "ports": ("core", "errors"),
    "flows": ("core", "ports", "errors"),
    "adapters": ("core", "ports", "errors"),
    "catalog": ("core", "errors", "orchestration"),
    "orchestration": ("core", "ports", "errors", "flows"),
    "settings": ("errors",),
    "world": ("adapters", "ports", "core", "settings", "errors"),
    "defs": ("catalog",),
    "definitions": None,
    "cli": None,
    "sandbox": (),
}
#: Library → rooms (or single modules) that may import it.
ONLY_IN: dict[str, tuple[str, ...]] = {
    "boto3": ("adapters", "sandbox"),
    "botocore": ("adapters", "sandbox"),
    "docker": ("adapters", "sandbox"),
    "github": ("adapters",),
    "moto": ("sandbox",),
    "dagster": ("orchestration", "catalog.component", "cli", "definitions"),
    "click": ("cli",),
    "rich": ("cli",),
}
CLOCKS = {("time", "time"), ("time", "sleep"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}
STDLIB_ONLY = "core"
#: The one library core may use, and where: the statistics of the canary analysis.
LIBRARIES_OF_CORE = {"core.comparing": {"scipy"}}


def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _room(name: str) -> str:
    return name.split(".")[0]


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            if node.module == "delivery":
                yield from (f"delivery.{alias.name}" for alias in node.names)


def _wrong(path: Path) -> list[str]:
    """Every import of one module that its room does not allow."""
    name, room = _name(path), _room(_name(path))
    if room == "__init__":
        return []
    allowed = MAY_IMPORT[room]
    wrong = []
    for imported in _imports(path):
        top, *rest = imported.split(".")
        if top == "delivery" and rest:
            to = rest[0]
            fits = to == room or (to != "sandbox" if allowed is None else to in allowed)
            if not (fits or (room == "cli" and to == "sandbox")):
                wrong.append(f"{name} imports {imported}")
        elif top in ONLY_IN and not any(name == r or name.startswith(f"{r}.") for r in ONLY_IN[top]):
            wrong.append(f"{name} imports {imported}")
    return wrong


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_module_enters_a_room_it_may_not(path: Path) -> None:
    """Imports follow the arrows of the design, and libraries stay in their rooms."""
    assert _wrong(path) == []


@pytest.mark.parametrize("path", [p for p in MODULES if _room(_name(p)) in ("core", "flows")], ids=_name)
def test_core_and_flows_have_no_clock_of_their_own(path: Path) -> None:
    """Time, randomness and the environment are arguments in core and flows."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id, node.attr) in CLOCKS or (node.value.id, node.attr) == ("os", "environ"):
                found.append(f"line {node.lineno}: {node.value.id}.{node.attr}")
        elif isinstance(node, ast.Import):
            found += [
                f"line {node.lineno}: import {a.name}" for a in node.names if a.name in ("random", "time")
            ]
    assert found == []


@pytest.mark.parametrize("path", [p for p in MODULES if _room(_name(p)) == STDLIB_ONLY], ids=_name)
def test_core_is_standard_library_only(path: Path) -> None:
    """Core imports nothing but the standard library and itself, and statistics in one place."""
    import sys

    known = {*sys.stdlib_module_names, "delivery", *LIBRARIES_OF_CORE.get(_name(path), ())}
    foreign = [name for name in _imports(path) if name.split(".")[0] not in known]
    assert foreign == []


@pytest.mark.parametrize("path", [p for p in MODULES if _name(p) != "settings"], ids=_name)
def test_only_settings_reads_the_environment(path: Path) -> None:
    """`os.environ` is read in one place, so that what configures us can be listed. The sandbox and the
    command line's helpers, which start processes, pass theirs on."""
    if _room(_name(path)) in ("sandbox", "cli"):
        return
    text = path.read_text()
    assert "os.environ" not in text and "getenv" not in text


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_rooms_are_small(path: Path) -> None:
    """A file has at most 300 lines and a function at most 40."""
    lines = path.read_text().splitlines()
    assert len(lines) <= 300
    tree = ast.parse("\n".join(lines))
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
        and node.end_lineno - node.lineno + 1 > 40
    ]  # fmt: skip
    assert long == []


def test_the_walk_finds_a_wrong_arrow(tmp_path: Path) -> None:
    """The walk itself can fail: a core module that imports boto3 or an adapter is found."""
    bad = PACKAGE / "core" / "release.py"
    text = bad.read_text() + "\nimport boto3\nfrom delivery.adapters import terraform\n"
    copy = tmp_path / "copy.py"
    copy.write_text(text)
    names = list(_imports(copy))
    assert "boto3" in names and "delivery.adapters" in names
    assert not any(r == "core" for r in ONLY_IN["boto3"]) and "adapters" not in (MAY_IMPORT["core"] or ())
