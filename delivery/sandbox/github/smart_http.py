"""Clone, fetch and push over HTTP: `git http-backend`, run as the CGI program it is."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response


class SmartHttp:
    """Serves `/<owner>/<name>.git/…` of a folder of bare repositories."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def serve(self, request: Request) -> Response:
        """Hand one request to git."""
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "GIT_PROJECT_ROOT": str(self._directory.resolve()),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "HOME": str(self._directory),
            "REQUEST_METHOD": request.method,
            "PATH_INFO": request.url.path,
            "QUERY_STRING": request.url.query,
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
            "REMOTE_USER": "sandbox",
            "REMOTE_ADDR": "127.0.0.1",
        }
        if protocol := request.headers.get("git-protocol"):
            environment["GIT_PROTOCOL"] = protocol
        body = await request.body()
        environment["CONTENT_LENGTH"] = str(len(body))
        process = await asyncio.create_subprocess_exec(
            "git", "http-backend", env=environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate(body)
        return _response(out)


def _response(out: bytes) -> Response:
    """CGI output as a response."""
    head, _, body = out.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    status = int(headers.pop("Status", "200").split()[0]) if head else 500
    return Response(body, status_code=status, headers=headers)
