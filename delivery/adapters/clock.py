"""The wall clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """Time as this machine's clock tells it."""

    def now(self) -> datetime:
        """The present moment, UTC."""
        return datetime.now(UTC)

    def sleep_until(self, moment: datetime) -> None:
        """Return at `moment`, at once if it has passed.

        It sleeps in short pieces: an interrupt is noticed, and a clock that is set meanwhile is followed.
        """
        while (left := (moment - self.now()).total_seconds()) > 0:
            time.sleep(min(left, 1.0))
