"""Who gets the traffic: the weights of the production rule, and the slot the preview rule reaches.

We own the forward action of both rules and nothing else of them: other actions, conditions and stickiness
stay as they are. Source: "Listener rules for your Application Load Balancer", ELB user guide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from delivery.adapters.aws.errors import translated
from delivery.adapters.aws.session import Aws
from delivery.core.infra import DeployContract
from delivery.core.release import Slot
from delivery.errors import ConflictError, NotFoundError, RefusedError

Rule = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rules:
    """Both rules as ELB describes them, read in one call."""

    production: Rule
    preview: Rule


class Traffic:
    """The two rules of one environment."""

    def __init__(self, aws: Aws, contract: DeployContract) -> None:
        self._aws, self._contract = aws, contract

    @property
    def _elb(self) -> Any:
        return self._aws.client("elbv2")

    def rules(self) -> Rules:
        """Both rules now; NotFoundError when one is gone."""
        wanted = (self._contract.production_rule_arn, self._contract.preview_rule_arn)
        what = f"The listener rules of {self._contract.service} could not be read"
        with translated(what):
            answer = self._elb.describe_rules(RuleArns=list(wanted))
        found = {rule["RuleArn"]: rule for rule in answer["Rules"]}
        missing = [arn for arn in wanted if arn not in found]
        if missing:
            raise NotFoundError(what, f"{missing[0]} does not exist", "Rerun the asset `infrastructure`.")
        return Rules(found[wanted[0]], found[wanted[1]])

    def weights(self, rules: Rules) -> dict[Slot, int]:
        """Percent of production traffic per slot."""
        return self.shares(rules, self._contract)

    @staticmethod
    def shares(rules: Rules, contract: DeployContract) -> dict[Slot, int]:
        """The same, of rules that were read before."""
        return weights_of(rules.production["Actions"], contract.target_groups)

    def preview(self, rules: Rules) -> Slot | None:
        """The slot the preview rule reaches; None when it reaches neither."""
        shares = weights_of(rules.preview["Actions"], self._contract.target_groups)
        return max(Slot, key=lambda s: shares[s]) if any(shares.values()) else None

    def health(self, slot: Slot) -> list[dict[str, Any]]:
        """Every target of the slot with its health, as the load balancer sees it now."""
        with translated(f"The health of the {slot} targets could not be read"):
            answer = self._elb.describe_target_health(TargetGroupArn=self._contract.target_groups[slot])
        return list(answer["TargetHealthDescriptions"])

    def give(self, weights: Mapping[Slot, int], rules: Rules, wanted: Mapping[Slot, int]) -> None:
        """Set the production weights, unless they are so already. `wanted`: the slots' desired counts.

        RefusedError when the slot that would gain traffic has no healthy target and the other has one.
        Where nothing answers at all, traffic may be returned to the slot that is to serve it again.
        """
        now = self.weights(rules)
        if now == dict(weights):
            return
        for slot in Slot:
            if weights[slot] > now[slot]:
                self._guard(slot, weights[slot], wanted[slot])
        self._modify(rules.production, weights)

    def reach(self, slot: Slot, rules: Rules) -> None:
        """Point the preview rule at the slot, unless it is so already."""
        weights = {slot: 100, slot.other: 0}
        if weights_of(rules.preview["Actions"], self._contract.target_groups) != weights:
            self._modify(rules.preview, weights)

    def _guard(self, slot: Slot, percent: int, wanted: int) -> None:
        """A slot scaled to nothing is refused although its targets still look healthy: ECS takes a while
        to take them out."""
        targets = self.health(slot)
        if (wanted > 0 and _answers(targets)) or not _answers(self.health(slot.other)):
            return
        counted = f"none of its {len(targets)} targets is healthy" if wanted else "it is scaled to nothing"
        raise RefusedError(
            f"{percent} % of the traffic was not given to {slot}", counted,
            "Launch a release there and wait until its targets are healthy.",
        )  # fmt: skip

    def _modify(self, rule: Rule, weights: Mapping[Slot, int]) -> None:
        """Write the action, and read back from the answer what ELB made of it."""
        what = f"The traffic of {self._contract.service} could not be shifted"
        actions = with_weights(rule["Actions"], weights, self._contract.target_groups)
        if actions is None:
            raise RefusedError(
                what, "its rule has no forward action any more, somebody replaced it",
                f"Give {rule['RuleArn']} a forward action again.",
            )  # fmt: skip
        with translated(what):
            answer = self._elb.modify_rule(RuleArn=rule["RuleArn"], Actions=actions)
        written = weights_of(answer["Rules"][0]["Actions"], self._contract.target_groups)
        if written != dict(weights):
            raise ConflictError(what, f"asked for {_told(weights)}, found {_told(written)}", "Look again.")


def _answers(targets: Sequence[dict[str, Any]]) -> bool:
    return any(state_of(t) == "healthy" for t in targets)


def state_of(target: dict[str, Any]) -> str:
    """The state of one target, e.g. `healthy`, `initial`, `draining`."""
    return str(target["TargetHealth"]["State"])


def weights_of(actions: Sequence[dict[str, Any]], groups: Mapping[str, str]) -> dict[Slot, int]:
    """Percent per slot of a rule's forward action. ELB's weights are relative, from 0 to 999.

    A slot with any weight has at least 1 %: traffic is never rounded away.
    """
    forward = next((a for a in actions if a["Type"] == "forward"), {})
    listed = (forward.get("ForwardConfig") or {}).get("TargetGroups")
    if not listed:
        listed = [{"TargetGroupArn": forward["TargetGroupArn"]}] if forward.get("TargetGroupArn") else []
    raw: dict[str, int] = {}
    for entry in listed:
        raw[entry["TargetGroupArn"]] = int(entry.get("Weight", 1))
    total, mine = sum(raw.values()), {slot: raw.get(groups[slot], 0) for slot in Slot}
    if not total:
        return dict.fromkeys(Slot, 0)
    shares = {slot: max(1, round(100 * w / total)) if w else 0 for slot, w in mine.items()}
    if sum(mine.values()) == total and all(mine.values()):
        larger = max(Slot, key=lambda s: mine[s])
        shares[larger] = 100 - shares[larger.other]
    return shares


def with_weights(
    actions: Sequence[dict[str, Any]], weights: Mapping[Slot, int], groups: Mapping[str, str]
) -> list[dict[str, Any]] | None:
    """The actions with other weights in their forward action; None when there is none."""
    if not any(a["Type"] == "forward" for a in actions):
        return None
    return [_weighted(a, weights, groups) if a["Type"] == "forward" else a for a in actions]


def _weighted(
    action: dict[str, Any], weights: Mapping[Slot, int], groups: Mapping[str, str]
) -> dict[str, Any]:
    config: dict[str, Any] = {
        "TargetGroups": [{"TargetGroupArn": groups[slot], "Weight": weights[slot]} for slot in Slot]
    }
    stickiness = (action.get("ForwardConfig") or {}).get("TargetGroupStickinessConfig")
    if stickiness:
        config["TargetGroupStickinessConfig"] = stickiness
    kept = {key: value for key, value in action.items() if key not in ("TargetGroupArn", "ForwardConfig")}
    return {**kept, "ForwardConfig": config}


def _told(weights: Mapping[Slot, int]) -> str:
    return " / ".join(f"{slot} {weights[slot]} %" for slot in Slot)
