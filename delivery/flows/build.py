"""From a commit to a signed digest: source, quality, build, image."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from delivery.core.attestation import Attestation, pre_authentication_encoding, problem_of, statement
from delivery.core.build import (
    BuiltImage,
    GateResult,
    GateStatus,
    PushedImage,
    QualityReport,
    ScanReport,
    SourceSnapshot,
)
from delivery.core.service import GateSpec
from delivery.errors import NotFoundError, RefusedError
from delivery.flows import keys, telling
from delivery.flows.deployable import REVISION
from delivery.flows.operation import Operation

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED")


def source(op: Operation, sha: str) -> SourceSnapshot:
    """The commit as this service sees it; its status becomes pending; NotFoundError."""
    snapshot = op.world.source.snapshot(op.service.repository, sha)
    op.world.artifacts.save(keys.of_commit(op.service.name, sha, "source"), snapshot)
    telling.status(op, sha, "pending", "on its way")
    return snapshot


def quality(op: Operation, sha: str) -> QualityReport:
    """Run all gates side by side on one checkout. A bad commit gives a report that says why, no error."""
    with op.world.source.checkout(op.service.repository, sha) as folder:
        gates = _run(op, op.service.gates, folder)
    report = QualityReport(gates, _reasons(gates, op.service.coverage_minimum))
    op.world.artifacts.save(keys.of_commit(op.service.name, sha, "quality"), report)
    if not report.passed:
        text = "; ".join(report.reasons)
        telling.status(op, sha, "failure", text)
        telling.notice(op, "gate", "", f"{op.service.name}: {sha[:8]} does not pass", text)
    return report


def build(op: Operation, sha: str) -> BuiltImage:
    """Build the commit's image on this machine, or find the one built before."""
    tag = f"delivery/{op.service.name}:{sha}"
    built = op.world.builder.find(tag)
    if built is None:
        labels = {
            REVISION: sha,
            "org.opencontainers.image.source": op.service.repository.github,
            "delivery.service": op.service.name,
        }
        with op.world.source.checkout(op.service.repository, sha) as folder:
            built = op.world.builder.build(op.service.image, folder, tag, labels, op.progress)
    op.world.artifacts.save(keys.of_commit(op.service.name, sha, "build"), built)
    return built


def image(op: Operation, sha: str) -> PushedImage:
    """Push the image (or find it pushed), scan it, check its label, sign it.

    `scan.blocked` says why it may not be deployed, if it may not. RefusedError when the gates did not pass
    or the label names another commit.
    """
    _check_quality(op, sha)
    repository = op.service.image.repository or op.service.name
    pushed = op.world.registry.find(repository, sha)
    if pushed is None:
        pushed = op.world.registry.push(build(op, sha), repository, sha, op.progress)
    label = pushed.labels.get(REVISION, "nothing")
    if label != sha:
        raise RefusedError(
            f"The image tagged {sha[:8]} was not taken", f"its label names {label}",
            f"Somebody else pushed it; delete the tag from {repository} and rerun.",
        )  # fmt: skip
    scan = op.world.registry.scan(pushed.image, op.progress)
    pushed = replace(pushed, scan=replace(scan, blocked=_blocked(scan, op.service.image.fail_on)))
    _attest(op, sha, pushed)
    op.world.artifacts.save(keys.of_commit(op.service.name, sha, "image"), pushed)
    if pushed.scan.blocked:
        telling.status(op, sha, "failure", f"image scan: {pushed.scan.blocked}")
        telling.notice(op, "gate", "", f"{op.service.name}: {sha[:8]} does not pass", pushed.scan.blocked)
    else:
        telling.status(op, sha, "success", "tested, built, scanned and signed")
    return pushed


def _run(op: Operation, gates: Sequence[GateSpec], folder: Path) -> tuple[GateResult, ...]:
    if not gates:
        return ()
    with ThreadPoolExecutor(max_workers=len(gates)) as pool:
        return tuple(pool.map(lambda gate: op.world.gates.run(gate, folder, op.progress), gates))


def _reasons(gates: Sequence[GateResult], minimum: float | None) -> tuple[str, ...]:
    """What stops the image: every gate that did not pass, by name; coverage that is too low or unknown."""
    reasons = [f"{g.name} {g.status}: {g.reason}" for g in gates if g.status is not GateStatus.PASSED]
    if minimum is None:
        return tuple(reasons)
    measured = [g.numbers["coverage"] for g in gates if "coverage" in g.numbers]
    if not measured:
        reasons.append(f"coverage was not measured, at least {minimum:g} % is asked for")
    elif max(measured) < minimum:
        reasons.append(f"coverage is {max(measured):g} %, at least {minimum:g} % is asked for")
    return tuple(reasons)


def _check_quality(op: Operation, sha: str) -> None:
    """The gates stand before the registry also when `image` is materialized alone."""
    report = op.world.artifacts.load(keys.of_commit(op.service.name, sha, "quality"), QualityReport)
    if not report.passed:
        raise RefusedError(
            f"The image of {sha[:8]} was not pushed",
            f"its gates did not pass: {'; '.join(report.reasons)}",
            "Mend it with a new commit.",
        )


def _blocked(scan: ScanReport, fail_on: str) -> str:
    """Why the scan's findings stop the image, from the named severity upwards; `none` lets all pass."""
    if fail_on == "none":
        return ""
    if scan.status not in ("COMPLETE", "ACTIVE"):
        return f"the scan ended as {scan.status}"
    counted = SEVERITIES[: SEVERITIES.index(fail_on.upper()) + 1]
    found = [f"{scan.findings[s]} {s.lower()}" for s in counted if scan.findings.get(s)]
    return f"{', '.join(found)} (allowed: below {fail_on})" if found else ""


def _attest(op: Operation, sha: str, pushed: PushedImage) -> None:
    """Sign where the image comes from, once per digest."""
    key = keys.of_commit(op.service.name, sha, "attestation")
    try:
        known = op.world.artifacts.load(key, Attestation)
        if not problem_of(known, op.service.name, sha, pushed.image):
            return
    except NotFoundError:
        pass
    payload = statement(op.service.name, op.service.repository.github, sha, pushed.image)
    signature = op.world.signer.sign(pre_authentication_encoding(payload))
    op.world.artifacts.save(key, Attestation(payload, signature))
    op.progress(f"signed {pushed.image.digest} with {signature.key_id}")
