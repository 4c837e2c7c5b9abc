"""BatchDeleteImage: what it deletes cannot be pulled any more."""

from __future__ import annotations

import re
from typing import Any

from moto.core.responses import ActionResult
from moto.ecr.models import Repository
from moto.ecr.responses import ECRResponse

from delivery.sandbox.ecr import images


def images_deleted() -> None:
    """moto deletes an image whose tag names another digest, and one that a multi-platform list needs.

    Source: ECR API reference, BatchDeleteImage, ImageFailure.
    """

    def batch_delete_image(self: ECRResponse) -> ActionResult:
        name, registry = self._get_param("repositoryName"), self._get_param("registryId")
        repository = self.ecr_backend._get_repository(name, registry)
        done: list[dict[str, str]] = []
        failures = []
        for wanted in self._get_param("imageIds"):
            refusal = _refusal(repository, wanted)
            if refusal:
                failures.append(failure(wanted, *refusal))
            else:
                done += deleted(repository, wanted)
        return ActionResult({"imageIds": done, "failures": failures})

    ECRResponse.batch_delete_image = batch_delete_image  # type: ignore[method-assign]


def failure(wanted: dict[str, str], code: str, reason: str) -> dict[str, Any]:
    """An ImageFailure."""
    return {"imageId": dict(wanted), "failureCode": code, "failureReason": reason}


def _refusal(repository: Repository, wanted: dict[str, str]) -> tuple[str, str] | None:
    tag, digest = wanted.get("imageTag"), wanted.get("imageDigest")
    if tag is None and digest is None:
        return "MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null"
    if digest is not None and not re.fullmatch(r"[a-zA-Z0-9\-_+.]+:[a-fA-F0-9]{64}", digest):
        told = "image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
        return "InvalidImageDigest", f"Invalid request parameters: {told}"
    if images.found(repository, tag, digest) is None:
        if tag and digest and images.found(repository, digest=digest):
            return "ImageTagDoesNotMatchDigest", "Requested image tag does not match the digest"
        return "ImageNotFound", "Requested image not found"
    if digest is not None and tag is None and (lists := images.lists_with(repository, digest)):
        told = f"Requested image referenced by manifest list: [{', '.join(lists)}]"
        return "ImageReferencedByManifestList", told
    return None


def deleted(repository: Repository, wanted: dict[str, str]) -> list[dict[str, str]]:
    """Take a tag away, and with the last one the image; a digest alone takes everything."""
    tag, digest = wanted.get("imageTag"), wanted.get("imageDigest")
    image = images.found(repository, tag, digest)
    assert image is not None
    tags = [tag] if tag else list(image.image_tags)
    for name in tags:
        image.image_tags.remove(name)
    if not image.image_tags:
        repository.images.remove(image)
    return [{"imageDigest": image.image_digest, "imageTag": t} for t in tags] or [
        {"imageDigest": image.image_digest}
    ]
