"""What is no request of AWS's is refused at the door, in the words of the service's protocol.

AWS API references of ECS, Elastic Load Balancing, EC2 and STS: "Common errors".
"""

from __future__ import annotations

from typing import Any
from xml.parsers.expat import ExpatError

import pytest

from delivery.sandbox.malformed import not_there, refusal, unanswered

_ECS = "AmazonEC2ContainerServiceV20141113"


def environ(service: str = "", **more: str) -> dict[str, Any]:
    """A POST to `/`, signed for a service if one is named."""
    scope = f"AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/{service}/aws4_request, Signature=0"
    signed = {"HTTP_AUTHORIZATION": scope} if service else {}
    return {"REQUEST_METHOD": "POST", "PATH_INFO": "/", **signed, **more}


def form(service: str = "") -> dict[str, Any]:
    """The same with a form as its body."""
    return environ(service, CONTENT_TYPE="application/x-www-form-urlencoded; charset=utf-8")


@pytest.mark.parametrize(
    ("given", "body", "status", "code"),
    [
        (environ("ecs", HTTP_X_AMZ_TARGET=f"{_ECS}.MakeCoffee"), b"{}", 400, "UnknownOperationException"),
        (environ("ecs", HTTP_X_AMZ_TARGET=f"{_ECS}.ListTasks"), b"{no", 400, "SerializationException"),
        (environ("ecs", HTTP_X_AMZ_TARGET=f"{_ECS}.ListTasks"), b"[]", 400, "SerializationException"),
        (environ("ecs", HTTP_X_AMZ_TARGET=f"{_ECS}.ListTasks"), b"\xff", 400, "SerializationException"),
        (environ("ecs"), b"{}", 400, "UnknownOperationException"),
        (environ(HTTP_X_AMZ_TARGET=f"{_ECS}.ListTasks"), b"{}", 400, "MissingAuthenticationTokenException"),
        (form("elasticloadbalancing"), b"Action=Brew&Version=2015-12-01", 400, "InvalidAction"),
        (form("ec2"), b"Action=Brew&Version=2016-11-15", 400, "InvalidAction"),
        (form("sts"), b"Version=2011-06-15", 400, "MissingAction"),
        (form("sts"), b"\xff\xfe", 400, "MalformedQueryString"),
        (form(), b"Action=GetCallerIdentity&Version=2011-06-15", 403, "MissingAuthenticationToken"),
    ],
)
def test_it_is_refused(given: dict[str, Any], body: bytes, status: int, code: str) -> None:
    """Status, code and the protocol's shape are AWS's."""
    no = refusal(given, body)
    assert no is not None
    assert no.status.startswith(str(status))
    json_call = given.get("HTTP_X_AMZ_TARGET") or "ecs" in given.get("HTTP_AUTHORIZATION", "")
    assert (f'"__type": "{code}"' if json_call else f"<Code>{code}</Code>").encode() in no.body


@pytest.mark.parametrize(
    ("given", "body"),
    [
        (environ("ecs", HTTP_X_AMZ_TARGET=f"{_ECS}.ListTasks"), b"{}"),
        (environ("ecs", HTTP_X_AMZ_TARGET=f"{_ECS}.ListTasks"), b""),
        (form("elasticloadbalancing"), b"Action=DescribeRules&Version=2015-12-01"),
        (form("elasticloadbalancing"), b"Action=DescribeLoadBalancers&Version=2012-06-01"),
        (form("monitoring"), b"Action=DescribeAlarms&Version=2010-08-01"),
        (form(), b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15"),
        (environ("s3", REQUEST_METHOD="PUT", PATH_INFO="/bucket/key"), b"\xff\xfe"),
        (environ("monitoring", PATH_INFO="/service/Granite/operation/DescribeAlarms"), b"\xbf\xff"),
        (environ("glacier", HTTP_X_AMZ_TARGET="Unknown.Thing"), b"{}"),
    ],
)
def test_it_is_for_the_service_to_judge(given: dict[str, Any], body: bytes) -> None:
    """Well-formed requests pass, and so do the few that AWS takes unsigned."""
    assert refusal(given, body) is None


@pytest.mark.parametrize(
    ("method", "path", "kind", "body", "status", "code"),
    [
        ("POST", "/bucket/key", "application/x-www-form-urlencoded", b"a=b", 405, "MethodNotAllowed"),
        ("PATCH", "/bucket", "", b"", 405, "MethodNotAllowed"),
        ("POST", "/bucket", "application/x-www-form-urlencoded", b"a=b", 412, "PreconditionFailed"),
        ("POST", "/bucket", "multipart/form-data; boundary=x", b"--x", 400, "InvalidArgument"),
    ],
)
def test_s3_has_few_methods(method: str, path: str, kind: str, body: bytes, status: int, code: str) -> None:
    """Forms are for buckets, as multipart with a key; what is no operation of S3's is not allowed."""
    for service in ("", "s3"):
        given = environ(service, REQUEST_METHOD=method, PATH_INFO=path, CONTENT_TYPE=kind)
        no = refusal(given, body)
        assert no is not None and no.status.startswith(str(status))
        assert b"<Error><Code>" + code.encode() in no.body


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("POST", "/bucket", "delete=", b"<Delete/>"),
        ("POST", "/bucket/key", "uploads=", b""),
        ("POST", "/bucket/key", "uploadId=1", b"<C/>"),
        ("DELETE", "/bucket/a/b", "", b""),
        ("OPTIONS", "/bucket/a", "", b""),
        ("POST", "/bucket/", "", b'--x\r\nContent-Disposition: form-data; name="key"'),
    ],
)
def test_s3s_own_methods_pass(method: str, path: str, query: str, body: bytes) -> None:
    """Operations of S3's, preflights, and forms that upload are for S3 to judge."""
    more = {
        "QUERY_STRING": query,
        "CONTENT_TYPE": "multipart/form-data; boundary=x" if b"form" in body else "",
    }
    assert refusal(environ("s3", REQUEST_METHOD=method, PATH_INFO=path, **more), body) is None


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        (environ("ecs", HTTP_X_AMZ_TARGET=f"{_ECS}.CreateDaemon"), 400, "UnknownOperationException"),
        (form("elasticloadbalancing"), 400, "InvalidAction"),
        (environ("s3", REQUEST_METHOD="GET", PATH_INFO="/b"), 501, "NotImplemented"),
    ],
)
def test_what_the_sandbox_does_not_do_is_refused(given: dict[str, Any], status: int, code: str) -> None:
    """An operation that moto does not have is no server's error: clients need not try again."""
    no = not_there(given, "CreateDaemon")
    assert no.status.startswith(str(status)) and code.encode() in no.body and b"CreateDaemon" in no.body


