"""A request's service and operation, and an error in its protocol, so that clients read code and message.

Sources: the Smithy specification, "AWS JSON 1.1", "AWS query", "EC2 query", "AWS REST XML" and "Smithy RPC v2
CBOR" protocols; Amazon S3 API reference, "Error responses".
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from delivery.sandbox.chaos.services import rest_operation


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status line, headers, body."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


def call_of(environ: dict[str, Any], body: bytes) -> tuple[str, ...]:
    """Service and operation of a request to AWS, from its signature and its protocol. REST has two names."""
    service = service_of(environ)
    target, path = environ.get("HTTP_X_AMZ_TARGET", ""), environ.get("PATH_INFO", "/")
    if target:
        return service, target.rsplit(".", 1)[-1]
    if cbor := re.fullmatch(r"/service/[^/]+/operation/(\w+)", path):
        return service, cbor[1]
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        action = parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
        if action:
            return service, action
    method = environ.get("REQUEST_METHOD", "")
    name = rest_operation(service, method, path, environ.get("QUERY_STRING", ""))
    return (service, f"{method} {path}", *([name] if name else []))


def service_of(environ: dict[str, Any]) -> str:
    """The service a request is signed for, in its header or, presigned, in its address."""
    given = environ.get("HTTP_AUTHORIZATION", "") or environ.get("QUERY_STRING", "").replace("%2F", "/")
    scope = re.search(r"Credential=[^/]+/\d+/[^/]*/([^/]+)/", given)
    return scope[1] if scope else ""


def protocol_of(environ: dict[str, Any]) -> str:
    """`cbor`, `json`, `ec2`, `s3` or `query`, whose XML Route 53 shares."""
    if environ.get("HTTP_SMITHY_PROTOCOL"):
        return "cbor"
    if environ.get("HTTP_X_AMZ_TARGET"):
        return "json"
    service = service_of(environ)
    # What is not signed and says no service lands at S3, as on a host of nobody's name.
    form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    if not service and not (form and environ.get("PATH_INFO", "/") == "/"):
        return "s3"
    return service if service in ("ec2", "s3") else "query"


def error(environ: dict[str, Any], status: int, code: str, message: str) -> Answer:
    """The service's refusal, in the protocol of the request."""
    protocol, request_id = protocol_of(environ), str(uuid.uuid4())
    headers = [("x-amzn-RequestId", request_id)]
    if protocol in ("cbor", "json"):
        said = {"__type": code, "message": message}
        kind = "application/cbor" if protocol == "cbor" else "application/x-amz-json-1.1"
        body = _cbor(said) if protocol == "cbor" else json.dumps(said).encode()
        if protocol == "cbor":
            headers.append(("smithy-protocol", "rpc-v2-cbor"))
    else:
        kind = "application/xml" if protocol == "s3" else "text/xml"
        body = _xml(protocol, status, code, message, request_id)
    if environ.get("REQUEST_METHOD") == "HEAD":
        body = b""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Fault"
    headers += [("Content-Type", kind), ("Content-Length", str(len(body)))]
    return Answer(f"{status} {phrase}", headers, body)


def _xml(protocol: str, status: int, code: str, message: str, request_id: str) -> bytes:
    what = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    side = "Sender" if status < 500 else "Receiver"
    text = {
        "s3": f"<Error>{what}<RequestId>{request_id}</RequestId><HostId>sandbox</HostId></Error>",
        "ec2": f"<Response><Errors><Error>{what}</Error></Errors><RequestID>{request_id}</RequestID>"
        "</Response>",
    }.get(
        protocol,
        f"<ErrorResponse><Error><Type>{side}</Type>{what}</Error><RequestId>{request_id}</RequestId>"
        "</ErrorResponse>",
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


def _cbor(entries: dict[str, str]) -> bytes:
    """A small map of texts (RFC 8949)."""
    out = bytes([0xA0 + len(entries)])
    for text in (t for pair in entries.items() for t in pair):
        raw = text.encode()
        if len(raw) < 24:
            head = bytes([0x60 + len(raw)])
        elif len(raw) < 256:
            head = bytes([0x78, len(raw)])
        else:
            head = bytes([0x79]) + len(raw).to_bytes(2, "big")
        out += head + raw
    return out
