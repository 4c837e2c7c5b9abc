"""The wire between one control plane and the sandbox: it writes down what is asked, and kills who asks.

A trap names a moment as a call to AWS: it was done and its answer has not arrived, or some seconds later.
Whoever made the call is found by its connection, so that exactly this process dies.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from delivery.adapters.aws.codec import decode
from delivery.core.ledger import LedgerRecord

LEDGER = "/ledger/"
#: Of one hop only, or written anew.
_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "content-length"}


@dataclass(frozen=True, slots=True)
class Call:
    """One request to AWS. `name` is ECS's or ELB's operation, else method and path; `pid` is who asks."""

    at: datetime
    name: str
    text: str
    pid: int
    ledger: LedgerRecord | None = None

    def about(self, service: str) -> bool:
        """Whether it names the service: in its path, or in what it sends."""
        return service in self.text or service in self.name


#: Whether this call is the moment. The record is the service's ledger as it was last written over this wire.
Fits = Callable[[Call, LedgerRecord | None], bool]


@dataclass
class Trap:
    """Kill who makes the first call that fits, `delay` seconds later. The last three say who it was, when."""

    moment: str
    fits: Fits
    delay: float = 0.0
    pid: int = 0
    command: str = ""
    at: datetime | None = None


@dataclass
class Ambush:
    """Traps of one service, set one after the other: the next when the last has gone off."""

    service: str
    traps: list[Trap]

    @property
    def next(self) -> Trap | None:
        """The trap that is set."""
        return next((trap for trap in self.traps if trap.at is None), None)


@dataclass
class Wire:
    """A proxy on a free port in front of `target` (`http://host:port`)."""

    target: str
    calls: list[Call] = field(default_factory=list)
    ambushes: list[Ambush] = field(default_factory=list)
    ledgers: dict[str, LedgerRecord] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _server: Any = None

    @property
    def url(self) -> str:
        """What the control plane takes for AWS."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Serve from a thread."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"wire": self}))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True, name="wire").start()

    def stop(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()

    def lay(self, service: str, traps: list[Trap]) -> Ambush:
        """Set traps for who works on a service."""
        ambush = Ambush(service, traps)
        self.ambushes.append(ambush)
        return ambush

    def about(self, service: str) -> list[Call]:
        """The calls about that service that reached AWS and were not refused, oldest first."""
        with self._lock:
            return [call for call in self.calls if call.about(service)]

    def sprung(self, call: Call) -> bool:
        """Kill who asked if this is a moment to; true when somebody died."""
        with self._lock:
            for ambush in self.ambushes:
                trap, record = ambush.next, self.ledgers.get(ambush.service)
                if not trap or trap.pid or not call.about(ambush.service) or not trap.fits(call, record):
                    continue
                command = Path(f"/proc/{call.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                trap.pid, trap.command = call.pid, command
                if trap.delay:
                    threading.Timer(trap.delay, _kill, (trap,)).start()
                    return False
                _kill(trap)
                return True
        return False

    def note(self, call: Call) -> None:
        """Write down what reached AWS."""
        with self._lock:
            self.calls.append(call)
            if call.ledger is not None:
                self.ledgers[call.ledger.service] = call.ledger


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client, with one of its own to the target."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wire: Wire
    _upstream: http.client.HTTPConnection | None = None

    def handle_one_request(self) -> None:
        """As the base class does, but a client that is gone is no news."""
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        call = self._call(body)
        answer, content = self._ask(body)
        if answer.status < 400:
            self.wire.note(call)
            if self.wire.sprung(call):
                self.close_connection = True
                return
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        if answer.status not in (204, 304) and length is not None:
            self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _pass

    def _ask(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        if self._upstream is None:
            url = urlsplit(self.wire.target)
            self._upstream = http.client.HTTPConnection(url.hostname or "", url.port, timeout=120)
            self._upstream.connect()
            self._upstream.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
        if body or self.command in ("POST", "PUT", "PATCH"):
            headers["Content-Length"] = str(len(body))
        self._upstream.request(self.command, self.path, body or None, headers)
        answer = self._upstream.getresponse()
        content = answer.read()
        if answer.will_close:
            self._upstream.close()
        return answer, content

    def _call(self, body: bytes) -> Call:
        """Who asks for what. The process is looked for only where a trap may want it."""
        target, text = self.headers.get("X-Amz-Target", ""), body.decode(errors="replace")
        path = urlsplit(self.path).path
        name = target.rpartition(".")[2] or path.partition("/operation/")[2] or f"{self.command} {path}"
        if "x-www-form-urlencoded" in self.headers.get("Content-Type", ""):
            name = parse_qs(text).get("Action", [name])[0]
        record = None
        if self.command == "PUT" and LEDGER in self.path:
            record = decode(body, LedgerRecord, self.path)
        wanted = any(a.next and (a.service in text or a.service in name) for a in self.wire.ambushes)
        pid = _peer(self.client_address[1]) if wanted else 0
        return Call(datetime.now(UTC), name, text, pid, record)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _kill(trap: Trap) -> None:
    with suppress(ProcessLookupError):
        os.kill(trap.pid, signal.SIGKILL)
        trap.at = datetime.now(UTC)


def _peer(port: int) -> int:
    """The process whose connection comes from that local port; 0 when it is gone."""
    ours = f"0100007F:{port:04X}"
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    inode = next((row[9] for row in rows if row[1] == ours), "")
    for entry in Path("/proc").iterdir():
        if inode and entry.name.isdigit() and entry.name != str(os.getpid()):
            with suppress(OSError):
                if any(_names(fd, inode) for fd in (entry / "fd").iterdir()):
                    return int(entry.name)
    return 0


def _names(descriptor: Path, inode: str) -> bool:
    with suppress(OSError):
        return os.readlink(descriptor) == f"socket:[{inode}]"
    return False
