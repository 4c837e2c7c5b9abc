"""Ledger and artifacts in memory. Everything goes through JSON, as it does on its way to S3.

Only where ten thousands of histories are tried are the objects themselves kept (`as_json=False`): they are
frozen, and the JSON is most of the time such a history takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import TypeAdapter

from delivery.adapters.aws.codec import decode, encode
from delivery.core.ledger import LedgerRecord
from delivery.errors import ConflictError, DeliveryError, NotFoundError
from delivery.ports import Owner, Stored
from delivery_tests.fakes.wire import Wire

T = TypeVar("T")
_RECORD = TypeAdapter(LedgerRecord)


class MemoryLedger:
    """Conditional writes; `writes` counts those that won."""

    def __init__(self, wire: Wire, as_json: bool = True) -> None:
        self._wire, self._as_json = wire, as_json
        self._documents: dict[tuple[str, str], tuple[bytes | Stored, int]] = {}
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
        if isinstance(kept[0], Stored):
            return kept[0]
        return Stored(_RECORD.validate_json(kept[0]), str(kept[1]))

    def load_all(self, owners: Sequence[Owner]) -> Mapping[Owner, Stored | DeliveryError]:
        """Each as it is now, or why it cannot be read."""
        found: dict[Owner, Stored | DeliveryError] = {}
        for owner in owners:
            try:
                found[owner] = self.load(*owner)
            except DeliveryError as error:
                found[owner] = error
        return found

    def tag(self, service: str, environment: str, within: float) -> str | None:
        """The etag now: nothing here is ever late."""
        with self._wire.call("ledger.tag"):
            return self.peek(service, environment).etag

    def store(self, record: LedgerRecord, etag: str | None) -> Stored:
        """Write if nobody wrote since `etag`."""
        with self._wire.call("ledger.store"):
            return self.put(record, etag)

    def put(self, record: LedgerRecord, etag: str | None) -> Stored:
        """The same, uncounted."""
        key = (record.service, record.environment)
        kept = self._documents.get(key)
        if (str(kept[1]) if kept else None) != etag:
            raise ConflictError(
                f"The ledger of {'/'.join(key)} was not written", "it changed meanwhile", "Load it again."
            )
        self.writes += 1
        stored = Stored(record, str(self.writes))
        self._documents[key] = (_RECORD.dump_json(record) if self._as_json else stored, self.writes)
        return self.peek(*key)


class MemoryArtifacts:
    """Dataclasses as JSON, and bytes, by key."""

    def __init__(self, wire: Wire, as_json: bool = True) -> None:
        self._wire, self._as_json = wire, as_json
        self.contents: dict[str, Any] = {}  # bytes, or objects when they are kept as they are

    def save(self, key: str, value: object) -> None:
        """Store a dataclass."""
        with self._wire.call("artifacts.save"):
            self.contents[key] = encode(value) if self._as_json else value

    def load(self, key: str, kind: type[T]) -> T:
        """Read it back."""
        with self._wire.call("artifacts.load"):
            kept = self._get(key)
            return kept if isinstance(kept, kind) else decode(kept, kind, key)

    def put(self, key: str, value: bytes) -> None:
        """Store bytes."""
        with self._wire.call("artifacts.put"):
            self.contents[key] = value

    def get(self, key: str) -> bytes:
        """The bytes."""
        with self._wire.call("artifacts.get"):
            return bytes(self._get(key))

    def exists(self, key: str) -> bool:
        """Whether there are any."""
        with self._wire.call("artifacts.exists"):
            return key in self.contents

    def _get(self, key: str) -> Any:
        if key not in self.contents:
            raise NotFoundError(f"{key} does not exist", "it was never saved", "Materialize what makes it.")
        return self.contents[key]
