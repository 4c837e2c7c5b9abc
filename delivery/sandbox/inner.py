"""AWS clients inside the sandbox's process: they ask moto directly, without a socket, a fault or a policy.

Whoever holds moto's lock sees all answers of one moment.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from werkzeug.test import EnvironBuilder, run_wsgi_app

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Inner:
    """Makes clients of one application and remembers them."""

    def __init__(self, application: Wsgi, region: str) -> None:
        self._application, self._region = application, region
        self._made: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """A boto3 client."""
        if service not in self._made:
            made = boto3.client(  # type: ignore[call-overload]
                service, region_name=self._region, endpoint_url="http://127.0.0.1",
                aws_access_key_id="sandbox", aws_secret_access_key="sandbox",
                config=Config(retries={"total_max_attempts": 1}),
            )  # fmt: skip
            made.meta.events.register("before-send", self._send)
            self._made[service] = made
        return self._made[service]

    def pages(self, service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
        """All items of an operation that comes in pages."""
        pages = self.client(service).get_paginator(operation).paginate(**parameters)
        return [item for page in pages for item in page[key]]

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        body: Any = request.body or b""
        raw = body.encode() if isinstance(body, str) else bytes(body)
        url = urlsplit(request.url)
        builder = EnvironBuilder(
            path=url.path or "/", query_string=url.query, base_url=f"{url.scheme}://{url.netloc}",
            method=request.method, input_stream=io.BytesIO(raw), content_length=len(raw),
            headers=[(k, v.decode() if isinstance(v, bytes) else str(v)) for k, v in request.headers.items()],
        )  # fmt: skip
        answered, status, headers = run_wsgi_app(self._application, builder.get_environ(), buffered=True)
        told = HTTPHeaders.from_pairs(headers.items())
        return AWSResponse(request.url, int(status.split()[0]), told, _Raw(b"".join(answered)))


class _Raw(io.BytesIO):
    """What botocore reads a body from."""

    def stream(self, amount: int = 65536, **_: Any) -> Iterator[bytes]:
        """In pieces."""
        while piece := self.read(amount):
            yield piece
