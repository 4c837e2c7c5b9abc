"""A digest that was judged bad in one environment is refused in all of them, until a person lifts it."""

from __future__ import annotations

from collections.abc import Iterator

from delivery.core.advance import could_not_look
from delivery.core.ledger import LedgerRecord, Quarantine
from delivery.core.release import Release
from delivery.core.rollout import Decision, Rollout, RolloutPhase, give_up
from delivery.core.target import ShiftTraffic
from delivery.errors import DeliveryError, RefusedError
from delivery.flows.operation import Operation


def refusal(op: Operation, record: LedgerRecord, release: Release) -> str:
    """Why this release may not go forward in `record`'s environment; empty if it may.

    Its commit counts as well as its digest: built again it is another digest with the same faults.
    ProviderError when an environment's ledger cannot be read: could not look is not "none is there".
    """
    for name, other in _records(op, record):
        for bad in other.quarantine:
            if bad.digest == release.image.digest:
                return f"its image is quarantined in {name} {_since(bad)}"
            if bad.commit == release.commit:
                return f"another image of the same commit is quarantined in {name} {_since(bad)}"
    return ""


def refuse_quarantined(op: Operation, record: LedgerRecord) -> None:
    """RefusedError when the rollout in flight would go forward with an image that is in quarantine."""
    rollout = record.in_flight
    if rollout is None or rollout.kind == "restore" or rollout.returning:
        return
    why = refusal(op, record, rollout.release)
    if why:
        name = f"{record.service} {record.environment}"
        what = f"The rollout of {rollout.release.id} was not continued"
        raise RefusedError(what, why, f"Give it up: `delivery abort {name}`.")


def unless_quarantined(op: Operation, record: LedgerRecord, rollout: Rollout, decision: Decision) -> Decision:
    """The decision; but what was refused since it began gets no further share, it is given up.

    Asked once per share, before it is ordered: the other environments' ledgers are read for it.
    """
    new = [action for action in decision.actions if action not in rollout.pending]
    goes = rollout.kind == "deploy" and rollout.phase is RolloutPhase.PROGRESSING
    if not goes or decision.rollout.returning or not any(isinstance(a, ShiftTraffic) for a in new):
        return decision
    now = op.world.clock.now()
    try:
        why = refusal(op, record, rollout.release)
    except DeliveryError as error:
        return could_not_look(rollout, str(error), now)
    return Decision(give_up(rollout, why, now), (), why, now) if why else decision


def elsewhere(op: Operation, environment: str) -> frozenset[str]:
    """The digests that the service's other environments refuse: nothing to go back to either.

    An environment whose ledger cannot be read is told and passed over: a way back does not wait for it.
    """
    found: set[str] = set()
    for spec in op.service.environments:
        if spec.name == environment:
            continue
        try:
            found |= {bad.digest for bad in op.record(spec.name).quarantine}
        except DeliveryError as error:
            op.progress(f"what is in quarantine in {spec.name} is not known: {error}")
    return frozenset(found)


def _records(op: Operation, record: LedgerRecord) -> Iterator[tuple[str, LedgerRecord]]:
    for environment in op.service.environments:
        here = environment.name == record.environment
        yield environment.name, record if here else op.record(environment.name)


def _since(bad: Quarantine) -> str:
    return f"since {bad.at:%Y-%m-%d %H:%M} UTC by {bad.by}: {bad.reason}"
