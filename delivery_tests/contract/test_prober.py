"""The prober's contract: one result per request, whatever happens to it."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from delivery.adapters.aws.metrics import CloudWatchMetrics
from delivery.adapters.ecs.prober import PreviewProber
from delivery.core.release import Slot
from delivery.core.sample import Reading
from delivery.core.target import Launch
from delivery_tests.contract.targets import EcsScene, FakeScene, Scene, candidate_in_green, live_in_blue
from delivery_tests.fakes import sample_contract
from delivery_tests.sandbox.stack import eventually

PERIOD = timedelta(seconds=5)


@pytest.fixture(params=["fake", pytest.param("adapter", marks=pytest.mark.sandbox)])
def scene(request: pytest.FixtureRequest) -> Scene:
    """A service that runs nothing."""
    if request.param == "fake":
        return FakeScene()
    scene: Scene = request.getfixturevalue("ecs_scene")
    return scene


def test_a_healthy_candidate_answers(scene: Scene) -> None:
    """Every request to a release that serves is answered, with its time."""
    scene.target.apply(Launch(Slot.GREEN, scene.release("b"), 1))
    scene.until(lambda s: s.green.serving)
    results = scene.prober.probe("/", 5, 5.0)
    assert len(results) == 5 and all(r.ok and r.status == 200 for r in results)
    assert all(r.url.endswith("/") and r.seconds > 0 and not r.error for r in results)


def test_without_a_candidate_nothing_is_ok(scene: Scene) -> None:
    """Where nothing runs, every request fails, and none raises."""
    results = scene.prober.probe("/health", 3, 5.0)
    assert len(results) == 3 and not any(r.ok for r in results)


class _Host(BaseHTTPRequestHandler):
    """Answers by path, badly in most ways there are."""

    protocol_version = "HTTP/1.1"
    seen: list[dict[str, str]] = []

    def do_GET(self) -> None:
        """One bad answer."""
        self.seen.append(dict(self.headers))
        match self.path:
            case "/slow":
                threading.Event().wait(2)
            case "/drips":
                self._drip()
            case "/half":
                self.send_response(200)
                self.send_header("Content-Length", "100")
                self.end_headers()
                self.wfile.write(b"half")
                self.close_connection = True
            case "/nonsense":
                self.wfile.write(b"\x00\x01 not HTTP\r\n\r\n")
                self.close_connection = True
            case "/to-https":
                self._answer(301, Location=f"https://{self.headers['Host']}/")
            case "/moved":
                self._answer(302, Location="/elsewhere")
            case "/broken":
                self._answer(500)
            case _:
                self._answer(200)

    def _answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(20):
            try:
                self.wfile.write(b".")
            except OSError:
                return
            threading.Event().wait(0.1)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def bad_host() -> Iterator[PreviewProber]:
    """A prober whose load balancer is this process."""
    _Host.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield PreviewProber(replace(sample_contract(), load_balancer_dns=f"127.0.0.1:{server.server_port}"))
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/fine", 200, ""),
        ("/moved", 302, ""),
        ("/broken", 500, ""),
        ("/to-https", 0, "the candidate was not asked"),
        ("/half", 0, "IncompleteRead"),
        ("/nonsense", 0, "BadStatusLine"),
    ],
)
def test_an_answer_is_what_it_is(bad_host: PreviewProber, path: str, status: int, error: str) -> None:
    """A complete answer has its status; half of one, nonsense and a way to elsewhere are none."""
    [result] = bad_host.probe(path, 1, 5.0)
    assert result.status == status and error in result.error and bool(error) == bool(result.error)


@pytest.mark.parametrize("path", ["/slow", "/drips"])
def test_a_slow_answer_is_none(bad_host: PreviewProber, path: str) -> None:
    """An answer that is late, as a whole or byte by byte, is not waited for."""
    results = bad_host.probe(path, 8, 0.3)
    assert len(results) == 8 and all(r.status == 0 and "in time" in r.error for r in results)


def test_every_request_carries_the_preview_header(bad_host: PreviewProber) -> None:
    """Without its header a request would ask the stable release and pass."""
    bad_host.probe("/fine", 4, 5.0)
    assert [h.get("X-Delivery-Preview") for h in _Host.seen] == ["candidate"] * 4


def test_a_dead_load_balancer_is_a_result() -> None:
    """Nobody listening, and a name nobody knows, are failed requests with a readable reason."""
    for host, reason in (("127.0.0.1:1", "refused"), ("nowhere.invalid", "resol"), ("not a host", "")):
        [result] = PreviewProber(replace(sample_contract(), load_balancer_dns=host)).probe("/", 1, 2.0)
        assert result.status == 0 and not result.ok and reason in result.error and result.error


def test_no_request_is_no_result() -> None:
    """Nothing asked, nothing told."""
    assert PreviewProber(sample_contract()).probe("/", 0, 1.0) == ()


def test_behind_https_the_certificate_is_the_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The load balancer is reached by its own name although the certificate is for the service's."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
         "-subj", "/CN=www.example.test", "-addext", "subjectAltName=DNS:www.example.test",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Host)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificate))
    contract = replace(
        sample_contract(), load_balancer_dns=f"127.0.0.1:{server.server_port}",
        record_name="www.example.test", extra={"scheme": "https"},
    )  # fmt: skip
    try:
        (named,) = PreviewProber(contract).probe("/", 1, 5.0)
        (other,) = PreviewProber(replace(contract, record_name="not.example.test")).probe("/", 1, 5.0)
    finally:
        server.shutdown()
        server.server_close()
    assert named.ok and _Host.seen[-1]["Host"] == "www.example.test", named.error
    assert other.status == 0 and "www.example.test" in other.error


@pytest.mark.sandbox
def test_preview_requests_are_counted_as_the_candidates(ecs_scene: EcsScene) -> None:
    """Without any traffic a candidate has the requests it was sent: its rules have something to judge."""
    live_in_blue(ecs_scene, count=1)
    candidate_in_green(ecs_scene, count=1)
    metrics = CloudWatchMetrics(ecs_scene.aws, ecs_scene.stage.contract)
    start = datetime.now(UTC)
    results = ecs_scene.prober.probe("/", 7, 5.0)
    assert all(r.ok for r in results)

    def counted(slot: Slot) -> float:
        reading = Reading("requests", "RequestCount", "Sum", 5, slot, start - PERIOD, datetime.now(UTC))
        return sum(s.value for s in metrics.read([reading])[0].samples)

    eventually(lambda: counted(Slot.GREEN), lambda n: n >= 7, 30)
    assert (counted(Slot.GREEN), counted(Slot.BLUE)) == (7, 0)
    assert ecs_scene.target.observe().green.weight == 0
