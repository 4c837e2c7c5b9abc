"""The ledger: conditional writes, in memory and in S3."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from delivery.adapters.aws.ledger import S3Ledger
from delivery.adapters.aws.session import Aws
from delivery.core.ledger import Hold, LedgerRecord
from delivery.errors import ConflictError, PrerequisiteError, ProviderError
from delivery.ports import Ledger, Stored
from delivery_tests.conftest import RunningSandbox
from delivery_tests.contract.cloud import aws_of, new_bucket
from delivery_tests.contract.lossy import LossyProxy
from delivery_tests.contract.values import full_record
from delivery_tests.fakes import EPOCH, MemoryLedger, Wire


@pytest.fixture(params=["fake", pytest.param("adapter", marks=pytest.mark.sandbox)])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """A ledger with nothing in it."""
    if request.param == "fake":
        return MemoryLedger(Wire())
    sandbox = request.getfixturevalue("sandbox")
    return S3Ledger(aws_of(sandbox), new_bucket(sandbox))


@pytest.mark.sandbox
def test_many_are_read_though_one_cannot_be(bucket: str, sandbox: RunningSandbox) -> None:
    """Its error stands in its place, and the others are as they are."""
    ledger = S3Ledger(aws_of(sandbox), bucket)
    good = ledger.store(full_record(), None)
    sandbox.client("s3").put_object(Bucket=bucket, Key="ledger/web/staging.json", Body=b"no document")
    found = ledger.load_all([("web", "staging"), ("web", "production")])
    assert isinstance(found["web", "staging"], ProviderError) and found["web", "production"] == good
    with pytest.raises(PrerequisiteError):
        S3Ledger(aws_of(sandbox), "no-such-bucket").load_all([("web", "staging")])


@pytest.fixture
def bucket(sandbox: RunningSandbox) -> str:
    """A bucket of its own."""
    return new_bucket(sandbox)


def test_what_was_never_written_is_an_empty_record(ledger: Ledger) -> None:
    """Before the first write there is an empty record, and no etag to name."""
    assert ledger.load("web", "staging") == Stored(LedgerRecord("web", "staging"), None)


def test_what_is_written_is_read_back(ledger: Ledger) -> None:
    """Every field comes back as it was, each kind of step and action included."""
    record = full_record()
    stored = ledger.store(record, None)
    assert ledger.load("web", "production") == stored
    assert stored.record == record and stored.etag
    assert stored.record.rollout is not None
    assert [type(s).__name__ for s in ledger.load("web", "production").record.rollout.steps] == [  # type: ignore[union-attr]
        type(s).__name__
        for s in record.rollout.steps  # type: ignore[union-attr]
    ]


def test_many_are_read_at_once(ledger: Ledger) -> None:
    """Each as it is, what was never written as an empty record, and a new write is seen the next time."""
    first = ledger.store(full_record(), None)
    owners = [("web", "production"), ("web", "staging")]
    empty = Stored(LedgerRecord("web", "staging"), None)
    for _ in range(2):
        assert ledger.load_all(owners) == {owners[0]: first, owners[1]: empty}
    second = ledger.store(replace(first.record, hold=None), first.etag)
    assert ledger.load_all(owners)[owners[0]] == second


def test_the_tag_tells_of_every_write(ledger: Ledger) -> None:
    """It is the etag that a conditional write must name; there is none before the first write."""
    assert ledger.tag("web", "production", 0.0) is None
    first = ledger.store(full_record(), None)
    assert ledger.tag("web", "production", 0.0) == first.etag
    second = ledger.store(replace(first.record, hold=None), first.etag)
    assert ledger.tag("web", "production", 0.0) == second.etag != first.etag


def test_each_write_needs_the_etag_of_the_last(ledger: Ledger) -> None:
    """A writer who saw an older document is refused, and changes nothing."""
    first = ledger.store(full_record(), None)
    second = ledger.store(replace(first.record, hold=None), first.etag)
    with pytest.raises(ConflictError):
        ledger.store(replace(first.record, fence=99), first.etag)
    assert ledger.load("web", "production") == second


def test_a_first_write_needs_that_there_is_none(ledger: Ledger) -> None:
    """Whoever saw no document is refused when there is one by now."""
    first = ledger.store(full_record(), None)
    with pytest.raises(ConflictError):
        ledger.store(full_record(), None)
    assert ledger.load("web", "production") == first


def test_a_write_to_a_document_that_is_gone_is_a_conflict(ledger: Ledger) -> None:
    """Naming an etag where there is no document is a conflict, not a first write."""
    other = ledger.store(full_record("api"), None)
    with pytest.raises(ConflictError):
        ledger.store(full_record("web"), other.etag)


def test_environments_have_documents_of_their_own(ledger: Ledger) -> None:
    """Writing one environment neither shows in another nor stands in its way."""
    ledger.store(full_record(environment="staging"), None)
    ledger.store(full_record("api", "staging"), None)
    assert ledger.load("web", "production").etag is None
    assert ledger.load("web", "staging").record.environment == "staging"


def test_one_of_twenty_writers_wins(ledger: Ledger) -> None:
    """Of twenty who saw the same document exactly one gets through, and it is the one that is read."""
    seen = ledger.store(LedgerRecord("web", "staging"), None)
    won: list[Stored] = []
    lost: list[ConflictError] = []
    start = threading.Barrier(20)

    def write(number: int) -> None:
        start.wait()
        try:
            won.append(ledger.store(replace(seen.record, hold=Hold(f"w{number}", EPOCH)), seen.etag))
        except ConflictError as error:
            lost.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1 and len(lost) == 19
    assert ledger.load("web", "staging") == won[0]


@pytest.fixture
def lossy(sandbox: RunningSandbox) -> Iterator[LossyProxy]:
    """The sandbox behind a line that can lose an answer."""
    with LossyProxy(sandbox.endpoints.aws) as proxy:
        yield proxy


@pytest.mark.sandbox
def test_a_lost_answer_is_not_a_conflict(sandbox: RunningSandbox, lossy: LossyProxy, bucket: str) -> None:
    """The write happened, its answer was lost, the repetition met its own first attempt: it is a success."""
    ledger = S3Ledger(Aws("us-east-1", lossy.url, sandbox.environment), bucket)
    first = ledger.store(LedgerRecord("web", "staging"), None)
    lossy.lose("PUT")
    second = ledger.store(replace(first.record, fence=1), first.etag)
    assert lossy.lost == 1
    assert ledger.load("web", "staging") == second
    assert ledger.store(replace(second.record, fence=2), second.etag).record.fence == 2


@pytest.mark.sandbox
def test_a_missing_bucket_says_how_to_make_it(sandbox: RunningSandbox) -> None:
    """A bucket that does not exist is not an empty ledger; the hint names the command."""
    ledger = S3Ledger(aws_of(sandbox), "no-such-bucket")
    with pytest.raises(PrerequisiteError, match=r"bucket no-such-bucket does not exist.*delivery bootstrap"):
        ledger.load("web", "staging")
    with pytest.raises(PrerequisiteError, match="delivery bootstrap"):
        ledger.store(LedgerRecord("web", "staging"), None)


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema": 2}, "it has schema 2, this version reads 1"),
        ({"kind": "Verdict"}, "it is a Verdict, not a LedgerRecord"),
        ({"value.colour": "red"}, "colour: Unexpected keyword argument"),
        ({"value.fence": "7"}, "fence: Input should be a valid integer"),
        ({"value": {}}, "service: Field required"),
    ],
)
def test_a_document_that_does_not_fit_is_refused(
    sandbox: RunningSandbox, bucket: str, change: dict[str, object], told: str
) -> None:
    """Another version's document, or a hand-made change, is refused with the field; never half understood."""
    ledger, s3 = S3Ledger(aws_of(sandbox), bucket), sandbox.client("s3")
    ledger.store(LedgerRecord("web", "staging"), None)
    where = {"Bucket": bucket, "Key": "ledger/web/staging.json"}
    document = json.loads(s3.get_object(**where)["Body"].read())
    for name, value in change.items():
        *parents, last = name.split(".")
        (document[parents[0]] if parents else document)[last] = value
    s3.put_object(**where, Body=json.dumps(document).encode())
    with pytest.raises(ProviderError) as refused:
        ledger.load("web", "staging")
    assert refused.value.why == told and "ledger of web in staging" in refused.value.what
