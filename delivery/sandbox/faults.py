"""Faults on demand: the next calls of one operation fail, come late, or lose their answer.

Each names a service, an operation, and how many calls it is for. What an operation is called: AWS's own name
(`UpdateService`, `ModifyRule`); for S3 and Route 53 method and path (`PUT /bucket/key`); likewise for GitHub.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs

Kind = Literal["error", "delay", "lost"]


@dataclass(slots=True)
class Fault:
    """One fault. `operation` is a prefix, empty for any; `after` calls are let through first.

    error  the call is answered with `status` and `code`, and does nothing
    delay  the call is done `seconds` later
    lost   the call is done, and its answer never arrives
    """

    service: str
    operation: str = ""
    kind: Kind = "error"
    count: int = 1
    after: int = 0
    status: int = 500
    code: str = "InternalFailure"
    seconds: float = 0.0


@dataclass
class Faults:
    """The faults to come; safe to use from several threads."""

    _waiting: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault) -> None:
        """Let it happen."""
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """No more faults."""
        with self._lock:
            self._waiting.clear()

    def take(self, service: str, operation: str) -> Fault | None:
        """The fault for this call, used up by it."""
        with self._lock:
            for fault in self._waiting:
                if fault.service != service or not operation.startswith(fault.operation):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    return None
                fault.count -= 1
                if fault.count <= 0:
                    self._waiting.remove(fault)
                return fault
        return None


def call_of(environ: dict[str, Any], body: bytes) -> tuple[str, str]:
    """Service and operation of a request to AWS, from its signature and its protocol."""
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    service = scope[1] if scope else ""
    target, path = environ.get("HTTP_X_AMZ_TARGET", ""), environ.get("PATH_INFO", "/")
    if target:
        return service, target.rsplit(".", 1)[-1]
    if cbor := re.fullmatch(r"/service/[^/]+/operation/(\w+)", path):
        return service, cbor[1]
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        action = parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
        if action:
            return service, action
    return service, f"{environ.get('REQUEST_METHOD', '')} {path}"


def refused(fault: Fault, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The fault's answer, in the protocol of the request."""
    text = "The sandbox was told to answer so."
    if environ.get("HTTP_SMITHY_PROTOCOL"):
        kind, body = "application/cbor", _cbor({"__type": fault.code, "message": text})
    elif environ.get("HTTP_X_AMZ_TARGET"):
        kind = "application/x-amz-json-1.1"
        body = json.dumps({"__type": fault.code, "message": text}).encode()
    else:
        kind, text = "text/xml", f"<Code>{fault.code}</Code><Message>{text}</Message>"
        # S3 has the error at the root, the query protocol inside a response.
        if call_of(environ, b"")[0] == "s3":
            body = f"<Error>{text}</Error>".encode()
        else:
            body = f"<ErrorResponse><Error>{text}</Error></ErrorResponse>".encode()
    start_response(f"{fault.status} Fault", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


def _cbor(entries: dict[str, str]) -> bytes:
    """A small map of short texts (RFC 8949)."""
    out = bytes([0xA0 + len(entries)])
    for text in (t for pair in entries.items() for t in pair):
        raw = text.encode()
        out += (bytes([0x60 + len(raw)]) if len(raw) < 24 else bytes([0x78, len(raw)])) + raw
    return out
