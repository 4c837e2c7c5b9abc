"""AWS IAM: what policies allow, statement by statement. Nothing of it needs a sandbox.

IAM user guide: "Policy evaluation logic", "IAM JSON policy elements: Condition operators", "Policy variables
and tags", "Permissions boundaries for IAM entities".
"""

from __future__ import annotations

from typing import Any

import pytest

from delivery.sandbox.iam.conditions import holds
from delivery.sandbox.iam.evaluate import Asked, Policies, decide

SERVICE = "arn:aws:ecs:us-east-1:123456789012:service/shop/web"


def allow(action: Any = "ecs:*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    """A policy of one statement."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def deny(action: Any = "ecs:*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    """A policy of one statement that denies."""
    statement = {"Effect": "Deny", "Action": action, "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": statement}


UPDATE = Asked("ecs:UpdateService", SERVICE)


@pytest.mark.parametrize(
    ("policies", "decision", "why"),
    [
        ([], "implicitDeny", "because no identity-based policy allows the ecs:UpdateService action"),
        ([allow()], "allowed", ""),
        ([allow("ECS:updateservice")], "allowed", ""),  # actions have no case
        ([allow(["s3:*", "ecs:Update*"])], "allowed", ""),
        ([allow("ecs:Update?ervice")], "allowed", ""),
        ([allow("ecs:Update")], "implicitDeny", "because no identity-based policy allows the"),
        ([allow(), deny("ecs:UpdateService")], "explicitDeny", "with an explicit deny in an identity-based"),
        ([deny()], "explicitDeny", "with an explicit deny in an identity-based policy"),
        ([allow(resource="arn:aws:ecs:*:*:service/shop/*")], "allowed", ""),
        ([allow(resource="arn:aws:ecs:*:*:service/SHOP/*")], "implicitDeny", ""),  # resources have case
        ([allow(resource=["arn:aws:s3:::x", SERVICE])], "allowed", ""),
        ([{"Statement": [{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}]}], "allowed", ""),
        ([{"Statement": [{"Effect": "Allow", "NotAction": "ecs:*", "Resource": "*"}]}], "implicitDeny", ""),
        ([{"Statement": [{"Effect": "Allow", "Action": "*", "NotResource": SERVICE}]}], "implicitDeny", ""),
        ([{"Statement": [{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:*"}]}], "allowed", ""),
    ],
)  # fmt: skip
def test_identity_policies_decide(policies: list[Any], decision: str, why: str) -> None:
    """An explicit deny wins over any allow; what nobody allows is refused."""
    found = decide(UPDATE, Policies(policies))
    assert (found.name, found.allowed) == (decision, decision == "allowed") and found.why.startswith(why)


@pytest.mark.parametrize(
    ("policies", "decision", "why"),
    [
        (Policies([allow()], boundary=allow("s3:*")), "implicitDeny", "because no permissions boundary"),
        (Policies([allow()], boundary=allow("*")), "allowed", ""),
        (Policies([], boundary=allow("*")), "implicitDeny", "because no identity-based policy allows"),
        (Policies([allow()], boundary=deny()), "explicitDeny", "with an explicit deny in a permissions"),
        (Policies([allow()], session=[allow("s3:*")]), "implicitDeny", "because no session policy allows"),
        (Policies([allow()], session=[allow("ecs:Update*")]), "allowed", ""),
        (Policies([allow()], session=[]), "implicitDeny", "because no session policy allows"),
    ],
)  # fmt: skip
def test_boundaries_and_session_policies_bound(policies: Policies, decision: str, why: str) -> None:
    """They allow nothing by themselves: what is done must be allowed by all of them."""
    found = decide(UPDATE, policies)
    assert found.name == decision and found.why.startswith(why)


ROLE = {
    "aws:principalarn": ["arn:aws:iam::123456789012:role/deploy"],
    "aws:principalaccount": ["123456789012"],
}


@pytest.mark.parametrize(
    ("principal", "matches"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": "123456789012"}, True),
        ({"AWS": "arn:aws:iam::123456789012:root"}, True),
        ({"AWS": "arn:aws:iam::123456789012:role/deploy"}, True),
        ({"AWS": ["arn:aws:iam::999999999999:root", "arn:aws:iam::123456789012:role/other"]}, False),
        ({"Service": "ecs-tasks.amazonaws.com"}, False),
    ],
)
def test_a_resource_policy_names_principals(principal: Any, matches: bool) -> None:
    """Of the same account, what the resource's policy allows needs no other."""
    policy = {"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject",
                             "Resource": "arn:aws:s3:::b/*"}]}  # fmt: skip
    asked = Asked("s3:GetObject", "arn:aws:s3:::b/k", ROLE)
    assert decide(asked, Policies(), policy).allowed == matches


CONTEXT = {
    "aws:requestedregion": ["us-east-1"], "aws:username": ["ada"], "aws:securetransport": ["true"],
    "aws:sourceip": ["127.0.0.1"], "s3:max-keys": ["10"], "aws:currenttime": ["2026-11-24T10:00:00Z"],
    "aws:principalarn": ["arn:aws:iam::123456789012:user/ada"], "aws:tagkeys": ["team", "stage"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "expected"),
    [
        ("StringEquals", "aws:RequestedRegion", ["eu-west-1", "us-east-1"], True),  # any of the values
        ("StringEquals", "aws:username", "Ada", False),
        ("StringEqualsIgnoreCase", "aws:username", "Ada", True),
        ("StringNotEquals", "aws:username", ["bob", "ada"], False),  # none of the values
        ("StringNotEquals", "aws:unknown", "x", True),  # a missing key is not equal
        ("StringEquals", "aws:unknown", "x", False),
        ("StringEqualsIfExists", "aws:unknown", "x", True),
        ("StringEqualsIfExists", "aws:username", "x", False),
        ("StringLike", "aws:username", "a*", True),
        ("StringNotLike", "aws:username", "a*", False),
        ("StringLike", "aws:username", "${aws:username}", True),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:user/*", True),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:*:user/ada", False),  # not over a colon
        ("ArnNotEquals", "aws:PrincipalArn", "arn:aws:iam::123456789012:user/bob", True),
        ("Bool", "aws:SecureTransport", "false", False),
        ("Bool", "aws:SecureTransport", True, True),
        ("IpAddress", "aws:SourceIp", "127.0.0.0/8", True),
        ("NotIpAddress", "aws:SourceIp", "127.0.0.0/8", False),
        ("NumericLessThanEquals", "s3:max-keys", "10", True),
        ("NumericGreaterThan", "s3:max-keys", 10, False),
        ("DateGreaterThan", "aws:CurrentTime", "2026-01-01T00:00:00Z", True),
        ("DateLessThan", "aws:CurrentTime", "2026-01-01T00:00:00Z", False),
        ("Null", "aws:unknown", "true", True),
        ("Null", "aws:username", "true", False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["team", "stage", "more"], True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["team"], False),
        ("ForAllValues:StringEquals", "aws:unknown", ["team"], True),  # holds for no value
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["team"], True),
        ("ForAnyValue:StringEquals", "aws:unknown", ["team"], False),
        ("NobodyKnows", "aws:username", "ada", False),
    ],
)
def test_conditions_hold(operator: str, key: str, wanted: Any, expected: bool) -> None:
    """Each operator, its negation, a key that is not in the request, IfExists, and the set operators."""
    assert holds({operator: {key: wanted}}, CONTEXT) == expected
