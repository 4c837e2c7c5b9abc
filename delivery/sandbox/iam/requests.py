"""What a request asks: IAM's name of the action, and what is known of the request.

moto's own router and parsers read it, from AWS's service models.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound

#: boto3's name of a service, where its signature has another.
_MODELS = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch"}
#: IAM's prefix of a service, where its signature has another.
_PREFIXES = {"monitoring": "cloudwatch"}
#: Actions that are not named as their operation. Source: service authorization reference, "Actions,
#: resources, and condition keys for Amazon S3".
_RENAMED = {
    "s3:HeadObject": "s3:GetObject", "s3:ListObjects": "s3:ListBucket", "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadBucket": "s3:ListBucket", "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:DeleteObjects": "s3:DeleteObject", "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject", "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:CopyObject": "s3:PutObject", "s3:UploadPartCopy": "s3:PutObject",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads", "s3:ListParts": "s3:ListMultipartUploadParts",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "sns:PublishBatch": "sns:Publish", "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `service` is IAM's prefix, `model` boto3's name; `key` and `token` signed it."""

    service: str
    model: str
    operation: str
    region: str
    key: str
    token: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def action(self) -> str:
        """IAM's name of what is asked."""
        own = f"{self.service}:{self.operation}"
        return _RENAMED.get(own, own)


def read(environ: Mapping[str, Any], body: bytes) -> Call | None:
    """The request's call; None when it is unsigned, or nothing that AWS's models know."""
    scope = _scope(environ)
    if scope is None:
        return None
    key, region, signed = scope
    model = _MODELS.get(signed, signed)
    query = parse_qs(environ.get("QUERY_STRING", ""))
    token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN") or query.get("X-Amz-Security-Token", [""])[0]
    found = _parsed(model, environ, body)
    if found is None:
        return None
    return Call(_PREFIXES.get(signed, signed), model, found[0], region, key, token, found[1])


def access_key(environ: Mapping[str, Any]) -> str | None:
    """The access key a request was signed with."""
    scope = _scope(environ)
    return scope[0] if scope else None


def _scope(environ: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Access key, region and service of a signature, in the header or presigned (S3's also as version 2)."""
    text = environ.get("HTTP_AUTHORIZATION", "")
    if not text:
        text = "Credential=" + parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential", [""])[0]
    if found := re.search(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/", text):
        return found[1], found[2], found[3]
    older = re.search(r"(?:^|&)AWSAccessKeyId=([^&]+)", environ.get("QUERY_STRING", ""))
    return (older[1], "us-east-1", "s3") if older else None


def _parsed(model: str, environ: Mapping[str, Any], body: bytes) -> tuple[str, Mapping[str, Any]] | None:
    """Operation and parameters, in AWS's own names. The environment is left as it was."""
    if cbor := re.fullmatch(r"/service/[^/]+/operation/(\w+)", environ.get("PATH_INFO", "")):
        return cbor[1], {}
    request = Request({**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))})
    try:
        operation, uri = get_service_router(model).match(request)
    except (NotFound, NotImplementedError, KeyError, ValueError):
        return None
    if model == "s3":
        return str(operation.name), {**request.args, **uri, "x-amz-copy-source": request.headers.get(
            "x-amz-copy-source", "")}  # fmt: skip
    parser = PROTOCOL_PARSERS[determine_request_protocol(get_service_model(model), request.content_type)]
    try:
        parsed = parser(operation).parse(
            {"method": request.method, "values": request.values, "headers": request.headers,
             "body": body, "url_path": request.path, "url_params": uri}
        )  # fmt: skip
    except Exception:  # a body nobody can read is moto's to refuse
        return str(operation.name), dict(uri)
    return str(operation.name), {**parsed, **uri}
