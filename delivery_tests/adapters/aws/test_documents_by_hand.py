"""Documents that somebody changed by hand, or that were cut off."""

from __future__ import annotations

import pytest

from delivery.adapters.aws.codec import decode, encode
from delivery.core.ledger import Hold, LedgerRecord
from delivery.errors import ProviderError
from delivery_tests.fakes import EPOCH

RECORD = LedgerRecord("web", "production", hold=Hold("freeze", EPOCH))


def test_a_moment_without_a_time_zone_is_refused() -> None:
    """It was read, and every decision that compared it with the clock crashed, the sensors' among them."""
    text = encode(RECORD)
    assert decode(text, LedgerRecord, "The ledger") == RECORD
    edited = text.replace(b'00Z"', b'00"')
    assert edited != text
    with pytest.raises(ProviderError, match="without a time zone"):
        decode(edited, LedgerRecord, "The ledger")


def test_a_document_that_was_cut_off_is_refused() -> None:
    """Wherever: half a ledger is not an empty one."""
    text = encode(RECORD).rstrip()
    for length in range(0, len(text), 7):
        with pytest.raises(ProviderError, match="cannot be read"):
            decode(text[:length], LedgerRecord, "The ledger")


def test_fields_of_a_newer_version_are_refused() -> None:
    """What this version does not know it would lose with its next write."""
    text = encode(RECORD).replace(b'"service":', b'"mood": "good", "service":')
    with pytest.raises(ProviderError, match="mood"):
        decode(text, LedgerRecord, "The ledger")
