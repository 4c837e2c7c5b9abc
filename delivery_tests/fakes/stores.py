"""Ledger and artifacts in memory. Everything goes through JSON, as it does on its way to S3."""

from __future__ import annotations

from typing import TypeVar

from pydantic import TypeAdapter

from delivery.adapters.aws.codec import decode, encode
from delivery.core.ledger import LedgerRecord
from delivery.errors import ConflictError, NotFoundError
from delivery.ports import Stored
from delivery_tests.fakes.wire import Wire

T = TypeVar("T")
_RECORD = TypeAdapter(LedgerRecord)


class MemoryLedger:
    """Conditional writes; `writes` counts those that won."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._documents: dict[tuple[str, str], tuple[bytes, int]] = {}
        self.writes = 0

    def load(self, service: str, environment: str) -> Stored:
        """The document now."""
        with self._wire.call("ledger.load"):
            return self.peek(service, environment)

    def peek(self, service: str, environment: str) -> Stored:
        """The same, uncounted."""
        kept = self._documents.get((service, environment))
        if kept is None:
            return Stored(LedgerRecord(service, environment), None)
        return Stored(_RECORD.validate_json(kept[0]), str(kept[1]))

    def store(self, record: LedgerRecord, etag: str | None) -> Stored:
        """Write if nobody wrote since `etag`."""
        with self._wire.call("ledger.store"):
            key = (record.service, record.environment)
            kept = self._documents.get(key)
            if (str(kept[1]) if kept else None) != etag:
                raise ConflictError(
                    f"The ledger of {'/'.join(key)} was not written", "it changed meanwhile", "Load it again."
                )
            self.writes += 1
            self._documents[key] = (_RECORD.dump_json(record), self.writes)
            return Stored(_RECORD.validate_json(self._documents[key][0]), str(self.writes))


class MemoryArtifacts:
    """Dataclasses as JSON, and bytes, by key."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.contents: dict[str, bytes] = {}

    def save(self, key: str, value: object) -> None:
        """Store a dataclass."""
        with self._wire.call("artifacts.save"):
            self.contents[key] = encode(value)

    def load(self, key: str, kind: type[T]) -> T:
        """Read it back."""
        with self._wire.call("artifacts.load"):
            return decode(self._get(key), kind, key)

    def put(self, key: str, value: bytes) -> None:
        """Store bytes."""
        with self._wire.call("artifacts.put"):
            self.contents[key] = value

    def get(self, key: str) -> bytes:
        """The bytes."""
        with self._wire.call("artifacts.get"):
            return self._get(key)

    def exists(self, key: str) -> bool:
        """Whether there are any."""
        with self._wire.call("artifacts.exists"):
            return key in self.contents

    def _get(self, key: str) -> bytes:
        if key not in self.contents:
            raise NotFoundError(f"{key} does not exist", "it was never saved", "Materialize what makes it.")
        return self.contents[key]
