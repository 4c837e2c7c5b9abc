"""Changes on their way: PENDING, then INSYNC, and only from then on answered.

Source: Route 53 API reference, GetChange: "INSYNC indicates that the changes have propagated to all Route 53
DNS servers managing the hosted zone".
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.dns.batch import Record


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a zone. `due` in AWS seconds of the steady clock, `submitted` since the epoch."""

    id: str
    zone: str
    records: tuple[Record, ...]
    submitted: float
    due: float
    comment: str | None = None
    status: str = "PENDING"


class DnsChanges:
    """The changes of all zones, and what the world sees of them.

    `delay` is how many AWS seconds a change is PENDING. While `stuck`, none gets on.
    """

    def __init__(
        self, now: Callable[[], float] = CLOCK.now, steady: Callable[[], float] = CLOCK.monotonic
    ) -> None:
        self.delay, self.stuck = 0.0, False
        self._now, self._steady = now, steady
        self._lock = threading.Lock()
        self._changes: dict[str, Change] = {}
        self._zones: dict[str, tuple[str, tuple[Record, ...]]] = {}
        self._names: dict[str, str] = {}

    def submit(self, zone: str, name: str, records: Sequence[Record], comment: str | None = None) -> Change:
        """The zone's records are to be these; PENDING, as AWS answers whatever happens next."""
        identifier = "C" + uuid.uuid4().hex[:20].upper()
        due = self._steady() + self.delay
        change = Change(identifier, zone, tuple(records), self._now(), due, comment)
        with self._lock:
            self._changes[identifier], self._names[zone] = change, name
        return change

    def find(self, identifier: str) -> Change | None:
        """The change as it stands now; None for one nobody made."""
        with self._lock:
            self._advance()
            return self._changes.get(identifier.rsplit("/", 1)[-1])

    def forget(self, zone: str) -> None:
        """A deleted zone is answered no more."""
        with self._lock:
            self._zones.pop(zone, None)
            self._names.pop(zone, None)

    def zones(self) -> Mapping[str, Sequence[Record]]:
        """What is in sync, by the zone's name. Of two zones of one name the older is delegated to."""
        with self._lock:
            self._advance()
            return dict(reversed(list(self._zones.values())))

    def _advance(self) -> None:
        """Changes that are due become INSYNC, in the order they were made."""
        if self.stuck:
            return
        for change in [c for c in self._changes.values() if c.status == "PENDING"]:
            if change.due > self._steady():
                return
            self._changes[change.id] = replace(change, status="INSYNC", records=())
            if change.zone in self._names:
                self._zones[change.zone] = (self._names[change.zone], change.records)
