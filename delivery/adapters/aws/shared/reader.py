"""Reads that may be a few seconds old, asked once for all workers of the machine.

Who needs an answer writes down what it is interested in. Whoever finds the answers too old takes the
questions that wait the longest, its own or another's, asks AWS in one call, and stores what came back with
the moment *before* it was asked. Nobody waits for anybody for long: what cannot be had this way is asked by
oneself, and then an error is an error.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from delivery.adapters.aws.session import Aws
from delivery.adapters.aws.shared.store import ALONE, LIVES, Choose, Row, Store
from delivery.errors import DeliveryError, UnavailableError

_log = logging.getLogger(__name__)
#: Seconds to wait for what another worker is just asking, and between two looks whether it has.
PATIENCE, LOOK = 1.0, 0.05
#: Seconds before a file that could not be used is tried again.
AGAIN = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What AWS said, and when it was asked, in seconds since the epoch. None: there is no such thing."""

    value: Any
    asked: float


class Kind(Protocol):
    """One sort of question. All times are ages in seconds.

    soonest   an answer younger than this is not asked for again
    pressed   an answer this old is asked for again though the budget is spent
    longest   an answer older than this is not used
    rivals    kinds with which this one shares the budget by turns, the oldest answer first
    """

    @property
    def name(self) -> str: ...
    @property
    def soonest(self) -> float: ...
    @property
    def pressed(self) -> float: ...
    @property
    def longest(self) -> float: ...

    @property
    def rivals(self) -> tuple[str, ...]: ...

    def choose(self, rows: list[Row], now: float) -> list[Row]:
        """Those of the questions that go into one call, the first of them certainly."""

    def ask(self, aws: Aws, specs: Mapping[str, str], now: float) -> dict[str, Any]:
        """Ask AWS in one call; JSON by key. What does not exist has no key. Errors of the house."""


