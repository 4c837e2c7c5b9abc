"""Requests that are none of AWS's: each service's front door refuses them before it does what they ask.

Sources: "Common errors" of the API references of ECS (JSON protocol), Elastic Load Balancing (query protocol)
and EC2; "AWS JSON 1.1 protocol" and "AWS query protocol" of the Smithy specification; S3's "Error responses"
and "POST Object". Any path is one of S3's, but not with every method.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs
from xml.parsers.expat import ExpatError
from xml.sax.saxutils import escape

from botocore.loaders import Loader

from delivery.sandbox.chaos.services import rest_operation
from delivery.sandbox.required import missing_in_form, missing_in_json, wrong_member

_loader = Loader()
#: botocore's folder by the name a request is signed for. Other services are not judged.
_JSON = {
    "ecs": "ecs", "monitoring": "cloudwatch", "events": "events", "sqs": "sqs", "logs": "logs", "ssm": "ssm",
    "secretsmanager": "secretsmanager", "kms": "kms", "ecr": "ecr",
    "application-autoscaling": "application-autoscaling",
}  # fmt: skip
_QUERY = {
    "elasticloadbalancing": "elbv2", "monitoring": "cloudwatch", "sns": "sns", "sts": "sts", "iam": "iam",
    "ec2": "ec2", "sqs": "sqs",
}  # fmt: skip
#: What moto would claim to have done: a query that searched nothing, machines that run nowhere.
PRETENDED = {("logs", "StartQuery"), ("ec2", "RunInstances"), ("ec2", "RequestSpotInstances")}
#: What may be asked without a signature.
_OPEN = {"AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "ConfirmSubscription", "Unsubscribe"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer: status line, headers, body."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


def refusal(environ: dict[str, Any], body: bytes) -> Refusal | None:
    """How AWS refuses this request at its door; None when it is for the service to judge."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return _json_call(environ, target, body)
    signed_for = _signed_for(environ)
    form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    posted = environ.get("REQUEST_METHOD") == "POST" and environ.get("PATH_INFO", "/") == "/"
    if posted and (form or signed_for in _QUERY):
        return _query_call(environ, signed_for, body)
    if posted and signed_for in _JSON:
        return _json_refusal("UnknownOperationException", "")
    return _s3_call(environ, body) if signed_for in ("", "s3") else None


def unanswered(environ: dict[str, Any], body: bytes, error: Exception) -> Refusal | None:
    """The same for a call that moto stumbled over: what it lacks, in services with words of their own."""
    target, service = environ.get("HTTP_X_AMZ_TARGET", ""), _signed_for(environ)
    if isinstance(error, ExpatError) and service in ("", "s3"):
        text = "The XML you provided was not well-formed or did not validate against our published schema"
        return _xml_refusal("s3", 400, "MalformedXML", text)
    if target:
        given, name = json.loads(body or b"{}"), _JSON.get(service, "")
        lacking = missing_in_json(name, target.rsplit(".", 1)[-1], given, late=True)
        lacking = lacking or wrong_member(name, given.get)
        return _json_refusal(*lacking) if lacking else None
    if service in _QUERY:
        form = parse_qs(body.decode())
        name = _QUERY[service]
        lacking = missing_in_form(name, form.get("Action", [""])[0], form, late=True)
        lacking = lacking or wrong_member(name, lambda member: form.get(member, [""])[0])
        return _xml_refusal(service, 400, *lacking) if lacking else None
    return None


def not_there(environ: dict[str, Any], operation: str) -> Refusal:
    """An operation of AWS's that the sandbox does not have. It is no use to try again, so this is no 5xx."""
    text = f"The sandbox does not do {operation}."
    if environ.get("HTTP_X_AMZ_TARGET"):
        return _json_refusal("UnknownOperationException", text)
    service = _signed_for(environ)
    if service in ("", "s3"):
        return _xml_refusal("s3", 501, "NotImplemented", text)
    return _xml_refusal(service, 400, "InvalidAction", text)


