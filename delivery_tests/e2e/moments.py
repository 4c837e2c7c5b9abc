"""The moments at which a run worker is killed, as calls that it makes; and what reached AWS, counted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs

from delivery.core.ledger import LedgerRecord
from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.strategy import Analyze, Bake
from delivery.core.target import ShiftTraffic
from delivery_tests.e2e.town import Plane, Town
from delivery_tests.e2e.wire import Call, Trap

#: Seconds after the beginning of a step that takes eight.
MIDDLE = 3.0


def canary_that_passes() -> list[Trap]:
    """Seven deaths of one rollout: more than the retries of one run, so that the backstop has to help."""
    return [
        Trap("launch: the revision is registered", lambda c, r: c.name == "RegisterTaskDefinition"),
        Trap("10 % is written down, not done", lambda c, r: _ordered(c) == 10),
        Trap("50 % is done, not answered", lambda c, r: c.name == "ModifyRule" and _going_to(r) == 50),
        Trap("analysis at 50 %", lambda c, r: _judging(c.ledger, Analyze, 50), MIDDLE),
        Trap("bake", lambda c, r: _judging(c.ledger, Bake, 100), MIDDLE),
        Trap("drain of the old slot", lambda c, r: _drains(c)),
        Trap("after health, before live", lambda c, r: _keeps_verdict(c)),
    ]


def canary_that_fails() -> list[Trap]:
    """Three deaths on the way back."""
    return [
        Trap("the verdict is written down", lambda c, r: _condemned(c)),
        Trap("traffic is ordered back", lambda c, r: c.name == "ModifyRule" and _going_to(r) == 0),
        Trap("rollback is being verified", lambda c, r: bool(c.ledger and c.ledger.quarantine)),
    ]


@dataclass(frozen=True, slots=True)
class Effects:
    """What was done to AWS for one release: how often, and each share of traffic in order."""

    registered: int
    launched: int
    shares: list[int]
    drained: int


def effects(plane: Plane, town: Town, service: str, since: datetime) -> Effects:
    """What reached AWS from this control plane. Whatever else was asked of ECS fails the count."""
    found = [call for call in plane.wire.about(service) if call.at >= since]
    updates = [json.loads(call.text) for call in found if call.name == "UpdateService"]
    launched = [u for u in updates if "taskDefinition" in u]
    drained = [u for u in updates if u.get("desiredCount") == 0]
    assert len(updates) == len(launched) + len(drained), updates
    registered = [call for call in found if call.name == "RegisterTaskDefinition"]
    return Effects(len(registered), len(launched), _shares(found, town.ledger(service)), len(drained))


def _shares(calls: list[Call], record: LedgerRecord) -> list[int]:
    """Every share of production traffic that the last rollout's slot was given, in order."""
    assert record.contract is not None and record.rollout is not None
    group, found = record.contract.target_groups[record.rollout.candidate], []
    for call in (call for call in calls if call.name == "ModifyRule"):
        asked = {name: values[0] for name, values in parse_qs(call.text).items()}
        if asked["RuleArn"] == record.contract.production_rule_arn:
            slot = next(name for name, value in asked.items() if value == group)
            found.append(int(asked[slot.removesuffix("TargetGroupArn") + "Weight"]))
    return found


def _drains(call: Call) -> bool:
    return call.name == "UpdateService" and json.loads(call.text).get("desiredCount") == 0


def _ordered(call: Call) -> int | None:
    """The share that this write of the ledger orders."""
    return _going_to(call.ledger)


def _going_to(record: LedgerRecord | None) -> int | None:
    pending = _rollout(record).pending if record and record.rollout else ()
    return next((a.percent for a in pending if isinstance(a, ShiftTraffic)), None)


def _condemned(call: Call) -> bool:
    if call.ledger is None or call.ledger.rollout is None:
        return False
    return call.ledger.rollout.condemned and call.ledger.rollout.phase is RolloutPhase.ABORTING


def _keeps_verdict(call: Call) -> bool:
    return call.name.startswith("PUT ") and call.name.endswith("/health.json")


def _judging(record: LedgerRecord | None, kind: type[Analyze | Bake], weight: int) -> bool:
    rollout = _rollout(record) if record and record.rollout else None
    return rollout is not None and isinstance(rollout.step, kind) and rollout.weight == weight


def _rollout(record: LedgerRecord | None) -> Rollout:
    assert record is not None and record.rollout is not None
    return record.rollout