class SharedReads:
    """Shared looks at AWS. Without a folder, or when its file cannot be used, everybody asks for himself."""

    def __init__(
        self,
        aws: Aws,
        folder: Path | None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.aws, self._clock, self._sleep = aws, clock, sleep
        self.store = Store(folder / f"looks-1-{aws.namespace()}.sqlite") if folder else None
        self._without_until = 0.0

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock()

    def read(self, kind: Kind, wanted: Mapping[str, str], within: float) -> dict[str, Answer]:
        """The answer to each question (its spec by its key), asked at most `within` seconds ago.

        Nor longer ago than the kind allows. Raises what AWS answered to our own question, if that was needed.
        """
        if not wanted:
            return {}
        since = self._clock() - min(within, kind.longest)
        if self.store is None or within <= 0 or self._clock() < self._without_until:
            return self._own(kind, wanted)
        try:
            found = self._shared(self.store, kind, wanted, since)
        except (sqlite3.Error, OSError, ValueError) as error:
            self._told(self.store, error)
            found = None
        return self._own(kind, wanted) if found is None else found

    def spent(self, calls: int) -> None:
        """So many calls were made beside the shared looks, which then come the later."""
        if self.store is None or self._clock() < self._without_until:
            return
        try:
            self.store.spend(self._clock(), calls)
        except (sqlite3.Error, OSError) as error:
            self._told(self.store, error)

    def _shared(
        self, store: Store, kind: Kind, wanted: Mapping[str, str], since: float
    ) -> dict[str, Answer] | None:
        """The answers as the file has them, refreshed if it is time; None: ask for yourself."""
        now, keys = self._clock(), list(wanted)
        rows = store.rows(kind.name, keys)
        if any(key not in rows or rows[key].until < now + LIVES / 2 for key in keys):
            store.want(kind.name, wanted, now)
        usable = _usable(rows, keys, since, now)
        if usable and not self._worth(store, kind, rows, now):
            return _answers(rows, keys)
        missing = [key for key in keys if key not in rows or not since <= rows[key].asked <= now]
        pressed = bool(missing) or _oldest(rows, now) >= kind.pressed
        if not self._refresh(store, kind, missing, now, pressed) and missing:
            self._wait(store, kind, keys, since)
        rows = store.rows(kind.name, keys)
        return _answers(rows, keys) if _usable(rows, keys, since, self._clock()) else None

    def _worth(self, store: Store, kind: Kind, rows: Mapping[str, Row], now: float) -> bool:
        """Whether it is time to ask again: soon while the budget allows it, at the latest when pressed."""
        oldest = _oldest(rows, now)
        return oldest >= kind.pressed or (oldest >= kind.soonest and store.spare(now) >= 1)

    def _refresh(self, store: Store, kind: Kind, missing: list[str], now: float, pressed: bool) -> bool:
        """Ask for a batch of what waits; whether there was anything for us to ask."""
        choose: Choose = lambda rows: kind.choose(list(rows), now)  # noqa: E731
        claimed = store.claim(
            kind.name, missing, now, now - kind.soonest, choose, () if pressed else kind.rivals
        )
        if not claimed:
            return False
        try:
            self._ask(store, kind, claimed)
        except BaseException:
            store.give_back(kind.name, list(claimed))
            raise
        return True

    def _ask(self, store: Store, kind: Kind, specs: Mapping[str, str]) -> None:
        """One call. Where AWS refuses the whole for one of its questions, halves are tried: the bad one is
        left to who asks it."""
        asked = self._clock()
        try:
            told = kind.ask(self.aws, specs, asked)
        except DeliveryError as error:
            keys = list(specs)
            if isinstance(error, UnavailableError) or len(keys) == 1:
                alone = 0.0 if isinstance(error, UnavailableError) else asked + ALONE
                store.give_back(kind.name, keys, alone)
                return
            for half in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
                store.spend(asked)
                self._ask(store, kind, {key: specs[key] for key in half})
            return
        store.save(kind.name, {key: encode(told.get(key)) for key in specs}, asked)

    def _wait(self, store: Store, kind: Kind, keys: list[str], since: float) -> None:
        """Another worker is asking; one that was killed meanwhile is not waited for."""
        end = self._clock() + PATIENCE
        while (now := self._clock()) < end:
            rows = store.rows(kind.name, keys)
            if _usable(rows, keys, since, now) or not any(row.leased > now for row in rows.values()):
                return
            self._sleep(LOOK)

    def _own(self, kind: Kind, wanted: Mapping[str, str]) -> dict[str, Answer]:
        """Ask for ourselves, as often as one call is too small for it."""
        left = [Row(key, spec) for key, spec in wanted.items()]
        found: dict[str, Answer] = {}
        while left:
            now = self._clock()
            some = kind.choose(left, now)
            told = kind.ask(self.aws, {row.key: row.spec for row in some}, now)
            found |= {row.key: Answer(told.get(row.key), now) for row in some}
            left = [row for row in left if row not in some]
        return found

    def _told(self, store: Store, error: Exception) -> None:
        """Say once a minute that the file is of no use, and make it anew; a busy one is only passed over."""
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            return
        _log.warning("%s cannot be used (%s): looking at AWS alone for a minute", store.path, error)
        self._without_until = self._clock() + AGAIN
        store.broken()


def encode(value: Any) -> str:
    """JSON that keeps moments."""
    return json.dumps(value, default=_moment, separators=(",", ":"))


def decode(text: str) -> Any:
    """What was encoded."""
    return json.loads(text, object_hook=_object)


def _moment(value: object) -> dict[str, str]:
    if isinstance(value, datetime):
        return {"$at": value.isoformat()}
    raise ValueError(f"a {type(value).__name__} is no answer to keep")


def _object(found: dict[str, Any]) -> Any:
    return datetime.fromisoformat(found["$at"]) if found.keys() == {"$at"} else found


def _usable(rows: Mapping[str, Row], keys: list[str], since: float, now: float) -> bool:
    """Every answer is there and young enough. One from the future (the clock was set) is none."""
    return all(key in rows and rows[key].asked and since <= rows[key].asked <= now for key in keys)


def _oldest(rows: Mapping[str, Row], now: float) -> float:
    """The age of the oldest answer."""
    return now - min((row.asked for row in rows.values()), default=0.0)


def _answers(rows: Mapping[str, Row], keys: list[str]) -> dict[str, Answer]:
    return {key: Answer(decode(rows[key].answer), rows[key].asked) for key in keys}
