"""The other services: a registry one can push to, conditional writes, DNS that answers, faults on demand."""

from __future__ import annotations

import base64
import subprocess
import uuid
from collections.abc import Iterator

import docker
import pytest
from botocore.exceptions import ClientError, HTTPClientError

from delivery_tests.conftest import RunningSandbox

pytestmark = pytest.mark.sandbox


@pytest.fixture
def name() -> str:
    """A name that nothing else has."""
    return f"t{uuid.uuid4().hex[:8]}"


@pytest.fixture
def pushed(
    sandbox: RunningSandbox, docker_client: docker.DockerClient, app_image: str, name: str
) -> Iterator[tuple[str, str]]:
    """Repository and digest of an image pushed with the login that ECR gave."""
    ecr = sandbox.client("ecr")
    uri = ecr.create_repository(repositoryName=name)["repository"]["repositoryUri"]
    data = ecr.get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    login = {"username": user, "password": password}
    docker_client.images.get(app_image).tag(uri, "one")
    lines = list(
        docker_client.api.push(uri, tag="one", auth_config=login, stream=True, decode=True)  # type: ignore[no-untyped-call]
    )
    assert not [line for line in lines if "error" in line]
    digest = next(line["aux"]["Digest"] for line in lines if "aux" in line)
    yield uri, digest
    docker_client.images.remove(f"{uri}:one", force=True)


def test_a_pushed_image_is_described_by_its_digest(
    sandbox: RunningSandbox, pushed: tuple[str, str], name: str, docker_client: docker.DockerClient
) -> None:
    """DescribeImages tells the digest that `docker push` computed, and it can be pulled by it."""
    uri, digest = pushed
    (image,) = sandbox.client("ecr").describe_images(repositoryName=name)["imageDetails"]
    assert (image["imageDigest"], image["imageTags"]) == (digest, ["one"])
    docker_client.images.pull(f"{uri}@{digest}")


def test_a_scan_finds_what_was_seeded(sandbox: RunningSandbox, pushed: tuple[str, str], name: str) -> None:
    """An image nobody said anything about is clean; seeded findings are counted by severity."""
    ecr = sandbox.client("ecr")
    image = {"imageDigest": pushed[1]}
    ecr.start_image_scan(repositoryName=name, imageId=image)

    def found() -> dict[str, int]:
        answer = ecr.describe_image_scan_findings(repositoryName=name, imageId=image)
        assert answer["imageScanStatus"]["status"] == "COMPLETE"
        return dict(answer["imageScanFindings"]["findingSeverityCounts"])

    assert found() == {}
    sandbox.control.findings(pushed[1], HIGH=2, LOW=1)
    assert found() == {"HIGH": 2, "LOW": 1}


def test_an_unknown_image_is_not_found(sandbox: RunningSandbox, name: str) -> None:
    """ECR's own error for an image that was never pushed."""
    ecr = sandbox.client("ecr")
    ecr.create_repository(repositoryName=name)
    with pytest.raises(ecr.exceptions.ImageNotFoundException):
        ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": "none"}])


def test_the_second_conditional_write_is_refused(sandbox: RunningSandbox, name: str) -> None:
    """S3: `If-None-Match: *` creates once; `If-Match` with an old ETag is 412 PreconditionFailed."""
    s3 = sandbox.client("s3")
    s3.create_bucket(Bucket=name)
    first = s3.put_object(Bucket=name, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=name, Key="k", Body=b"2", IfNoneMatch="*")
    s3.put_object(Bucket=name, Key="k", Body=b"2", IfMatch=first)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=name, Key="k", Body=b"3", IfMatch=first)
    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"2"


def test_dig_sees_what_route53_was_told(sandbox: RunningSandbox, name: str) -> None:
    """A record can be asked for over DNS; a name nobody made is NXDOMAIN."""
    route53 = sandbox.client("route53")
    zone = route53.create_hosted_zone(Name=f"{name}.test", CallerReference=name)["HostedZone"]["Id"]
    record = {
        "Name": f"www.{name}.test", "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": "127.0.9.9"}],
    }  # fmt: skip
    change = route53.change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    )["ChangeInfo"]["Id"]
    assert route53.get_change(Id=change)["ChangeInfo"]["Status"] == "INSYNC"
    assert _dig(sandbox, f"www.{name}.test") == ["127.0.9.9"]
    assert "NXDOMAIN" in _dig(sandbox, f"nobody.{name}.test", "+comments")[0]


def _dig(sandbox: RunningSandbox, host: str, *more: str) -> list[str]:
    port = sandbox.endpoints.dns.rsplit(":", 1)[1]
    command = ["dig", "@127.0.0.1", "-p", port, *(more or ("+short",)), host]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=15)
    return [line for line in done.stdout.splitlines() if more == () or "status:" in line]


def test_a_secret_and_a_parameter_can_be_read_back(sandbox: RunningSandbox, name: str) -> None:
    """SSM and Secrets Manager keep what they were given; STS tells the account."""
    ssm, secrets = sandbox.client("ssm"), sandbox.client("secretsmanager")
    ssm.put_parameter(Name=f"/{name}", Value="v", Type="SecureString")
    assert ssm.get_parameter(Name=f"/{name}", WithDecryption=True)["Parameter"]["Value"] == "v"
    secrets.create_secret(Name=name, SecretString="s")
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "s"
    assert sandbox.client("sts").get_caller_identity()["Account"] == sandbox.config.account


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


def test_a_dead_registry_refuses_and_comes_back(sandbox: RunningSandbox, name: str) -> None:
    """While the registry is down nothing answers on its port; started again it has what it had."""
    import urllib.error
    import urllib.request

    url = f"http://{sandbox.endpoints.registry}/v2/"
    sandbox.control.registry(False)
    try:
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(url, timeout=2)
    finally:
        sandbox.control.registry(True)
    assert urllib.request.urlopen(url, timeout=2).status == 200
