"""ELBv2: load balancers get an address of their own, and target health is what was measured."""

from __future__ import annotations

from typing import Any

from moto.elbv2 import models
from moto.elbv2.models import ELBv2Backend, FakeTargetGroup

from delivery.sandbox.elb.targets import Targets


def own_addresses(prefix: str) -> None:
    """CreateLoadBalancer gives `<prefix>.<n>` as the DNS name: listeners can then have their real ports.

    Addresses are given out in turn, for a name is not given to another load balancer in AWS either.
    """
    create = ELBv2Backend.create_load_balancer
    last = [0]

    def create_load_balancer(self: ELBv2Backend, *args: Any, **kwargs: Any) -> Any:
        made = create(self, *args, **kwargs)
        taken = {lb.dns_name for lb in self.load_balancers.values()}
        turn = [(last[0] + step) % 254 + 1 for step in range(254)]
        last[0] = next(n for n in turn if f"{prefix}.{n}" not in taken)
        made.dns_name = f"{prefix}.{last[0]}"
        return made

    ELBv2Backend.create_load_balancer = create_load_balancer  # type: ignore[method-assign]


def measured_health(targets: Targets) -> None:
    """DescribeTargetHealth tells what the health checks found; moto calls every target healthy."""

    def health_for(
        self: FakeTargetGroup, target: dict[str, Any], ec2_backend: Any
    ) -> models.FakeHealthStatus:
        state, reason = targets.published(self.arn, target["Id"])
        port = target.get("Port", self.port)
        return models.FakeHealthStatus(target["Id"], port, self.health_check_port, state, reason or None)

    FakeTargetGroup.health_for = health_for  # type: ignore[method-assign]
