"""The wire itself, without a sandbox: it passes on what is asked, notes it, and kills exactly who asked."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from delivery_tests.e2e.wire import Trap, Wire

_ASK = """
import http.client, sys
port, name, body = sys.argv[1:]
connection = http.client.HTTPConnection("127.0.0.1", int(port))
connection.request("POST", "/", body, {"X-Amz-Target": "AmazonEC2." + name})
print(connection.getresponse().read().decode())
sys.stdout.flush()
sys.stdin.read()
"""


class _Echo(BaseHTTPRequestHandler):
    """Answers with what it was sent."""

    def do_POST(self) -> None:
        """The same back."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A wire in front of somebody who answers."""
    echo = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    threading.Thread(target=echo.serve_forever, daemon=True).start()
    found = Wire(f"http://127.0.0.1:{echo.server_address[1]}")
    found.start()
    yield found
    found.stop()
    echo.shutdown()
    echo.server_close()


def _ask(wire: Wire, name: str, body: str) -> subprocess.Popen[str]:
    port = wire.url.rpartition(":")[2]
    return subprocess.Popen(
        [sys.executable, "-c", _ASK, port, name, body], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize("delay", [0.0, 0.2])
def test_the_process_that_asks_dies_and_no_other(wire: Wire, delay: float) -> None:
    """What it asked for was done and noted; the answer arrives only when it dies later."""
    ambush = wire.lay("calm", [Trap("an update", lambda call, record: call.name == "UpdateService", delay)])
    other, victim = _ask(wire, "UpdateService", "of sick"), _ask(wire, "UpdateService", "of calm")
    victim.wait(30)
    said = victim.communicate()[0]
    assert victim.returncode == -9
    assert said == ("of calm\n" if delay else "")
    assert ambush.next is None and ambush.traps[0].pid == victim.pid
    assert [call.text for call in wire.about("calm")] == ["of calm"]
    assert other.communicate("", timeout=30)[0] == "of sick\n" and other.returncode == 0


def test_traps_go_off_one_after_the_other(wire: Wire) -> None:
    """The second is set when the first has gone off."""
    traps = [
        Trap("first", lambda call, record: call.name == "First"),
        Trap("second", lambda call, record: call.name == "Second"),
    ]
    ambush = wire.lay("calm", traps)
    assert _ask(wire, "Second", "calm").communicate("", timeout=30)[0] == "calm\n"
    for name in ("First", "Second"):
        assert _ask(wire, name, "calm").wait(30) == -9
    assert ambush.next is None
