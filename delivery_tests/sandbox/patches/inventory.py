"""Which functions of the sandbox patch moto, read from its sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import delivery.sandbox

ROOT = Path(delivery.sandbox.__file__).parent


@dataclass(frozen=True)
class Patch:
    """A function that changes moto: its name without `delivery.sandbox.`, and its docstring."""

    name: str
    reason: str


def patches() -> list[Patch]:
    """Public functions of `patches/`, and any function that puts something into a name imported from moto."""
    return [patch for path in sorted(ROOT.rglob("*.py")) for patch in _of_module(path)]


def _of_module(path: Path) -> Iterator[Patch]:
    tree = ast.parse(path.read_text())
    parts = path.relative_to(ROOT).with_suffix("").parts
    module = ".".join(p for p in parts if p != "__init__")
    imported = set(_from_moto(tree))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    patching = {f.name for f in functions if any(_changes(node, imported) for node in ast.walk(f))}
    for function in functions:
        public = parts[0] == "patches" and not function.name.startswith("_")
        composes = not patching.isdisjoint(_called(function))
        if function.name in patching or (public and not composes):
            yield Patch(f"{module}.{function.name}", ast.get_docstring(function) or "")


def _from_moto(tree: ast.Module) -> Iterator[str]:
    """The names a module has from moto, and what it calls by another name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "moto":
            yield from (a.asname or a.name for a in node.names)
        elif isinstance(node, ast.Import):
            yield from (
                a.asname or a.name.split(".")[0] for a in node.names if a.name.split(".")[0] == "moto"
            )


def _changes(node: ast.AST, imported: set[str]) -> bool:
    """`Moto.x = …`, `Moto.x[…] = …`, `setattr(Moto, …)`."""
    if isinstance(node, ast.Assign):
        return any(_root(t) in imported for t in node.targets if not isinstance(t, ast.Name))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
        return _root(node.args[0]) in imported
    return False


def _root(node: ast.AST) -> str:
    """`a` of `a.b[c].d`."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _called(function: ast.FunctionDef) -> set[str]:
    return {n.func.id for n in ast.walk(function) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
