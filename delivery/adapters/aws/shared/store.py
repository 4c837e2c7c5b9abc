"""The file behind shared looks: who is interested in what, what was answered and when, and the budget.

SQLite, mode 0600, one file for each endpoint, region and set of credentials. It is a cache: losing it costs a
few calls. An answer that is not exactly as it was written is none.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

#: AWS calls per second that the workers of one machine spend on shared looks and the ledgers, as long as no
#: answer gets too old by it, and how many at once.
RATE, BURST = 3.4, 6.0
#: Seconds that an interest lives without being renewed, and that a question belongs to who took it.
LIVES, LEASE = 20.0, 8.0
#: Seconds after which an answer is asked for anew when another one is, as it costs nothing.
RIDE = 0.5
#: Seconds in which a question that AWS refused is left to who asks it, and asked together with no other.
ALONE = 60.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS look (
  kind TEXT, key TEXT, spec TEXT, until REAL, leased REAL DEFAULT 0, alone REAL DEFAULT 0,
  asked REAL DEFAULT 0, answer TEXT, sum INTEGER, PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS budget (one INTEGER PRIMARY KEY CHECK (one = 1), tokens REAL, at REAL);
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One question with its newest answer. `asked`: when AWS was asked for it; 0 without an answer. `leased`:
    until when somebody is asking again."""

    key: str
    spec: str
    until: float = 0.0
    asked: float = 0.0
    answer: str = ""
    leased: float = 0.0


#: Of the questions that wait, which go into one call; those that wait the longest come first.
Choose = Callable[[Sequence[Row]], Sequence[Row]]


