"""What GitHub keeps beside git: statuses, deployments, pull requests, hooks. One SQLite file holds it all."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Entry = dict[str, Any]
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, repo TEXT NOT NULL, kind TEXT NOT NULL,
    parent TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS entries_by_parent ON entries (repo, kind, parent);
"""


class Store:
    """Entries of a repository by kind and parent. Every call is one transaction, and safe from any thread.

    A parent is what an entry belongs to, as text: the sha of a status, the number of a comment's issue.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._open = 0
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        # A killed process loses nothing it has answered for: the log is the operating system's by then.
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is done inside; nests."""
        with self._lock:
            if self._open == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._open += 1
            try:
                yield
            except BaseException:
                self._open -= 1
                if self._open == 0:
                    self._connection.execute("ROLLBACK")
                raise
            self._open -= 1
            if self._open == 0:
                self._connection.execute("COMMIT")

    def add(self, repo: str, kind: str, body: Entry, parent: str = "") -> Entry:
        """Keep an entry; it with its `id`, unlike any other's."""
        with self.transaction():
            values = (repo, kind, parent, json.dumps(body))
            cursor = self._connection.execute(
                "INSERT INTO entries (repo, kind, parent, body) VALUES (?, ?, ?, ?)", values
            )
            return {**body, "id": cursor.lastrowid}

    def all(self, repo: str, kind: str, parent: str | None = None) -> list[Entry]:
        """The entries of a kind, of one parent or of all, oldest first."""
        where, values = "repo = ? AND kind = ?", [repo, kind]
        if parent is not None:
            where, values = f"{where} AND parent = ?", [*values, parent]
        with self._lock:
            rows = self._connection.execute(
                f"SELECT id, body FROM entries WHERE {where} ORDER BY id", values
            ).fetchall()
        return [{**json.loads(body), "id": number} for number, body in rows]

    def get(self, repo: str, kind: str, number: int) -> Entry | None:
        """One entry by its id."""
        with self._lock:
            row = self._connection.execute(
                "SELECT body FROM entries WHERE id = ? AND repo = ? AND kind = ?", (number, repo, kind)
            ).fetchone()
        return None if row is None else {**json.loads(row[0]), "id": number}

    def change(self, repo: str, kind: str, number: int, change: Callable[[Entry], Entry]) -> Entry | None:
        """Replace an entry by what `change` makes of it, with nobody in between."""
        with self.transaction():
            found = self.get(repo, kind, number)
            if found is None:
                return None
            changed = change(found)
            self._connection.execute(
                "UPDATE entries SET body = ? WHERE id = ?", (json.dumps(changed), number)
            )
            return {**changed, "id": number}

    def remove(self, repo: str, kind: str, number: int) -> bool:
        """Forget an entry; whether it was there."""
        with self.transaction():
            values = (number, repo, kind)
            return bool(
                self._connection.execute(
                    "DELETE FROM entries WHERE id = ? AND repo = ? AND kind = ?", values
                ).rowcount
            )

    def forget(self, repo: str) -> None:
        """Everything of a repository goes."""
        with self.transaction():
            self._connection.execute("DELETE FROM entries WHERE repo = ?", (repo,))

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._connection.close()
