"""What Elastic Load Balancing refuses of rules, listeners and targets, and how.

Pages: the Elastic Load Balancing API reference (version 2015-12-01), each operation's "Errors"; "Quotas for
your Application Load Balancers" in the user guide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from delivery_tests.sandbox.edge import Edge, Shop, fixed, forward, path, redirect, refused

pytestmark = pytest.mark.sandbox


NOBODY = "arn:aws:elasticloadbalancing:us-east-1:123456789012:{}/app/none/0123456789abcdef/0123456789abcdef"
NO_GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/none/0123456789abcdef"


def test_unknown_names_have_their_own_codes(shop: Shop) -> None:
    """Load balancers, listeners, rules and target groups that are not there."""
    elb = shop.edge.elb
    listener, rule = NOBODY.format("listener"), NOBODY.format("listener-rule") + "/0123456789abcdef"
    assert refused(elb.describe_load_balancers, Names=["none"])[0] == "LoadBalancerNotFound"
    assert refused(elb.describe_listeners, ListenerArns=[listener])[0] == "ListenerNotFound"
    assert refused(elb.describe_rules, ListenerArn=listener)[0] == "ListenerNotFound"
    assert refused(elb.delete_listener, ListenerArn=listener)[0] == "ListenerNotFound"
    assert refused(elb.modify_rule, RuleArn=rule, Conditions=[path("/x")])[0] == "RuleNotFound"
    assert refused(elb.delete_rule, RuleArn=rule)[0] == "RuleNotFound"
    assert refused(elb.describe_target_groups, Names=["none"])[0] == "TargetGroupNotFound"
    target = {"Id": "127.0.0.1", "Port": 80}
    for call in (elb.register_targets, elb.deregister_targets, elb.describe_target_health):
        assert refused(call, TargetGroupArn=NO_GROUP, Targets=[target])[0] == "TargetGroupNotFound"
    assert refused(shop.rule_with, forward((NO_GROUP, 1)))[0] == "TargetGroupNotFound"
    named = [shop.edge.balancer, NOBODY.format("loadbalancer").rsplit("/", 1)[0]]
    assert refused(elb.describe_load_balancers, LoadBalancerArns=named)[0] == "LoadBalancerNotFound"


def test_conflicts_have_their_own_codes(shop: Shop) -> None:
    """A priority, port or name that is taken, a group in use, a group of another load balancer."""
    elb, edge = shop.edge.elb, shop.edge
    assert refused(shop.rule_with, fixed(), priority=50)[0] == "PriorityInUse"
    assert refused(edge.listen, 80, [fixed()])[0] == "DuplicateListener"
    assert refused(elb.delete_target_group, TargetGroupArn=shop.group)[0] == "ResourceInUse"
    name = elb.describe_target_groups(TargetGroupArns=[shop.group])["TargetGroups"][0]["TargetGroupName"]
    again = {"Name": name, "Protocol": "HTTP", "VpcId": edge.vpc, "TargetType": "ip"}
    assert refused(elb.create_target_group, Port=81, **again)[0] == "DuplicateTargetGroupName"
    same = refused(elb.create_load_balancer, Name=edge.name, Subnets=edge.subnets)
    assert same[0] == "DuplicateLoadBalancerName"
    other = Edge(edge.sandbox)
    try:
        code, _ = refused(other.rule, [path("/x")], forward((shop.group, 1)))
        assert code == "TargetGroupAssociationLimit"
    finally:
        other.close()


def test_the_same_target_group_again_is_the_same(shop: Shop) -> None:
    """CreateTargetGroup is idempotent: the same settings answer with the same group."""
    elb = shop.edge.elb
    settings = {
        "Name": f"{shop.edge.name}-twice", "Protocol": "HTTP", "Port": 80, "VpcId": shop.edge.vpc,
        "TargetType": "ip",
    }  # fmt: skip
    arns = {elb.create_target_group(**settings)["TargetGroups"][0]["TargetGroupArn"] for _ in range(2)}
    assert len(arns) == 1


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (lambda g: forward((g, -1)), "ValidationError"),
        (lambda g: forward((g, 1000)), "ValidationError"),
        (lambda g: forward(*[(f"{g}{n}", 1) for n in range(6)]), "TooManyTargetGroups"),
        (lambda g: forward((g, 1), sticky=604801), "ValidationError"),
        (lambda g: {"Type": "forward"}, "InvalidLoadBalancerAction"),
        (lambda g: {"Type": "redirect"}, "InvalidLoadBalancerAction"),
        (lambda g: fixed(status="302"), "ValidationError"),
        (lambda g: fixed("x" * 1025), "ValidationError"),
        (lambda g: fixed("x", kind="image/png"), "InvalidLoadBalancerAction"),
        (lambda g: redirect(307, host="other.test"), "ValidationError"),
        (lambda g: redirect(301, query="a=b"), "InvalidLoadBalancerAction"),
        (lambda g: redirect(301, protocol="FTP"), "ValidationError"),
        (lambda g: redirect(301, port="70000"), "InvalidLoadBalancerAction"),
        (lambda g: redirect(301, path="no-slash"), "InvalidLoadBalancerAction"),
        (lambda g: redirect(301, path="/a\r\nX-Injected: yes"), "InvalidLoadBalancerAction"),
    ],
)
def test_actions_that_are_refused(shop: Shop, action: Callable[[str], Any], code: str) -> None:
    """CreateRule and ModifyRule refuse what no action may say; the rule stays as it was."""
    elb = shop.edge.elb
    before = elb.describe_rules(RuleArns=[shop.rule])["Rules"]
    assert refused(shop.rule_with, action(shop.group))[0] == code
    assert refused(elb.modify_rule, RuleArn=shop.rule, Actions=[action(shop.group)])[0] == code
    if code != "TooManyTargetGroups":
        modify = {"ListenerArn": shop.edge.listener, "DefaultActions": [action(shop.group)]}
        assert refused(elb.modify_listener, **modify)[0] == code
    assert elb.describe_rules(RuleArns=[shop.rule])["Rules"] == before


@pytest.mark.parametrize(
    "conditions",
    [
        [path(*[f"/{n}" for n in range(6)])],
        [path("/a*b*c*d*e*f*g*")],
        [path("/a"), path("/b")],
        [path("/with space")],
        [path("/new\nline")],
        [path("x" * 129)],
        [{"Field": "path-pattern"}],
        [{"Field": "colour", "Values": ["red"]}],
        [{"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.1"]}}],
        [{"Field": "source-ip", "SourceIpConfig": {"Values": ["everywhere/8"]}}],
        [{"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["get"]}}],
        [{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "Host", "Values": ["a"]}}],
        [{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "a) -m reg", "Values": ["a"]}}],
        [{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "A", "Values": ["a\nb"]}}],
        [{"Field": "host-header", "HostHeaderConfig": {"Values": ["a b"]}}],
    ],
)
def test_conditions_that_are_refused(shop: Shop, conditions: list[dict[str, Any]]) -> None:
    """Too many values or wildcards, characters that are not allowed, what is no CIDR: ValidationError."""
    assert refused(shop.rule_with, fixed(), *conditions)[0] == "ValidationError"


def test_priorities(shop: Shop) -> None:
    """They are from 1 to 50000, rules are shown in their order, and two may be exchanged."""
    elb, edge = shop.edge.elb, shop.edge
    for number in (0, 50001):
        assert "ValidationError" in refused_or_invalid(shop, number)
    first = edge.rule([path("/first")], fixed("first"), 70)
    second = edge.rule([path("/second")], fixed("second"), 60)
    swap = [{"RuleArn": first, "Priority": 60}, {"RuleArn": second, "Priority": 70}]
    elb.set_rule_priorities(RulePriorities=swap)
    shown = [r["Priority"] for r in elb.describe_rules(ListenerArn=edge.listener)["Rules"]]
    assert shown == ["50", "60", "70", "default"]
    assert elb.describe_rules(RuleArns=[first])["Rules"][0]["Priority"] == "60"
    taken = [{"RuleArn": first, "Priority": 50}]
    assert refused(elb.set_rule_priorities, RulePriorities=taken)[0] == "PriorityInUse"
    for arn in (first, second):
        elb.delete_rule(RuleArn=arn)


def refused_or_invalid(shop: Shop, priority: int) -> str:
    """The code; botocore itself knows the range, too."""
    try:
        shop.rule_with(fixed(), priority=priority)
    except ParamValidationError:
        return "ValidationError"
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def test_the_default_rule_stays(shop: Shop) -> None:
    """It can be neither deleted nor modified as a rule: OperationNotPermitted."""
    elb = shop.edge.elb
    (default,) = [r for r in elb.describe_rules(ListenerArn=shop.edge.listener)["Rules"] if r["IsDefault"]]
    assert refused(elb.delete_rule, RuleArn=default["RuleArn"])[0] == "OperationNotPermitted"


def test_targets_that_are_refused(shop: Shop) -> None:
    """What is no address or a public one is no target; deregistering what is not there succeeds."""
    elb = shop.edge.elb
    for target, code in ((("not-an-ip", 80), "ValidationError"), (("8.8.8.8", 80), "InvalidTarget")):
        asked = [{"Id": target[0], "Port": target[1]}]
        assert refused(elb.register_targets, TargetGroupArn=shop.group, Targets=asked)[0] == code
    elb.deregister_targets(TargetGroupArn=shop.group, Targets=[{"Id": "127.0.0.1", "Port": 9}])
