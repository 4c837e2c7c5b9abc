"""How long a piece of work with AWS may take: no request of it begins later, retries included."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from delivery.adapters.aws import session
from delivery.adapters.aws.errors import translated
from delivery.adapters.aws.session import ATTEMPTS, CONNECT_TIMEOUT, PROMPT, READ_TIMEOUT, Aws
from delivery.core.idling import LOCK_SECONDS
from delivery.errors import UnavailableError
from delivery_tests.contract.http import serving

KEYS = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "hush"}
#: The most that botocore waits between the attempts of one call, mode `standard`.
BACK_OFF = sum(2**n for n in range(ATTEMPTS - 1))


class Busy:
    """A clock that tests set, and a server that is always busy and takes ten seconds to say so."""

    def __init__(self) -> None:
        self.seconds, self.asked = 0.0, 0

    def monotonic(self) -> float:
        """As `time.monotonic`."""
        return self.seconds


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Busy:
    """The clock, in the place of the session's."""
    made = Busy()
    monkeypatch.setattr(session, "time", made)
    return made


@pytest.fixture
def aws(busy: Busy) -> Iterator[Aws]:
    """A session whose AWS is busy."""

    class Handler(BaseHTTPRequestHandler):
        """Answers 503, ten seconds later."""

        def do_POST(self) -> None:
            """Any call."""
            self.rfile.read(int(self.headers["Content-Length"]))
            busy.asked, busy.seconds = busy.asked + 1, busy.seconds + 10
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with serving(Handler) as place:
        yield Aws("us-east-1", f"http://{place}", KEYS)


def ask(aws: Aws) -> str:
    """Why a call was not answered."""
    with pytest.raises(UnavailableError) as raised, translated("Nothing was listed"):
        aws.client("ecs").list_clusters()
    return raised.value.why


def test_one_call_and_one_action_end_before_the_lock_does() -> None:
    """Every time-out and pause of one call together, and an action with its last answer, fit the lock."""
    one = CONNECT_TIMEOUT + READ_TIMEOUT
    assert ATTEMPTS * one + BACK_OFF < LOCK_SECONDS
    assert PROMPT < LOCK_SECONDS / 2 and PROMPT + one < LOCK_SECONDS


def test_without_a_time_every_attempt_is_made(aws: Aws, busy: Busy) -> None:
    """Outside of such a block the retries alone are the bound."""
    assert "503" in ask(aws) and busy.asked == ATTEMPTS


def test_no_attempt_begins_too_late(aws: Aws, busy: Busy) -> None:
    """Of four attempts of ten seconds each, two begin within fifteen seconds; then no other call begins."""
    with aws.within(15):
        assert "its time was over" in ask(aws) and busy.asked == 2
        assert "its time was over" in ask(aws) and busy.asked == 2
    assert "503" in ask(aws) and busy.asked == 2 + ATTEMPTS


def test_the_earlier_end_counts(aws: Aws, busy: Busy) -> None:
    """A longer time inside a shorter one gives nothing away; after it the outer one holds as before."""
    with aws.within(5):
        with aws.within(100):
            ask(aws)
        assert busy.asked == 1
        ask(aws)
    assert busy.asked == 1


def test_it_is_one_threads_own(aws: Aws, busy: Busy) -> None:
    """Another thread that shares the client is not hurried."""
    with aws.within(-1):
        thread = threading.Thread(target=lambda: ask(aws))
        thread.start()
        thread.join()
    assert busy.asked == ATTEMPTS
