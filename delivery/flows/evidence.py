"""The verdict that was kept of a commit in an environment, wherever it is."""

from __future__ import annotations

from delivery.core.analysis import Verdict
from delivery.core.ledger import LedgerRecord
from delivery.errors import NotFoundError
from delivery.flows import keys
from delivery.flows.operation import Operation


def kept_verdict(op: Operation, environment: str, commit: str | None = None) -> tuple[str, Verdict]:
    """The full sha and its newest verdict: of its health, or of its rollout (still on its way, or ended).

    Without a commit it is the one of the last rollout, or else the live one. A commit may be shortened to 4
    characters or more. NotFoundError where nothing was judged.
    """
    record = op.record(environment)
    sha = _sha(op.service.name, record, commit)
    found = []
    key = keys.of_environment(op.service.name, sha, environment, "health")
    if op.world.artifacts.exists(key):
        found.append(op.world.artifacts.load(key, Verdict))
    rollout = record.rollout
    if rollout is not None and rollout.release.commit == sha and rollout.verdict is not None:
        found.append(rollout.verdict)
    if not found:
        raise NotFoundError(
            f"{sha[:8]} has no verdict in {environment}", "it was not judged there yet",
            f"Look with `delivery status {op.service.name}`.",
        )  # fmt: skip
    return sha, max(found, key=lambda verdict: verdict.judged_at)


def _sha(service: str, record: LedgerRecord, commit: str | None) -> str:
    rollout, live = record.rollout, record.live
    newest = rollout.release.commit if rollout else live.commit if live else None
    if commit is None and newest is not None:
        return newest
    known = {entry.release.commit for entry in record.releases} | ({newest} if newest else set())
    fits = sorted(sha for sha in known if commit and len(commit) >= 4 and sha.startswith(commit))
    if len(fits) == 1:
        return fits[0]
    if commit is not None and len(commit) == 40 and not fits:
        return commit
    told = ", ".join(sorted(sha[:12] for sha in fits or known)) or "none"
    raise NotFoundError(
        f"There is no verdict of {commit or 'any commit'} in {service}/{record.environment}",
        f"it fits {len(fits)} of the commits deployed there, which are: {told}",
        "Name one of them.",
    )
