"""The HTTP server: REST and git on one port, tokens, rate-limit headers, faults on demand."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from delivery.sandbox.config import SandboxError
from delivery.sandbox.faults import Fault, Faults
from delivery.sandbox.github.api import Api, missing
from delivery.sandbox.github.repository import NoSuchThing
from delivery.sandbox.github.smart_http import SmartHttp

Next = Callable[[Request], Awaitable[Response]]
_QUOTA = 5000


class GitHubServer:
    """A GitHub of one's own on 127.0.0.1. Writing needs a token, any token."""

    def __init__(self, port: int, repositories_dir: Path, faults: Faults | None = None) -> None:
        self._port, self._faults = port, faults or Faults()
        self._used = 0
        repositories_dir.mkdir(parents=True, exist_ok=True)
        git = Route(
            "/{owner}/{name}.git/{rest:path}", SmartHttp(repositories_dir).serve, methods=["GET", "POST"]
        )
        application = Starlette(
            routes=[*Api(repositories_dir, self.url).routes(), git],
            middleware=[Middleware(BaseHTTPMiddleware, dispatch=self._guard)],
            exception_handlers={NoSuchThing: lambda request, error: missing(), 404: lambda r, e: missing()},
        )
        config = uvicorn.Config(application, host="127.0.0.1", port=port, log_level="warning", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base of its API and of its git URLs."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Serve from a thread; returns when it answers."""
        self._thread = threading.Thread(target=self._run, name="github", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise SandboxError("The sandbox's GitHub did not start", f"port {self._port} is not usable")
            time.sleep(0.02)

    def _run(self) -> None:
        asyncio.run(self._server.serve())

    def stop(self) -> None:
        """End it."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(timeout=5)

    def fail_next(self, count: int, status: int) -> None:
        """Answer the next `count` requests with this status."""
        self._faults.add(Fault("github", count=count, status=status))

    async def _guard(self, request: Request, call_next: Next) -> Response:
        fault = self._faults.take("github", f"{request.method} {request.url.path}")
        if fault is not None and fault.kind == "error":
            return JSONResponse({"message": "Server Error"}, status_code=fault.status)
        if fault is not None:
            await asyncio.sleep(fault.seconds)
        api = request.url.path.startswith("/repos/")
        if api and request.method != "GET" and not request.headers.get("authorization"):
            return JSONResponse({"message": "Requires authentication"}, status_code=401)
        response = await call_next(request)
        if api:
            self._used += response.status_code != 304
            response.headers["X-RateLimit-Limit"] = str(_QUOTA)
            response.headers["X-RateLimit-Remaining"] = str(max(0, _QUOTA - self._used))
            response.headers["X-RateLimit-Reset"] = str(int(time.time()) + 3600)
            response.headers["X-RateLimit-Resource"] = "core"
        return response
