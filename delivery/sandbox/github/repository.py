"""Bare repositories, asked with git by argument lists."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FORMAT = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B%x01"
#: The tree with nothing in it, which every repository has.
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
NOBODY = "0" * 40
_SHA = re.compile(r"[0-9a-f]{40}")
#: What git allows in no name of a reference. Source: git-check-ref-format.
_NO_REF = re.compile(r"^[-/]|[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|^\.|[./]$|\.lock(/|$)|^$|^@$")


class NoSuchThing(Exception):
    """The repository, branch or commit does not exist, or git refuses."""


def create_repository(directory: Path, name: str) -> Path:
    """Make the bare repository `owner/name` unless it is there; its path."""
    path = directory / f"{name}.git"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["git", "init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(path)],
            check=True, capture_output=True, env=_environment({}),
        )  # fmt: skip
    return path


def is_ref_name(name: str) -> bool:
    """Whether git takes this for the name of a reference."""
    return not _NO_REF.search(name)


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """git sees nothing of whoever started the sandbox but PATH: no configuration, no identity."""
    return {
        "PATH": os.environ.get("PATH", os.defpath), "HOME": os.devnull, "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, **more,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Repository:
    """One bare repository. Its questions are plain git; what they find is plain data."""

    path: Path

    def run(
        self, *arguments: str, data: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git there, whatever it says."""
        command = ["git", "-c", "core.quotePath=false", "--git-dir", str(self.path), *arguments]
        return subprocess.run(
            command, input=data, capture_output=True, check=False, env=_environment(environment or {})
        )

    def raw(self, *arguments: str, data: bytes = b"", environment: Mapping[str, str] | None = None) -> bytes:
        """git's output; NoSuchThing with its last line when it fails."""
        done = self.run(*arguments, data=data, environment=environment)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise NoSuchThing((said or ["git failed"])[-1])
        return done.stdout

    def git(self, *arguments: str, data: bytes = b"", environment: Mapping[str, str] | None = None) -> str:
        """The same as text."""
        return self.raw(*arguments, data=data, environment=environment).decode(errors="replace")

    def objects(self, *names: str) -> list[tuple[str, str, int] | None]:
        """Sha, type and size of what each name is, or None."""
        asked = "".join(f"{name}\n" for name in names).encode()
        lines = self.git("cat-file", "--batch-check", data=asked).splitlines()
        found = [line.split(" ") for line in lines]
        return [(p[0], p[1], int(p[2])) if len(p) == 3 and p[2].isdigit() else None for p in found]

    def find(self, ref: str) -> str | None:
        """The commit a branch, a tag, a full reference or a (short) sha names; None when there is none."""
        if ref == "HEAD":
            ref = self.default_branch()
        if not is_ref_name(ref):
            return None
        spellings = [f"refs/heads/{ref}^{{commit}}", f"refs/tags/{ref}^{{commit}}"]
        if ref.startswith(("heads/", "tags/", "pull/")):
            spellings.append(f"refs/{ref}^{{commit}}")
        if ref.startswith("refs/") or re.fullmatch(r"[0-9a-f]{4,40}", ref):
            spellings.append(f"{ref}^{{commit}}")
        found = [f for f in self.objects(*spellings) if f is not None]
        return found[0][0] if found else None

    def resolve(self, ref: str) -> str:
        """The same; NoSuchThing when there is none."""
        sha = self.find(ref)
        if sha is None:
            raise NoSuchThing(ref)
        return sha

    def default_branch(self) -> str:
        """What HEAD names, whether it exists yet or not."""
        return (self.path / "HEAD").read_text().strip().removeprefix("ref: refs/heads/")

    def is_empty(self) -> bool:
        """Whether nobody pushed a branch yet."""
        return not self.git("for-each-ref", "--count=1", "refs/heads").strip()

    def refs(self, prefix: str = "refs/heads") -> dict[str, tuple[str, str]]:
        """References under a prefix: full name to sha and type of what they point to."""
        out = self.git("for-each-ref", "--format=%(refname) %(objectname) %(objecttype)", prefix)
        parts = [line.rsplit(" ", 2) for line in out.splitlines()]
        return {name: (sha, kind) for name, sha, kind in parts}

    def branches(self) -> dict[str, str]:
        """Branch names and where they stand."""
        return {name.removeprefix("refs/heads/"): sha for name, (sha, _) in self.refs().items()}

    def log(
        self, ref: str, limit: int, skip: int = 0, path: str = "", without: str = "", more: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Commits from `ref` back, as data; `without` leaves out what that commit already has."""
        span = [self.resolve(ref), *([f"^{self.resolve(without)}"] if without else [])]
        options = [f"--max-count={limit}", f"--skip={skip}", f"--format={_FORMAT}", *more]
        out = self.git("log", *options, *span, "--", *([f":(literal){path}"] if path else []))
        return [_parsed(entry) for entry in out.split("\x01") if entry.strip()]

    def count(self, ref: str, path: str = "", without: str = "", more: Sequence[str] = ()) -> int:
        """How many commits `log` would find without a limit."""
        span = [self.resolve(ref), *([f"^{self.resolve(without)}"] if without else [])]
        tail = ["--", *([f":(literal){path}"] if path else [])]
        return int(self.git("rev-list", "--count", *more, *span, *tail))

    def merge_base(self, one: str, other: str) -> str | None:
        """Where two histories parted; None when they have nothing in common."""
        done = self.run("merge-base", one, other)
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def contains(self, newer: str, older: str) -> bool:
        """Whether `older` is in the history of `newer`."""
        return self.run("merge-base", "--is-ancestor", older, newer).returncode == 0

    def files(self, sha: str) -> list[dict[str, Any]]:
        """What a commit changed against its first parent."""
        parents = self.log(sha, 1)[0]["parents"]
        return self.changes(parents[0] if parents else EMPTY_TREE, sha)

    def changes(self, before: str, after: str) -> list[dict[str, Any]]:
        """The files that differ between two trees, with line counts and patches."""
        facts = self.git("diff", "--raw", "--numstat", "-z", "-M", "--no-abbrev", before, after).split("\0")
        texts = self.git("diff", "--no-color", "-M", before, after).split("\ndiff --git ")
        return [
            {**entry, "patch": text[text.index("@@ ") :].rstrip("\n") if "\n@@ " in text else None}
            for entry, text in zip(_changed(facts), texts, strict=False)
        ]


def _changed(facts: list[str]) -> list[dict[str, Any]]:
    """Parse `git diff --raw --numstat -z`: first what changed and how, then by how many lines."""
    words = {"A": "added", "M": "modified", "D": "removed", "R": "renamed", "T": "changed", "C": "copied"}
    entries, rest = [], iter(facts)
    counts = []
    for field in rest:
        if field.startswith(":"):
            _, _, old, new, letter = field.split(" ")
            name = next(rest)
            entry = {"status": words.get(letter[0], "changed"), "sha": old if letter == "D" else new}
            if letter[0] in "RC":
                entry["previous_filename"], name = name, next(rest)
            entries.append({**entry, "filename": name})
        elif field.count("\t") >= 2:
            added, removed, name = field.split("\t", 2)
            if not name:
                next(rest), next(rest)
            counts.append([int(n) if n.isdigit() else 0 for n in (added, removed)])
    return [
        {**entry, "additions": added, "deletions": removed, "changes": added + removed}
        for entry, (added, removed) in zip(entries, counts, strict=True)
    ]


def _parsed(entry: str) -> dict[str, Any]:
    sha, tree, parents, an, ae, ad, cn, ce, cd, message = entry.strip("\n").split("\x00")
    return {
        "sha": sha, "tree": tree, "parents": parents.split(), "message": message.strip(),
        "author": {"name": an, "email": ae, "date": ad}, "committer": {"name": cn, "email": ce, "date": cd},
    }  # fmt: skip
