"""AWS IAM: what policies allow, and what a caller who is not allowed is told.

IAM user guide: "Policy evaluation logic", "IAM JSON policy elements: Condition operators", "Policy variables
and tags", "Permissions boundaries for IAM entities", "Troubleshoot access denied error messages".
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from delivery.sandbox import SandboxConfig, down, up
from delivery_tests.conftest import sandbox_config
from delivery_tests.sandbox.stack import eventually
from delivery_tests.sandbox.test_iam_policies import allow, deny


class Strict:
    """A sandbox whose IAM decides."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config, self.endpoints = config, up(config)

    def client(self, service: str, given: Any = None) -> Any:
        """A client of the root user, or one with the credentials AssumeRole gave."""
        key = given or {"AccessKeyId": "sandbox", "SecretAccessKey": "sandbox", "SessionToken": None}
        make: Any = boto3.client
        return make(
            service, endpoint_url=self.endpoints.aws, region_name="us-east-1",
            aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"],
            aws_session_token=key["SessionToken"],
            config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip

    def role(self, name: str, *policies: Any, trust: Any = "*", **more: Any) -> str:
        """Make a role with these policies; its ARN."""
        trusted = {"Statement": [{"Effect": "Allow", "Principal": trust, "Action": "sts:AssumeRole"}]}
        iam = self.client("iam")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trusted), **more)["Role"][
            "Arn"
        ]
        for number, policy in enumerate(policies):
            iam.put_role_policy(RoleName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(policy))
        return str(arn)

    def session(self, arn: str, given: Any = None, **more: Any) -> Any:
        """Credentials of a session `night` of a role."""
        sts = self.client("sts", given)
        return sts.assume_role(RoleArn=arn, RoleSessionName="night", **more)["Credentials"]


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strict]:
    """One sandbox with `enforce_iam` and compressed time for this module."""
    config = sandbox_config(tmp_path_factory.mktemp("strict") / "state", f"strict-{os.getpid()}")
    config = replace(config, enforce_iam=True, time_scale=300.0)
    try:
        yield Strict(config)
    finally:
        down(config)


@pytest.fixture
def name() -> str:
    """A name that nothing else has."""
    return f"t{uuid.uuid4().hex[:8]}"


