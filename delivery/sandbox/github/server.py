"""The HTTP server: REST and git on one port, and the sandbox's own knobs beside them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.config import SandboxError
from delivery.sandbox.faults import Fault, Faults
from delivery.sandbox.github import pushes
from delivery.sandbox.github.call import Answer, Call
from delivery.sandbox.github.errors import not_found
from delivery.sandbox.github.gate import Gate
from delivery.sandbox.github.hub import Hub
from delivery.sandbox.github.limits import ANONYMOUS, USER, RateLimits
from delivery.sandbox.github.rest import FILES, ROUTES
from delivery.sandbox.github.smart_http import SmartHttp

#: Where an Enterprise server has its API; clients that were told a host only look there.
_ENTERPRISE = "/api/v3"


class GitHubServer:
    """A GitHub of one's own on 127.0.0.1. Writing needs a token; which, see `callers`."""

    def __init__(self, port: int, repositories_dir: Path, faults: Faults | None = None) -> None:
        self._port, self._faults = port, faults or Faults()
        self._hub = Hub(repositories_dir, self.url)
        self.limits = RateLimits(CLOCK.now)
        self._git = SmartHttp(repositories_dir, self._hub.protected, self._pushed)
        self._gate = Gate(self._hub, self.limits, self._faults)
        config = uvicorn.Config(
            _Prefixed(Starlette(routes=self._routes())), host="127.0.0.1", port=port,
            log_level="warning", lifespan="off", access_log=False,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def _routes(self) -> list[Route]:
        gate = self._gate
        rest = [Route(path, gate.endpoint(handler), methods=[method]) for method, path, handler in ROUTES]
        return [
            Route("/_sandbox/{knob}", self._knob, methods=["POST"]),
            Route("/rate_limit", gate.endpoint(self._rate_limit, free=True), methods=["GET"]),
            Route("/{owner}/{name}.git/{rest:path}", self._serve_git, methods=["GET", "POST"]),
            *rest,
            *(Route(p, gate.endpoint(handler, free=True), methods=[method]) for method, p, handler in FILES),
            Route("/{rest:path}", gate.endpoint(_nothing), methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ]

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
        """End it; requests under way are cut off."""
        self._server.should_exit = self._server.force_exit = True
        if self._thread is not None:
            self._thread.join(timeout=5)
        self._hub.close()

    def fail_next(self, count: int, status: int) -> None:
        """Answer the next `count` requests with this status."""
        self._faults.add(Fault("github", count=count, status=status))

    async def _serve_git(self, request: Request) -> Response:
        return await self._gate.faulty(
            request, run_in_threadpool(self._git.serve, request, self._hub.is_private)
        )

    def _pushed(self, full: str, login: str, moves: list[tuple[str, str, str]]) -> None:
        pushes.moved(self._hub, full, login, moves)

    def _rate_limit(self, call: Call) -> Answer:
        """`GET /rate_limit`, which is free."""
        core = self.limits.window(call.caller.key, USER if call.caller.login else ANONYMOUS).body()
        reset = int(CLOCK.now()) + 60
        other = {"limit": 30, "used": 0, "remaining": 30, "reset": reset}
        resources = {"core": core, "search": {**other, "resource": "search"},
                     "graphql": {**other, "limit": 0, "remaining": 0, "resource": "graphql"}}  # fmt: skip
        return Answer({"resources": resources, "rate": core})

    async def _knob(self, request: Request) -> Response:
        """What no client of GitHub's can do: `POST /_sandbox/rate_limit` {limit, login?, seconds?} and
        `POST /_sandbox/secondary_rate_limit` {count, retry_after?, status?}."""
        knobs: dict[str, Callable[..., Any]] = {
            "rate_limit": lambda limit, login="", seconds=3600: self.limits.set_limit(limit, login, seconds),
            "secondary_rate_limit": self.limits.set_secondary,
        }
        try:
            knobs[request.path_params["knob"]](**(await request.json()))
        except (KeyError, TypeError, ValueError) as error:
            return JSONResponse({"message": str(error)}, status_code=400)
        return JSONResponse({})


def _nothing(call: Call) -> Answer:
    """What GitHub says to a path or a method it does not know."""
    raise not_found()


class _Prefixed:
    """The same API under an Enterprise server's prefix."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(f"{_ENTERPRISE}/"):
            scope = {**scope, "path": scope["path"].removeprefix(_ENTERPRISE)}
        await self._application(scope, receive, send)
