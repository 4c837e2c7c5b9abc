"""The demo's developer: a working copy of the sample service, and `git push`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from delivery.errors import ProviderError

_AUTHOR = {
    "GIT_AUTHOR_NAME": "Ada Demo",
    "GIT_AUTHOR_EMAIL": "ada@example.test",
    "GIT_COMMITTER_NAME": "Ada Demo",
    "GIT_COMMITTER_EMAIL": "ada@example.test",
}


@dataclass(frozen=True, slots=True)
class Pushed:
    """A commit that is on the server now."""

    sha: str
    subject: str

    @property
    def short(self) -> str:
        """The sha as people write it."""
        return self.sha[:8]


class WorkingCopy:
    """A clone of `owner/name` in a folder of its own, with `git` driven by argument lists.

    The token travels by environment, never in a URL or an argument list; the user's own git settings
    are left out, so that a signing hook or a template of theirs cannot change the story.
    """

    def __init__(self, folder: Path, git_url: str, repository: str, token: str, branch: str = "main") -> None:
        self._folder, self._token, self._branch = folder, token, branch
        self._url = f"{git_url}/{repository}.git"

    def create(self, template: Path) -> None:
        """Start over from the sample service's files."""
        shutil.rmtree(self._folder, ignore_errors=True)
        ignored = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".ruff_cache", ".git")
        shutil.copytree(template, self._folder, ignore=ignored)
        self._git("init", "--quiet", f"--initial-branch={self._branch}")
        self._git("remote", "add", "origin", self._url)

    def push(self, subject: str, files: Mapping[str, str]) -> Pushed:
        """Write the files, commit and push."""
        for name, content in files.items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", subject)
        self._git("push", "--quiet", "origin", self._branch)
        return Pushed(self._git("rev-parse", "HEAD").strip(), subject)

    def read(self, name: str) -> str:
        """A file's content now."""
        return (self._folder / name).read_text()

    def _git(self, *arguments: str) -> str:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Bearer {self._token}",
            **_AUTHOR,
        }
        done = subprocess.run(
            ["git", "-C", str(self._folder), *arguments],
            env=environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        if done.returncode:
            why = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no output"]
            raise ProviderError(
                f"git {arguments[0]} failed in the demo's working copy",
                why[0],
                "Look at the sandbox with `delivery sandbox status`.",
            )
        return done.stdout
