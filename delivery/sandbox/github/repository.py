"""Bare repositories, asked with git by argument lists."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FORMAT = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B%x01"


class NoSuchThing(Exception):
    """The repository, branch or commit does not exist."""


def create_repository(directory: Path, name: str) -> Path:
    """Make the bare repository `owner/name` unless it is there; its path."""
    path = directory / f"{name}.git"
    if not path.exists():
        path.mkdir(parents=True)
        subprocess.run(
            ["git", "init", "--quiet", "--bare", "--initial-branch=main", str(path)],
            check=True, capture_output=True,
        )  # fmt: skip
        Repository(path).git("config", "http.receivepack", "true")
        Repository(path).git("config", "uploadpack.allowAnySHA1InWant", "true")
    return path


@dataclass(frozen=True, slots=True)
class Repository:
    """One bare repository."""

    path: Path

    def git(self, *arguments: str) -> str:
        """Run git there; NoSuchThing with its last line when it fails."""
        done = subprocess.run(
            ["git", "--git-dir", str(self.path), *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise NoSuchThing((done.stderr.strip().splitlines() or ["git failed"])[-1])
        return done.stdout

    def resolve(self, ref: str) -> str:
        """A branch or a sha as a full commit sha."""
        return self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").strip()

    def branches(self) -> dict[str, str]:
        """Branch names and where they stand."""
        lines = self.git("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads").splitlines()
        return dict(line.rsplit(" ", 1) for line in lines)

    def log(
        self, ref: str, limit: int, skip: int = 0, path: str = "", without: str = ""
    ) -> list[dict[str, Any]]:
        """Commits from `ref` back, as data; `without` leaves out what that commit already has."""
        arguments = [
            "log",
            f"--max-count={limit}",
            f"--skip={skip}",
            f"--format={_FORMAT}",
            self.resolve(ref),
            *([f"^{self.resolve(without)}"] if without else []),
        ]
        out = self.git(*arguments, *(["--", path] if path else []))
        return [_parsed(entry) for entry in out.split("\x01") if entry.strip()]

    def changed(self, base: str, head: str) -> list[dict[str, Any]]:
        """What `head` changed since it left `base`."""
        out = self.git(
            "diff", "--name-status", "--no-renames", f"{self.resolve(base)}...{self.resolve(head)}"
        )
        return _files(out)

    def files(self, sha: str) -> list[dict[str, Any]]:
        """What a commit changed against its first parent."""
        out = self.git("diff-tree", "--root", "-r", "--no-commit-id", "--name-status", self.resolve(sha))
        return _files(out)


def _files(status: str) -> list[dict[str, Any]]:
    words = {"A": "added", "M": "modified", "D": "removed"}
    entries = [line.split("\t", 1) for line in status.splitlines()]
    return [{"filename": name, "status": words.get(kind[:1], "changed")} for kind, name in entries]


def _parsed(entry: str) -> dict[str, Any]:
    sha, tree, parents, an, ae, ad, cn, ce, cd, message = entry.strip("\n").split("\x00")
    return {
        "sha": sha, "tree": tree, "parents": parents.split(), "message": message.strip(),
        "author": {"name": an, "email": ae, "date": ad}, "committer": {"name": cn, "email": ce, "date": cd},
    }  # fmt: skip
