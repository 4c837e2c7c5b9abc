"""Virtual time: sleeping jumps, and things can be made to happen at moments on the way."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 3, 2, 10, 0, 0, tzinfo=UTC)  # a Monday


class VirtualClock:
    """`horizon` seconds after the start every further sleep is an error: something waits for ever."""

    def __init__(self, start: datetime = EPOCH, horizon: float = 7 * 24 * 3600) -> None:
        self.start = start
        self._now = start
        self._end = start + timedelta(seconds=horizon)
        self._hooks: list[tuple[datetime, int, Callable[[], object]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        """The present virtual moment."""
        return self._now

    def sleep_until(self, moment: datetime) -> None:
        """Jump to `moment`, running what was planned on the way."""
        if moment > self._end:
            raise AssertionError(f"the virtual clock was asked to run past {self._end}")
        while self._hooks and self._hooks[0][0] <= moment:
            at, _, hook = heapq.heappop(self._hooks)
            self._now = max(self._now, at)
            hook()
        self._now = max(self._now, moment)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.sleep_until(self._now + timedelta(seconds=seconds))

    def at(self, seconds: float, hook: Callable[[], object]) -> None:
        """Run `hook` that many seconds from now, when somebody sleeps past it."""
        heapq.heappush(self._hooks, (self._now + timedelta(seconds=seconds), next(self._order), hook))
