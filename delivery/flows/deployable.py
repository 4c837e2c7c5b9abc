"""What may be deployed: a signed digest of this very commit that nobody has refused, and nothing older."""

from __future__ import annotations

from delivery.core.attestation import Attestation, problem_of
from delivery.core.build import PushedImage, SourceSnapshot
from delivery.core.ledger import LedgerRecord, Outcome
from delivery.core.release import Commit, Release
from delivery.errors import NotFoundError, RefusedError
from delivery.flows import keys
from delivery.flows.operation import Operation, contract_of
from delivery.flows.quarantine import refusal
from delivery.flows.session import patiently

REVISION = "org.opencontainers.image.revision"


def release_for(op: Operation, record: LedgerRecord, sha: str) -> tuple[Release, PushedImage]:
    """The release that this commit's image and the reviewed infrastructure make."""
    contract = contract_of(record)
    key = keys.of_commit(op.service.name, sha, "image")
    pushed = patiently(op, op.spec(record.environment), lambda: op.world.artifacts.load(key, PushedImage))
    return Release(op.service.name, sha, pushed.image, contract.template), pushed


def check_image(op: Operation, release: Release, pushed: PushedImage) -> None:
    """RefusedError unless the image is labelled with its commit, scanned, signed by us and still there."""
    what = f"{release.id} was not deployed"
    if pushed.labels.get(REVISION) != release.commit:
        label = pushed.labels.get(REVISION, "nothing")
        raise RefusedError(what, f"its label names {label}, not its commit", "Rerun the asset `image`.")
    if pushed.scan.blocked:
        raise RefusedError(what, f"its scan blocks it: {pushed.scan.blocked}", "Mend it with a new commit.")
    problem = _signature_problem(op, release)
    if problem:
        raise RefusedError(what, problem, "Rerun the asset `image`, which signs what it pushed.")
    if not op.world.registry.exists(release.image):
        why = f"the registry no longer has {release.image.digest}"
        raise RefusedError(what, why, "Rerun the asset `image`.")


def check_before(op: Operation, record: LedgerRecord, release: Release) -> None:
    """RefusedError when a task is to run before the switch and nobody knows in which network."""
    if op.spec(record.environment).before is not None and not contract_of(record).subnets:
        raise RefusedError(
            f"{release.id} was not deployed to {record.environment}",
            "its task before the switch has no network: the deploy contract is from before such tasks",
            "Rerun the assets `plan` and `infrastructure`.",
        )


def check_ledger(op: Operation, record: LedgerRecord, release: Release) -> None:
    """RefusedError when the ledger says no: a hold, a quarantine anywhere, a newer commit already live."""
    what = f"{release.id} was not deployed to {record.environment}"
    if record.hold:
        why = f"deployments are held since {record.hold.since:%Y-%m-%d %H:%M} UTC: {record.hold.reason}"
        raise RefusedError(what, why, "Lift the hold when the reason is gone.")
    bad = refusal(op, record, release)
    if bad:
        raise RefusedError(what, bad, "Deploy a mended commit, or lift the quarantine.")
    older = _older(op, record, release)
    if older:
        raise RefusedError(what, older, "Revert by a new commit, or roll back to go to an earlier release.")


def _signature_problem(op: Operation, release: Release) -> str:
    key = keys.of_commit(op.service.name, release.commit, "attestation")
    try:
        attestation = op.world.artifacts.load(key, Attestation)
    except NotFoundError:
        return "its image is not signed"
    problem = problem_of(attestation, op.service.name, release.commit, release.image)
    if problem:
        return problem
    if not op.world.signer.verify(attestation.signed_bytes, attestation.signature):
        return "the signature of its attestation is not ours"
    return ""


def _older(op: Operation, record: LedgerRecord, release: Release) -> str:
    """Why this commit counts as older than the live one or the one on its way; empty if it does not."""
    entry = record.record_of(release.id)
    if record.live is not None and entry is not None and entry.outcome is Outcome.SUPERSEDED:
        return f"it was live before {record.live.id} replaced it"
    moving = record.in_flight
    if moving is not None and moving.kind == "deploy":
        older = _before(op, release.commit, moving.release.commit, "the one on its way")
        if older:
            return older
    return _before(op, release.commit, record.live.commit, "the live") if record.live is not None else ""


def _before(op: Operation, sha: str, other: str, which: str) -> str:
    """Why commit `sha` is older than `other`, by parents and dates; empty if it is not or cannot be told."""
    if sha == other:
        return ""
    mine, theirs = _commit(op, sha), _commit(op, other)
    if mine is None or theirs is None:
        op.progress(f"cannot tell whether {sha[:8]} is older than {which} {other[:8]}")
        return ""
    if theirs.sha in mine.parents:
        return ""  # whatever the clocks of their authors say
    if mine.sha in theirs.parents or mine.committed_at < theirs.committed_at:
        return f"{mine.sha[:8]} ({mine.committed_at:%Y-%m-%d %H:%M}) is older than {which} {theirs.sha[:8]}"
    return ""


def _commit(op: Operation, sha: str) -> Commit | None:
    try:
        return op.world.artifacts.load(keys.of_commit(op.service.name, sha, "source"), SourceSnapshot).commit
    except NotFoundError:
        pass
    try:
        return op.world.source.snapshot(op.service.repository, sha).commit
    except NotFoundError:
        return None  # a force push took it