class Store:
    """The file at `path`. Every method may raise `sqlite3.Error` or OSError; see `broken`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()

    def rows(self, kind: str, keys: Sequence[str]) -> dict[str, Row]:
        """What is stored under these keys."""
        marks = ",".join("?" * len(keys))
        found = self._db().execute(
            "SELECT key, spec, until, asked, answer, leased, sum FROM look"
            f" WHERE kind = ? AND key IN ({marks})",
            (kind, *keys),
        )
        return {row[0]: _row(kind, *row) for row in found}

    def want(self, kind: str, wanted: Mapping[str, str], now: float) -> None:
        """Be interested in these questions for the next seconds; interests of nobody are forgotten."""
        with self._writing() as db:
            db.executemany(
                "INSERT INTO look (kind, key, spec, until) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (kind, key) DO UPDATE SET until = excluded.until",
                [(kind, key, spec, now + LIVES) for key, spec in wanted.items()],
            )
            db.execute("DELETE FROM look WHERE until < ? AND leased < ?", (now - LIVES, now))

    def spare(self, now: float) -> float:
        """Calls that the budget has left."""
        return self._spare(self._db(), now)

    def claim(
        self, kind: str, first: Sequence[str], now: float, due: float, choose: Choose, rivals: Sequence[str]
    ) -> dict[str, str]:
        """Questions that are ours to ask now, in one call, with their specs; empty: nothing is to be asked.

        Those of `first` come first; then, if the oldest answer is from `due` or before and no question of
        the `rivals` waits for longer, what is old enough to ride along, the oldest answer first.
        """
        with self._writing() as db:
            found = db.execute(
                "SELECT key, spec, until, asked FROM look"
                " WHERE kind = ? AND until >= ? AND leased < ? AND alone < ? ORDER BY asked, key",
                (kind, now, now, now),
            )
            rows = [Row(*row) for row in found]
            if not first and (not rows or rows[0].asked > self._turn(db, rivals, now, due)):
                return {}
            urgent = [row for row in rows if row.key in set(first)]
            urgent += [row for row in rows if row.asked <= now - RIDE and row not in urgent]
            chosen = choose(urgent) if urgent else ()
            db.executemany(
                "UPDATE look SET leased = ? WHERE kind = ? AND key = ?",
                [(now + LEASE, kind, row.key) for row in chosen],
            )
            if chosen:
                self._spend(db, now)
        return {row.key: row.spec for row in chosen}

    def _turn(self, db: sqlite3.Connection, rivals: Sequence[str], now: float, due: float) -> float:
        """As old as this an answer must be to be asked for anew: `due`, and as the oldest of the rivals'."""
        marks = ",".join("?" * len(rivals))
        (oldest,) = db.execute(
            f"SELECT MIN(asked) FROM look WHERE kind IN ({marks})"
            " AND until >= ? AND leased < ? AND alone < ?",
            (*rivals, now, now, now),
        ).fetchone()
        return due if oldest is None else min(due, oldest)

    def save(self, kind: str, answers: Mapping[str, str], asked: float) -> None:
        """Keep answers to what was asked at that moment; a newer answer stays, but not one of the future."""
        with self._writing() as db:
            db.executemany(
                "UPDATE look SET answer = ?, asked = ?, sum = ?, leased = 0"
                " WHERE kind = ? AND key = ? AND asked NOT BETWEEN ? AND ?",
                [
                    (text, asked, _sum(kind, key, asked, text), kind, key, asked, asked + ALONE)
                    for key, text in answers.items()
                ],
            )

    def give_back(self, kind: str, keys: Sequence[str], alone_until: float = 0.0) -> None:
        """Questions that were not answered; `alone_until`: leave them to who asks them till then."""
        with self._writing() as db:
            db.executemany(
                "UPDATE look SET leased = 0, alone = ? WHERE kind = ? AND key = ?",
                [(alone_until, kind, key) for key in keys],
            )

    def spend(self, now: float, calls: int = 1) -> None:
        """So many calls more were made."""
        with self._writing() as db:
            self._spend(db, now, calls)

    def broken(self) -> None:
        """Do without this file: the next one to need it makes it anew. Who has it open notices."""
        known = getattr(self._local, "inode", None)
        self._close()
        with suppress(OSError):
            if known in (None, self.path.stat().st_ino):
                for end in ("", "-wal", "-shm"):
                    self.path.with_name(self.path.name + end).unlink(missing_ok=True)

    def _spare(self, db: sqlite3.Connection, now: float) -> float:
        kept = db.execute("SELECT tokens, at FROM budget").fetchone()
        if kept is None:
            return BURST
        tokens, at = kept
        return float(min(BURST, tokens + max(0.0, now - at) * RATE))

    def _spend(self, db: sqlite3.Connection, now: float, calls: int = 1) -> None:
        left = max(-5 * BURST, self._spare(db, now) - calls)
        db.execute("INSERT OR REPLACE INTO budget VALUES (1, ?, ?)", (left, now))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        db = self._db()
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    def _db(self) -> sqlite3.Connection:
        """This thread's connection; a new one after a fork, and when the file is another one."""
        kept: sqlite3.Connection | None = getattr(self._local, "db", None)
        if kept is not None and self._local.process == os.getpid():
            with suppress(OSError):
                if self.path.stat().st_ino == self._local.inode:
                    return kept
        self._close()
        return self._open()

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            found = os.fstat(handle)
            if found.st_uid != os.geteuid():
                raise PermissionError(f"{self.path} belongs to somebody else")
            os.fchmod(handle, 0o600)
        finally:
            os.close(handle)
        db = sqlite3.connect(self.path, timeout=2.0, isolation_level=None)
        self._local.db, self._local.process, self._local.inode = db, os.getpid(), found.st_ino
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = OFF")  # a cache: what a crash of the machine takes is asked again
        db.executescript(_SCHEMA)
        return db

    def _close(self) -> None:
        kept = getattr(self._local, "db", None)
        self._local.db = None
        if kept is not None and self._local.process == os.getpid():
            with suppress(sqlite3.Error):
                kept.close()


def _row(
    kind: str, key: str, spec: str, until: float, asked: float, text: str | None, leased: float, kept: int
) -> Row:
    if text is None or kept != _sum(kind, key, asked, text):
        return Row(key, spec, until, leased=leased)
    return Row(key, spec, until, asked, text, leased)


def _sum(kind: str, key: str, asked: float, text: str) -> int:
    return zlib.crc32(f"{kind}\n{key}\n{asked!r}\n{text}".encode())
