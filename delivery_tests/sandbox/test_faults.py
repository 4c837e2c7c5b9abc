"""Faults of calls: which call they are for, and the words AWS uses. Nothing runs here.

Sources: "Common errors" in the API reference of each service; Amazon S3 API reference, "Error responses"; IAM
user guide, "Troubleshooting Signature Version 4 requests".
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.parsers import create_parser
from botocore.session import Session

from delivery.sandbox.chaos import signing, wire
from delivery.sandbox.chaos.services import names, rest_operation
from delivery.sandbox.config import SandboxError
from delivery.sandbox.faults import Fault, Faults

NOW = 1_800_000_000.0
FORM = {"CONTENT_TYPE": "application/x-www-form-urlencoded"}


def signed(service: str, **more: str) -> dict[str, Any]:
    """A request's WSGI environment, signed for a service."""
    scope = f"AWS4-HMAC-SHA256 Credential=k/20261124/us-east-1/{service}/aws4_request, …"
    return {"HTTP_AUTHORIZATION": scope, "REQUEST_METHOD": "POST", "PATH_INFO": "/", **more}


# --- which calls ------------------------------------------------------------------


def test_a_fault_is_taken_as_often_as_said() -> None:
    """`after` calls go through, `count` fail, and others are never touched."""
    faults = Faults()
    faults.add(Fault("ecs", "UpdateService", count=2, after=1))
    assert faults.take("ecs", "DescribeServices") is None
    taken = [faults.take("ecs", "UpdateService") is not None for _ in range(5)]
    assert taken == [False, True, True, False, False]


def test_a_fault_without_a_count_holds_until_it_is_cleared() -> None:
    """Count 0 is for every call, and `clear` ends it."""
    faults = Faults()
    faults.add(Fault("ecs", count=0))
    assert all(faults.take("ecs", "ListTasks") for _ in range(100))
    faults.clear()
    assert faults.take("ecs", "ListTasks") is None


def test_a_fault_can_be_meant_for_one_thing() -> None:
    """`target` is a text of the request: another service's calls pass and do not use it up."""
    faults = Faults()
    faults.add(Fault("ecs", "UpdateService", target="web-blue"))
    assert faults.take("ecs", "UpdateService", content=b'{"service": "web-green"}') is None
    assert faults.take("ecs", "UpdateService", content=b'{"service": "web-blue"}')


def test_chance_is_repeatable() -> None:
    """The same seed hits the same calls; a call that was lucky does not count."""

    def hits() -> list[bool]:
        faults = Faults()
        faults.add(Fault("ecs", count=20, probability=0.3, seed=7))
        return [faults.take("ecs", "ListTasks") is not None for _ in range(200)]

    assert hits() == hits()
    assert sum(hits()) == 20 and False in hits()[:20]


