"""The quick way: a release that is known to be good goes without the shares of traffic in between.

Somebody has to ask for it, by `[quick]` in the commit's message or `delivery/quick: true` on the run, and it
is always told whether it was taken.
"""

from __future__ import annotations

from delivery.core.build import SourceSnapshot
from delivery.core.ledger import LedgerRecord, Outcome
from delivery.core.release import Release
from delivery.core.strategy import has_shares
from delivery.errors import NotFoundError
from delivery.flows import keys
from delivery.flows.operation import Operation
from delivery.flows.quarantine import refusal

MARK = "[quick]"
_GOOD = (Outcome.VERIFIED, Outcome.SUPERSEDED)


def way(op: Operation, record: LedgerRecord, release: Release) -> tuple[bool, str]:
    """Whether the quick way is taken, and why or why not; (False, "") when nobody asked."""
    by = _asked_by(op, release)
    if not by:
        return False, ""
    spec = op.spec(record.environment)
    if not has_shares(spec.strategy):
        return (
            False,
            f"quick ({by}): nothing to leave out, {spec.strategy.kind} gives no shares of the traffic",
        )
    refused = "the environment says `quick: never`" if spec.quick == "never" else ""
    known, why = _known_good(op, record, release) if not refused else (False, refused)
    if not known:
        return False, f"not quick ({by}), the full way is taken: {why}"
    return True, f"quick ({by}): no shares in between, {why}"


def _asked_by(op: Operation, release: Release) -> str:
    if op.quick:
        return "asked for by the run"
    key = keys.of_commit(op.service.name, release.commit, "source")
    try:
        message = op.world.artifacts.load(key, SourceSnapshot).commit.message
    except NotFoundError:
        return ""
    return f"{MARK} in the commit's message" if MARK in message.lower() else ""


def _known_good(op: Operation, record: LedgerRecord, release: Release) -> tuple[bool, str]:
    """Verified here, or in the environment it comes after; in quarantine nowhere."""
    after = op.spec(record.environment).after
    bad = refusal(op, record, release)
    if bad:
        return False, bad
    own = record.record_of(release.id)
    if own is not None:
        good = own.outcome in _GOOD
        if good and own.by_word:
            return False, "it was verified here by a person's word only"
        return good, f"it {'was verified' if good else 'ended as ' + own.outcome} here before"
    if after is None:
        return False, "it was never verified here, and comes after no other environment"
    if _verified(op.record(after.environment), release):
        return True, f"it was verified in {after.environment}"
    return False, f"it was never verified here nor in {after.environment}"


def _verified(there: LedgerRecord, release: Release) -> bool:
    """The newest record of this commit's image there is a good one, and measured. The task's template is each
    one's own."""
    same = [
        r
        for r in there.releases
        if r.release.commit == release.commit and r.release.image.digest == release.image.digest
    ]
    return bool(same) and same[-1].outcome in _GOOD and not same[-1].by_word
