"""Steady load on a load balancer, and the load's own book of what came back.

The book is the demo's independent witness: it counts what users got, not what the system under
test says of itself.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: when it was sent, its status (0 = no answer), who answered and how fast (seconds)."""

    at: datetime
    status: int
    release: str
    path: str
    seconds: float

    @property
    def lost(self) -> bool:
        """The user got no answer or a server error."""
        return self.status == 0 or self.status >= 500


class Book:
    """All answers, oldest first; safe to read while the load writes."""

    def __init__(self) -> None:
        self._answers: list[Answer] = []
        self._lock = threading.Lock()

    def add(self, answer: Answer) -> None:
        """Write one answer down."""
        with self._lock:
            self._answers.append(answer)

    def between(self, start: datetime, end: datetime | None = None) -> list[Answer]:
        """The answers to requests sent in [start, end)."""
        with self._lock:
            return [a for a in self._answers if a.at >= start and (end is None or a.at < end)]

    def split(self, start: datetime, end: datetime | None = None) -> dict[str, int]:
        """Requests per release in that time."""
        return dict(Counter(a.release for a in self.between(start, end) if a.release))

    def lost(self, start: datetime, end: datetime | None = None) -> list[Answer]:
        """The lost requests in that time."""
        return [a for a in self.between(start, end) if a.lost]


class Load:
    """Open-loop load: `rate` requests a second whatever the answers do."""

    def __init__(self, host: str, book: Book, rate: float = 80.0, paths: Sequence[str] = ("/",)) -> None:
        self._host, self._book, self._rate, self._paths = host, book, rate, tuple(paths)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, workers: int = 8) -> None:
        """Begin; each worker takes every `workers`-th tick of one common metronome."""
        begun = time.monotonic()
        self._threads = [
            threading.Thread(target=self._work, args=(begun, i, workers), daemon=True, name=f"load-{i}")
            for i in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the requests on their way and end."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def _work(self, begun: float, offset: int, workers: int) -> None:
        number = offset
        while not self._stop.wait(max(0.0, begun + number / self._rate - time.monotonic())):
            self._book.add(self._ask(self._paths[number % len(self._paths)]))
            # A stalled target must not be followed by a burst: missed ticks are skipped.
            now = int((time.monotonic() - begun) * self._rate)
            number = max(number + workers, now - now % workers + offset)

    def _ask(self, path: str) -> Answer:
        at, begun = datetime.now(UTC), time.monotonic()
        connection = http.client.HTTPConnection(self._host, timeout=10)
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            response = connection.getresponse()
            response.read()
            status, release = response.status, response.getheader("X-Release") or ""
        except (OSError, http.client.HTTPException):
            status, release = 0, ""
        finally:
            connection.close()
        return Answer(at, status, release, path, time.monotonic() - begun)
