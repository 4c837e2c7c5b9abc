"""A working copy of a repository on the sandbox's GitHub, worked in with git."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from delivery_tests.conftest import RunningSandbox
from delivery_tests.foreign.conftest import Shell


def clone(sandbox: RunningSandbox, shell: Shell, folder: Path, name: str) -> Any:
    """A clone there, and git to work in it."""
    there = replace(shell, folder=folder)

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.test")
        return there.run("git", *identity, *arguments).strip()

    url = sandbox.endpoints.github.replace("://", "://x-access-token:sandbox-token@")
    git("clone", "-q", f"{url}/{name}.git", ".")
    git("checkout", "-q", "-B", "main")
    return git


def commit(git: Any, folder: Path, file: str, text: str) -> str:
    """Write a file and commit it; the commit's sha."""
    (folder / file).write_text(text)
    git("add", "-A")
    git("commit", "-q", "-m", f"Change {file}")
    return str(git("rev-parse", "HEAD"))
