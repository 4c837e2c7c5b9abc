"""A target in the tests' own process: it answers as its paths say, and remembers what it was asked.

Anywhere in the path: /health 200 · /status/<n> · /echo its request's headers as JSON · /slow/<seconds> ·
/close hangs up without an answer · /garbage no HTTP · /length of what it got · everything else: its name.
"""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from delivery_tests.sandbox.stack import eventually

_WORDS = ("health", "status", "echo", "slow", "close", "garbage", "length")


class _Quiet(ThreadingHTTPServer):
    """Holds many connections, and says nothing of those that were reset."""

    request_queue_size = 256
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The load balancer closes connections as it likes."""


class Upstream:
    """One server on a loopback port; `state` is what `/health` answers with."""

    def __init__(self, name: str = "one") -> None:
        self.name, self.health, self.asked = name, 200, []  # type: ignore[var-annotated]
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                upstream.asked.append(self.path)
                upstream.answer(self)

            do_POST = do_PUT = do_HEAD = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """One answer, good or bad."""
        length = int(request.headers.get("Content-Length") or 0)
        got = request.rfile.read(length)
        words = request.path.split("?")[0].split("/")
        first = next((w for w in words if w in _WORDS), "")
        rest = words[words.index(first) + 1 :]
        if first == "close":
            request.close_connection = True
            return
        if first == "garbage":
            request.wfile.write(b"this is no answer\r\n\r\n")
            request.close_connection = True
            return
        if request.headers.get("Upgrade") == "websocket":
            self._upgrade(request)
            return
        status, body = 200, self.name.encode()
        if first == "health":
            status = self.health
        elif first == "status":
            status = int(rest[0])
        elif first == "slow":
            time.sleep(float(rest[0]))
        elif first == "echo":
            body = json.dumps([[k, v] for k, v in request.headers.items()]).encode()
        elif first == "length":
            body = str(len(got)).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)

    def _upgrade(self, request: BaseHTTPRequestHandler) -> None:
        """Switch protocols, then say everything back until the other side has finished."""
        request.send_response(101)
        request.send_header("Upgrade", "websocket")
        request.send_header("Connection", "Upgrade")
        request.send_header("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        request.end_headers()
        request.wfile.flush()
        while got := request.connection.recv(1024):
            request.connection.sendall(got)
        request.close_connection = True

    def wait_for(self, path: str) -> None:
        """Until somebody asked for it."""
        eventually(lambda: path in self.asked)

    def stop(self) -> None:
        """Close its port: from now on it refuses."""
        self._server.shutdown()
        self._server.server_close()
