"""Source, quality, build and image: what stops a commit, and what is made only once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.core.attestation import Attestation
from delivery.core.build import GateResult, GateStatus, QualityReport
from delivery.errors import NotFoundError, RefusedError
from delivery.flows.build import build, image, quality, source
from delivery_tests.fakes import sample_pushed, sample_sha
from delivery_tests.flows.journey import Journey


def checked(name: str = "a") -> tuple[Journey, str]:
    """A commit whose source and quality are there."""
    journey = Journey.start()
    sha = journey.world.source.push(name).sha
    source(journey.op(), sha)
    quality(journey.op(), sha)
    return journey, sha


def test_a_commit_becomes_a_signed_scanned_digest() -> None:
    """Source, quality, build, image: kept as artifacts, labelled, signed, status success."""
    journey, sha = checked()
    build(journey.op(), sha)
    pushed = image(journey.op(), sha)
    assert pushed.labels["org.opencontainers.image.revision"] == sha and not pushed.reused
    assert {
        f"web/{sha}/{node}.json" for node in ("source", "quality", "build", "image", "attestation")
    } <= set(journey.world.artifacts.contents)
    attestation = journey.world.artifacts.load(f"web/{sha}/attestation.json", Attestation)
    assert journey.world.signer.verify(attestation.signed_bytes, attestation.signature)
    assert journey.world.source.status(sha, "delivery") == "success"


@pytest.mark.parametrize("status", [GateStatus.FAILED, GateStatus.ERROR])
@pytest.mark.parametrize("gate", ["lint", "unit"])
def test_each_gate_alone_stops_the_image_and_is_named(gate: str, status: GateStatus) -> None:
    """A gate that failed, or could not judge, blocks: report, status and notice name it."""
    journey = Journey.start()
    sha = journey.world.source.push("a").sha
    source(journey.op(), sha)
    journey.world.gates.fail(gate, "three findings", status)
    report = quality(journey.op(), sha)
    assert not report.passed and any(r.startswith(f"{gate} {status}") for r in report.reasons)
    assert journey.world.source.status(sha, "delivery") == "failure"
    _, notice = journey.world.notifier.sent[-1]
    assert notice.kind == "gate" and gate in notice.body
    with pytest.raises(RefusedError, match=gate):
        image(journey.op(), sha)
    assert journey.world.registry.images == {}


def test_coverage_too_low_or_unknown_blocks() -> None:
    """Coverage below the minimum, and coverage nobody measured, are reasons."""
    journey = Journey.start()
    sha = journey.world.source.push("a").sha
    passed = GateResult("unit", GateStatus.PASSED, "passed", 1.0, {"coverage": 79.5})
    journey.world.gates.results["unit"] = passed
    assert "coverage is 79.5 %" in quality(journey.op(), sha).reasons[0]
    journey.world.gates.results["unit"] = GateResult("unit", GateStatus.PASSED, "passed", 1.0)
    assert "not measured" in quality(journey.op(), sha).reasons[0]


def test_without_a_quality_report_nothing_is_pushed() -> None:
    """`image` materialized alone does not go round the gates."""
    journey = Journey.start()
    sha = journey.world.source.push("a").sha
    with pytest.raises(NotFoundError):
        image(journey.op(), sha)
    journey.world.artifacts.save(f"web/{sha}/quality.json", QualityReport((), ("lint failed",)))
    with pytest.raises(RefusedError):
        image(journey.op(), sha)


def test_build_and_push_happen_once() -> None:
    """The local image and the pushed one are found again; another machine builds what it lacks."""
    journey, sha = checked()
    build(journey.op(), sha)
    assert build(journey.op(), sha).reused
    first = image(journey.op(), sha)
    journey.world.builder.forget()
    again = image(journey.op(), sha)
    assert again.reused and again.image == first.image
    assert journey.world.wire.counts["builder.build"] == 1
    assert journey.world.wire.counts["registry.push"] == 1
    assert journey.world.wire.counts["signer.sign"] == 1
    other, sha = checked("b")
    assert image(other.op(), sha).tag == sha


def test_a_broken_dockerfile_is_refused_with_its_reason() -> None:
    """The builder's refusal reaches the caller."""
    journey, sha = checked()
    journey.world.builder.broken = "RUN exited with 2"
    with pytest.raises(RefusedError, match="RUN exited with 2"):
        build(journey.op(), sha)


@pytest.mark.parametrize(
    ("findings", "blocked"),
    [
        ({"MEDIUM": 3}, ""),
        ({"HIGH": 1}, "1 high"),
        ({"CRITICAL": 2, "HIGH": 1}, "2 critical, 1 high"),
        ({}, ""),
    ],
)
def test_findings_from_the_named_severity_up_block(findings: dict[str, int], blocked: str) -> None:
    """`fail_on: high`: medium passes, high and critical block and say so."""
    journey, sha = checked()
    first = image(journey.op(), sha)
    journey.world.registry.findings[first.image.digest] = findings
    pushed = image(journey.op(), sha)
    assert pushed.scan.blocked.startswith(blocked) and bool(pushed.scan.blocked) == bool(blocked)


def test_somebody_elses_image_under_our_tag_is_refused() -> None:
    """An image whose label names another commit is neither signed nor handed on."""
    journey, sha = checked()
    foreign = replace(sample_pushed(sample_sha("x")), tag=sha)
    journey.world.registry.seed(foreign)
    with pytest.raises(RefusedError, match="label"):
        image(journey.op(), sha)
    assert journey.world.wire.counts["signer.sign"] == 0


def test_a_status_that_cannot_be_written_is_told_and_fails_nothing() -> None:
    """GitHub away: the build goes on, the progress says what was not written."""
    journey = Journey.start()
    sha = journey.world.source.push("a").sha
    journey.world.wire.fail("source.set_status", times=100)
    source(journey.op(), sha)
    assert any("could not be written" in line for line in journey.said)