def test_faults_are_taken_once_by_many_threads() -> None:
    """Fifty callers at once share three faults."""
    faults, taken = Faults(), []
    faults.add(Fault("ecs", count=3))
    threads = [threading.Thread(target=lambda: taken.append(faults.take("ecs", "X"))) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(f is not None for f in taken) == 3


def test_what_is_to_come_is_told_without_the_usual() -> None:
    """`fault list` shows what was said of a fault, and how many calls are left."""
    faults = Faults()
    faults.add(Fault.read({"service": "elbv2", "operation": "ModifyRule", "kind": "lost", "count": 3}))
    faults.take("elasticloadbalancing", "ModifyRule")
    told = {"service": "elasticloadbalancing", "operation": "ModifyRule", "kind": "lost", "count": 2}
    assert faults.told() == [told]


@pytest.mark.parametrize(
    ("environ", "body", "call"),
    [
        ({"HTTP_X_AMZ_TARGET": "AmazonEC2ContainerServiceV20141113.UpdateService"}, b"", "UpdateService"),
        ({"CONTENT_TYPE": "application/x-www-form-urlencoded"}, b"Action=ModifyRule&Version=1", "ModifyRule"),
        ({"PATH_INFO": "/service/GraniteService/operation/PutMetricAlarm"}, b"", "PutMetricAlarm"),
        ({"REQUEST_METHOD": "PUT", "PATH_INFO": "/bucket/key"}, b"", "PUT /bucket/key"),
    ],
)  # fmt: skip
def test_operations_are_known_in_every_protocol(environ: dict[str, str], body: bytes, call: str) -> None:
    """JSON, query, CBOR and REST have their own places for it; the signature names the service."""
    assert wire.call_of(signed("svc", **environ), body) == ("svc", call)


@pytest.mark.parametrize(
    ("method", "path", "query", "name"),
    [
        ("PUT", "/bucket/a/key", "x-id=PutObject", "PutObject"),
        ("PUT", "/bucket", "", "CreateBucket"),
        ("PUT", "/bucket", "versioning", "PutBucketVersioning"),
        ("GET", "/bucket", "list-type=2", "ListObjectsV2"),
        ("GET", "/bucket/key", "tagging", "GetObjectTagging"),
        ("DELETE", "/bucket/key", "", "DeleteObject"),
    ],
)
def test_calls_of_s3_have_their_names_in_aws(method: str, path: str, query: str, name: str) -> None:
    """S3 tells its operations apart by method, path and query."""
    assert rest_operation("s3", method, path, query) == name


def test_calls_of_route_53_have_their_names_in_aws() -> None:
    """Route 53 tells its operations apart by method and path."""
    assert (
        rest_operation("route53", "POST", "/2013-04-01/hostedzone/Z1/rrset/", "")
        == "ChangeResourceRecordSets"
    )
    assert rest_operation("route53", "GET", "/2013-04-01/change/C1", "") == "GetChange"
    assert rest_operation("ecs", "POST", "/", "") == ""


# --- what cannot be meant ---------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "service: it is missing"),
        ({"service": "ecs", "blah": 1}, "blah: there is no such field"),
        ({"service": "ecs", "count": "3"}, "count: '3' should be a number"),
        ({"service": "ecs", "count": True}, "count: True should be a number"),
        ({"service": "ecs", "count": -1}, "count: it cannot be negative"),
        ({"service": "ecs", "kind": "explode"}, "kind: 'explode' is none of error"),
        ({"service": "ecs", "probability": 2}, "probability: 2"),
        ({"service": "ecs", "status": 200}, "status: 200 is no HTTP status of a refusal"),
        ({"service": "esc"}, "Did you mean ecs"),
        ({"service": "ecs", "operation": "UpdateServices"}, "Did you mean UpdateService"),
    ],
)
def test_a_fault_that_cannot_happen_is_refused(said: dict[str, Any], field: str) -> None:
    """A wrong word names its field; a service or operation that does not exist gets the nearest one."""
    with pytest.raises(SandboxError, match=field):
        Fault.read(said)


# --- the words --------------------------------------------------------------------

#: The code and status of each service's throttling.
THROTTLING = {
    "ecs": ("ThrottlingException", 400), "ecr": ("ThrottlingException", 400), "elbv2": ("Throttling", 400),
    "cloudwatch": ("Throttling", 400), "application-autoscaling": ("ThrottlingException", 400),
    "route53": ("Throttling", 400), "s3": ("SlowDown", 503), "sns": ("Throttling", 400),
    "sqs": ("RequestThrottled", 403), "ssm": ("ThrottlingException", 400), "sts": ("Throttling", 400),
    "secretsmanager": ("ThrottlingException", 400), "iam": ("Throttling", 400),
    "logs": ("ThrottlingException", 400), "kms": ("ThrottlingException", 400),
    "events": ("ThrottlingException", 400),
    "ec2": ("RequestLimitExceeded", 503), "github": ("RateLimited", 403),
}  # fmt: skip


def test_every_service_throttles_in_its_own_words() -> None:
    """Clients recognise throttling by its code, which is not the same everywhere."""
    assert set(names()) == set(THROTTLING)
    for service, words in THROTTLING.items():
        fault = Fault.read({"service": service, "kind": "throttle"})
        assert (fault.code, fault.status) == words, service


