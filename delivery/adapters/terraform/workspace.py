"""A stack's own working copy: terraform writes beside the sources it reads, so it gets a copy of them."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delivery.core.service import TerraformSpec
from delivery.errors import ConfigurationError

_SOURCES = ("*.tf", "*.tf.json", "*.tftpl", "*.tpl")


@dataclass(frozen=True, slots=True)
class Workspace:
    """One stack under one state key. `folder` is where terraform runs, `data` its TF_DATA_DIR."""

    folder: Path
    data: Path
    var_files: tuple[Path, ...]
    backend: Path | None
    inputs: str


def open_workspace(
    root: Path, work: Path, spec: TerraformSpec, key: str, variables: Mapping[str, Any]
) -> Workspace:
    """Copy the sources; the fingerprint of everything that goes into a plan comes with it."""
    stack = root / spec.stack
    if not any(stack.glob("*.tf")):
        raise ConfigurationError(
            "The Terraform stack cannot be used",
            f"{spec.stack} has no .tf files",
            "Correct `terraform.stack`.",
        )
    for name in (*spec.vars, *([spec.backend] if spec.backend else [])):
        if not (root / name).is_file():
            raise ConfigurationError(
                "The Terraform stack cannot be used", f"the file {name} does not exist", "Correct the path."
            )
    tree = stack.parents[1] if (stack.parents[1] / "modules").is_dir() else stack
    place = work / "terraform" / hashlib.sha256(key.encode()).hexdigest()[:16]
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o700)  # a plan and a local state hold sensitive variables in plain text
    copy = place / "source"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(
        tree, copy, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*", "environments", "tests")
    )
    folder = copy / stack.relative_to(tree)
    var_files = tuple(root / name for name in spec.vars)
    given = place / "given.auto.tfvars.json"
    given.write_text(json.dumps(_declared(folder, variables), sort_keys=True))
    return Workspace(
        folder=folder,
        data=place / "data",
        var_files=(*(p.resolve() for p in var_files), given.resolve()),
        backend=(root / spec.backend).resolve() if spec.backend else None,
        inputs=_fingerprint(copy, (*var_files, given)),
    )


def _declared(folder: Path, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Only variables the stack knows: a stack of the user's own need not take all of ours."""
    text = "\n".join(p.read_text() for p in folder.glob("*.tf"))
    return {name: value for name, value in variables.items() if f'variable "{name}"' in text}


def _fingerprint(tree: Path, extra: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    files = sorted(p for pattern in _SOURCES for p in tree.rglob(pattern))
    for path in files:
        digest.update(str(path.relative_to(tree)).encode() + b"\0" + path.read_bytes())
    for path in extra:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:32]
