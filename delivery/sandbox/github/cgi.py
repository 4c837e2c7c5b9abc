"""A CGI program as an answer: the request's body goes to it and its output comes back, both as they come.

Source: RFC 3875, "The Common Gateway Interface (CGI) Version 1.1".
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_CHUNK = 65536


class CgiResponse(Response):
    """Runs `command`; the end of its output is sent only after `after` was called.

    A client that goes away ends the program, unless it `must_finish`: then it gets what was sent of the body,
    and decides for itself.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        after: Callable[[], None],
        must_finish: bool,
    ) -> None:
        super().__init__()
        self._command, self._environment = list(command), dict(environment)
        self._after, self._must_finish = after, must_finish

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run it for this request."""
        process = await asyncio.create_subprocess_exec(
            *self._command, env=self._environment, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        feeding = asyncio.create_task(self._feed(Request(scope, receive), process))
        try:
            await self._copy(process, send)
        finally:
            feeding.cancel()
            await asyncio.shield(self._ended(process))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _feed(self, request: Request, process: asyncio.subprocess.Process) -> None:
        """The body to the program, however it is framed; then wait whether the client stays."""
        assert process.stdin is not None
        try:
            async for piece in request.stream():
                process.stdin.write(piece)
                await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError, ClientDisconnect):
            return
        finally:
            process.stdin.close()
        while (await request.receive())["type"] != "http.disconnect":
            pass
        if not self._must_finish and process.returncode is None:
            process.kill()

    async def _copy(self, process: asyncio.subprocess.Process, send: Send) -> None:
        """The program's headers and output to the client."""
        assert process.stdout is not None
        headers: list[tuple[bytes, bytes]] = []
        status = 0
        while line := (await process.stdout.readline()).strip():
            name, _, value = line.partition(b": ")
            if name == b"Status":
                status = int(value.split()[0])
            else:
                headers.append((name.lower(), value))
        known = status or (200 if headers else 500)
        await send({"type": "http.response.start", "status": known, "headers": headers})
        while piece := await process.stdout.read(_CHUNK):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await process.wait()

    async def _ended(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None and not self._must_finish:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()
        await asyncio.to_thread(self._after)
