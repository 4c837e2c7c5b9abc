"""ELBv2: load balancers get an address of their own; targets are really registered, and what was measured."""

from __future__ import annotations

import ipaddress
from typing import Any

from moto.elbv2 import models
from moto.elbv2.exceptions import (
    ELBClientError,
    InvalidTargetError,
    TargetGroupNotFoundError,
    ValidationError,
)
from moto.elbv2.models import ELBv2Backend, FakeTargetGroup

from delivery.sandbox.elb.health import NOT_REGISTERED
from delivery.sandbox.elb.targets import Targets
from delivery.sandbox.elb.usage import used_groups
from delivery.sandbox.patches import elbv2_rules, elbv2_settings


def install(prefix: str, targets: Targets) -> None:
    """All of ELBv2's patches."""
    own_addresses(prefix)
    measured_health(targets)
    registered_targets(targets)
    true_associations()
    protected_from_deletion()
    elbv2_rules.checked_conditions()
    elbv2_rules.checked_actions()
    elbv2_rules.one_balancer_per_group()
    elbv2_rules.ordered_rules()
    elbv2_rules.checked_rules()
    elbv2_rules.deleted_rules()
    elbv2_rules.exchanged_priorities()
    elbv2_settings.checked_attributes()
    elbv2_settings.checked_health_checks()
    elbv2_settings.named_resources()
    elbv2_settings.known_tags()
    elbv2_settings.groups_of_idle_balancers()
    elbv2_settings.lists_in_pages()


def own_addresses(prefix: str) -> None:
    """CreateLoadBalancer gives `<prefix>.<n>` as the DNS name: listeners can then have their real ports.

    Addresses are given out in turn, for a name is not given to another load balancer in AWS either. moto also
    lets a name be used twice.
    """
    create = ELBv2Backend.create_load_balancer
    last = [0]

    def create_load_balancer(self: ELBv2Backend, *args: Any, **kwargs: Any) -> Any:
        name = kwargs.get("name") or (args[0] if args else "")
        if any(lb.name == name for lb in self.load_balancers.values()):
            raise models.DuplicateLoadBalancerName()
        made = create(self, *args, **kwargs)
        taken = {lb.dns_name for lb in self.load_balancers.values()}
        turn = [(last[0] + step) % 254 + 1 for step in range(254)]
        last[0] = next(n for n in turn if f"{prefix}.{n}" not in taken)
        made.dns_name = f"{prefix}.{last[0]}"
        return made

    ELBv2Backend.create_load_balancer = create_load_balancer  # type: ignore[method-assign]


def measured_health(targets: Targets) -> None:
    """DescribeTargetHealth tells what the health checks found; moto calls every target healthy."""

    def describe_target_health(
        self: ELBv2Backend, target_group_arn: str, asked: list[dict[str, Any]]
    ) -> list[models.FakeHealthStatus]:
        group = _group(self, target_group_arn)
        if not asked:
            return [_status(group, t.address, t.port, t.published) for t in targets.listed(group.arn)]
        found = []
        for one in asked:
            address, port = _address(self, one), int(one.get("Port") or group.port or 0)
            found.append(
                _status(group, address, port, targets.published(group.arn, address, port), one["Id"])
            )
        return found

    ELBv2Backend.describe_target_health = describe_target_health  # type: ignore[method-assign,assignment]


def _status(group: FakeTargetGroup, address: str, port: int, health: Any, name: str = "") -> Any:
    own = str(group.health_check_port or "traffic-port")
    asked = str(port) if own == "traffic-port" else own
    port_shown: Any = port
    return models.FakeHealthStatus(
        name or address, port_shown, None if health is NOT_REGISTERED else asked, health.state,
        health.reason or None, health.description or None,
    )  # fmt: skip


