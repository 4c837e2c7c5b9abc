"""Elastic Load Balancing's probes."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from botocore.exceptions import ClientError

from delivery_tests.sandbox.edge import fixed, forward, path, redirect
from delivery_tests.sandbox.patches.probing import Caller, probe


def group(caller: Caller, name: str = "", **more: Any) -> str:
    """A target group of addresses."""
    vpc, _ = caller.network()
    made = caller.client("elbv2").create_target_group(
        Name=name or caller.name, Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip", **more
    )
    return str(made["TargetGroups"][0]["TargetGroupArn"])


def balancer(caller: Caller, name: str = "") -> str:
    """A load balancer."""
    _, subnets = caller.network()
    made = caller.client("elbv2").create_load_balancer(Name=name or caller.name, Subnets=subnets)
    return str(made["LoadBalancers"][0]["LoadBalancerArn"])


def listener(caller: Caller, action: Any = None, name: str = "") -> str:
    """A load balancer's listener."""
    made = caller.client("elbv2").create_listener(
        LoadBalancerArn=balancer(caller, name), Protocol="HTTP", Port=80,
        DefaultActions=[action or fixed("x")],
    )  # fmt: skip
    return str(made["Listeners"][0]["ListenerArn"])


def rule(caller: Caller, where: str, priority: int, **more: Any) -> str:
    """A listener's rule."""
    asked = {"Conditions": [path("/x")], "Actions": [fixed("x")], **more}
    made = caller.client("elbv2").create_rule(ListenerArn=where, Priority=priority, **asked)
    return str(made["Rules"][0]["RuleArn"])


def code(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """The error's code; empty when it is taken."""
    try:
        call(*args, **kwargs)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@probe("patches.elbv2.own_addresses")
def own_addresses(caller: Caller) -> None:
    """A load balancer's DNS name is something one can connect to: a loopback address of its own."""
    _, subnets = caller.network()
    made = caller.client("elbv2").create_load_balancer(Name=caller.name, Subnets=subnets)
    host = made["LoadBalancers"][0]["DNSName"]
    assert host.replace(".", "").isdigit()
    assert ip_address(host).is_loopback


@probe("patches.elbv2.measured_health")
def measured_health(caller: Caller) -> None:
    """A target nobody has asked yet is not healthy."""
    elb, arn = caller.client("elbv2"), group(caller)
    elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": "10.8.0.9", "Port": 8080}])
    (target,) = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    assert target["TargetHealth"]["State"] != "healthy"


@probe("patches.elbv2.registered_targets")
def registered_targets(caller: Caller) -> None:
    """One address may be registered with several ports."""
    elb, arn = caller.client("elbv2"), group(caller)
    targets = [{"Id": "10.8.0.9", "Port": port} for port in (8080, 8081)]
    elb.register_targets(TargetGroupArn=arn, Targets=targets)
    assert len(elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]) == 2


@probe("patches.elbv2.true_associations")
def true_associations(caller: Caller) -> None:
    """A group whose only rule is deleted belongs to no load balancer."""
    elb, arn, where = caller.client("elbv2"), group(caller), listener(caller)
    elb.delete_rule(RuleArn=rule(caller, where, 1, Actions=[forward((arn, 1))]))
    (shown,) = elb.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
    assert shown["LoadBalancerArns"] == []


@probe("patches.elbv2.protected_from_deletion")
def protected_from_deletion(caller: Caller) -> None:
    """Deletion protection protects."""
    elb, arn = caller.client("elbv2"), balancer(caller)
    protection = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=protection)
    assert code(elb.delete_load_balancer, LoadBalancerArn=arn) == "OperationNotPermitted"


@probe("patches.elbv2_rules.checked_conditions")
def checked_conditions(caller: Caller) -> None:
    """A source that is no CIDR is refused."""
    where = listener(caller)
    source = {"Field": "source-ip", "SourceIpConfig": {"Values": ["everywhere"]}}
    assert code(rule, caller, where, 1, Conditions=[source]) == "ValidationError"


@probe("patches.elbv2_rules.checked_actions")
def checked_actions(caller: Caller) -> None:
    """A redirect to where the request came from is refused."""
    assert code(rule, caller, listener(caller), 1, Actions=[redirect(301, query="a")]) == (
        "InvalidLoadBalancerAction"
    )


