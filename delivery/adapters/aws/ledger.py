"""The ledger: one JSON document per service and environment in S3, written conditionally.

Source: "How to prevent object overwrites with conditional writes", Amazon S3 user guide.
"""

from __future__ import annotations

import uuid

from delivery.adapters.aws.bucket import Bucket
from delivery.adapters.aws.codec import encode, open_document
from delivery.adapters.aws.session import Aws
from delivery.core.ledger import LedgerRecord
from delivery.errors import ConflictError, NotFoundError
from delivery.ports import Stored


class S3Ledger:
    """`Ledger` in S3. Of any number of writers who saw the same document exactly one gets through."""

    def __init__(self, aws: Aws, bucket: str) -> None:
        self._bucket = Bucket(aws, bucket)

    def load(self, service: str, environment: str) -> Stored:
        """The document now; an empty record with `etag=None` when there is none yet.

        PrerequisiteError when the bucket does not exist: that is not an empty ledger.
        """
        found = self._bucket.get(_key(service, environment))
        if found is None:
            return Stored(LedgerRecord(service, environment), None)
        text, etag = found
        return Stored(open_document(text, LedgerRecord, _name(service, environment)).value, etag)

    def store(self, record: LedgerRecord, etag: str | None) -> Stored:
        """Write if nobody wrote since `etag`; ConflictError otherwise."""
        key, written = _key(record.service, record.environment), uuid.uuid4().hex
        body = encode(record, written)
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            return Stored(record, self._bucket.put(key, body, "application/json", **condition))
        except (ConflictError, NotFoundError):
            mine = self._written_by(record, written)
            if mine is not None:
                return mine
        raise ConflictError(
            f"{_name(record.service, record.environment)} was not written",
            "somebody else wrote it since it was read",
            "Load it again and apply the change to what is there now.",
        )

    def _written_by(self, record: LedgerRecord, written: str) -> Stored | None:
        """The document, if this very write put it there.

        botocore repeats a request whose answer was lost; the repetition then meets its own first attempt.
        """
        found = self._bucket.get(_key(record.service, record.environment))
        if found is None:
            return None
        text, etag = found
        name = _name(record.service, record.environment)
        return Stored(record, etag) if open_document(text, LedgerRecord, name).written == written else None


def _key(service: str, environment: str) -> str:
    return f"ledger/{service}/{environment}.json"


def _name(service: str, environment: str) -> str:
    return f"The ledger of {service} in {environment}"
