"""Artifacts: what one node hands to another, in memory and in S3."""

from __future__ import annotations

import math

import pytest

from delivery.adapters.aws.artifacts import S3Artifacts
from delivery.core.analysis import RuleResult, Sample, Verdict, VerdictPhase
from delivery.core.attestation import Attestation, Signature
from delivery.core.build import (
    BuiltImage,
    GateResult,
    GateStatus,
    PushedImage,
    QualityReport,
    ScanReport,
    SourceSnapshot,
)
from delivery.core.infra import Infrastructure, PlanSummary, ResourceChange
from delivery.errors import NotFoundError, PrerequisiteError, ProviderError
from delivery.ports import Artifacts
from delivery_tests.conftest import RunningSandbox
from delivery_tests.contract.cloud import aws_of, new_bucket
from delivery_tests.contract.values import LATER, full_rollout, full_verdict
from delivery_tests.fakes import (
    EPOCH,
    MemoryArtifacts,
    Wire,
    sample_commit,
    sample_contract,
    sample_image,
    sample_sha,
)

CHANGES = (ResourceChange("aws_lb.this", "replace", ("name",), True, "the name changed"),)
SCAN = ScanReport({"HIGH": 1}, blocked="1 HIGH")
VALUES: tuple[object, ...] = (
    SourceSnapshot(sample_commit("a"), "tree", ("app.py",)),
    QualityReport((GateResult("unit", GateStatus.ERROR, "no report", 1.5, {"tests": 0.0}),), ("unit",)),
    BuiltImage("sha256:1", "delivery/web:a", 10, 0.5, True),
    PushedImage(sample_image(sample_sha("a")), "a", EPOCH, {"label": "ü"}, SCAN),
    Attestation('{"a": 1}', Signature("alias/x", "AAAA")),
    PlanSummary("id", "infra/stacks/service", LATER, CHANGES, CHANGES, 3, "lineage", "inputs"),
    Infrastructure(sample_contract(), True, "2 to create"),
    full_rollout(),
    full_verdict(),
)


@pytest.fixture(params=["fake", pytest.param("adapter", marks=pytest.mark.sandbox)])
def artifacts(request: pytest.FixtureRequest) -> Artifacts:
    """An empty store."""
    if request.param == "fake":
        return MemoryArtifacts(Wire())
    sandbox = request.getfixturevalue("sandbox")
    return S3Artifacts(aws_of(sandbox), new_bucket(sandbox))


@pytest.mark.parametrize("value", VALUES, ids=lambda v: type(v).__name__)
def test_every_hand_over_comes_back_as_it_was(artifacts: Artifacts, value: object) -> None:
    """Each of core's dataclasses that nodes hand on is equal after the way through the store."""
    artifacts.save("web/a/node.json", value)
    assert artifacts.load("web/a/node.json", type(value)) == value


def test_a_sample_may_be_no_number(artifacts: Artifacts) -> None:
    """A provider's NaN stays one: it must not turn into a missing value on the way."""
    result = RuleResult("r", VerdictPhase.INCONCLUSIVE, "", (Sample(EPOCH, math.nan),))
    artifacts.save("k", Verdict(VerdictPhase.INCONCLUSIVE, "", EPOCH, (result,)))
    assert math.isnan(artifacts.load("k", Verdict).results[0].samples[0].value)


def test_bytes_come_back_as_they_were(artifacts: Artifacts) -> None:
    """A plan file is bytes, and any bytes will do."""
    content = bytes(range(256)) * 64
    artifacts.put("web/a/production/plan.tfplan", content)
    assert artifacts.get("web/a/production/plan.tfplan") == content


def test_the_last_one_saved_counts(artifacts: Artifacts) -> None:
    """A node that is run again replaces what it left before."""
    artifacts.save("k", full_verdict())
    artifacts.save("k", Verdict(VerdictPhase.SUCCESSFUL, "fine", EPOCH))
    assert artifacts.load("k", Verdict).reason == "fine"


def test_what_was_never_saved_is_not_found(artifacts: Artifacts) -> None:
    """A missing key is NotFoundError for `load` and `get`, and False for `exists`."""
    assert not artifacts.exists("web/a/plan.json")
    with pytest.raises(NotFoundError, match=r"web/a/plan\.json"):
        artifacts.load("web/a/plan.json", Verdict)
    with pytest.raises(NotFoundError, match=r"web/a/plan\.json"):
        artifacts.get("web/a/plan.json")


def test_what_was_saved_exists(artifacts: Artifacts) -> None:
    """A key exists by its whole name only."""
    artifacts.put("web/a/plan.json", b"x")
    assert artifacts.exists("web/a/plan.json")
    assert not artifacts.exists("web/a/plan")


def test_another_kind_is_refused(artifacts: Artifacts) -> None:
    """Reading a verdict as a rollout is an error of the provider's, never a half-filled rollout."""
    artifacts.save("k", full_verdict())
    with pytest.raises(ProviderError):
        artifacts.load("k", PlanSummary)


@pytest.mark.sandbox
def test_everything_is_encrypted_at_rest(sandbox: RunningSandbox) -> None:
    """Documents and plan files lie under `artifacts/`, encrypted by S3."""
    bucket = new_bucket(sandbox)
    artifacts, s3 = S3Artifacts(aws_of(sandbox), bucket), sandbox.client("s3")
    artifacts.save("web/a/plan.json", full_verdict())
    artifacts.put("web/a/plan.tfplan", b"secret")
    for key in ("artifacts/web/a/plan.json", "artifacts/web/a/plan.tfplan"):
        assert s3.head_object(Bucket=bucket, Key=key)["ServerSideEncryption"] == "AES256"


@pytest.mark.sandbox
def test_a_missing_bucket_is_not_an_empty_one(sandbox: RunningSandbox) -> None:
    """Every call to a bucket that is not there says how to make it."""
    artifacts = S3Artifacts(aws_of(sandbox), "no-such-bucket")
    calls = (
        lambda: artifacts.exists("k"),
        lambda: artifacts.get("k"),
        lambda: artifacts.load("k", Verdict),
        lambda: artifacts.put("k", b""),
        lambda: artifacts.save("k", full_verdict()),
    )
    for call in calls:
        with pytest.raises(PrerequisiteError, match="delivery bootstrap"):
            call()


@pytest.mark.sandbox
def test_a_moment_without_a_time_zone_is_never_written(sandbox: RunningSandbox) -> None:
    """A naive datetime would be read as somebody else's hour: it is refused before it is stored."""
    bucket = new_bucket(sandbox)
    naive = Verdict(VerdictPhase.SUCCESSFUL, "", EPOCH.replace(tzinfo=None))
    with pytest.raises(ValueError, match="without a time zone"):
        S3Artifacts(aws_of(sandbox), bucket).save("k", naive)
    assert sandbox.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 0
