"""What GitHub itself writes into repositories: files, commits, merges, moved references."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.github.repository import NOBODY, NoSuchThing, Repository


class Conflict(Exception):
    """The two sides changed the same lines."""


class Moved(Exception):
    """Somebody else moved the reference first."""


@dataclass(frozen=True, slots=True)
class Author:
    """Whose commit it is; `date` in any form git reads, empty for now."""

    name: str
    email: str
    date: str = ""

    def environment(self, role: str) -> dict[str, str]:
        """The variables git takes it from."""
        date = self.date or f"{int(CLOCK.now())} +0000"
        return {f"GIT_{role}_NAME": self.name, f"GIT_{role}_EMAIL": self.email, f"GIT_{role}_DATE": date}


def blob(repo: Repository, content: bytes) -> str:
    """Keep a content; its sha."""
    return repo.git("hash-object", "-w", "--stdin", data=content).strip()


def tree_with(repo: Repository, base: str, changes: Mapping[str, tuple[str, str] | None]) -> str:
    """The tree `base` (empty for none) with these paths set to (mode, sha) or, when None, removed."""
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        repo.git("read-tree", *([base] if base else ["--empty"]), environment=index)
        lines = [
            f"0 {NOBODY}\t{path}" if what is None else f"{what[0]} {what[1]}\t{path}"
            for path, what in changes.items()
        ]
        told = "".join(f"{line}\0" for line in lines).encode()
        repo.git("update-index", "-z", "--add", "--index-info", data=told, environment=index)
        return repo.git("write-tree", environment=index).strip()


def commit(
    repo: Repository,
    tree: str,
    parents: Sequence[str],
    message: str,
    author: Author,
    committer: Author | None = None,
) -> str:
    """Make a commit that no reference has yet; its sha."""
    who = {**author.environment("AUTHOR"), **(committer or author).environment("COMMITTER")}
    arguments = [part for parent in parents for part in ("-p", parent)]
    return repo.git("commit-tree", tree, *arguments, data=message.encode(), environment=who).strip()


def merged_tree(repo: Repository, ours: str, theirs: str) -> str:
    """The tree of a merge of two commits; Conflict when a human is needed."""
    done = repo.run("merge-tree", "--write-tree", "--no-messages", ours, theirs)
    if done.returncode == 1:
        raise Conflict
    if done.returncode:
        raise NoSuchThing(done.stderr.decode(errors="replace").strip())
    return done.stdout.decode().splitlines()[0]


def replayed(repo: Repository, base: str, head: str, committer: Author) -> str:
    """The commits of `head` that `base` lacks, one by one on top of it (a rebase); the last one's sha."""
    top = base
    for sha in repo.git("rev-list", "--reverse", "--no-merges", f"{base}..{head}").split():
        entry = repo.log(sha, 1)[0]
        # A stand-in with our content and the commit's parent makes that parent the merge's base.
        stand_in = commit(repo, f"{top}^{{tree}}", entry["parents"], "", committer)
        tree = merged_tree(repo, stand_in, sha)
        made = Author(entry["author"]["name"], entry["author"]["email"], entry["author"]["date"])
        top = commit(repo, tree, [top], entry["message"], made, committer)
    return top


def move(repo: Repository, ref: str, new: str, old: str | None = None) -> None:
    """Set a reference, or delete it with `new` empty, if it still is `old` (NOBODY for a new one)."""
    expected = [] if old is None else [old]
    arguments = ["-d", ref, *expected] if not new else [ref, new, *expected]
    if repo.run("update-ref", *arguments).returncode:
        raise Moved(ref)
