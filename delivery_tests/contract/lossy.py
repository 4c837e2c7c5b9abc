"""A line to the sandbox that can lose an answer: the request arrives, is served, and nobody hears of it."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import urlsplit


class LossyProxy:
    """`lose("PUT")` loses the answer of the next request of that method; `lost` counts them."""

    def __init__(self, upstream: str) -> None:
        self.lost, self._losing = 0, ""
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            """Passes one request on."""

            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                proxy.serve(self, urlsplit(upstream).netloc)

            do_GET = do_PUT = do_POST = do_HEAD = _pass

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def lose(self, method: str) -> None:
        """Lose the answer of the next such request."""
        self._losing = method

    def serve(self, handler: BaseHTTPRequestHandler, upstream: str) -> None:
        """Ask the sandbox, then answer or hang up."""
        if handler.headers.get("Expect") == "100-continue":
            handler.send_response_only(100)
            handler.end_headers()
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        headers = {k: v for k, v in handler.headers.items() if k.lower() not in ("expect", "connection")}
        connection = http.client.HTTPConnection(upstream, timeout=20)
        connection.request(handler.command, handler.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if handler.command == self._losing:
            self._losing, self.lost = "", self.lost + 1
            handler.close_connection = True
            handler.connection.close()
            return
        handler.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def __enter__(self) -> LossyProxy:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
