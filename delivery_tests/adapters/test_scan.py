"""ECR's image scans, in all the states they may be in: a stateful ECR at the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from delivery.adapters.aws.registry import SCAN_LOOKS, EcrRegistry
from delivery.adapters.aws.session import Aws
from delivery.core.release import Image
from delivery.errors import ProviderError, UnavailableError
from delivery_tests.contract.http import serving

IMAGE = Image("123456789012.dkr.ecr.us-east-1.amazonaws.com/team/web", "sha256:" + "a" * 64)
KEYS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}


@dataclass
class Scanner:
    """One image's scan. It gets on by one state at each look, and stays at the last."""

    states: list[str]
    counts: dict[str, int] | None = field(default_factory=dict)
    refuses: str = ""  # error code of StartImageScan
    started: int = 0
    repositories: set[str] = field(default_factory=set)

    def answer(self, action: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """As ECR's API reference has it."""
        self.repositories.add(request["repositoryName"])
        if action == "StartImageScan":
            self.started += 1
            return (400, {"__type": self.refuses, "message": "no"}) if self.refuses else (200, {})
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state == "NONE":
            return 400, {"__type": "ScanNotFoundException", "message": "Image scan does not exist"}
        body: dict[str, Any] = {"imageScanStatus": {"status": state, "description": f"it is {state}"}}
        if state in ("COMPLETE", "ACTIVE") and self.counts is not None:
            body["imageScanFindings"] = {"findingSeverityCounts": self.counts} if self.counts else {}
        return 200, body


@dataclass
class Scene:
    """The registry on that scanner, and the pauses it made."""

    registry: EcrRegistry
    scanner: Scanner
    pauses: list[float]

    def scan(self) -> dict[str, int]:
        """The findings."""
        return dict(self.registry.scan(IMAGE, lambda line: None).findings)


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A scan that completes at the third look."""
    scanner = Scanner(["PENDING", "IN_PROGRESS", "COMPLETE"])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = scanner.answer(self.headers["X-Amz-Target"].rsplit(".", 1)[1], body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    pauses: list[float] = []
    with serving(Handler) as host:
        aws = Aws("us-east-1", f"http://{host}", KEYS)
        yield Scene(EcrRegistry(aws, pauses.append), scanner, pauses)


def test_it_waits_for_the_findings(scene: Scene) -> None:
    """Two looks too early, then the counts per severity, as ECR names them."""
    scene.scanner.counts = {"CRITICAL": 1, "LOW": 3}
    assert scene.scan() == {"CRITICAL": 1, "LOW": 3}
    assert len(scene.pauses) == 2 and scene.scanner.started == 1
    assert scene.scanner.repositories == {"team/web"}


def test_a_scan_that_is_not_there_yet_is_waited_for(scene: Scene) -> None:
    """Right after its start ECR may say that there is none."""
    scene.scanner.states = ["NONE", "COMPLETE"]
    assert scene.scan() == {}


@pytest.mark.parametrize("code", ["LimitExceededException", "ValidationException"])
def test_an_image_that_was_scanned_is_read(scene: Scene, code: str) -> None:
    """ECR refuses a second scan within a day, and any under enhanced scanning: the findings count."""
    scene.scanner.refuses = code
    scene.scanner.counts = {"HIGH": 2}
    assert scene.scan() == {"HIGH": 2}


def test_enhanced_scanning_is_read(scene: Scene) -> None:
    """Inspector's scans are never complete, they are active."""
    scene.scanner.states = ["ACTIVE"]
    scene.scanner.counts = {"UNTRIAGED": 1}
    assert scene.scan() == {"UNTRIAGED": 1}


@pytest.mark.parametrize("state", ["FAILED", "UNSUPPORTED_IMAGE", "FINDINGS_UNAVAILABLE"])
def test_a_scan_that_failed_is_never_a_clean_one(scene: Scene, state: str) -> None:
    """Could not look is an error, with ECR's reason."""
    scene.scanner.states = [state]
    with pytest.raises(ProviderError, match=f"it is {state}"):
        scene.scan()


def test_an_answer_without_findings_is_never_a_clean_one(scene: Scene) -> None:
    """A complete scan that tells of no findings at all, not even of none, has not looked."""
    scene.scanner.counts = None
    with pytest.raises(ProviderError):
        scene.scan()


def test_a_scan_without_end_is_unavailable(scene: Scene) -> None:
    """The wait is bounded, and says in which state it gave up."""
    scene.scanner.states = ["IN_PROGRESS"]
    with pytest.raises(UnavailableError, match="still IN_PROGRESS"):
        scene.scan()
    assert len(scene.pauses) == SCAN_LOOKS


def test_an_image_ecr_cannot_scan_is_an_error(scene: Scene) -> None:
    """Told at the start of the scan."""
    scene.scanner.refuses = "UnsupportedImageTypeException"
    with pytest.raises(ProviderError, match="UnsupportedImageType"):
        scene.scan()
