"""Requests without an SDK: curl signs them itself, and what is no request of AWS's is refused in AWS's shape.

AWS general reference: "Signing AWS API requests"; "Common errors" of the ECS and ELB API references;
Amazon S3 API reference: "Error responses".
"""

from __future__ import annotations

import json

import pytest
import requests

from delivery_tests.conftest import RunningSandbox
from delivery_tests.foreign.conftest import Shell

pytestmark = pytest.mark.sandbox

_ECS = "AmazonEC2ContainerServiceV20141113"
_SIGNED = (
    "AWS4-HMAC-SHA256 Credential=sandbox/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"
)


def test_curl_signs_and_is_answered(shell: Shell, sandbox: RunningSandbox) -> None:
    """`curl --aws-sigv4` calls a JSON service and a query service."""
    keys = ("--user", "sandbox:sandbox", "-s")
    told = shell.run(
        "curl", *keys, "--aws-sigv4", "aws:amz:us-east-1:ecs", "-d", "{}",
        "-H", f"X-Amz-Target: {_ECS}.ListClusters", "-H", "Content-Type: application/x-amz-json-1.1",
        sandbox.endpoints.aws,
    )  # fmt: skip
    assert "clusterArns" in json.loads(told)
    told = shell.run(
        "curl", *keys, "--aws-sigv4", "aws:amz:us-east-1:sts",
        "-d", "Action=GetCallerIdentity&Version=2011-06-15", sandbox.endpoints.aws,
    )  # fmt: skip
    assert f"<Account>{sandbox.config.account}</Account>" in told


def _json_call(sandbox: RunningSandbox, service: str, target: str, body: str) -> requests.Response:
    headers = {
        "X-Amz-Target": target,
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": _SIGNED.format(service),
    }
    return requests.post(sandbox.endpoints.aws, data=body, headers=headers, timeout=10)


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ('{"cluster": "nobody", "services": ["x"]}', 400, "ClusterNotFoundException"),
        ("{not json", 400, "SerializationException"),
        ('{"cluster": "default"}', 400, "InvalidParameterException"),
    ],
)
def test_a_json_service_refuses_in_json(sandbox: RunningSandbox, body: str, status: int, error: str) -> None:
    """The body's `__type` names the error, the status is 400."""
    answer = _json_call(sandbox, "ecs", f"{_ECS}.DescribeServices", body)
    assert answer.status_code == status
    assert answer.json()["__type"].split("#")[-1] == error


def test_an_unknown_operation_is_refused(sandbox: RunningSandbox) -> None:
    """JSON services answer UnknownOperationException, query services InvalidAction; neither is a 5xx."""
    answer = _json_call(sandbox, "ecs", f"{_ECS}.MakeCoffee", "{}")
    assert (answer.status_code, answer.json()["__type"].split("#")[-1]) == (400, "UnknownOperationException")
    headers = {"Authorization": _SIGNED.format("elasticloadbalancing")}
    form = {"Action": "MakeCoffee", "Version": "2015-12-01"}
    answer = requests.post(sandbox.endpoints.aws, data=form, headers=headers, timeout=10)
    assert answer.status_code == 400
    assert "<Code>InvalidAction</Code>" in answer.text


def test_a_request_without_credentials_is_refused(sandbox: RunningSandbox) -> None:
    """MissingAuthenticationToken, which JSON services call an exception and query services a 403."""
    target = {"X-Amz-Target": f"{_ECS}.ListClusters", "Content-Type": "application/x-amz-json-1.1"}
    answer = requests.post(sandbox.endpoints.aws, data="{}", headers=target, timeout=10)
    assert (answer.status_code, answer.json()["__type"]) == (400, "MissingAuthenticationTokenException")
    form = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}
    answer = requests.post(sandbox.endpoints.aws, data=form, timeout=10)
    assert answer.status_code == 403
    assert "<Code>MissingAuthenticationToken</Code>" in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/no-such-bucket-here", 404, "NoSuchBucket"),
        ("GET", "/no-such-bucket-here/key", 404, "NoSuchBucket"),
        ("PUT", "/A", 400, "InvalidBucketName"),
    ],
)
def test_s3_refuses_in_xml(sandbox: RunningSandbox, method: str, path: str, status: int, error: str) -> None:
    """An `<Error>` document with code, message and request id."""
    headers = {"Authorization": _SIGNED.format("s3")}
    answer = requests.request(method, f"{sandbox.endpoints.aws}{path}", headers=headers, timeout=10)
    assert answer.status_code == status
    assert f"<Code>{error}</Code>" in answer.text
    assert "<RequestId>" in answer.text


@pytest.mark.parametrize("service", ["ecs", "elasticloadbalancing", "monitoring", "iam", "sqs", "logs"])
def test_garbage_is_never_a_server_error(sandbox: RunningSandbox, service: str) -> None:
    """Bytes that mean nothing are the caller's fault: 4xx, whatever the service."""
    headers = {"Authorization": _SIGNED.format(service), "Content-Type": "application/octet-stream"}
    answer = requests.post(sandbox.endpoints.aws, data=b"\xff\xfe\x00garbage", headers=headers, timeout=10)
    assert 400 <= answer.status_code < 500