@pytest.mark.sandbox
def test_a_role_may_do_what_its_policy_says(strict: Strict, name: str) -> None:
    """One call is allowed, another is refused with AWS's sentence; the session is named, not the role."""
    strict.client("ecs").create_cluster(clusterName=name)
    service = f"arn:aws:ecs:us-east-1:123456789012:service/{name}/web"
    role = strict.role(name, allow(["ecs:ListTasks"], Condition={"ArnEquals": {
        "ecs:cluster": f"arn:aws:ecs:us-east-1:123456789012:cluster/{name}"}}))  # fmt: skip
    given = strict.session(role)
    session = f"arn:aws:sts::123456789012:assumed-role/{name}/night"
    assert strict.client("sts", given).get_caller_identity()["Arn"] == session
    ecs = strict.client("ecs", given)
    assert ecs.list_tasks(cluster=name)["taskArns"] == []
    with pytest.raises(ecs.exceptions.AccessDeniedException) as refused:
        ecs.update_service(cluster=name, service="web", desiredCount=2)
    assert refused.value.response["Error"]["Message"] == (
        f"User: {session} is not authorized to perform: ecs:UpdateService on resource: {service} "
        "because no identity-based policy allows the ecs:UpdateService action"
    )
    with pytest.raises(ecs.exceptions.AccessDeniedException):
        ecs.list_tasks(cluster="default")  # the condition does not hold


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("service", "call", "code", "told"),
    [
        ("s3", lambda c: c.put_object(Bucket="b", Key="k"), "AccessDenied",
         "s3:PutObject on resource: arn:aws:s3:::b/"),
        ("elbv2", lambda c: c.describe_rules(RuleArns=["r"]), "AccessDenied",
         "elasticloadbalancing:DescribeRules"),
        ("ec2", lambda c: c.describe_vpcs(), "UnauthorizedOperation", "ec2:DescribeVpcs"),
        ("sns", lambda c: c.publish(TopicArn="arn:aws:sns:us-east-1:1:t", Message="m"), "AuthorizationError",
         "SNS:Publish on resource: arn:aws:sns:us-east-1:1:t"),
        ("ecr", lambda c: c.describe_images(repositoryName="xx"), "AccessDeniedException", ":repository/xx"),
        ("logs", lambda c: c.describe_log_streams(logGroupName="g"), "AccessDeniedException", ":log-group:g"),
        ("route53", lambda c: c.get_change(Id="C1"), "AccessDenied",
         "route53:GetChange on resource: arn:aws:route53:::change/C1"),
        ("cloudwatch", lambda c: c.describe_alarms(), "AccessDenied", "cloudwatch:DescribeAlarms"),
        ("sts", lambda c: c.assume_role(RoleArn="arn:aws:iam::123456789012:role/none", RoleSessionName="xx"),
         "AccessDenied", "sts:AssumeRole on resource: arn:aws:iam::123456789012:role/none"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 12 else "",
)  # fmt: skip
def test_each_service_refuses_in_its_own_way(
    strict: Strict, nobody: Any, service: str, call: Any, code: str, told: str
) -> None:
    """The code differs: AccessDenied, AccessDeniedException, UnauthorizedOperation, AuthorizationError."""
    with pytest.raises(ClientError) as refused:
        call(strict.client(service, nobody))
    error = refused.value.response["Error"]
    assert (error["Code"], told.lower() in error["Message"].lower()) == (code, True), error


@pytest.fixture(scope="module")
def nobody(strict: Strict) -> Any:
    """Credentials of a role without any policy."""
    return strict.session(strict.role(f"nobody-{uuid.uuid4().hex[:6]}"))


@pytest.mark.sandbox
def test_a_trust_policy_says_who_may_assume(strict: Strict, name: str) -> None:
    """A role that trusts one role is not assumed by another, nor by the account's root user."""
    first = strict.role(f"{name}-first")
    second = strict.role(f"{name}-second", trust={"AWS": first})
    assert strict.session(second, strict.session(first))["AccessKeyId"].startswith("ASIA")
    other = strict.session(strict.role(f"{name}-other", allow("sts:AssumeRole")))
    for given in (other, None):
        with pytest.raises(ClientError, match=r"AccessDenied.*not authorized to perform: sts:AssumeRole"):
            strict.session(second, given)


@pytest.mark.sandbox
def test_a_role_is_passed_by_who_may(strict: Strict, name: str) -> None:
    """RegisterTaskDefinition with a role needs iam:PassRole on it, for ecs-tasks.amazonaws.com."""
    to_ecs = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    task = strict.role(f"{name}-task")
    deploy = strict.role(
        name, allow("ecs:RegisterTaskDefinition"), allow("iam:PassRole", task, Condition=to_ecs)
    )
    ecs = strict.client("ecs", strict.session(deploy))
    definition = {"family": name, "containerDefinitions": [{"name": "app", "image": "x", "memory": 64}]}
    assert ecs.register_task_definition(**definition, taskRoleArn=task)["taskDefinition"]["revision"] == 1
    with pytest.raises(ecs.exceptions.AccessDeniedException, match=f"iam:PassRole on resource: .*{name}-no"):
        ecs.register_task_definition(**definition, taskRoleArn=task.replace("-task", "-no"))


@pytest.mark.sandbox
def test_session_policies_and_boundaries_bound(strict: Strict, name: str) -> None:
    """AssumeRole's policy and the role's boundary each have to allow what the role's policy allows."""
    boundary = strict.client("iam").create_policy(
        PolicyName=name, PolicyDocument=json.dumps(allow("ecs:Describe*"))
    )["Policy"]["Arn"]
    role = strict.role(name, allow("ecs:*"), PermissionsBoundary=boundary)
    ecs = strict.client("ecs", strict.session(role))
    ecs.describe_clusters()
    with pytest.raises(ClientError, match="because no permissions boundary allows the ecs:ListClusters"):
        ecs.list_clusters()
    narrow = strict.client("ecs", strict.session(role, Policy=json.dumps(allow("ecs:List*"))))
    with pytest.raises(ClientError, match="because no session policy allows the ecs:DescribeClusters"):
        narrow.describe_clusters()


@pytest.mark.sandbox
def test_a_session_ends(strict: Strict, name: str) -> None:
    """After DurationSeconds the credentials are ExpiredToken; a foreign key is invalid."""
    given = strict.session(strict.role(name, allow("*")), DurationSeconds=900)
    sts, ecs = strict.client("sts", given), strict.client("ecs", given)

    def refused() -> str:
        try:
            sts.get_caller_identity()
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    assert eventually(refused) == "ExpiredToken"
    with pytest.raises(ClientError, match="ExpiredTokenException"):
        ecs.list_clusters()
    foreign = {"AccessKeyId": "AKIAFOREIGN", "SecretAccessKey": "x", "SessionToken": None}
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        strict.client("sts", foreign).get_caller_identity()
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        strict.client("ecs", foreign).list_clusters()


@pytest.mark.sandbox
def test_sessions_are_asked_for_within_limits(strict: Strict, name: str) -> None:
    """More than the role's MaxSessionDuration, or a bad session name, is a ValidationError."""
    role = strict.role(name)
    for wrong in ({"DurationSeconds": 3601}, {"RoleSessionName": "a b"}):
        with pytest.raises(ClientError, match="ValidationError"):
            strict.client("sts").assume_role(**{"RoleArn": role, "RoleSessionName": "night", **wrong})


@pytest.mark.sandbox
def test_policies_are_simulated(strict: Strict, name: str) -> None:
    """SimulatePrincipalPolicy tells per action and resource what would be decided."""
    role = strict.role(name, allow("s3:Get*", "arn:aws:s3:::b/*"), deny("s3:GetObjectAcl"))
    found = strict.client("iam").simulate_principal_policy(
        PolicySourceArn=role, ActionNames=["s3:GetObject", "s3:GetObjectAcl", "s3:PutObject"],
        ResourceArns=["arn:aws:s3:::b/k"],
    )["EvaluationResults"]  # fmt: skip
    assert {r["EvalActionName"]: r["EvalDecision"] for r in found} == {
        "s3:GetObject": "allowed", "s3:GetObjectAcl": "explicitDeny", "s3:PutObject": "implicitDeny",
    }  # fmt: skip
    custom = strict.client("iam").simulate_custom_policy(
        PolicyInputList=[json.dumps(allow("s3:*"))], ActionNames=["s3:GetObject"]
    )["EvaluationResults"]
    assert custom[0]["EvalDecision"] == "allowed"
