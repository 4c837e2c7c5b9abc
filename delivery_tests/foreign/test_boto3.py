"""boto3 beyond single calls: resources, paginators, waiters, multipart transfers, and its retry modes.

Boto3 documentation: "Paginators", "Waiters", "Resources", "File transfer configuration", "Retries".
"""

from __future__ import annotations

import io
import os
import uuid
from typing import Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

from delivery_tests.conftest import RunningSandbox

pytestmark = pytest.mark.sandbox
_MIB = 1024 * 1024


@pytest.fixture
def name() -> str:
    """A name that nothing else has."""
    return f"b{uuid.uuid4().hex[:10]}"


def test_a_file_in_parts_arrives_whole(sandbox: RunningSandbox, name: str) -> None:
    """s3transfer uploads and downloads in parts side by side; the ETag tells how many there were."""
    bucket = boto3.resource(
        "s3", endpoint_url=sandbox.endpoints.aws, region_name="us-east-1", aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
    ).create_bucket(Bucket=name)  # fmt: skip
    sent, got = os.urandom(17 * _MIB), io.BytesIO()
    parts = TransferConfig(multipart_threshold=5 * _MIB, multipart_chunksize=5 * _MIB, max_concurrency=4)
    bucket.upload_fileobj(io.BytesIO(sent), "big", Config=parts)
    bucket.download_fileobj("big", got, Config=parts)
    assert got.getvalue() == sent
    assert bucket.Object("big").e_tag.endswith('-4"')
    assert [o.key for o in bucket.objects.all()] == ["big"]


@pytest.mark.parametrize(
    ("service", "operation", "key", "make"),
    [
        ("ecs", "list_clusters", "clusterArns", lambda c, n: c.create_cluster(clusterName=n)),
        ("logs", "describe_log_groups", "logGroups", lambda c, n: c.create_log_group(logGroupName=n)),
        ("ssm", "describe_parameters", "Parameters",
         lambda c, n: c.put_parameter(Name=f"/{n}", Value="v", Type="String")),
        ("sqs", "list_queues", "QueueUrls", lambda c, n: c.create_queue(QueueName=n)),
        ("secretsmanager", "list_secrets", "SecretList",
         lambda c, n: c.create_secret(Name=n, SecretString="s")),
        ("ecr", "describe_repositories", "repositories", lambda c, n: c.create_repository(repositoryName=n)),
    ],
)  # fmt: skip
def test_pages_hold_everything_once(
    sandbox: RunningSandbox, name: str, service: str, operation: str, key: str, make: Any
) -> None:
    """A paginator with pages of two gives each of five things once."""
    client = sandbox.client(service)
    for number in range(5):
        make(client, f"{name}-{number}")
    pages = client.get_paginator(operation).paginate(PaginationConfig={"PageSize": 2})
    found = [str(item) for page in pages for item in page.get(key, []) if name in str(item)]
    assert len(found) == 5
    for number in range(5):
        assert len([item for item in found if f"{name}-{number}" in item]) == 1


def test_old_objects_are_listed_in_pages(sandbox: RunningSandbox, name: str) -> None:
    """ListObjectsV2 goes on where it stopped, in the order of the keys."""
    s3 = sandbox.client("s3")
    s3.create_bucket(Bucket=name)
    for number in range(7):
        s3.put_object(Bucket=name, Key=f"k{number}", Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=name, PaginationConfig={"PageSize": 3})
    assert [o["Key"] for page in pages for o in page["Contents"]] == [f"k{n}" for n in range(7)]


def test_waiters_end_well_or_say_why(sandbox: RunningSandbox, name: str) -> None:
    """What exists is waited for no longer; a terminal state ends the waiter at once."""
    s3, ecs = sandbox.client("s3"), sandbox.client("ecs")
    s3.create_bucket(Bucket=name)
    s3.get_waiter("bucket_exists").wait(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"v")
    s3.get_waiter("object_exists").wait(Bucket=name, Key="k")
    s3.delete_object(Bucket=name, Key="k")
    s3.get_waiter("object_not_exists").wait(Bucket=name, Key="k")
    ecs.create_cluster(clusterName=name)
    with pytest.raises(WaiterError, match="MISSING"):
        ecs.get_waiter("services_stable").wait(cluster=name, services=["nobody"])


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_a_throttled_call_is_made_again(sandbox: RunningSandbox, mode: str) -> None:
    """Two ThrottlingExceptions are waited out in every retry mode; the caller sees one answer."""
    sandbox.control.fault("ecs", "ListClusters", status=400, code="ThrottlingException", count=2)
    answer = _client(sandbox, "ecs", mode).list_clusters()
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2


