"""ECR on top of a real registry: what was pushed with `docker push` is what the API tells.

moto's ECR knows no registry: its URI points at AWS, nothing can be pushed, and every scan finds one HIGH.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.ecr.models import ECRBackend, Repository
from moto.ecr.responses import ECRResponse

_MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.index.v1+json"
)

#: Findings by image digest, as severity counts; what is not in it was scanned and found clean.
FINDINGS: dict[str, dict[str, int]] = {}


def install(registry_url: str, account: str, region: str) -> None:
    """Put the patches in place, before the server starts."""
    uris_of_the_registry(registry_url)
    token_for_the_registry(registry_url, account)
    pushed_images(registry_url)
    layers_from_the_registry(registry_url)
    honest_scans()


def seed_findings(digest: str, counts: dict[str, int]) -> None:
    """Make the next scans of an image find this."""
    FINDINGS[digest] = counts


def uris_of_the_registry(registry_url: str) -> None:
    """repositoryUri must be a name `docker push` can reach."""
    create = Repository.__init__

    def __init__(self: Repository, *args: Any, **kwargs: Any) -> None:
        create(self, *args, **kwargs)
        self.uri = f"{registry_url}/{self.name}"

    Repository.__init__ = __init__  # type: ignore[method-assign]


def token_for_the_registry(registry_url: str, account: str) -> None:
    """The login's proxyEndpoint must be the same registry."""

    def get_authorization_token(self: ECRResponse) -> ActionResult:
        token = b64encode(f"AWS:{account}-token".encode()).decode()
        data = {
            "authorizationToken": token,
            "expiresAt": 4102444800,
            "proxyEndpoint": f"http://{registry_url}",
        }
        return ActionResult({"authorizationData": [data]})

    ECRResponse.get_authorization_token = get_authorization_token  # type: ignore[method-assign]


def pushed_images(registry_url: str) -> None:
    """Before the API tells of images, it learns what was pushed since it last looked."""
    looking = ("describe_images", "batch_get_image", "list_images")
    for name in (*looking, "describe_image_scan_findings", "start_image_scan"):
        setattr(ECRResponse, name, _after_looking(getattr(ECRResponse, name), registry_url))


def _after_looking(method: Callable[[ECRResponse], Any], registry_url: str) -> Callable[[ECRResponse], Any]:
    def wrapped(self: ECRResponse) -> Any:
        name = self._get_param("repositoryName")
        if name in self.ecr_backend.repositories:
            _learn(self.ecr_backend, registry_url, name)
        return method(self)

    return wrapped


def _learn(backend: ECRBackend, registry_url: str, name: str) -> None:
    """Take over every tag of the registry that the API does not know with this digest yet."""
    known = {
        (tag, image.get_image_digest())
        for image in backend.repositories[name].images
        for tag in image.image_tags
    }
    for tag in _get(f"http://{registry_url}/v2/{name}/tags/list")[0].get("tags") or ():
        manifest, digest, kind, text = _manifest(registry_url, name, tag)
        if manifest and (tag, digest) not in known:
            backend.put_image(name, text, tag, kind, digest)


def _manifest(registry_url: str, name: str, tag: str) -> tuple[dict[str, Any], str, str, str]:
    body, headers, text = _get_full(f"http://{registry_url}/v2/{name}/manifests/{tag}")
    return body, headers.get("Docker-Content-Digest", ""), headers.get("Content-Type", ""), text


def layers_from_the_registry(registry_url: str) -> None:
    """GetDownloadUrlForLayer is not implemented; the registry serves blobs by digest."""

    def get_download_url_for_layer(self: ECRResponse) -> ActionResult:
        name, digest = self._get_param("repositoryName"), self._get_param("layerDigest")
        url = f"http://{registry_url}/v2/{name}/blobs/{digest}"
        return ActionResult({"downloadUrl": url, "layerDigest": digest})

    ECRResponse.get_download_url_for_layer = get_download_url_for_layer  # type: ignore[method-assign,assignment]


def honest_scans() -> None:
    """A scan finds what was seeded, else nothing; asking twice is no error, as with scan-on-push."""

    def start_image_scan(
        self: ECRBackend, registry_id: str, repository_name: str, image_id: dict[str, str]
    ) -> dict[str, Any]:
        image = self._get_repository(repository_name, registry_id)._get_image(
            image_id.get("imageTag"), image_id.get("imageDigest")
        )
        status = {"status": "IN_PROGRESS"}
        return {"repositoryName": repository_name, "imageId": _id(image), "imageScanStatus": status}

    def describe_image_scan_findings(
        self: ECRBackend, registry_id: str, repository_name: str, image_id: dict[str, Any]
    ) -> dict[str, Any]:
        image = self._get_repository(repository_name, registry_id)._get_image(
            image_id.get("imageTag"), image_id.get("imageDigest")
        )
        counts = FINDINGS.get(image.get_image_digest(), {})
        return {
            "repositoryName": repository_name,
            "imageId": _id(image),
            "imageScanStatus": {"status": "COMPLETE", "description": "The scan was completed successfully."},
            "imageScanFindings": {"findingSeverityCounts": counts, "findings": []},
        }

    ECRBackend.start_image_scan = start_image_scan  # type: ignore[method-assign]
    ECRBackend.describe_image_scan_findings = describe_image_scan_findings  # type: ignore[method-assign]


def _id(image: Any) -> dict[str, str]:
    return {"imageDigest": image.get_image_digest()}


def _get(url: str) -> tuple[dict[str, Any], Any]:
    body, headers, _ = _get_full(url)
    return body, headers


def _get_full(url: str) -> tuple[dict[str, Any], Any, str]:
    request = urllib.request.Request(url, headers={"Accept": _MANIFESTS})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            text = answer.read().decode()
            return json.loads(text), answer.headers, text
    except urllib.error.HTTPError:
        return {}, {}, ""
