"""The calls of ECR's API, on what the registry really holds."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from moto.core.responses import ActionResult
from moto.ecr.exceptions import InvalidParameterException, LimitExceededException
from moto.ecr.exceptions import ScanNotFoundException as ScanNotFound
from moto.ecr.models import Image, Repository
from moto.ecr.responses import ECRResponse

from delivery.sandbox.ecr import deleting, images, previews, scans
from delivery.sandbox.ecr.asked import EcrError, image_of, page_of, repository_of
from delivery.sandbox.ecr.front import Registry


def install(registry: Registry) -> None:
    """Put the patches in place, before the server starts."""
    uris_of_the_registry(registry)
    token_for_the_registry(registry)
    pushed_images()
    manifests_by_the_api()
    layers_from_the_registry(registry)
    honest_scans()
    deleting.images_deleted()
    previews.lifecycle_previews()


def uris_of_the_registry(registry: Registry) -> None:
    """repositoryUri must be a name `docker push` can reach; moto's is at AWS."""
    create = Repository.__init__

    def __init__(self: Repository, *args: Any, **kwargs: Any) -> None:
        create(self, *args, **kwargs)
        self.uri = f"{registry.url}/{self.name}"

    Repository.__init__ = __init__  # type: ignore[method-assign]


def token_for_the_registry(registry: Registry) -> None:
    """The login must be one the registry takes, its proxyEndpoint the same registry; moto's ended in 2015."""

    def get_authorization_token(self: ECRResponse) -> ActionResult:
        password, end = registry.logins.token()
        data = {
            "authorizationToken": b64encode(f"AWS:{password}".encode()).decode(),
            "expiresAt": end,
            "proxyEndpoint": f"http://{registry.url}",
        }
        return ActionResult({"authorizationData": [data]})

    ECRResponse.get_authorization_token = get_authorization_token  # type: ignore[method-assign]


def pushed_images() -> None:
    """moto knows no sizes, pages nothing, and forgets an image whose tag moved to another.

    Sources: ECR API reference, DescribeImages, ListImages.
    """

    def describe_images(self: ECRResponse) -> ActionResult:
        repository, wanted = repository_of(self), self._get_param("imageIds")
        chosen = list(dict.fromkeys(image_of(repository, i) for i in wanted)) if wanted else None
        listed = chosen or [i for i in repository.images if _status(self, i)]
        page, following = page_of(self, [i.image_digest for i in listed])
        told = [_described(repository, i) for i in listed if i.image_digest in page]
        return ActionResult({"imageDetails": told, **following})

    def list_images(self: ECRResponse) -> ActionResult:
        repository = repository_of(self)
        rows: list[dict[str, str]] = []
        for image in repository.images:
            if _status(self, image):
                tags = [{"imageTag": t} for t in image.image_tags] or [{}]
                rows += [{"imageDigest": image.image_digest, **t} for t in tags]
        page, following = page_of(self, rows)
        return ActionResult({"imageIds": page, **following})

    ECRResponse.describe_images = describe_images  # type: ignore[method-assign]
    ECRResponse.list_images = list_images  # type: ignore[method-assign]


def manifests_by_the_api() -> None:
    """PutImage of an immutable tag is ImageTagAlreadyExistsException; moto says another, or moves the tag.

    Sources: ECR API reference, PutImage, BatchGetImage.
    """

    def put_image(self: ECRResponse) -> ActionResult:
        repository, manifest = repository_of(self), str(self._get_param("imageManifest"))
        tag, digest = self._get_param("imageTag"), images.digest_of(manifest)
        if self._get_param("imageDigest") not in (None, digest):
            raise EcrError("ImageDigestDoesNotMatchException", "The image digest does not match.")
        kind = self._get_param("imageManifestMediaType") or _media_type(manifest)
        there = images.found(repository, tag, digest)
        if there is not None and (tag is None or tag in there.image_tags):
            raise EcrError("ImageAlreadyExistsException", _exists(repository, digest, tag))
        try:
            image = images.put(repository, manifest, kind, tag)
        except images.TagTakenError:
            told = (
                f"The image tag '{tag}' already exists in the '{repository.name}' repository and cannot be "
                "overwritten because the tag is immutable."
            )
            raise EcrError("ImageTagAlreadyExistsException", told) from None
        scans.on_push(repository, image)
        return ActionResult({"image": _shown(repository, image, tag)})

    def batch_get_image(self: ECRResponse) -> ActionResult:
        repository, accepted = repository_of(self), self._get_param("acceptedMediaTypes") or []
        given, failures = [], []
        for wanted in self._get_param("imageIds"):
            image = images.found(repository, wanted.get("imageTag"), wanted.get("imageDigest"))
            if image is None or (accepted and image.image_manifest_media_type not in accepted):
                failures.append(deleting.failure(wanted, "ImageNotFound", "Requested image not found"))
            else:
                given.append(_shown(repository, image, wanted.get("imageTag")))
        return ActionResult({"images": given, "failures": failures})

    ECRResponse.put_image = put_image  # type: ignore[method-assign]
    ECRResponse.batch_get_image = batch_get_image  # type: ignore[method-assign]


