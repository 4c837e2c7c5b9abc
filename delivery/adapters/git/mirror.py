"""A bare mirror of one repository on this machine: a cache that may be thrown away at any time.

Only branches are fetched, never a sha by itself: on GitHub that would also find the commits of a fork.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from delivery.adapters.git.command import Git, LocalDamage, failure
from delivery.core.release import Commit
from delivery.errors import DeliveryError, ProviderError, RefusedError

FETCH_TIMEOUT = 300.0
#: One record per commit, ended by NUL: `-z` makes every field safe, for no message can hold a NUL.
_FIELDS = ("%H", "%P", "%an", "%cI", "%B")


@dataclass(frozen=True, slots=True)
class Mirror:
    """The mirror and where it is fetched from (`url`, without any secret)."""

    git: Git
    url: str

    def fetch(self, branch: str) -> None:
        """Bring the branch up to date, also after a force push. Other processes wait for their turn."""
        with self._locked():
            try:
                self._fetch(branch)
            except LocalDamage:
                # A process killed half-way leaves locks and torn files; all of it can be had again.
                shutil.rmtree(self.git.folder, ignore_errors=True)
                try:
                    self._fetch(branch)
                except LocalDamage as damage:
                    raise ProviderError(
                        "The repository cannot be mirrored", str(damage), f"Look at {self.git.folder}."
                    ) from None

    def _fetch(self, branch: str) -> None:
        if not (self.git.folder / "HEAD").exists():
            self.git.folder.mkdir(parents=True, exist_ok=True)
            self.git.run(["init", "--quiet", "--bare", "--template="])
        self.git.run(
            ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--end-of-options",
             self.url, f"+refs/heads/{branch}:{_ref(branch)}"],
            timeout=FETCH_TIMEOUT,
        )  # fmt: skip

    @contextmanager
    def _locked(self) -> Iterator[None]:
        path = self.git.folder.with_suffix(".lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)  # other users of the machine have no business in private code
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # freed by the kernel, whatever ends the holder
            yield

    def head(self, branch: str) -> str | None:
        """Where the branch stood at the last fetch."""
        code, out = self._look(["rev-parse", "--verify", "--quiet", "--end-of-options", _ref(branch)])
        return out.decode().strip() if code == 0 else None

    def has(self, sha: str) -> bool:
        """Whether the commit is here."""
        return self._look(["cat-file", "-e", f"{sha}^{{commit}}"])[0] == 0

    def contains(self, branch: str, sha: str) -> bool:
        """Whether the commit is on the branch as last fetched."""
        return self._look(["merge-base", "--is-ancestor", sha, _ref(branch)])[0] == 0

    def _look(self, arguments: Sequence[str]) -> tuple[int, bytes]:
        """A question whose every failure means *no, not here*: the caller fetches and asks again."""
        if not self.git.folder.exists():
            return 128, b""
        return self.git.ask(arguments, accept=range(256))

    def log(self, revision: str, paths: Sequence[str] = (), limit: int = 0) -> tuple[Commit, ...]:
        """The states the branch went through, newest first; with `paths`, only those that touched them.

        First parents only: what a merged branch did inside never was a state of this one.
        """
        limits = [f"--max-count={limit}"] if limit else []
        text = "%x00".join(_FIELDS)
        arguments = ["log", "-z", "--first-parent", *limits, f"--format={text}", "--end-of-options", revision]
        out = self._read([*arguments, "--", *paths])
        fields = out.decode(errors="replace").split("\0")[:-1]
        size = len(_FIELDS)
        return tuple(_commit(fields[i : i + size]) for i in range(0, len(fields), size))

    def tree(self, sha: str, paths: Sequence[str]) -> str:
        """The id of what the commit has at these paths; empty if it has nothing there.

        Equal ids mean equal content, so a commit that touches nothing of a service is seen.
        """
        if not paths:
            return (
                self._read(["rev-parse", "--verify", "--end-of-options", f"{sha}^{{tree}}"]).decode().strip()
            )
        out = self._read(["ls-tree", "-z", "--full-tree", "--end-of-options", sha, "--", *paths])
        entries = [entry for entry in out.split(b"\0") if entry]
        if len(entries) == 1:
            return entries[0].split(b"\t")[0].split()[2].decode()
        return hashlib.sha256(out).hexdigest() if entries else ""

    def changed(self, sha: str) -> tuple[str, ...]:
        """The files the commit changed against its first parent."""
        out = self._read(
            ["diff-tree", "-r", "-z", "--root", "--no-commit-id", "--name-only", "--diff-merges=first-parent",
             "--end-of-options", sha]
        )  # fmt: skip
        return tuple(name.decode(errors="replace") for name in out.split(b"\0") if name)

    def unpack(self, sha: str, folder: Path) -> None:
        """Write the commit's files into a folder, from `git archive`.

        RefusedError for what must not be written: links that lead out of the folder, devices.
        """
        process = subprocess.Popen(
            self.git.command(["archive", "--format=tar", sha]), env=self.git.variables(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        with process:
            assert process.stdout is not None and process.stderr is not None
            problem = _extract(process.stdout, folder)
            if problem is not None:
                process.kill()
                raise problem
            said = process.stderr.read().decode(errors="replace")
        if process.returncode:
            raise _told(failure("archive", said))

    def _read(self, arguments: Sequence[str]) -> bytes:
        try:
            return self.git.run(arguments)
        except LocalDamage as damage:
            raise _told(damage) from None


def _extract(stream: IO[bytes], folder: Path) -> RefusedError | None:
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            tar.extractall(folder, filter="data")
    except tarfile.FilterError as error:
        return RefusedError(
            "The commit's files were not unpacked", str(error), "Take that entry out of the repository."
        )
    except tarfile.ReadError:
        return None  # git ended early: its own message says why
    return None


def _told(problem: DeliveryError | LocalDamage) -> DeliveryError:
    if isinstance(problem, DeliveryError):
        return problem
    return ProviderError("The mirror cannot be read", str(problem), "Retry; it is fetched anew when damaged.")


def _ref(branch: str) -> str:
    """The mirror's own name for a branch: `a` and `a/b` may follow each other on the server, not here."""
    return f"refs/mirror/{hashlib.sha256(branch.encode()).hexdigest()}"


def _commit(fields: Sequence[str]) -> Commit:
    sha, parents, author, at, message = fields
    return Commit(sha, message.strip(), author, datetime.fromisoformat(at), tuple(parents.split()))
