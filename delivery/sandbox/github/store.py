"""What GitHub keeps beside git: statuses, deployments. One JSON file per repository."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class Store:
    """Lists of entries by key, numbered from 1 across the file."""

    path: Path

    def all(self, key: str) -> list[dict[str, Any]]:
        """The entries of a key, oldest first."""
        return list(self._read().get(key, []))

    def add(self, key: str, entry: dict[str, Any]) -> dict[str, Any]:
        """Add an entry; it with its number."""
        with _LOCK:
            everything = self._read()
            number = sum(len(entries) for entries in everything.values()) + 1
            made = {"id": number, **entry}
            everything.setdefault(key, []).append(made)
            fresh = self.path.with_suffix(".new")
            fresh.write_text(json.dumps(everything))
            fresh.replace(self.path)
        return made

    def _read(self) -> dict[str, list[dict[str, Any]]]:
        try:
            return dict(json.loads(self.path.read_text()))
        except FileNotFoundError:
            return {}