def layers_from_the_registry(registry: Registry) -> None:
    """GetDownloadUrlForLayer is not in moto, and its layers are none that were pushed.

    Sources: ECR API reference, GetDownloadUrlForLayer, BatchCheckLayerAvailability.
    """

    def get_download_url_for_layer(self: ECRResponse) -> ActionResult:
        repository, digest = repository_of(self), str(self._get_param("layerDigest"))
        if registry.blobs.size(repository.name, digest) is None:
            told = f"The layer with digest '{digest}' does not exist in the repository '{repository.name}'"
            raise EcrError("LayersNotFoundException", told)
        path = f"/v2/{repository.name}/blobs/{digest}"
        url = f"http://{registry.url}{path}?{registry.logins.query(path)}"
        return ActionResult({"downloadUrl": url, "layerDigest": digest})

    def batch_check_layer_availability(self: ECRResponse) -> ActionResult:
        repository = repository_of(self)
        sizes = {d: registry.blobs.size(repository.name, d) for d in self._get_param("layerDigests")}
        layers = [
            {"layerDigest": d, "layerAvailability": "AVAILABLE" if s is not None else "UNAVAILABLE",
             **({"layerSize": s} if s is not None else {})}
            for d, s in sizes.items()
        ]  # fmt: skip
        return ActionResult({"layers": layers, "failures": []})

    ECRResponse.get_download_url_for_layer = get_download_url_for_layer  # type: ignore[method-assign,assignment]
    ECRResponse.batch_check_layer_availability = batch_check_layer_availability  # type: ignore[method-assign]


def honest_scans() -> None:
    """moto's scans find one HIGH in every image; here what was seeded, and once a day.

    Sources: ECR API reference, StartImageScan, DescribeImageScanFindings.
    """

    def start_image_scan(self: ECRResponse) -> ActionResult:
        repository = repository_of(self)
        image = image_of(repository, self._get_param("imageId"))
        if image.image_manifest_media_type in images.LISTS:
            raise EcrError("UnsupportedImageTypeException", "The image is of a type that cannot be scanned.")
        if not scans.start(image):
            raise LimitExceededException()
        return ActionResult({**_named(repository, image), "imageScanStatus": {"status": "IN_PROGRESS"}})

    def describe_image_scan_findings(self: ECRResponse) -> ActionResult:
        repository = repository_of(self)
        image = image_of(repository, self._get_param("imageId"))
        status = scans.status(image)
        if status is None:
            named = f"{{imageDigest:'{image.image_digest}'}}"
            raise ScanNotFound(named, repository.name, repository.registry_id)
        told: dict[str, Any] = {**_named(repository, image), "imageScanStatus": status}
        if status["status"] == "COMPLETE":
            found = scans.findings(image)
            page, following = page_of(self, found["findings"])
            told |= {"imageScanFindings": {**found, "findings": page}, **following}
        return ActionResult(told)

    ECRResponse.start_image_scan = start_image_scan  # type: ignore[method-assign]
    ECRResponse.describe_image_scan_findings = describe_image_scan_findings  # type: ignore[method-assign]


def _status(response: ECRResponse, image: Image) -> bool:
    """Whether an image has the tag status that is asked for."""
    wanted = (response._get_param("filter") or {}).get("tagStatus", "ANY")
    return bool(wanted == "ANY" or (wanted == "TAGGED") == bool(image.image_tags))


def _named(repository: Repository, image: Image) -> dict[str, Any]:
    named = {
        "imageDigest": image.image_digest,
        **({"imageTag": image.image_tags[-1]} if image.image_tags else {}),
    }
    return {"registryId": repository.registry_id, "repositoryName": repository.name, "imageId": named}


def _shown(repository: Repository, image: Image, tag: str | None) -> dict[str, Any]:
    """An Image, under the tag it was asked for."""
    named = {"imageDigest": image.image_digest, **({"imageTag": tag} if tag else {})}
    return {
        **_named(repository, image), "imageId": named, "imageManifest": image.image_manifest,
        "imageManifestMediaType": image.image_manifest_media_type,
    }  # fmt: skip


def _described(repository: Repository, image: Image) -> dict[str, Any]:
    """An ImageDetail, with its scan if there was one."""
    told = images.detail(repository, image)
    if status := scans.status(image):
        told["imageScanStatus"] = status
        if status["status"] == "COMPLETE":
            found = scans.findings(image)
            told["imageScanFindingsSummary"] = {k: v for k, v in found.items() if k != "findings"}
    return told


def _media_type(manifest: str) -> str:
    try:
        return str(json.loads(manifest)["mediaType"])
    except (ValueError, KeyError, TypeError):
        told = "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"
        raise InvalidParameterException(told) from None


def _exists(repository: Repository, digest: str, tag: str | None) -> str:
    return (
        f"Image with digest '{digest}' and tag '{tag}' already exists in the repository with name "
        f"'{repository.name}' in registry with id '{repository.registry_id}'"
    )
