"""How it ended, written where people and later decisions look: ledger, commit status, notice."""

from __future__ import annotations

from delivery.core import journal
from delivery.core.analysis import Verdict, VerdictPhase
from delivery.core.ledger import LedgerRecord, Outcome, ReleaseRecord, Restoration
from delivery.core.release import Release
from delivery.core.rollout import RolloutPhase
from delivery.core.standing import Failing, failing, newest_failure, on_record, owed, subject
from delivery.errors import DeploymentFailedError, NotFoundError, RefusedError
from delivery.flows import keys, telling
from delivery.flows.operation import Operation
from delivery.flows.records import change
from delivery.flows.session import patiently


def verdict_of(op: Operation, environment: str, sha: str) -> Verdict:
    """The verdict that `health` left for this commit; NotFoundError before it was judged."""
    key = keys.of_environment(op.service.name, sha, environment, "health")
    return patiently(op, op.spec(environment), lambda: op.world.artifacts.load(key, Verdict))


def live(op: Operation, environment: str, sha: str) -> ReleaseRecord:
    """Record this commit's release as verified good, and tell people.

    RefusedError unless its rollout succeeded *and* its health was judged Successful since then. Done twice,
    it says the same and tells nobody again.
    """
    verdict = verdict_of(op, environment, sha)
    now = op.world.clock.now()

    def verified(record: LedgerRecord) -> LedgerRecord:
        release = _healthy(record, sha, verdict)
        newest = record.record_of(release.id)
        known = newest is not None and newest.outcome is Outcome.VERIFIED and _is_live(record, release)
        if known and newest is not None and (verdict.by_word or not newest.by_word):
            return record  # a measured verdict takes the place of a person's word
        entry = ReleaseRecord(release, Outcome.VERIFIED, now, verdict.reason, op.run_id, verdict)
        return journal.record_outcome(record, entry)

    record = change(op, environment, verified)
    entry = record.record_of(record.live.id) if record.live else None
    assert entry is not None  # `verified` has just made it so, or refused
    _announce(op, environment, entry)
    return entry


def catch_up(op: Operation, environment: str, sha: str) -> None:
    """Tell people that this commit's release is live, if a killed run recorded it and told nobody."""
    record = op.record(environment)
    ours = record.live is not None and record.live.commit == sha
    entry = record.record_of(record.live.id) if record.live is not None and ours else None
    if entry is not None and entry.outcome is Outcome.VERIFIED and not entry.told:
        _announce(op, environment, entry)


def incident(op: Operation, environment: str, sha: str) -> DeploymentFailedError:
    """Record the failure, tell people its cause and what was done; returns the error for a red run."""
    record = op.record(environment)
    release = subject(record, sha)
    if release is None:
        raise NotFoundError(
            f"{sha[:8]} has no incident in {environment}", "it was never deployed there", "Look at its run."
        )
    bad = failing(record, release)
    if bad is not None and not on_record(record, bad):
        record = change(op, environment, lambda r: _failed(r, bad, op))
    cause = bad or owed(record, release)
    reason = cause.reason if cause else _given_up(record, release)
    error = DeploymentFailedError(
        f"{op.service.name} {environment}: the release {release.id} failed",
        f"{reason}; {_what_was_done(record.restoration_of(release.id))}",
        "Mend it with a new commit; this image stays in quarantine." if bad else "Rerun from `deployment`.",
    )
    telling.status(op, sha, "failure", reason, environment)
    entry = newest_failure(record, release)
    if entry is not None:
        _tell(op, environment, entry, "incident", error.what, f"{error.why}. {error.hint}")
    else:
        telling.notice(op, "incident", environment, error.what, f"{error.why}. {error.hint}")
    return error


def _healthy(record: LedgerRecord, sha: str, verdict: Verdict) -> Release:
    """The commit's release, if it may be called live."""
    release = subject(record, sha)
    what = f"{release.id if release else sha[:8]} was not recorded as live in {record.environment}"
    if release is None:
        raise RefusedError(what, "it was never deployed there", "Materialize `deployment` first.")
    if verdict.phase is not VerdictPhase.SUCCESSFUL:
        why = f"its health is {verdict.phase}: {verdict.reason}"
        raise RefusedError(what, why, "Materialize `health` again when the cause is gone.")
    rollout = record.rollout
    ours = rollout is not None and rollout.release.id == release.id
    if rollout is not None and ours and verdict.judged_at < rollout.started_at:
        raise RefusedError(what, "its verdict is older than its rollout", "Materialize `health` again.")
    done = rollout is not None and ours and rollout.phase is RolloutPhase.SUCCEEDED
    if not done and not _is_live(record, release):
        raise RefusedError(what, "its rollout did not succeed", "Rerun from `deployment`.")
    bad = newest_failure(record, release)
    if bad is not None and bad.verdict is not None and bad.verdict.judged_at >= verdict.judged_at:
        raise RefusedError(what, f"it failed since: {bad.reason}", "Materialize `health` again.")
    return release


def _is_live(record: LedgerRecord, release: Release) -> bool:
    return record.live is not None and record.live.id == release.id


def _announce(op: Operation, environment: str, entry: ReleaseRecord) -> None:
    by = " by a person's word" if entry.by_word else ""
    text = f"{entry.release.id} is live and verified{by}"
    telling.status(op, entry.release.commit, "success", text, environment)
    title = f"{op.service.name} {environment}: {text}"
    _tell(op, environment, entry, "live", title, entry.reason)


def _failed(record: LedgerRecord, bad: Failing, op: Operation) -> LedgerRecord:
    if on_record(record, bad):
        return record
    now = op.world.clock.now()
    entry = ReleaseRecord(bad.release, Outcome.FAILED, now, bad.reason, op.run_id, bad.verdict)
    return journal.record_outcome(record, entry)


def _given_up(record: LedgerRecord, release: Release) -> str:
    rollout = record.rollout
    if rollout is not None and rollout.release.id == release.id:
        return f"its rollout is {rollout.phase.lower()}: {rollout.reason}"
    return "it was not judged bad"


def _what_was_done(restoration: Restoration | None) -> str:
    if restoration is None:
        return "nothing was rolled back yet"
    if restoration.refused:
        return f"not rolled back: {restoration.refused}"
    if restoration.finished_at is None:
        return f"the rollback to {restoration.good} has not ended"
    seconds = (restoration.finished_at - restoration.started_at).total_seconds()
    return f"restored to {restoration.good} in {seconds:.0f} s"


def _tell(op: Operation, environment: str, entry: ReleaseRecord, kind: str, title: str, body: str) -> None:
    """Send a notice of this outcome, unless that was done before; at least once, whatever is killed."""
    if entry.told:
        return
    telling.notice(op, kind, environment, title, body)
    change(op, environment, lambda record: journal.mark_told(record, entry))
