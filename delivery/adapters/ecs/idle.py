"""A look at a target that may be a while old, put together of looks that all workers share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from delivery.adapters.aws.shared import Answer, SharedReads
from delivery.adapters.aws.shared.kinds import HEALTH, RULES, SERVICES, WARM
from delivery.adapters.ecs.observe import is_suspicious
from delivery.adapters.ecs.services import Service, completed, settled
from delivery.adapters.ecs.traffic import Rules, Traffic
from delivery.core.infra import DeployContract
from delivery.core.release import Slot


@dataclass(frozen=True, slots=True)
class Seen:
    """What AWS said at most `age` seconds ago, in its own words. `targets` are those of the slots in use."""

    rules: Rules
    services: dict[Slot, Service]
    targets: dict[Slot, list[dict[str, Any]]]
    age: float


class IdleLooks:
    """Shared looks at one environment."""

    def __init__(self, reads: SharedReads, contract: DeployContract) -> None:
        self._reads, self._contract = reads, contract

    def look(self, within: float) -> Seen | None:
        """Both slots as they were; None when that is not enough: something is gone, moves or looks wrong.

        A slot without traffic is only looked after every few minutes, and does not count for the age.
        """
        contract = self._contract
        arns = (contract.production_rule_arn, contract.preview_rule_arn)
        told = self._reads.read(RULES, dict.fromkeys(arns, ""), within)
        names = {slot: f"{contract.cluster}/{contract.services[slot]}" for slot in Slot}
        found = self._reads.read(SERVICES, dict.fromkeys(names.values(), ""), within)
        answers = [*told.values(), *found.values()]
        if any(answer.value is None for answer in answers):
            return None
        rules = Rules(*(told[arn].value for arn in arns))
        services: dict[Slot, Service] = {slot: found[name].value for slot, name in names.items()}
        if not all(_quiet(service) for service in services.values()):
            return None
        healths = self._healths(rules, services, within)
        if any(answer.value is None for answer in healths.values()):
            return None
        busy = Traffic.shares(rules, contract)
        answers += [answer for slot, answer in healths.items() if busy[slot]]
        age = max(0.0, self._reads.now() - min(answer.asked for answer in answers))
        return Seen(rules, services, {slot: answer.value for slot, answer in healths.items()}, age)

    def _healths(self, rules: Rules, services: dict[Slot, Service], within: float) -> dict[Slot, Answer]:
        """Of every slot in use, often of those with traffic."""
        shares, groups = Traffic.shares(rules, self._contract), self._contract.target_groups
        found: dict[Slot, Answer] = {}
        for slot in Slot:
            if shares[slot] > 0:
                found[slot] = self._reads.read(HEALTH, {groups[slot]: ""}, within)[groups[slot]]
            elif int(services[slot]["desiredCount"]) > 0:
                found[slot] = self._reads.read(WARM, {groups[slot]: ""}, within)[groups[slot]]
        return found


def _quiet(service: Service) -> bool:
    """Nothing of it fails, comes or goes."""
    return settled(service) and completed(service) and not is_suspicious(service)
