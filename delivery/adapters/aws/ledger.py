"""The ledger: one JSON document per service and environment in S3, written conditionally.

Source: "How to prevent object overwrites with conditional writes", Amazon S3 user guide.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from delivery.adapters.aws.bucket import Bucket
from delivery.adapters.aws.codec import encode, open_document
from delivery.adapters.aws.session import PROMPT, Aws
from delivery.adapters.aws.shared import SharedReads
from delivery.adapters.aws.shared.kinds import TAGS
from delivery.core.ledger import LedgerRecord
from delivery.errors import ConflictError, DeliveryError, NotFoundError, UnavailableError
from delivery.ports import Owner, Stored

#: Where the ledgers are, and how many of them are read at once.
PREFIX, AT_ONCE = "ledger/", 16
#: How old a listing may be from which many are read, seconds.
LISTED = 3.0


class S3Ledger:
    """`Ledger` in S3. Of any number of writers who saw the same document exactly one gets through.

    `reads`: where listings that may be a while old come from.
    """

    def __init__(self, aws: Aws, bucket: str, reads: SharedReads | None = None) -> None:
        self._aws, self._reads, self._bucket = aws, reads, Bucket(aws, bucket)
        self._known: dict[Owner, Stored] = {}

    def load(self, service: str, environment: str) -> Stored:
        """The document now; an empty record with `etag=None` when there is none yet.

        PrerequisiteError when the bucket does not exist: that is not an empty ledger.
        """
        found = self._bucket.get(_key(service, environment))
        if found is None:
            return Stored(LedgerRecord(service, environment), None)
        text, etag = found
        return Stored(open_document(text, LedgerRecord, _name(service, environment)).value, etag)

    def load_all(self, owners: Sequence[Owner]) -> Mapping[Owner, Stored | DeliveryError]:
        """Many documents: one listing of a moment ago at most, and those read whose ETag is a new one.

        One that cannot be read has its error instead. Raises when they could not be listed.
        """
        tags = self._tags(LISTED)
        found: dict[Owner, Stored | DeliveryError] = {}
        changed = []
        for owner in dict.fromkeys(owners):
            tag, known = tags.get(_key(*owner)), self._known.get(owner)
            if tag is None:
                found[owner] = Stored(LedgerRecord(*owner), None)
            elif known is not None and known.etag == tag:
                found[owner] = known
            else:
                changed.append(owner)
        if changed:
            self._spent(len(changed))
            with ThreadPoolExecutor(min(AT_ONCE, len(changed))) as pool:
                found |= zip(changed, pool.map(self._try, changed), strict=True)
        return found

    def tag(self, service: str, environment: str, within: float) -> str | None:
        """The ETag of the document at most `within` seconds ago, from the listing that all workers share."""
        return self._tags(within).get(_key(service, environment))

    def _tags(self, within: float) -> dict[str, str]:
        if self._reads is None:
            return self._bucket.tags(PREFIX)
        name = self._bucket.name
        found: dict[str, str] = self._reads.read(TAGS, {name: PREFIX}, within)[name].value
        return found

    def _spent(self, calls: int) -> None:
        """What the ledger costs, shared looks have to do without."""
        if self._reads is not None:
            self._reads.spent(calls)

    def _try(self, owner: Owner) -> Stored | DeliveryError:
        try:
            self._known[owner] = self.load(*owner)
        except DeliveryError as error:
            return error
        return self._known[owner]

    def store(self, record: LedgerRecord, etag: str | None) -> Stored:
        """Write if nobody wrote since `etag`; ConflictError otherwise.

        It takes at most `PROMPT` seconds and one answer, far less than the lock that it renews lasts.
        """
        self._spent(1)
        with self._aws.within(PROMPT):
            return self._store(record, etag)

    def _store(self, record: LedgerRecord, etag: str | None) -> Stored:
        key, written = _key(record.service, record.environment), uuid.uuid4().hex
        body = encode(record, written)
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            return Stored(record, self._bucket.put(key, body, "application/json", **condition))
        except (ConflictError, NotFoundError, UnavailableError) as problem:
            mine = self._written_by(record, written)
            if mine is not None:
                return mine
            if isinstance(problem, UnavailableError):
                raise
        raise ConflictError(
            f"{_name(record.service, record.environment)} was not written",
            "somebody else wrote it since it was read",
            "Load it again and apply the change to what is there now.",
        )

    def _written_by(self, record: LedgerRecord, written: str) -> Stored | None:
        """The document, if this very write put it there.

        botocore repeats a request whose answer was lost; the repetition then meets its own first attempt, and
        where every answer was lost nobody knows before the document was looked at.
        """
        found = self._bucket.get(_key(record.service, record.environment))
        if found is None:
            return None
        text, etag = found
        name = _name(record.service, record.environment)
        return Stored(record, etag) if open_document(text, LedgerRecord, name).written == written else None


def _key(service: str, environment: str) -> str:
    return f"{PREFIX}{service}/{environment}.json"


def _name(service: str, environment: str) -> str:
    return f"The ledger of {service} in {environment}"
