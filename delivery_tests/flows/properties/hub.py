"""Virtual time with several workers on it: each runs until it sleeps, then the next one that is due.

A worker is a greenlet, so that the flows run as they are, in one thread, in an order that a history decides.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from datetime import datetime, timedelta

from greenlet import getcurrent, greenlet

from delivery.core.target import TargetState
from delivery.errors import DeliveryError
from delivery_tests.fakes import EPOCH, Killed, VirtualClock


class Worker(greenlet):
    """One process that may hold the lock. `fence` is that of its last acquisition, `seen` its last look.

    `outcome` is how it ended: empty while it runs, `done`, `killed`, or why it was refused.
    """

    def __init__(self, name: str, work: Callable[[], object], person: bool, hub: greenlet) -> None:
        super().__init__(self._live, parent=hub)
        self.name, self.person, self._work = name, person, work
        self.fence: int | None = None
        self.seen: TargetState | None = None
        self.outcome = ""

    def _live(self) -> None:
        try:
            self._work()
            self.outcome = "done"
        except Killed:
            self.outcome = "killed"
        except DeliveryError as error:
            self.outcome = f"{type(error).__name__}: {error}"


class Hub(VirtualClock):
    """The clock that everybody sleeps on."""

    def __init__(self) -> None:
        super().__init__(horizon=60 * 24 * 3600)
        self._main = getcurrent()
        self._due: list[tuple[datetime, int, Worker]] = []
        self._turn = itertools.count()
        self.workers: list[Worker] = []
        self.stopped = False

    def start_worker(self, name: str, work: Callable[[], object], person: bool = False) -> Worker:
        """A worker that begins at this moment, when whoever is running sleeps."""
        worker = Worker(name, work, person, self._main)
        self.workers.append(worker)
        heapq.heappush(self._due, (self._now, next(self._turn), worker))
        return worker

    def sleep_until(self, moment: datetime) -> None:
        """A worker gives way to the others; the main program lets them work until then."""
        me = getcurrent()
        if not isinstance(me, Worker):
            self._run_until(moment)
            return
        if moment > self._now:
            heapq.heappush(self._due, (moment, next(self._turn), me))
            self._main.switch()

    def seconds(self) -> float:
        """Virtual seconds since the beginning."""
        return (self._now - EPOCH).total_seconds()

    def busy(self) -> list[Worker]:
        """The workers that have not ended."""
        return [worker for worker in self.workers if not worker.outcome]

    def run_out(self, longest: float) -> bool:
        """Let everybody work to the end; False if somebody still works after so many seconds."""
        end = self._now + timedelta(seconds=longest)
        while self.busy() and not self.stopped:
            if self._now >= end:
                return False
            self._run_until(min(end, self._next(end)))
        return True

    def _next(self, end: datetime) -> datetime:
        due = [queue[0][0] for queue in (self._due, self._hooks) if queue]
        return min(due, default=end)

    def _run_until(self, moment: datetime) -> None:
        while not self.stopped:
            hook = self._hooks[0][0] if self._hooks else None
            work = self._due[0][0] if self._due else None
            if hook is not None and hook <= moment and (work is None or hook <= work):
                at, _, call = heapq.heappop(self._hooks)
                self._now = max(self._now, at)
                call()
            elif work is not None and work <= moment:
                at, _, worker = heapq.heappop(self._due)
                self._now = max(self._now, at)
                worker.switch()
            else:
                break
        self._now = max(self._now, moment)


def worker() -> Worker | None:
    """Who is running; None: the main program."""
    me = getcurrent()
    return me if isinstance(me, Worker) else None
