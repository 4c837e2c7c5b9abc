"""How the service is served: threads, JSON, a health page, the release in every answer."""

import json
import os
import signal
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from app import behaviour


class Handler(BaseHTTPRequestHandler):
    """One request, one connection."""

    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        """Ask `behaviour`; what it raises is a 500 and a traceback in the log."""
        url = urlsplit(self.path)
        if url.path == "/health":
            self._answer(200, {"status": "ok"})
            return
        try:
            found = behaviour.respond(url.path, dict(parse_qsl(url.query)))
        except Exception:
            traceback.print_exc()
            self._answer(500, {"error": "internal error"})
            return
        self._answer(404 if found is None else 200, found or {"error": "not found"})

    def _answer(self, status: int, body: dict[str, object]) -> None:
        content = json.dumps({**body, "commit": os.environ.get("DELIVERY_COMMIT", "")}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Release", os.environ.get("DELIVERY_RELEASE", ""))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of good requests: the load balancer counts them."""


class Server(ThreadingHTTPServer):
    """A thread per request; closing it waits for the requests under way."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, Handler)


def run(server: Server) -> None:
    """Serve until SIGTERM (what ECS sends first), then finish what was begun."""

    def stop(signum: int, frame: object) -> None:
        # From a thread of its own: `shutdown` waits for the loop that this handler interrupts.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    with server:
        server.serve_forever(poll_interval=0.1)
