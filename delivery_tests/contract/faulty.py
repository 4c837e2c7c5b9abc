"""A line to the sandbox on which single calls go wrong, and which remembers every attempt that crossed it.

It stands between the product's own AWS session and the sandbox. A fault belongs to an operation, by AWS's
name (`ecs.UpdateService`), and hits so many of its attempts, which botocore's headers tell apart.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal
from urllib.parse import urlsplit

from delivery.sandbox.chaos import wire
from delivery.sandbox.chaos.services import service_named

#: What can happen to a call.
#:
#: lost      it is done, and the connection is closed without an answer
#: late      it is done, and the connection stays open and silent until the caller gives up
#: reset     the connection is torn down before anything is done
#: throttled refused in the words the service throttles with; nothing is done
#: 500, 503  refused with that status; nothing is done
Kind = Literal["lost", "late", "reset", "throttled", "500", "503"]
KINDS: tuple[Kind, ...] = ("lost", "late", "reset", "throttled", "500", "503")
FOR_EVER = 10**9
_CODES = {"500": "InternalFailure", "503": "ServiceUnavailable"}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request on the wire. `call` is botocore's id of the call it belongs to, the same for its retries;
    `answer` is what the sandbox answered, also where nobody heard of it; empty when it was not asked."""

    operation: str
    call: str
    number: int
    fault: str
    status: int = 0
    answer: bytes = b""

    @property
    def done(self) -> bool:
        """Whether it took effect."""
        return 200 <= self.status < 300


@dataclass(slots=True)
class _Fault:
    kinds: tuple[Kind, ...]
    times: int
    every: int
    seen: int = 0

    def next(self) -> Kind | Literal[""]:
        """What happens to the next attempt."""
        struck, out_of_turn = divmod(self.seen, self.every)
        self.seen += 1
        return "" if out_of_turn or struck >= self.times else self.kinds[struck % len(self.kinds)]


@dataclass
class FaultyLine:
    """`upstream` is the sandbox's endpoint, `url` the line's own."""

    upstream: str
    attempts: list[Attempt] = field(default_factory=list)
    _faults: dict[str, _Fault] = field(default_factory=dict)
    _after: dict[str, Callable[[], object]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        line = self

        class Handler(BaseHTTPRequestHandler):
            """Passes one request on, or not."""

            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                with contextlib.suppress(ConnectionError):
                    line._serve(self)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def breaks(
        self, kinds: tuple[Kind, ...], operations: Iterable[str], times: int = 0, every: int = 1
    ) -> None:
        """From now on the next attempts of each operation go wrong, once in each of these ways in turn.

        `times`: so many attempts instead. With `every=2` it is each other attempt that goes wrong.
        """
        with self._lock:
            self._faults |= {name: _Fault(kinds, times or len(kinds), every) for name in operations}

    def after(self, operation: str, happens: Callable[[], object]) -> None:
        """Once, when the next such call is done and before its answer is heard."""
        with self._lock:
            self._after[operation] = happens

    def heal(self) -> None:
        """No more faults."""
        with self._lock:
            self._faults.clear()
            self._after.clear()

    def operations(self) -> list[str]:
        """Every operation seen, in the order of its first attempt."""
        return list(dict.fromkeys(a.operation for a in self.attempts))

    def hit(self) -> Counter[str]:
        """How many attempts of each operation went wrong."""
        return Counter(a.operation for a in self.attempts if a.fault)

    def tries(self) -> Counter[str]:
        """The most attempts that one call of each operation took."""
        most: Counter[str] = Counter()
        for (name, _), count in Counter((a.operation, a.call) for a in self.attempts).items():
            most[name] = max(most[name], count)
        return most

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body, environ = _read(handler)
        service, *names = wire.call_of(environ, body)
        operation = f"{service_named(service).model}.{names[-1]}"
        with self._lock:
            fault = self._faults.get(operation)
            kind = fault.next() if fault is not None else ""
            happens = None if kind else self._after.pop(operation, None)
        seen = _seen(handler, operation, kind)
        if kind in ("", "lost", "late"):
            answer = _ask(self.upstream, handler, body)
            self.attempts.append(Attempt(*seen, answer.status, answer.body))
            if happens is not None:
                happens()
            if kind == "late":
                self._over.wait(30)
            return _hang_up(handler) if kind else _tell(handler, answer)
        self.attempts.append(Attempt(*seen))
        if kind == "reset":
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return _hang_up(handler)
        return _tell(handler, _refusal(environ, service, kind))

    def __enter__(self) -> FaultyLine:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


def _read(handler: BaseHTTPRequestHandler) -> tuple[bytes, dict[str, Any]]:
    """The body, and the request as the sandbox's own faults look at it."""
    if handler.headers.get("Expect") == "100-continue":
        handler.send_response_only(100)
        handler.end_headers()
    body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    given = {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in handler.headers.items()}
    path, _, query = handler.path.partition("?")
    environ = {
        **given,
        "REQUEST_METHOD": handler.command,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
    }
    return body, environ


def _seen(handler: BaseHTTPRequestHandler, operation: str, kind: str) -> tuple[str, str, int, str]:
    """`amz-sdk-request` is e.g. `attempt=2; max=4`."""
    said = handler.headers.get("amz-sdk-request", "attempt=1")
    number = int(said.partition("attempt=")[2].partition(";")[0])
    return operation, handler.headers.get("amz-sdk-invocation-id", ""), number, kind


def _ask(upstream: str, handler: BaseHTTPRequestHandler, body: bytes) -> _Answer:
    headers = {k: v for k, v in handler.headers.items() if k.lower() not in ("expect", "connection")}
    connection = http.client.HTTPConnection(urlsplit(upstream).netloc, timeout=30)
    with contextlib.closing(connection):
        connection.request(handler.command, handler.path, body, headers)
        answer = connection.getresponse()
        return _Answer(answer.status, answer.getheaders(), answer.read())


def _refusal(environ: dict[str, Any], service: str, kind: str) -> _Answer:
    named = service_named(service)
    code, status = named.throttled if kind == "throttled" else (_CODES[kind], int(kind))
    told = wire.error(environ, status, code, "The line was told to answer so.")
    return _Answer(status, told.headers, told.body)


def _tell(handler: BaseHTTPRequestHandler, answer: _Answer) -> None:
    handler.send_response_only(answer.status)
    for name, value in answer.headers:
        if name.lower() not in ("transfer-encoding", "content-length", "connection"):
            handler.send_header(name, value)
    length = {k.lower(): v for k, v in answer.headers}.get("content-length", len(answer.body))
    handler.send_header("Content-Length", str(length if handler.command == "HEAD" else len(answer.body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(answer.body)


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.close()