@pytest.mark.parametrize(
    ("given", "body", "code"),
    [
        (environ("ssm", HTTP_X_AMZ_TARGET="AmazonSSM.DescribeParameters"), b'{"NextToken": "x"}',
         "InvalidNextToken"),
        (form("iam"), b"Action=ListRoles&Marker=x&Version=2010-05-08", "ValidationError"),
        (form("sns"), b"Action=GetTopicAttributes&TopicArn=x&Version=2010-03-31", "InvalidParameter"),
    ],
)  # fmt: skip
def test_a_token_that_nobody_gave_out_is_refused(given: dict[str, Any], body: bytes, code: str) -> None:
    """Pages are asked for with the token of the page before; SNS's topics are named by their ARNs."""
    no = unanswered(given, body, ValueError())
    assert no is not None and no.status.startswith("400") and code.encode() in no.body


def test_what_moto_stumbles_over_lacks_something() -> None:
    """Services with words of their own refuse what lacks a member, too, when nobody else has said it."""
    lacking = unanswered(environ("ecs", HTTP_X_AMZ_TARGET=f"{_ECS}.TagResource"), b"{}", KeyError())
    assert lacking is not None and b"InvalidParameterException" in lacking.body
    lacking = unanswered(form("elasticloadbalancing"), b"Action=DescribeTags&Version=2015-12-01", KeyError())
    assert lacking is not None and b"ValidationError" in lacking.body
    whole = environ("ecs", HTTP_X_AMZ_TARGET=f"{_ECS}.TagResource")
    assert unanswered(whole, b'{"resourceArn": "a", "tags": []}', KeyError()) is None
    put = environ("s3", REQUEST_METHOD="PUT", PATH_INFO="/b", QUERY_STRING="lifecycle")
    lacking = unanswered(put, b"{", ExpatError())
    assert lacking is not None and b"<Code>MalformedXML</Code>" in lacking.body


_PUT = environ("ssm", HTTP_X_AMZ_TARGET="AmazonSSM.PutParameter")


@pytest.mark.parametrize(
    ("given", "body", "code", "told"),
    [
        (_PUT, b'{"Name": ""}', "ValidationException", "name"),
        (_PUT, b'{"Name": "/a"}', "ValidationException", "value"),
        (environ("kms", HTTP_X_AMZ_TARGET="TrentService.Sign"), b"{}", "ValidationException", "keyId"),
        (form("sts"), b"Action=AssumeRole&Version=2011-06-15", "ValidationError", "roleArn"),
        (form("iam"), b"Action=TagRole&Version=2010-05-08&RoleName=r", "ValidationError", "tags"),
    ],
)
def test_what_must_be_named_is_asked_for(given: dict[str, Any], body: bytes, code: str, told: str) -> None:
    """A required member that is missing or empty is refused with its name."""
    no = refusal(given, body)
    assert no is not None
    assert code.encode() in no.body
    assert f"at '{told}' failed to satisfy constraint: Member must".encode() in no.body


def test_what_must_be_named_may_be_spread_in_a_form() -> None:
    """Lists are numbered members in the query protocol."""
    body = b"Action=TagRole&Version=2010-05-08&RoleName=r&Tags.member.1.Key=k&Tags.member.1.Value=v"
    assert refusal(form("iam"), body) is None


def test_an_error_of_ec2_has_its_own_shape() -> None:
    """EC2 puts its errors into a list, in a `<Response>`."""
    no = refusal(form("ec2"), b"Action=Brew&Version=2016-11-15")
    assert no is not None
    assert no.body.startswith(b"<Response><Errors><Error><Code>InvalidAction</Code>")
