"""The sandbox's clock: AWS's time in it, which may run faster than the wall's and may be off.

Every period, interval, timeout and delay of the sandbox is told in AWS's seconds and waited for in real
ones, so one factor compresses them all alike: with `scale` 20 a CloudWatch minute passes in 3 s, a health
check's interval of 30 s in 1.5 s, and what a target took 0.3 s for is a response time of 6 s.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass
class Clock:
    """`scale` AWS seconds pass in one real second; `skew` (seconds) is added to the time it tells."""

    scale: float = 1.0
    skew: float = 0.0
    _began: float = field(default_factory=time.time)
    _began_steadily: float = field(default_factory=time.monotonic)

    def start(self, scale: float) -> None:
        """Begin to run at this factor: now is now, every later moment comes sooner."""
        self.scale, self._began, self._began_steadily = scale, time.time(), time.monotonic()

    def now(self) -> float:
        """AWS's time in seconds since the epoch."""
        return self.at(time.time()) + self.skew

    def utcnow(self) -> datetime:
        """AWS's time, timezone-aware."""
        return datetime.fromtimestamp(self.now(), UTC)

    def signed(self) -> tuple[float, float]:
        """The times a request may be signed with: clients sign with the wall's clock, whatever the scale."""
        return time.time() + self.skew, self.now()

    def at(self, moment: float) -> float:
        """AWS's time, without skew, at a moment of the wall's clock (seconds since the epoch)."""
        return self._began + (moment - self._began) * self.scale

    def monotonic(self) -> float:
        """AWS seconds that never run backwards, for durations."""
        return self._began_steadily + (time.monotonic() - self._began_steadily) * self.scale

    def real(self, seconds: float) -> float:
        """How many real seconds so many AWS seconds take."""
        return seconds / self.scale

    def wait(self, seconds: float, until: threading.Event | None = None) -> bool:
        """Wait so many AWS seconds, or until the event is set; whether it was."""
        return (until or threading.Event()).wait(self.real(seconds))


#: The one of this process. The world sets its factor before anything else starts.
CLOCK = Clock()