@probe("patches.elbv2_rules.one_balancer_per_group")
def one_balancer_per_group(caller: Caller) -> None:
    """A target group of one load balancer is not another's, too."""
    arn = group(caller)
    listener(caller, forward((arn, 1)), f"{caller.name}-1")
    assert code(listener, caller, forward((arn, 1)), f"{caller.name}-2") == "TargetGroupAssociationLimit"


@probe("patches.elbv2_rules.ordered_rules")
def ordered_rules(caller: Caller) -> None:
    """Rules are shown in order of priority."""
    where = listener(caller)
    for priority in (20, 10):
        rule(caller, where, priority)
    shown = caller.client("elbv2").describe_rules(ListenerArn=where)["Rules"]
    assert [r["Priority"] for r in shown] == ["10", "20", "default"]


@probe("patches.elbv2_rules.checked_rules")
def checked_rules(caller: Caller) -> None:
    """The default rule is not modified as a rule."""
    where = listener(caller)
    (default,) = caller.client("elbv2").describe_rules(ListenerArn=where)["Rules"]
    modify = caller.client("elbv2").modify_rule
    assert code(modify, RuleArn=default["RuleArn"], Actions=[fixed("y")]) == "OperationNotPermitted"


@probe("patches.elbv2_rules.deleted_rules")
def deleted_rules(caller: Caller) -> None:
    """A rule is deleted once."""
    elb, arn = caller.client("elbv2"), rule(caller, listener(caller), 1)
    elb.delete_rule(RuleArn=arn)
    assert code(elb.delete_rule, RuleArn=arn) == "RuleNotFound"


@probe("patches.elbv2_rules.exchanged_priorities")
def exchanged_priorities(caller: Caller) -> None:
    """Two rules may exchange their priorities."""
    where = listener(caller)
    first, second = rule(caller, where, 10), rule(caller, where, 20)
    swap = [{"RuleArn": first, "Priority": 20}, {"RuleArn": second, "Priority": 10}]
    caller.client("elbv2").set_rule_priorities(RulePriorities=swap)
    (shown,) = caller.client("elbv2").describe_rules(RuleArns=[first])["Rules"]
    assert shown["Priority"] == "20"


@probe("patches.elbv2_settings.checked_attributes")
def checked_attributes(caller: Caller) -> None:
    """A target group has no attribute that nobody knows."""
    elb, arn = caller.client("elbv2"), group(caller)
    unknown = [{"Key": "colour", "Value": "red"}]
    modify = elb.modify_target_group_attributes
    assert code(modify, TargetGroupArn=arn, Attributes=unknown) == "ValidationError"


@probe("patches.elbv2_settings.checked_health_checks")
def checked_health_checks(caller: Caller) -> None:
    """A matcher outside 200 to 499 is refused."""
    assert code(group, caller, Matcher={"HttpCode": "500"}) == "ValidationError"


@probe("patches.elbv2_settings.named_resources")
def named_resources(caller: Caller) -> None:
    """A load balancer that is not there is told also beside one that is."""
    elb, arn = caller.client("elbv2"), balancer(caller)
    both = [arn, arn.replace(caller.name, "nobody")]
    assert code(elb.describe_load_balancers, LoadBalancerArns=both) == "LoadBalancerNotFound"


@probe("patches.elbv2_settings.known_tags")
def known_tags(caller: Caller) -> None:
    """A resource may have more than ten tags."""
    arn = group(caller)
    for number in range(15):
        tag = {"Key": f"k{number}", "Value": "x"}
        caller.client("elbv2").add_tags(ResourceArns=[arn], Tags=[tag])


@probe("patches.elbv2_settings.groups_of_idle_balancers")
def groups_of_idle_balancers(caller: Caller) -> None:
    """A load balancer without target groups has an empty list of them."""
    arn = balancer(caller)
    assert caller.client("elbv2").describe_target_groups(LoadBalancerArn=arn)["TargetGroups"] == []


@probe("patches.elbv2_settings.lists_in_pages")
def lists_in_pages(caller: Caller) -> None:
    """A page holds as many target groups as were asked for."""
    for number in range(2):
        group(caller, f"{caller.name}-{number}")
    assert len(caller.client("elbv2").describe_target_groups(PageSize=1)["TargetGroups"]) == 1
