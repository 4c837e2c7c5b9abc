"""The registry as ECR shows it: the real one, behind a login, with ECR's rules for tags and repositories.

The registry keeps uploads and layers; which manifests and tags there are is ECR's own state, so an image
deleted by the API cannot be pulled any more. Sources: ECR user guide, "Private registry authentication",
"Preventing image tags from being overwritten"; OCI distribution specification.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from moto.ecr.models import ECRBackend, Repository

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.ecr import images, scans
from delivery.sandbox.ecr.login import Logins

_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs|tags)/(?P<rest>.+)")
#: Headers of a request that are passed on, by their name in WSGI.
_PASSED = {
    "HTTP_HOST": "Host", "CONTENT_TYPE": "Content-Type", "HTTP_RANGE": "Range",
    "HTTP_CONTENT_RANGE": "Content-Range", "CONTENT_LENGTH": "Content-Length",
}  # fmt: skip
#: Headers of an answer that belong to one connection.
_HOP = {"connection", "keep-alive", "transfer-encoding", "date", "server"}
CHUNK = 256 * 1024
Start = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class RegistryError(Exception):
    """An error in the registry's own form."""

    status: int
    code: str
    message: str


class Guard:
    """A WSGI application. `upstream` is the registry's `host:port`; `full`: it has no space left."""

    def __init__(
        self,
        upstream: str,
        backend: Callable[[], ECRBackend],
        lock: threading.RLock,
        logins: Logins,
    ) -> None:
        self._upstream, self._backend, self._lock, self._logins = upstream, backend, lock, logins
        self.full = False

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        try:
            return self._answer(environ, start)
        except RegistryError as error:
            return _refused(error, start)
        except OSError as error:
            return _refused(RegistryError(503, "UNAVAILABLE", str(error)), start)

    def _answer(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if not self._open(environ, path, method):
            return _challenge(start)
        if path in ("/v2/", "/v2"):
            return _sent(start, "200 OK", [("Content-Type", "application/json")], b"{}")
        asked = _PATH.fullmatch(path)
        if asked is None:
            raise RegistryError(404, "NAME_UNKNOWN", "ECR does not know this address")
        with self._lock:
            repository = self._repository(asked["name"])
            if asked["kind"] == "tags":
                return self._tags(repository, start)
            if asked["kind"] == "manifests" and method in ("GET", "HEAD"):
                return self._manifest(repository, asked["rest"], method, start)
        if method == "DELETE":
            raise RegistryError(405, "UNSUPPORTED", "The operation is unsupported.")
        if self.full and method in ("PUT", "PATCH", "POST"):
            raise RegistryError(500, "UNKNOWN", "unknown error: no space left on device")
        if asked["kind"] == "manifests":
            return self._put(repository, asked["rest"], environ, start)
        return self._passed_on(environ, start)

    def _open(self, environ: dict[str, Any], path: str, method: str) -> bool:
        """Whether the request has a login, or an address that GetDownloadUrlForLayer gave."""
        if self._logins.valid(environ.get("HTTP_AUTHORIZATION", "")):
            return True
        query = {k: v[0] for k, v in parse_qs(environ.get("QUERY_STRING", "")).items()}
        signature = query.get("X-Sandbox-Signature", "")
        return method == "GET" and self._logins.opens(path, query.get("X-Sandbox-Expires", ""), signature)

    def _repository(self, name: str) -> Repository:
        backend = self._backend()
        found = backend.repositories.get(name)
        if found is None:
            told = (
                f"The repository with name '{name}' does not exist in the registry "
                f"with id '{backend.account_id}'"
            )
            raise RegistryError(404, "NAME_UNKNOWN", told)
        return found

    def _tags(self, repository: Repository, start: Start) -> Iterable[bytes]:
        tags = sorted(t for i in repository.images for t in i.image_tags)
        body = json.dumps({"name": repository.name, "tags": tags}).encode()
        return _sent(start, "200 OK", [("Content-Type", "application/json")], body)

    def _manifest(self, repository: Repository, named: str, method: str, start: Start) -> Iterable[bytes]:
        image = images.found(repository, **({"digest": named} if ":" in named else {"tag": named}))
        if image is None:
            raise RegistryError(404, "MANIFEST_UNKNOWN", "Requested image not found")
        if method == "GET":
            image.pulled_at = CLOCK.now()  # type: ignore[attr-defined]
        body = image.image_manifest.encode()
        kind = str(image.image_manifest_media_type)
        headers = [("Content-Type", kind), ("Docker-Content-Digest", image.image_digest)]
        return _sent(start, "200 OK", headers, body, method == "HEAD")

    def _put(
        self, repository: Repository, named: str, environ: dict[str, Any], start: Start
    ) -> Iterable[bytes]:
        """The registry checks that every layer is there; then the tag moves, if it may."""
        body = b"".join(_read(environ))
        tag, kind = None if ":" in named else named, environ.get("CONTENT_TYPE", "")
        digest = images.digest_of(body.decode())
        try:
            with self._lock:
                images.refuse_taken(repository, tag, digest)
            self._checked(repository.name, digest, kind, body)
            with self._lock:
                scans.on_push(repository, images.put(repository, body.decode(), kind, tag))
        except images.TagTakenError:
            told = (
                f"The image tag '{tag}' already exists in the '{repository.name}' repository and cannot be "
                "overwritten because the tag is immutable."
            )
            raise RegistryError(400, "TAG_INVALID", told) from None
        place = f"/v2/{repository.name}/manifests/{digest}"
        return _sent(start, "201 Created", [("Location", place), ("Docker-Content-Digest", digest)], b"")

    def _checked(self, name: str, digest: str, kind: str, body: bytes) -> None:
        connection = http.client.HTTPConnection(self._upstream, timeout=30)
        try:
            connection.request("PUT", f"/v2/{name}/manifests/{digest}", body, {"Content-Type": kind})
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        if answer.status != 201:
            error = (json.loads(said or b"{}").get("errors") or [{}])[0]
            code, message = error.get("code", "UNKNOWN"), error.get("message", "the registry refused it")
            raise RegistryError(answer.status, code, message)

    def _passed_on(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Uploads and layers go through as they are, in pieces."""
        connection = http.client.HTTPConnection(self._upstream, timeout=300)
        query = environ.get("QUERY_STRING")
        path = environ.get("RAW_URI", "").split("?")[0] or environ["PATH_INFO"]
        headers = {name: environ[key] for key, name in _PASSED.items() if environ.get(key)}
        chunked = environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked"
        if chunked:
            headers["Transfer-Encoding"] = "chunked"
        body = _read(environ) if chunked or environ.get("CONTENT_LENGTH") else None
        url = f"{path}?{query}" if query else path
        connection.request(environ["REQUEST_METHOD"], url, body, headers, encode_chunked=chunked)
        answer = connection.getresponse()
        told = [(k, v) for k, v in answer.getheaders() if k.lower() not in _HOP]
        start(f"{answer.status} {answer.reason}", told)
        return _pieces(connection, answer)


def _read(environ: dict[str, Any]) -> Iterator[bytes]:
    """The request's body in pieces."""
    source, left = environ["wsgi.input"], environ.get("CONTENT_LENGTH")
    remaining = int(left) if left else None
    while remaining is None or remaining > 0:
        piece = source.read(CHUNK if remaining is None else min(CHUNK, remaining))
        if not piece:
            return
        remaining = None if remaining is None else remaining - len(piece)
        yield piece


def _pieces(connection: http.client.HTTPConnection, answer: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while piece := answer.read(CHUNK):
            yield piece
    finally:
        connection.close()


def _sent(
    start: Start, status: str, headers: list[tuple[str, str]], body: bytes, head: bool = False
) -> Iterable[bytes]:
    version = ("Docker-Distribution-Api-Version", "registry/2.0")
    start(status, [*headers, version, ("Content-Length", str(len(body)))])
    return [b"" if head else body]


def _refused(error: RegistryError, start: Start) -> Iterable[bytes]:
    body = json.dumps({"errors": [{"code": error.code, "message": error.message}]}).encode()
    reason = http.client.responses.get(error.status, "Refused")
    return _sent(start, f"{error.status} {reason}", [("Content-Type", "application/json")], body)


def _challenge(start: Start) -> Iterable[bytes]:
    realm = ("Www-Authenticate", 'Basic realm="ecr",service="ecr.amazonaws.com"')
    return _sent(start, "401 Unauthorized", [realm, ("Content-Type", "text/plain")], b"Not Authorized\n")
