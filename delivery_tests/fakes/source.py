"""A repository in memory: one branch, force pushes; the wire makes the API unreachable."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from delivery.core.build import SourceSnapshot
from delivery.core.release import Commit
from delivery.core.service import RepositorySpec
from delivery.errors import NotFoundError, RewrittenError
from delivery_tests.fakes.samples import sample_commit, sample_snapshot
from delivery_tests.fakes.wire import Wire


class FakeSource:
    """`statuses` holds every status written: (sha, context, state, text)."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.branch: list[Commit] = []
        self.known: dict[str, Commit] = {}
        self.statuses: list[tuple[str, str, str, str]] = []

    def push(self, name: str) -> Commit:
        """A new commit on the branch."""
        parents = (self.branch[-1].sha,) if self.branch else ()
        commit = sample_commit(name, len(self.known), parents)
        self.branch.append(commit)
        self.known[commit.sha] = commit
        return commit

    def force_push(self, *names: str) -> None:
        """The branch's history is replaced."""
        self.branch = []
        for name in names:
            self.push(name)

    def head(self, repository: RepositorySpec) -> Commit:
        """The newest commit."""
        with self._wire.call("source.head"):
            if not self.branch:
                raise NotFoundError(
                    f"{repository.github} has no branch {repository.branch}", "nothing was pushed", "Push."
                )
            return self.branch[-1]

    def commits_since(
        self, repository: RepositorySpec, sha: str | None, limit: int = 50
    ) -> tuple[Commit, ...]:
        """Commits after `sha`, oldest first."""
        with self._wire.call("source.commits_since"):
            if sha is None:
                return tuple(self.branch[-1:])
            shas = [c.sha for c in self.branch]
            if not self.branch:
                raise NotFoundError(
                    f"{repository.github} has no branch {repository.branch}", "it was deleted", "Push."
                )
            if sha not in shas:
                raise RewrittenError(
                    f"{sha[:8]} is not on {repository.branch}", "it was replaced", "Take the head."
                )
            return tuple(self.branch[shas.index(sha) + 1 :][:limit])

    def snapshot(self, repository: RepositorySpec, sha: str) -> SourceSnapshot:
        """The commit."""
        with self._wire.call("source.snapshot"):
            return sample_snapshot(self._commit(sha))

    def checkout(self, repository: RepositorySpec, sha: str) -> AbstractContextManager[Path]:
        """A folder with its files."""
        return self._checkout(sha)

    def set_status(
        self, repository: RepositorySpec, sha: str, context: str, state: str, text: str, url: str = ""
    ) -> None:
        """Write a status."""
        with self._wire.call("source.set_status"):
            self.statuses.append((sha, context, state, text))

    def status(self, sha: str, context: str) -> str:
        """The newest state of a context."""
        return next((s for at, c, s, _ in reversed(self.statuses) if (at, c) == (sha, context)), "")

    @contextmanager
    def _checkout(self, sha: str) -> Iterator[Path]:
        with self._wire.call("source.checkout"), tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "app.py").write_text(self._commit(sha).message)
            yield Path(folder)

    def _commit(self, sha: str) -> Commit:
        if sha not in self.known:
            raise NotFoundError(f"The commit {sha[:8]} does not exist", "nobody pushed it", "Check the sha.")
        return self.known[sha]
