"""ELBv2: load balancers get an address of their own, and target health is what was measured."""

from __future__ import annotations

from typing import Any

from moto.elbv2 import models
from moto.elbv2.models import ELBv2Backend, FakeTargetGroup

from delivery.sandbox.elb.targets import Targets


def own_addresses(prefix: str) -> None:
    """CreateLoadBalancer gives `<prefix>.<n>` as the DNS name: listeners can then have their real ports."""
    create = ELBv2Backend.create_load_balancer

    def create_load_balancer(self: ELBv2Backend, *args: Any, **kwargs: Any) -> Any:
        made = create(self, *args, **kwargs)
        taken = {lb.dns_name for lb in self.load_balancers.values()}
        made.dns_name = next(a for a in (f"{prefix}.{n}" for n in range(1, 255)) if a not in taken)
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