@pytest.mark.parametrize(
    ("service", "environ", "protocol"),
    [
        ("ecs", {"HTTP_X_AMZ_TARGET": "X.ListTasks"}, "json"),
        ("elbv2", FORM, "query"),
        ("ec2", FORM, "ec2"),
        ("s3", {"REQUEST_METHOD": "PUT", "PATH_INFO": "/b/k"}, "rest-xml"),
        ("route53", {"REQUEST_METHOD": "GET", "PATH_INFO": "/2013-04-01/hostedzone"}, "rest-xml"),
        ("cloudwatch", {"HTTP_SMITHY_PROTOCOL": "rpc-v2-cbor"}, "smithy-rpc-v2-cbor"),
    ],
)
def test_botocore_reads_code_and_message_of_a_refusal(
    service: str, environ: dict[str, str], protocol: str
) -> None:
    """The refusal is written in the protocol of the request."""
    fault = Fault.read({"service": service, "kind": "throttle"})
    text = "Slow <down> & " + "wait " * 60
    answer = wire.error(signed(fault.service, **environ), fault.status, fault.code, text)
    model = Session().get_service_model(service)
    shape = model.operation_model(model.operation_names[0]).output_shape
    assert shape is not None
    got = {"status_code": fault.status, "headers": dict(answer.headers), "body": answer.body}
    parsed = create_parser(protocol).parse(got, shape)
    assert parsed["Error"]["Code"] == fault.code and parsed["Error"]["Message"] == text


# --- clocks -----------------------------------------------------------------------


def at(seconds: float) -> str:
    """A time as requests are signed with."""
    return datetime.fromtimestamp(NOW + seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


@pytest.mark.parametrize(
    ("service", "environ", "code"),
    [
        ("ecs", {"HTTP_X_AMZ_TARGET": "X.ListTasks"}, b"InvalidSignatureException"),
        ("elasticloadbalancing", FORM, b"SignatureDoesNotMatch"),
        ("ec2", FORM, b"RequestExpired"),
    ],
)  # fmt: skip
def test_a_request_more_than_five_minutes_off_is_refused(
    service: str, environ: dict[str, str], code: bytes
) -> None:
    """Signature Version 4 allows five minutes between the request's time and the service's."""
    for seconds, refused in ((0, False), (-300, False), (300, False), (-301, True), (301, True)):
        answer = signing.too_skewed(signed(service, HTTP_X_AMZ_DATE=at(seconds), **environ), (NOW,))
        assert (answer is not None) == refused, seconds
        assert answer is None or code in answer.body


def test_the_refusal_tells_both_times() -> None:
    """AWS names the request's time, its own, and the limit."""
    old = signing.too_skewed(signed("ecs", HTTP_X_AMZ_TARGET="X.Y", HTTP_X_AMZ_DATE=at(-400)), (NOW,))
    new = signing.too_skewed(signed("ecs", HTTP_X_AMZ_TARGET="X.Y", HTTP_X_AMZ_DATE=at(400)), (NOW,))
    assert old and f"Signature expired: {at(-400)} is now earlier than {at(-300)} ({at(0)} - 5 min.)" in str(
        old.body
    )
    assert new and f"Signature not yet current: {at(400)} is still later than {at(300)}" in str(new.body)


def test_s3_allows_a_quarter_of_an_hour() -> None:
    """S3 refuses with RequestTimeTooSkewed beyond fifteen minutes."""
    near = signed("s3", PATH_INFO="/b", HTTP_X_AMZ_DATE=at(-899))
    far = signed("s3", PATH_INFO="/b", HTTP_X_AMZ_DATE=at(-901))
    refused = signing.too_skewed(far, (NOW,))
    assert signing.too_skewed(near, (NOW,)) is None
    assert (
        refused and refused.status.startswith("403") and b"<Code>RequestTimeTooSkewed</Code>" in refused.body
    )