@pytest.mark.parametrize(
    ("service", "operation"), [("elasticloadbalancing", "DescribeRules"), ("s3", "GET /")]
)
def test_an_error_of_the_server_is_tried_again(sandbox: RunningSandbox, service: str, operation: str) -> None:
    """503 is retried for query and REST services too; after the last attempt the error is the caller's."""
    client = _client(sandbox, "elbv2" if service != "s3" else "s3", "standard")
    call = client.list_buckets if service == "s3" else client.describe_rules
    arguments = {} if service == "s3" else {"RuleArns": ["arn:aws:elasticloadbalancing:x"]}
    sandbox.control.fault(service, operation, status=503, code="ServiceUnavailable", count=3)
    with pytest.raises(ClientError, match="ServiceUnavailable") as given_up:
        call(**arguments)
    assert given_up.value.response["ResponseMetadata"]["RetryAttempts"] == 2


@pytest.mark.parametrize(
    ("service", "call", "arguments"),
    [
        ("ecs", "create_service", {"cluster": "nobody"}),
        ("ecs", "register_task_definition", {"family": "x"}),
        ("ecs", "register_task_definition", {"family": "x", "containerDefinitions": [{"name": "no image"}]}),
        ("ecs", "update_service", {}),
        ("ecs", "run_task", {}),
        ("elbv2", "create_load_balancer", {}),
        ("elbv2", "create_target_group", {"Name": "x" * 33, "Protocol": "HTTP", "Port": 80}),
        ("elbv2", "create_listener", {}),
        ("elbv2", "modify_rule", {}),
        ("elbv2", "describe_target_health", {}),
        ("cloudwatch", "put_metric_alarm", {"AlarmName": "x"}),
        ("cloudwatch", "get_metric_data", {}),
        ("cloudwatch", "set_alarm_state", {"AlarmName": "x", "StateValue": "BAD", "StateReason": "x"}),
        ("application-autoscaling", "register_scalable_target", {}),
        ("events", "put_rule", {}),
        ("logs", "filter_log_events", {}),
        ("logs", "put_log_events", {}),
        ("sqs", "create_queue", {"QueueName": "no spaces allowed"}),
        ("sqs", "send_message", {}),
        ("sns", "create_topic", {"Name": "no spaces allowed"}),
        ("ecr", "create_repository", {"repositoryName": "Capitals"}),
        ("ecr", "describe_images", {}),
        ("ssm", "put_parameter", {"Name": "", "Value": "v", "Type": "String"}),
        ("secretsmanager", "get_secret_value", {}),
        ("route53", "create_hosted_zone", {"CallerReference": "x"}),
        ("kms", "sign", {}),
        ("sts", "assume_role", {}),
        ("iam", "create_role", {}),
    ],
)
def test_parameters_are_checked_by_the_service(
    sandbox: RunningSandbox, service: str, call: str, arguments: dict[str, Any]
) -> None:
    """With botocore's own check switched off the service refuses what is missing or out of range: 400."""
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    with pytest.raises(ClientError) as refused:
        getattr(_client(sandbox, service, config=config), call)(**arguments)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400, str(refused.value)


def _client(
    sandbox: RunningSandbox, service: str, mode: Any = "standard", config: Config | None = None
) -> Any:
    """A client whose retries are botocore's own."""
    given = config or Config(retries={"mode": mode, "total_max_attempts": 3})
    return boto3.client(
        service, endpoint_url=sandbox.endpoints.aws, region_name="us-east-1", aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox", config=given,
    )  # fmt: skip
