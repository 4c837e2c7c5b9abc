"""A rollout that waits for a person, with a share of the traffic, is looked at once more (an alarm fired).

Only a failure ends the wait, and only backwards. Whatever else is seen, the answer is still a person's.
"""

from __future__ import annotations

from dataclasses import replace

from delivery.core.aborting import condemn
from delivery.core.analysis import Verdict, VerdictPhase
from delivery.core.ledger import LedgerRecord
from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.strategy import Pause
from delivery.errors import DeliveryError
from delivery.flows import judgement
from delivery.flows.driving import take_over
from delivery.flows.operation import Operation, contract_of
from delivery.flows.session import lock


def may_be_judged(rollout: Rollout | None) -> bool:
    """It stands, forward, with traffic in a slot of its own."""
    if rollout is None or rollout.phase is not RolloutPhase.PAUSED or rollout.traffic_at is None:
        return False
    return rollout.kind == "deploy" and not rollout.returning and not rollout.in_place


def judge_paused(op: Operation, record: LedgerRecord, rollout: Rollout) -> Verdict:
    """Every rule over its newest span. Failed: it is condemned, and its traffic returned at once.

    Inconclusive for anything else, and when a person's word came first: then whoever drives it judges it.
    """
    now = op.world.clock.now()
    try:
        seen = op.ports(contract_of(record)).target.observe()
        found = judgement.of_step(
            op.world, op.spec(record.environment), op.ports(contract_of(record)), record, _waiting(rollout),
            seen, now,
        )  # fmt: skip
    except DeliveryError as error:
        return Verdict(VerdictPhase.ERROR, f"could not look: {error}", now)
    if found is None:
        return Verdict(VerdictPhase.INCONCLUSIVE, f"paused ({rollout.reason}), and not in its slot", now)
    if found.phase is not VerdictPhase.FAILED:
        reason = f"paused ({rollout.reason}); by now {found.reason}"
        return replace(found, phase=VerdictPhase.INCONCLUSIVE, reason=reason)
    with lock(op, record.environment) as session:
        if not session.move(rollout, condemn(rollout, seen, found, now).rollout):
            return replace(found, phase=VerdictPhase.INCONCLUSIVE, reason="it went on meanwhile")
        op.progress(f"{record.environment}: {rollout.release.id} fails while it is paused: {found.reason}")
        take_over(session)
    return found


def _waiting(rollout: Rollout) -> Rollout:
    """As it is judged at a pause of its strategy: by what is newest, however long it stands."""
    steps = (*rollout.steps[: rollout.index], Pause(0.0, "stop"), *rollout.steps[rollout.index :])
    return replace(rollout, steps=steps, phase=RolloutPhase.PROGRESSING)
