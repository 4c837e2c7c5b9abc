"""A real bare repository behind the sandbox's GitHub server, and the developer who pushes to it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import requests

from delivery.adapters.github import GitHubSource
from delivery.core.service import RepositorySpec
from delivery.sandbox.github import GitHubServer, create_repository
from delivery_tests.conftest import free_ports

NAME = "acme/web"
TOKEN = "t0p-secret-token"


class Hub:
    """A GitHub with one repository, and a working copy of it. `source` is the product's, on this hub."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = GitHubServer(free_ports(1)[0], folder / "hub")
        create_repository(folder / "hub", NAME)
        self.server.start()
        self.source = self.another_machine("machine")
        self.repository = RepositorySpec(NAME)
        self._copy = folder / "copy"
        self._copy.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", f"{self.server.url}/{NAME}.git")
        self.git("config", "http.extraHeader", f"Authorization: Bearer {TOKEN}")

    def another_machine(self, name: str, api_url: str = "", token: str = TOKEN) -> GitHubSource:
        """A source with a work folder of its own."""
        url = self.server.url
        return GitHubSource(api_url or url, token, url, self.folder / name)

    def git(self, *arguments: str) -> str:
        """git in the working copy."""
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.test")
        done = subprocess.run(
            ["git", *who, *arguments], cwd=self._copy, check=True, capture_output=True, text=True, timeout=30
        )
        return done.stdout.strip()

    def write(self, name: str, text: str) -> None:
        """A file in the working copy."""
        path = self._copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def link(self, name: str, target: str) -> None:
        """A symbolic link in the working copy."""
        (self._copy / name).symlink_to(target)

    def commit(self, message: str, **files: str) -> str:
        """Commit; `app__x="…"` writes app/x. The sha."""
        for name, text in files.items():
            self.write(name.replace("__", "/"), text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def push(self, message: str, branch: str = "main", **files: str) -> str:
        """Commit and push; without files, one that says the message."""
        sha = self.commit(message, **(files or {"app": message}))
        self.git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return sha

    def force_push(self, *messages: str) -> list[str]:
        """Replace the branch's history."""
        self.git("checkout", "--quiet", "--orphan", "new")
        shas = [self.push(message) for message in messages]
        self.git("branch", "--force", "main", "HEAD")
        self.git("checkout", "--quiet", "main")
        self.git("branch", "-D", "new")
        return shas

    def quota(self) -> int:
        """How many requests are left; asking costs one."""
        answer = requests.get(f"{self.server.url}/repos/{NAME}", timeout=5)
        return int(answer.headers["X-RateLimit-Remaining"])

    def statuses(self, sha: str) -> list[dict[str, str]]:
        """The statuses the hub has of a commit, newest first."""
        answer = requests.get(f"{self.server.url}/repos/{NAME}/commits/{sha}/statuses", timeout=5)
        found: list[dict[str, str]] = answer.json()
        return found
