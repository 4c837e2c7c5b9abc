"""The line between the flows and the fake ports: it counts calls, and can break on the n-th one.

A break *before* is a refused or lost request; a break *after* is a lost response: the effect is there, the
caller does not know. `Killed` is a `BaseException`, like the interruption of a run worker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from delivery.errors import UnavailableError


class Killed(BaseException):
    """The worker was killed here."""


def unavailable(name: str) -> UnavailableError:
    """What an adapter raises when the provider does not answer."""
    return UnavailableError(f"{name} failed", "the provider did not answer (fake)", "Try again later.")


@dataclass
class _Fault:
    name: str
    first: int
    last: int
    error: BaseException | None
    after: bool


@dataclass
class Wire:
    """Names are `port.method`, e.g. `target.apply`; `calls` are all of them in order."""

    calls: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    points: int = 0
    kill_at: int | None = None
    kill_where: tuple[str, ...] = ()
    _faults: list[_Fault] = field(default_factory=list)

    def fail(
        self,
        name: str,
        *,
        on: int = 1,
        times: int = 1,
        error: BaseException | None = None,
        after: bool = False,
    ) -> None:
        """Break the `on`-th call of `name` from now (and the `times - 1` after it)."""
        first = self.counts[name] + on
        self._faults.append(_Fault(name, first, first + times - 1, error, after))

    def heal(self) -> None:
        """Forget all faults and kills."""
        self._faults.clear()
        self.kill_at = None

    def kill(self, point: int, *where: str) -> None:
        """Kill at the `point`-th crossing from now of one of `where`, e.g. `after ledger.store`."""
        self.points, self.kill_at, self.kill_where = 0, point, where

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        """Around the effect of one call."""
        self.calls.append(name)
        self.counts[name] += 1
        number = self.counts[name]
        self._cross(f"before {name}")
        self._break(name, number, after=False)
        yield
        self._break(name, number, after=True)
        self._cross(f"after {name}")

    def _break(self, name: str, number: int, after: bool) -> None:
        for fault in self._faults:
            if fault.name == name and fault.after == after and fault.first <= number <= fault.last:
                raise fault.error or unavailable(name)

    def _cross(self, where: str) -> None:
        if where not in self.kill_where:
            return
        self.points += 1
        if self.kill_at is not None and self.points == self.kill_at:
            raise Killed(where)
