"""What Elastic Load Balancing keeps: attributes, tags, pages, certificates; and how changes reach traffic.

Pages: the Elastic Load Balancing API reference (version 2015-12-01); "Listeners for your Application Load
Balancers" and "HTTPS listeners" in the user guide.
"""

from __future__ import annotations

import socket
import ssl
import urllib.request
from collections.abc import Callable
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from delivery.sandbox.config import SandboxConfig
from delivery.sandbox.lifecycle import down, up
from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.edge import Edge, Shop, fixed, forward, path, refused
from delivery_tests.sandbox.stack import eventually

pytestmark = pytest.mark.sandbox


NO_GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/none/0123456789abcdef"


def test_health_checks_out_of_range(shop: Shop) -> None:
    """Intervals, thresholds, matcher and a timeout that is not below the interval: ValidationError."""
    modify = shop.edge.elb.modify_target_group
    for wrong in (
        {"HealthCheckIntervalSeconds": 301}, {"UnhealthyThresholdCount": 11},
        {"Matcher": {"HttpCode": "600"}},
        {"HealthCheckTimeoutSeconds": 5, "HealthCheckIntervalSeconds": 5}, {"Matcher": {"HttpCode": "ok"}},
    ):  # fmt: skip
        code = ""
        try:
            modify(TargetGroupArn=shop.group, **wrong)
        except ClientError as error:
            code = error.response["Error"]["Code"]
        except Exception as error:  # botocore knows the numbers' ranges, too
            code = type(error).__name__
        assert code in ("ValidationError", "ParamValidationError"), wrong


def test_attributes_come_back(shop: Shop) -> None:
    """Modify… answers with all attributes, as Describe… does; unknown names and bad values are refused."""
    elb = shop.edge.elb
    wanted = [{"Key": "deregistration_delay.timeout_seconds", "Value": "3600"}]
    answered = elb.modify_target_group_attributes(TargetGroupArn=shop.group, Attributes=wanted)["Attributes"]
    told = elb.describe_target_group_attributes(TargetGroupArn=shop.group)["Attributes"]
    assert sorted(map(str, answered)) == sorted(map(str, told)) and wanted[0] in told and len(told) > 3
    for key, value in (
        ("deregistration_delay.timeout_seconds", "3601"), ("slow_start.duration_seconds", "10"),
        ("load_balancing.algorithm.type", "fastest"), ("colour", "red"),
    ):  # fmt: skip
        asked = [{"Key": key, "Value": value}]
        code, _ = refused(elb.modify_target_group_attributes, TargetGroupArn=shop.group, Attributes=asked)
        assert code == "ValidationError", key
    for key, value in (("idle_timeout.timeout_seconds", "4001"), ("colour", "red")):
        asked = [{"Key": key, "Value": value}]
        code, _ = refused(
            elb.modify_load_balancer_attributes, LoadBalancerArn=shop.edge.balancer, Attributes=asked
        )
        assert code == "ValidationError", key


def test_associations_are_what_rules_say_now(shop: Shop) -> None:
    """A group lists the load balancer whose rules name it, also after ModifyRule; and none when none does."""
    edge, elb = shop.edge, shop.edge.elb
    group = edge.group()
    rule = edge.rule([path("/associated")], fixed(), 80)

    def balancers() -> list[str]:
        return list(
            elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]["LoadBalancerArns"]
        )

    assert balancers() == []
    elb.modify_rule(RuleArn=rule, Actions=[forward((group, 1))])
    assert balancers() == [edge.balancer]
    elb.delete_rule(RuleArn=rule)
    assert balancers() == []
    elb.delete_target_group(TargetGroupArn=group)


def test_lists_come_in_pages(shop: Shop) -> None:
    """PageSize and Marker page through target groups; a marker nobody gave out is refused."""
    elb = shop.edge.elb
    for _ in range(3):
        shop.edge.group()
    pages = elb.get_paginator("describe_target_groups").paginate(PaginationConfig={"PageSize": 2})
    seen = [[g["TargetGroupArn"] for g in p["TargetGroups"]] for p in pages]
    assert all(len(page) <= 2 for page in seen)
    whole = [g["TargetGroupArn"] for g in elb.describe_target_groups()["TargetGroups"]]
    assert [arn for page in seen for arn in page] == whole
    assert refused(elb.describe_target_groups, Marker="nobody")[0] == "ValidationError"


