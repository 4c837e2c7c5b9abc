"""The verdict on a commit's release in one environment."""

from __future__ import annotations

from datetime import timedelta

from delivery.core import journal
from delivery.core.accepting import concluded
from delivery.core.analysis import Verdict, VerdictPhase
from delivery.core.judging import verdict_of, worse
from delivery.core.ledger import LedgerRecord, Outcome, ReleaseRecord
from delivery.core.release import Release
from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.standing import (
    failing,
    newest_failure,
    open_restoration,
    owed,
    settled_since,
    subject,
)
from delivery.errors import DeliveryError, NotFoundError, RefusedError
from delivery.flows import judgement, keys
from delivery.flows.operation import Operation, contract_of
from delivery.flows.patience import until_updated
from delivery.flows.paused import judge_paused, may_be_judged
from delivery.flows.records import change
from delivery.flows.session import patiently


def judge(op: Operation, environment: str, sha: str) -> Verdict:
    """Judge this commit's release and keep the verdict with its evidence.

    A condemned rollout has its verdict already; one that just succeeded is looked at once more; the live
    release is measured afresh. `Error` means could not look, after several tries: never a pass. A release
    that serves and is found bad is recorded as failed, so that its rollback cannot be forgotten. A rolling
    update in flight is waited for: it works in the very slot that is to be measured.
    """
    record = patiently(op, op.spec(environment), lambda: op.record(environment))
    release = subject(record, sha)
    if release is not None and _known(op, record, release) is None:
        record = until_updated(op, environment)
        release = subject(record, sha)
    if release is None:
        raise NotFoundError(
            f"{sha[:8]} cannot be judged in {environment}", "it was never deployed there",
            "Materialize `deployment` first.",
        )  # fmt: skip
    verdict = _known(op, record, release) or _measured(op, record, release)
    key = keys.of_environment(op.service.name, sha, environment, "health")
    patiently(op, op.spec(environment), lambda: op.world.artifacts.save(key, verdict))
    return verdict


def _known(op: Operation, record: LedgerRecord, release: Release) -> Verdict | None:
    """The verdict that stands: of a condemned rollout, of a failure whose rollback is not over, or of one
    that people have yet to hear of.

    A release that a person is taking off does not become healthy half way: the rollback is finished.
    """
    bad, begun = failing(record, release), open_restoration(record)
    if bad is None and begun is not None and begun.bad == release.id:
        return Verdict(VerdictPhase.FAILED, f"being taken off: {begun.reason}", op.world.clock.now())
    untold = owed(record, release)
    if untold is not None:
        return untold.verdict or Verdict(VerdictPhase.FAILED, untold.reason, untold.at)
    live = record.live is not None and record.live.id == release.id
    settled = bad is not None and settled_since(record, release.id, bad.at) is not None
    entry = newest_failure(record, release)
    if bad is None or (bad.late and live and settled and entry is not None and entry.told):
        return None  # a refused rollback left it live, and people know: measure again
    return bad.verdict or Verdict(VerdictPhase.FAILED, bad.reason, bad.at)


def _measured(op: Operation, record: LedgerRecord, release: Release) -> Verdict:
    rollout = record.rollout
    if record.in_flight is not None and record.in_flight.in_place:
        raise RefusedError(
            f"{release.id} cannot be judged in {record.environment}",
            f"the rolling update to {record.in_flight.release.id} is {record.in_flight.phase.lower()}",
            "Judge what is live when it has ended; a firing alarm has it judged then.",
        )  # fmt: skip
    ours = rollout if rollout is not None and rollout.release.id == release.id else None
    if record.live is not None and record.live.id == release.id and (ours is None or ours.phase.completed):
        return _remember(op, record.environment, release, _look(op, record, release, None))
    if ours is None:
        raise RefusedError(
            f"{release.id} cannot be judged in {record.environment}", "it is no longer what runs there",
            "Judge the live release.",
        )  # fmt: skip
    if ours.phase is RolloutPhase.SUCCEEDED:
        return _remember(op, record.environment, release, _look(op, record, release, ours))
    if may_be_judged(ours):
        return judge_paused(op, record, ours)
    if ours.phase is RolloutPhase.ABORTED:
        reason = f"given up without a judgement: {ours.reason}"
        return Verdict(VerdictPhase.INCONCLUSIVE, reason, op.world.clock.now())
    raise RefusedError(
        f"{release.id} cannot be judged in {record.environment}", f"its rollout is {ours.phase.lower()}",
        "Materialize `deployment` first.",
    )  # fmt: skip


def _look(op: Operation, record: LedgerRecord, release: Release, rollout: Rollout | None) -> Verdict:
    """Measure, again while it is only that we cannot look."""
    spec, clock = op.spec(record.environment), op.world.clock
    verdict = _look_once(op, record, release, rollout)
    for attempt in range(1, spec.limits.error_budget + 1):
        if verdict.phase is not VerdictPhase.ERROR:
            break
        op.progress(f"could not look ({attempt} of {spec.limits.error_budget}): {verdict.reason}")
        clock.sleep_until(clock.now() + timedelta(seconds=spec.limits.tick * 2 ** min(attempt, 4)))
        verdict = _look_once(op, record, release, rollout)
    return verdict


def _look_once(op: Operation, record: LedgerRecord, release: Release, rollout: Rollout | None) -> Verdict:
    """One look: the rollout's final verdict and the targets now, or (without a rollout) every rule now."""
    world, spec, ports = op.world, op.spec(record.environment), op.ports(contract_of(record))
    now = world.clock.now()
    try:
        seen = ports.target.observe()
        slot = seen.slot(seen.stable)
        if slot.release != release.id:
            reason = f"{slot.release or 'nothing'} serves in {slot.slot}, not {release.id}"
            return Verdict(VerdictPhase.INCONCLUSIVE, reason, now)
        if rollout is None or rollout.verdict is None:
            return judgement.of_live(world, spec, ports, record, seen, now)
        last, fresh = rollout.verdict, judgement.of_targets(world, spec, ports, record, seen, now)
    except DeliveryError as error:
        return Verdict(VerdictPhase.ERROR, f"could not look: {error}", now)
    again = {r.rule for r in fresh.results}
    results = (*(r for r in last.results if r.rule not in again), *fresh.results)
    if rollout.accepted:
        return concluded(verdict_of(results, now), rollout)
    verdict = worse(last, fresh)
    return Verdict(verdict.phase, verdict.reason, now, results)


def _remember(op: Operation, environment: str, release: Release, verdict: Verdict) -> Verdict:
    """Record the failure of a release that serves; it keeps its place until a rollback has ended."""

    def failed(record: LedgerRecord) -> LedgerRecord:
        live = record.live is not None and record.live.id == release.id
        last = record.rollout is not None and record.rollout.release.id == release.id
        newest = record.record_of(release.id)
        if not (live or last) or (newest is not None and newest.verdict == verdict):
            return record
        entry = ReleaseRecord(release, Outcome.FAILED, verdict.judged_at, verdict.reason, op.run_id, verdict)
        return journal.record_outcome(record, entry)

    if verdict.phase is VerdictPhase.FAILED:
        change(op, environment, failed)
    return verdict