def registered_targets(targets: Targets) -> None:
    """RegisterTargets and DeregisterTargets reach the load balancer; in moto they only fill a list.

    An address may be registered several times with different ports. Deregistering what is not there succeeds.
    """

    def register_targets(self: ELBv2Backend, target_group_arn: str, instances: list[dict[str, Any]]) -> None:
        group = _group(self, target_group_arn)
        if not instances:
            raise ValidationError("1 validation error detected: Targets must not be empty")
        checked = [(_checked(self, group, t), _port(group, t)) for t in instances]
        for address, port in checked:
            targets.register(group.arn, address, port)

    def deregister_targets(
        self: ELBv2Backend, target_group_arn: str, instances: list[dict[str, Any]]
    ) -> None:
        group = _group(self, target_group_arn)
        for one in instances:
            port = int(one["Port"]) if one.get("Port") else None
            targets.leave(targets.at(group.arn, _address(self, one), port))

    ELBv2Backend.register_targets = register_targets  # type: ignore[method-assign]
    ELBv2Backend.deregister_targets = deregister_targets  # type: ignore[method-assign]


def _group(elb: ELBv2Backend, arn: str) -> FakeTargetGroup:
    group = elb.target_groups.get(arn)
    if group is None:
        raise TargetGroupNotFoundError()
    return group


def _address(elb: ELBv2Backend, target: dict[str, Any]) -> str:
    """The address of a target; an instance has its private one."""
    name = str(target["Id"])
    if name.startswith("i-") and (instance := elb.ec2_backend.get_instance_by_id(name)):
        return str(instance.private_ip)
    return name


def _port(group: FakeTargetGroup, target: dict[str, Any]) -> int:
    port = int(target.get("Port") or group.port)
    if not 1 <= port <= 65535:
        raise ValidationError(
            f"1 validation error detected: Value '{port}' at 'targets.1.member.port' failed to satisfy "
            "constraint: Member must have value less than or equal to 65535"
        )
    return port


def _checked(elb: ELBv2Backend, group: FakeTargetGroup, target: dict[str, Any]) -> str:
    """A target's address; refused when it is not of the group's type, or not private."""
    name = str(target["Id"])
    if group.target_type == "instance":
        instance = elb.ec2_backend.get_instance_by_id(name)
        if not name.startswith("i-") or instance is None:
            raise InvalidTargetError(f"The following targets are not valid instances: '{name}'")
        if instance.state != "running":
            raise models.TargetNotRunning(instance_id=name)
        return str(instance.private_ip)
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        raise ValidationError(f"The IP address '{name}' is not a valid IPv4 address") from None
    if not address.is_private and address not in ipaddress.ip_network("100.64.0.0/10"):
        raise InvalidTargetError(f"The IP address '{name}' is publicly routable")
    return name


def true_associations() -> None:
    """A target group's load balancers are those whose rules name it now, each once.

    moto appends to a list with CreateRule and CreateListener, forgets ModifyRule and ModifyListener, and
    never takes one off.
    """

    def load_balancer_arns(self: FakeTargetGroup) -> list[str]:
        elb = models.elbv2_backends[self.account_id][self.region_name]
        user = used_groups(elb).get(self.arn)
        return [user] if user else []

    def ignored(self: FakeTargetGroup, value: list[str]) -> None:
        """What moto notes down itself."""

    FakeTargetGroup.load_balancer_arns = property(load_balancer_arns, ignored)  # type: ignore[assignment]


def protected_from_deletion() -> None:
    """DeleteLoadBalancer is refused under `deletion_protection.enabled`; moto only stores the attribute."""
    delete = ELBv2Backend.delete_load_balancer

    def delete_load_balancer(self: ELBv2Backend, arn: str) -> None:
        balancer = self.load_balancers.get(arn)
        if balancer and str(balancer.attrs.get("deletion_protection.enabled")).lower() == "true":
            raise ELBClientError(
                "OperationNotPermitted",
                f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
            )
        delete(self, arn)

    ELBv2Backend.delete_load_balancer = delete_load_balancer  # type: ignore[method-assign]