def test_tags_come_back(shop: Shop) -> None:
    """Every kind has tags; more than 50 are TooManyTags, the same key twice is DuplicateTagKeys."""
    elb, edge = shop.edge.elb, shop.edge
    arns = [edge.balancer, edge.listener, shop.rule, shop.group]
    elb.add_tags(ResourceArns=arns, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    elb.remove_tags(ResourceArns=arns, TagKeys=["a"])
    told = elb.describe_tags(ResourceArns=arns)["TagDescriptions"]
    assert [d["Tags"] for d in told] == [[{"Key": "b", "Value": "2"}]] * 4
    many = [{"Key": str(n), "Value": "x"} for n in range(51)]
    assert refused(elb.add_tags, ResourceArns=[edge.balancer], Tags=many)[0] == "TooManyTags"
    twice = [{"Key": "c", "Value": "1"}, {"Key": "c", "Value": "2"}]
    assert refused(elb.add_tags, ResourceArns=[edge.balancer], Tags=twice)[0] == "DuplicateTagKeys"
    assert refused(elb.describe_tags, ResourceArns=[NO_GROUP])[0] == "TargetGroupNotFound"


def test_protected_load_balancers_stay(shop: Shop) -> None:
    """Deletion protection refuses DeleteLoadBalancer with OperationNotPermitted."""
    elb, arn = shop.edge.elb, shop.edge.balancer
    for value in ("true", "false"):
        elb.modify_load_balancer_attributes(
            LoadBalancerArn=arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": value}]
        )
        if value == "true":
            assert refused(elb.delete_load_balancer, LoadBalancerArn=arn)[0] == "OperationNotPermitted"


def test_https_is_terminated_with_acms_certificate(shop: Shop) -> None:
    """An HTTPS listener answers with its certificate; without one it is refused."""
    edge = shop.edge
    assert refused(edge.listen, 443, [fixed("x")], Protocol="HTTPS")[0] == "ValidationError"
    arn = edge.sandbox.client("acm").request_certificate(DomainName="shop.test")["CertificateArn"]
    edge.listen(443, [fixed("secret")], Protocol="HTTPS", Certificates=[{"CertificateArn": arn}])
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def body() -> str:
        try:
            with urllib.request.urlopen(f"https://{edge.address}/", timeout=5, context=context) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    assert eventually(body) == "secret"


def test_a_port_that_is_taken_stops_nobody_else(shop: Shop) -> None:
    """A listener whose port another program has carries nothing; the others go on."""
    with socket.socket() as taken:
        taken.bind((shop.edge.address, 0))
        taken.listen()
        listener = shop.edge.listen(taken.getsockname()[1], [fixed("never")])
        rule = shop.edge.rule([path("/after")], fixed("after"), 90)
        eventually(lambda: shop.edge.said("/after"), lambda b: b == "after")
    shop.edge.elb.delete_listener(ListenerArn=listener)
    shop.edge.elb.delete_rule(RuleArn=rule)


def test_changes_take_their_time(other_sandbox: Callable[[], SandboxConfig]) -> None:
    """The API tells a modified rule at once; traffic follows it after the propagation time."""
    config = replace(other_sandbox(), propagation=60.0, time_scale=20.0)  # three real seconds
    endpoints = up(config)
    edge = Edge(RunningSandbox(config, endpoints, {}))
    try:
        rule = edge.rule([path("/")], fixed("old"))
        eventually(edge.said, lambda body: body == "old")
        edge.elb.modify_rule(RuleArn=rule, Actions=[fixed("new")])
        shown = edge.elb.describe_rules(RuleArns=[rule])["Rules"][0]["Actions"][0]["FixedResponseConfig"]
        assert shown["MessageBody"] == "new" and edge.said() == "old"
        eventually(edge.said, lambda body: body == "new")
    finally:
        down(config)
