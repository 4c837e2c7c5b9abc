"""A proxy between load balancer and task: requests come late, or are answered with an error.

One small listener per task, on loopback. Each connection carries one request, so that each is judged alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

from delivery.sandbox.clock import CLOCK

#: Seconds a listener stays after its detour has ended, until the load balancer has taken the direct way.
_LINGER = 5.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens to requests whose path begins with `path`: so many AWS seconds late, errors at a rate."""

    path: str = "/"
    seconds: float = 0.0
    rate: float = 0.0
    status: int = 500


class Detours:
    """The listeners, served by one thread that is started with the first."""

    def __init__(self, seed: int = 0) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._chance = random.Random(seed)

    def open(
        self, address: str, port: int, troubles: Callable[[], Iterable[Trouble]]
    ) -> tuple[tuple[str, int], asyncio.Server]:
        """Listen for requests to a task; where, and what to give to `close`. `troubles` is asked anew."""
        server = self._run(self._listen(address, port, troubles))
        host, at = server.sockets[0].getsockname()[:2]
        return (str(host), int(at)), server

    def close(self, server: asyncio.Server) -> None:
        """No more requests, a moment from now; those on their way are finished."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.call_later, _LINGER, server.close)

    def _run(self, work: Coroutine[Any, Any, asyncio.Server]) -> asyncio.Server:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, name="detours", daemon=True).start()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(
        self, address: str, port: int, troubles: Callable[[], Iterable[Trouble]]
    ) -> asyncio.Server:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                    await self._one(reader, writer, address, port, list(troubles()))
            finally:
                writer.close()

        return await asyncio.start_server(serve, "127.0.0.1", 0)

    async def _one(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        address: str,
        port: int,
        troubles: list[Trouble],
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = [*head.split(b" ", 2), b""][1].decode(errors="replace")
        for trouble in (t for t in troubles if path.startswith(t.path)):
            await asyncio.sleep(CLOCK.real(trouble.seconds))
            if trouble.rate and self._chance.random() < trouble.rate:
                await _refuse(reader, writer, head, trouble.status)
                return
        upstream, out = await asyncio.open_connection(address, port)
        try:
            out.write(one_request(head))
            back = asyncio.ensure_future(_copy(upstream, writer))
            forth = asyncio.ensure_future(_copy(reader, out))
            await back  # the task closes after its answer
            forth.cancel()
        finally:
            out.close()


def one_request(head: bytes) -> bytes:
    """The request's head, with the wish that the connection ends after the answer."""
    lines = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*lines, b"Connection: close", b"", b""])


def length_of(head: bytes) -> int:
    """The body's length as the head tells it; 0 when it does not."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    return 0


async def _refuse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes, status: int
) -> None:
    if length := length_of(head):
        await reader.readexactly(length)
    body = b"The sandbox was told to answer so.\n"
    start = f"HTTP/1.1 {status} Fault\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    writer.write(start.encode() + b"Connection: close\r\n\r\n" + body)
    await writer.drain()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