def _s3_call(environ: dict[str, Any], body: bytes) -> Refusal | None:
    """A request to a bucket or an object, with a method that S3 has for it. Forms upload to buckets only."""
    method, path = environ.get("REQUEST_METHOD", ""), environ.get("PATH_INFO", "/")
    if path == "/" or method in ("OPTIONS", "HEAD", "GET"):
        return None
    query = environ.get("QUERY_STRING", "")
    name = rest_operation("s3", method, path, query)
    if b"Action=" in body or (name and (name != "CompleteMultipartUpload" or "uploadId=" in query)):
        return None
    if method != "POST" or "/" in path.strip("/"):
        text = "The specified method is not allowed against this resource."
        return _xml_refusal("s3", 405, "MethodNotAllowed", text)
    if not environ.get("CONTENT_TYPE", "").startswith("multipart/form-data"):
        text = "At least one of the pre-conditions you specified did not hold"
        return _xml_refusal("s3", 412, "PreconditionFailed", text)
    if b'name="key"' not in body:
        text = "Bucket POST must contain a field named 'key'."
        text += " If it is specified, please check the order of the fields."
        return _xml_refusal("s3", 400, "InvalidArgument", text)
    return None


def _json_call(environ: dict[str, Any], target: str, body: bytes) -> Refusal | None:
    """A call of a JSON service: `X-Amz-Target: <service>.<operation>`, and an object as its body."""
    if not _is_signed(environ):
        return _json_refusal("MissingAuthenticationTokenException", "Missing Authentication Token")
    service = _JSON.get(_signed_for(environ))
    if service is not None and target.rsplit(".", 1)[-1] not in _operations(service):
        return _json_refusal("UnknownOperationException", "")
    try:
        given = json.loads(body or b"{}")
    except ValueError:
        return _json_refusal("SerializationException", "")
    if not isinstance(given, dict):
        return _json_refusal("SerializationException", "")
    lacking = service and missing_in_json(service, target.rsplit(".", 1)[-1], given)
    return _json_refusal(*lacking) if lacking else None


def _query_call(environ: dict[str, Any], signed_for: str, body: bytes) -> Refusal | None:
    """A call of a query service: a form with an `Action`."""
    try:
        given = {**parse_qs(environ.get("QUERY_STRING", "")), **parse_qs(body.decode())}
    except UnicodeDecodeError:
        return _xml_refusal(signed_for, 400, "MalformedQueryString", "The query string is not UTF-8.")
    action = given.get("Action", [""])[0]
    if not action:
        return _xml_refusal(
            signed_for, 400, "MissingAction", "The request must contain the parameter Action."
        )
    if not _is_signed(environ) and action not in _OPEN:
        text = "Request is missing Authentication Token"
        return _xml_refusal(signed_for, 403, "MissingAuthenticationToken", text)
    version, service = given.get("Version", [""])[0], _QUERY.get(signed_for)
    if signed_for == "elasticloadbalancing" and version != "2015-12-01":
        return None  # the API of classic load balancers, which shares the name
    if service is not None and action not in _operations(service):
        text = f"Could not find operation {action} for version {version or 'NO_VERSION_SPECIFIED'}"
        return _xml_refusal(signed_for, 400, "InvalidAction", text)
    lacking = service and missing_in_form(service, action, given)
    return _xml_refusal(signed_for, 400, *lacking) if lacking else None


@cache
def _operations(service: str) -> frozenset[str]:
    """The names of a service's operations, from botocore's copy of AWS's own description."""
    return frozenset(_loader.load_service_model(service, "service-2")["operations"])


def _signed_for(environ: dict[str, Any]) -> str:
    """The service in the signature's scope."""
    given = environ.get("HTTP_AUTHORIZATION", "") or environ.get("QUERY_STRING", "").replace("%2F", "/")
    scope = re.search(r"Credential=[^/]+/\d+/[^/]*/([^/]+)/", given)
    return scope[1] if scope else ""


def _is_signed(environ: dict[str, Any]) -> bool:
    return "HTTP_AUTHORIZATION" in environ or "X-Amz-Signature=" in environ.get("QUERY_STRING", "")


def _json_refusal(code: str, message: str) -> Refusal:
    body = json.dumps({"__type": code, **({"message": message} if message else {})}).encode()
    return _answer(400, "application/x-amz-json-1.1", body)


def _xml_refusal(service: str, status: int, code: str, message: str) -> Refusal:
    error, request_id = f"<Code>{code}</Code><Message>{escape(message)}</Message>", uuid.uuid4()
    if service == "s3":
        text = f"<Error>{error}<RequestId>{request_id}</RequestId><HostId>sandbox</HostId></Error>"
    elif service == "ec2":
        text = (
            f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
        )
    else:
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return _answer(status, "text/xml", text.encode())


def _answer(status: int, kind: str, body: bytes) -> Refusal:
    headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
    headers.append(("x-amzn-RequestId", str(uuid.uuid4())))
    return Refusal(f"{status} {HTTPStatus(status).phrase}", headers, body)
