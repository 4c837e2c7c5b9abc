"""The bounds autoscaling works in: they move with the traffic, so that the count never has to be reset.

Source: "Register scalable targets", Application Auto Scaling user guide. Only targets that exist are
changed: an environment without autoscaling stays without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from delivery.adapters.aws.errors import translated
from delivery.adapters.aws.session import Aws
from delivery.core.infra import DeployContract
from delivery.core.release import Slot

Bounds = tuple[int, int]
_DIMENSION = "ecs:service:DesiredCount"


class Capacity:
    """The scalable targets of both slots."""

    def __init__(self, aws: Aws, contract: DeployContract) -> None:
        self._aws, self._contract = aws, contract

    def bound(self, bounds: Mapping[Slot, Bounds]) -> None:
        """Set lowest and highest count of the slots named, where they are not so already."""
        present = self._present()
        for slot, (low, high) in bounds.items():
            resource = self._resource(slot)
            if present.get(resource, (low, high)) == (low, high):
                continue
            with translated(f"The autoscaling bounds of {self._contract.services[slot]} could not be set"):
                self._client.register_scalable_target(
                    ServiceNamespace="ecs", ResourceId=resource, ScalableDimension=_DIMENSION,
                    MinCapacity=low, MaxCapacity=high,
                )  # fmt: skip

    def _present(self) -> dict[str, Bounds]:
        with translated(f"The autoscaling of {self._contract.service} could not be read"):
            answer = self._client.describe_scalable_targets(
                ServiceNamespace="ecs",
                ResourceIds=[self._resource(slot) for slot in Slot],
                ScalableDimension=_DIMENSION,
            )
        return {t["ResourceId"]: (t["MinCapacity"], t["MaxCapacity"]) for t in answer["ScalableTargets"]}

    @property
    def _client(self) -> Any:
        return self._aws.client("application-autoscaling")

    def _resource(self, slot: Slot) -> str:
        return f"service/{self._contract.cluster}/{self._contract.services[slot]}"


def bounds_for(weight: int, count: int, lowest: int, highest: int) -> Bounds:
    """Lowest and highest count of a slot with `weight` percent of the traffic and `count` tasks wanted.

    With all the traffic autoscaling is free within the reviewed bounds. With less it may add tasks but
    not take any away: an idle candidate must not shrink before its traffic comes, nor the old slot before
    it is sure that its traffic will not come back. A slot nobody wants is parked.
    """
    if weight == 0 and count == 0:
        return 0, 0
    low = lowest if weight == 100 else max(lowest, count)
    return low, max(highest, count)
