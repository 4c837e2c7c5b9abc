"""Faults on demand, as clients of any service see them."""

from __future__ import annotations

import uuid

import pytest
from botocore.exceptions import ClientError, HTTPClientError

from delivery_tests.conftest import RunningSandbox

pytestmark = pytest.mark.sandbox


@pytest.fixture
def name() -> str:
    """A name that nothing else has."""
    return f"t{uuid.uuid4().hex[:8]}"


@pytest.mark.parametrize(
    ("service", "operation", "call"),
    [
        ("ecs", "ListClusters", lambda c: c.list_clusters()),  # JSON
        ("elasticloadbalancing", "DescribeLoadBalancers", lambda c: c.describe_load_balancers()),  # query
        ("monitoring", "DescribeAlarms", lambda c: c.describe_alarms()),  # CBOR or query, as boto3 likes
        ("s3", "GET /", lambda c: c.list_buckets()),  # REST
    ],
)
def test_a_fault_is_one_call_long(
    sandbox: RunningSandbox, service: str, operation: str, call: object
) -> None:
    """The next call fails with AWS's own shape of error, whatever the protocol; the one after it does not."""
    clients = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch"}
    client = sandbox.client(clients.get(service, service))
    client.meta.events.register("needs-retry.*", lambda **_: False, unique_id="no-retries")
    assert callable(call)
    sandbox.control.fault(service, operation, status=400, code="SlowDownException")
    with pytest.raises(ClientError, match="SlowDownException"):
        call(client)
    call(client)


def test_a_lost_answer_is_of_a_call_that_was_done(sandbox: RunningSandbox, name: str) -> None:
    """The connection ends without an answer, but the cluster exists: what a retry must be ready for."""
    import boto3
    from botocore.config import Config

    once = boto3.client(
        "ecs", endpoint_url=sandbox.endpoints.aws, region_name="us-east-1", aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox", config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip
    sandbox.control.fault("ecs", "CreateCluster", kind="lost")
    with pytest.raises((HTTPClientError, ClientError, OSError)):
        once.create_cluster(clusterName=name)
    assert once.describe_clusters(clusters=[name])["clusters"][0]["status"] == "ACTIVE"
