"""The deploy role: what the adapters ask of AWS is what the role allows, and nothing it does not need."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import boto3

ROOT = Path(__file__).parents[2]
POLICY = ROOT / "infra" / "modules" / "deploy-role" / "main.tf"
ADAPTERS = ROOT / "delivery" / "adapters"
#: boto3's name of a service → the prefix of its actions.
PREFIX = {
    "application-autoscaling": "application-autoscaling", "cloudwatch": "cloudwatch", "ecr": "ecr",
    "ecs": "ecs", "elbv2": "elasticloadbalancing", "kms": "kms", "logs": "logs", "route53": "route53",
    "s3": "s3", "sns": "sns",
}  # fmt: skip
#: Calls whose action has another name, and waiters by the call they make.
RENAMED = {"s3:ListObjectsV2": "s3:ListBucket", "s3:HeadObject": "s3:GetObject"}
WAITERS = {"resource_record_sets_changed": "get_change"}
#: What a call needs besides its own action: tags at registration, roles handed on, and what `docker push`
#: asks of ECR by itself. Source: "IAM permissions for pushing an image", ECR user guide.
IMPLIED = {
    "ecs:TagResource", "iam:PassRole", "ecr:BatchCheckLayerAvailability", "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
    "kms:Decrypt", "kms:GenerateDataKey",
}  # fmt: skip


def calls(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """`(method, argument)` of every method call, the argument being its first one if that is a text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            first = node.args[0] if node.args else None
            text = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
            yield node.func.attr, text


def asked_by(path: Path) -> set[str]:
    """The actions of one adapter: its clients' operations, also by paginator and waiter."""
    found = list(calls(ast.parse(path.read_text())))
    services = {text for method, text in found if method == "client" and text in PREFIX}
    actions = set()
    for service in services:
        client = boto3.client(
            service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        operations = client.meta.method_to_api_mapping
        for method, text in found:
            name = {"get_paginator": text, "get_waiter": WAITERS.get(text, "")}.get(method, method)
            if name in operations:
                action = f"{PREFIX[service]}:{operations[name]}"
                actions.add(RENAMED.get(action, action))
    return actions


def allowed() -> set[str]:
    """The actions the policy lists for its bearer (not those of its trust)."""
    listed = re.findall(r"^\s*actions\s*=\s*\[(.*)\]", POLICY.read_text(), re.MULTILINE)
    return {action for line in listed for action in re.findall(r'"([^"]+)"', line)} - {"sts:AssumeRole"}


def test_the_role_allows_exactly_what_the_adapters_ask() -> None:
    """Every call of every adapter has its action in the policy; no action is there that nothing calls."""
    asked = set().union(*(asked_by(path) for path in sorted(ADAPTERS.rglob("*.py"))))
    assert len(asked) > 25  # the reading itself works
    assert asked - allowed() == set()
    assert allowed() - asked - IMPLIED == set()
