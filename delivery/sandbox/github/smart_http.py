"""Clone, fetch and push over HTTP: `git http-backend`, run as the CGI program it is.

Source: Pro Git, "Smart HTTP"; git-http-backend(1); GitHub Docs, "About remote repositories".
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from delivery.sandbox.github.callers import Caller, caller_of
from delivery.sandbox.github.cgi import CgiResponse
from delivery.sandbox.github.errors import GitHubError

#: Told after a push: the repository, who pushed, and of each reference that moved: old sha, new sha, name.
Pushed = Callable[[str, str, list[tuple[str, str, str]]], None]
#: git runs it when references have moved, with them on its standard input. That is the truth of a push.
_POST_RECEIVE = '#!/bin/sh\ncat > "$SANDBOX_PUSHED"\n'
#: GitHub lets nobody force-push to a protected branch, nor delete it.
_UPDATE = """#!/bin/sh
case " $SANDBOX_PROTECTED " in *" $1 "*) ;; *) exit 0 ;; esac
case "$2" in 0000000000*) exit 0 ;; esac
case "$3" in
0000000000*) why="Cannot delete this branch" ;;
*) git merge-base --is-ancestor "$2" "$3" && exit 0; why="Cannot force-push to this branch" ;;
esac
echo "error: GH006: Protected branch update failed for $1." >&2
echo "error: $why" >&2
exit 1
"""
#: What every repository is served with, whoever made it and however.
_CONFIG = {
    "http.receivepack": "true",
    "uploadpack.allowAnySHA1InWant": "true",
    "receive.hideRefs": "refs/pull",
    "gc.auto": "0",
    "maintenance.auto": "false",
}


class SmartHttp:
    """Serves `/<owner>/<name>.git/…` of a folder of bare repositories. `protected` tells a repository's
    protected references; `pushed` is told what a push moved, before the client hears that it was done."""

    def __init__(self, directory: Path, protected: Callable[[str], list[str]], pushed: Pushed) -> None:
        self._directory, self._protected, self._pushed = directory, protected, pushed
        self._hooks = directory / ".hooks"
        self._hooks.mkdir(exist_ok=True)
        for name, text in (("post-receive", _POST_RECEIVE), ("update", _UPDATE)):
            (self._hooks / name).write_text(text)
            (self._hooks / name).chmod(0o755)

    def serve(self, request: Request, is_private: Callable[[str], bool]) -> Response:
        """Hand one request to git, after asking who it is."""
        full = f"{request.path_params['owner']}/{request.path_params['name']}"
        writing = "git-receive-pack" in f"{request.path_params['rest']}{request.url.query}"
        try:
            caller = caller_of(request.headers.get("authorization"))
        except GitHubError:
            return _unauthorized("Invalid username or token. Password authentication is not supported.")
        exists = (self._directory / f"{full}.git").is_dir()
        if not caller.login and (writing or not exists or is_private(full)):
            return _unauthorized(
                "No anonymous write access." if writing and exists else "Repository not found."
            )
        if not exists:
            return PlainTextResponse("Repository not found.", status_code=404)
        return self._answer(request, full, caller)

    def _answer(self, request: Request, full: str, caller: Caller) -> Response:
        folder = tempfile.TemporaryDirectory(prefix="push-")
        told = Path(folder.name) / "pushed"

        def after() -> None:
            with folder:
                lines = told.read_text().splitlines() if told.exists() else []
                moved = [(old, new, ref) for old, new, ref in (line.split(" ", 2) for line in lines)]
                self._pushed(full, caller.login, moved)

        environment = {**self._environment(request, full, caller), "SANDBOX_PUSHED": str(told)}
        pushing = request.path_params["rest"] == "git-receive-pack"
        return CgiResponse(["git", "http-backend"], environment, after, must_finish=pushing)

    def _environment(self, request: Request, full: str, caller: Caller) -> dict[str, str]:
        config = {**_CONFIG, "core.hooksPath": str(self._hooks.resolve())}
        passed = {
            "CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length",
            "HTTP_CONTENT_ENCODING": "content-encoding", "GIT_PROTOCOL": "git-protocol",
        }  # fmt: skip
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "GIT_PROJECT_ROOT": str(self._directory.resolve()),
            "GIT_HTTP_EXPORT_ALL": "1", "GIT_CONFIG_NOSYSTEM": "1", "HOME": os.devnull,
            "GIT_CONFIG_COUNT": str(len(config)),
            **{f"GIT_CONFIG_KEY_{n}": key for n, key in enumerate(config)},
            **{f"GIT_CONFIG_VALUE_{n}": value for n, value in enumerate(config.values())},
            "REQUEST_METHOD": request.method,
            "PATH_INFO": f"/{full}.git/{request.path_params['rest']}",
            "QUERY_STRING": request.url.query,
            "REMOTE_ADDR": "127.0.0.1",
            **({"REMOTE_USER": caller.login} if caller.login else {}),
            **{k: request.headers[v] for k, v in passed.items() if v in request.headers},
            "SANDBOX_PROTECTED": " ".join(self._protected(full)),
        }  # fmt: skip


def _unauthorized(text: str) -> Response:
    return PlainTextResponse(text, status_code=401, headers={"WWW-Authenticate": 'Basic realm="GitHub"'})
