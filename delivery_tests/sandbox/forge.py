"""A GitHub of the tests' own, a repository, a developer's working copy, and somebody who gets webhooks."""

from __future__ import annotations

import json
import subprocess
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from delivery.sandbox.github import GitHubServer, create_repository
from delivery_tests.conftest import free_ports
from delivery_tests.sandbox.stack import eventually

ADA, BOB, APP = "ada-token", "bob-token", "ghs_installation"


class Forge:
    """The server, started; `stop` it."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder, self.port = folder, port or free_ports(1)[0]
        self.server = GitHubServer(self.port, folder / "hub")
        self.server.start()

    @property
    def url(self) -> str:
        """Its base."""
        return self.server.url

    def project(self, name: str = "") -> Project:
        """An empty repository with a working copy."""
        full = name or f"acme/t{uuid.uuid4().hex[:8]}"
        create_repository(self.folder / "hub", full)
        return Project(self, full, self.folder / f"copy-{uuid.uuid4().hex[:8]}")

    def call(
        self, method: str, path: str, body: Any = None, token: str = ADA, **more: Any
    ) -> requests.Response:
        """One request; `more` are headers, with `_` for `-`."""
        headers = {name.replace("_", "-"): value for name, value in more.items()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = {"data": body} if isinstance(body, (str, bytes)) else {"json": body}
        return requests.request(
            method, self.url + path, headers=headers, timeout=30, allow_redirects=False, **data
        )

    def stop(self) -> None:
        """End it."""
        self.server.stop()


class Project:
    """A repository, and the working copy of the developer Ada."""

    def __init__(self, forge: Forge, full: str, folder: Path) -> None:
        self.forge, self.full, self.folder = forge, full, folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", self.remote)

    @property
    def remote(self) -> str:
        """Its git URL."""
        return f"{self.forge.url}/{self.full}.git"

    def try_git(
        self, *arguments: str, token: str = ADA, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run git in the working copy, whatever it says."""
        settings = ["-c", "user.name=Ada", "-c", "user.email=ada@example.test", "-c", "gc.auto=0"]
        if token:
            settings += ["-c", f"http.extraHeader=Authorization: Bearer {token}"]
        return subprocess.run(
            ["git", *settings, *arguments], cwd=folder or self.folder, capture_output=True, text=True,
            check=False, env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.folder),
                              "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}, timeout=60,
        )  # fmt: skip

    def git(self, *arguments: str, **more: Any) -> str:
        """Run git in the working copy."""
        done = self.try_git(*arguments, **more)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, subject: str, files: Mapping[str, str | bytes] | None = None) -> str:
        """Commit files, by default `app.py` with the subject; the sha. Nothing is pushed."""
        for name, content in (files or {"app.py": f"{subject}\n"}).items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", subject)
        return self.git("rev-parse", "HEAD")

    def push(self, subject: str, files: Mapping[str, str | bytes] | None = None, branch: str = "main") -> str:
        """Commit and push to a branch; the sha."""
        sha = self.commit(subject, files)
        self.git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
        return sha

    def feature(self, branch: str = "feature", files: Mapping[str, str | bytes] | None = None) -> str:
        """A branch off main with one commit, pushed; afterwards the copy is on main again."""
        self.git("checkout", "--quiet", "-b", branch)
        sha = self.push(f"work on {branch}", files or {f"{branch.replace('/', '-')}.txt": "work\n"}, branch)
        self.git("checkout", "--quiet", "main")
        return sha

    def call(
        self, method: str, path: str, body: Any = None, token: str = ADA, **more: Any
    ) -> requests.Response:
        """One request below `/repos/{owner}/{repo}`."""
        return self.forge.call(method, f"/repos/{self.full}{path}", body, token, **more)

    def get(self, path: str, **more: Any) -> Any:
        """What a GET that succeeds answers."""
        answer = self.call("GET", path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, status: int = 201, **more: Any) -> Any:
        """What a POST that succeeds answers."""
        answer = self.call("POST", path, body or {}, **more)
        assert answer.status_code == status, answer.text
        return answer.json()

    def pull(self, branch: str = "feature", **more: Any) -> Any:
        """A pull request from a branch into main."""
        return self.post("/pulls", {"title": "A change", "head": branch, "base": "main", **more})


@dataclass
class Inbox:
    """Who gets webhooks: every request, and what it is answered with."""

    url: str = ""
    status: int = 200
    hold: threading.Event = field(default_factory=threading.Event)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def events(self, name: str) -> list[dict[str, str]]:
        """The headers of the deliveries of an event."""
        return [headers for headers, _ in self.got if headers["X-GitHub-Event"] == name]

    def payloads(self, name: str) -> list[Any]:
        """The payloads of an event."""
        return [json.loads(body) for headers, body in self.got if headers["X-GitHub-Event"] == name]

    def await_payloads(self, name: str, number: int = 1) -> list[Any]:
        """The same, once there are so many."""
        return eventually(lambda: self.payloads(name), lambda found: len(found) >= number, 10)


@contextmanager
def inbox() -> Iterator[Inbox]:
    """A receiver that runs until the end of the block. It answers at once unless `hold` was cleared."""
    made = Inbox()
    made.hold.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.got.append((dict(self.headers), body))
            made.hold.wait(30)
            self.send_response(made.status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()
