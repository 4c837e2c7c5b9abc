"""What a repository holds: manifests by digest, tags that name them, and whether a tag may move.

Hold moto's lock. Sources: ECR user guide, "Preventing image tags from being overwritten", "Pushing a
multi-architecture image"; ECR API reference, PutImage, ImageDetail.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
from typing import Any

from moto.ecr.models import Image, Repository

from delivery.sandbox.clock import CLOCK

#: Media types that list manifests of several platforms.
LISTS = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)


class TagTakenError(Exception):
    """An immutable tag names another image already."""


def digest_of(manifest: str) -> str:
    """The digest that names a manifest."""
    return f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"


def found(repository: Repository, tag: str | None = None, digest: str | None = None) -> Image | None:
    """The image with this tag, this digest, or both."""
    return next(
        (
            i
            for i in repository.images
            if (tag is None or tag in i.image_tags) and (digest is None or i.image_digest == digest)
        ),
        None,
    )


def immutable(repository: Repository, tag: str) -> bool:
    """Whether this tag may not move: the repository's setting, turned round by its exclusion filters."""
    setting = str(getattr(repository.image_tag_mutability, "value", repository.image_tag_mutability))
    filters = repository.image_tag_mutability_exclusion_filters or []
    excluded = any(fnmatch.fnmatchcase(tag, f["filter"]) for f in filters)
    return setting.startswith("IMMUTABLE") != (excluded and setting.endswith("_WITH_EXCLUSION"))


def refuse_taken(repository: Repository, tag: str | None, digest: str) -> None:
    """TagTakenError when an immutable tag names another image."""
    named = found(repository, tag) if tag else None
    if tag and named is not None and named.image_digest != digest and immutable(repository, tag):
        raise TagTakenError(tag)


def put(repository: Repository, manifest: str, media_type: str, tag: str | None) -> Image:
    """Keep a manifest and let the tag name it. An image that loses its tag stays, untagged.

    Raises TagTakenError.
    """
    digest = digest_of(manifest)
    refuse_taken(repository, tag, digest)
    image = found(repository, digest=digest)
    if image is None:
        image = Image(repository.account_id, None, manifest, repository.name, media_type, digest)  # type: ignore[arg-type]
        image.image_pushed_at = int(CLOCK.now())
        repository.images.append(image)
    if tag:
        for other in repository.images:
            if tag in other.image_tags and other is not image:
                other.image_tags.remove(tag)
        if tag not in image.image_tags:
            image.image_tags.append(tag)
            image.image_pushed_at = int(CLOCK.now())
    return image


def size(repository: Repository, image: Image) -> int:
    """Bytes of its layers and configuration; of a list, those of its largest image."""
    manifest = json.loads(image.image_manifest)
    if "manifests" in manifest:
        children = [found(repository, digest=m["digest"]) for m in manifest["manifests"]]
        return max((size(repository, c) for c in children if c is not None), default=0)
    parts = [*manifest.get("layers", []), manifest.get("config") or {}]
    return sum(int(p.get("size", 0)) for p in parts)


def lists_with(repository: Repository, digest: str) -> list[str]:
    """The multi-platform lists that name this image."""
    return [
        i.image_digest
        for i in repository.images
        if any(m["digest"] == digest for m in json.loads(i.image_manifest).get("manifests", []))
    ]


def detail(repository: Repository, image: Image) -> dict[str, Any]:
    """An ImageDetail; without tags there is no `imageTags`, without a pull no time of it."""
    told: dict[str, Any] = {
        "registryId": repository.registry_id, "repositoryName": repository.name,
        "imageDigest": image.image_digest, "imageSizeInBytes": size(repository, image),
        "imagePushedAt": image.image_pushed_at, "imageManifestMediaType": image.image_manifest_media_type,
    }  # fmt: skip
    if image.image_tags:
        told["imageTags"] = list(image.image_tags)
    if kind := (json.loads(image.image_manifest).get("config") or {}).get("mediaType"):
        told["artifactMediaType"] = kind
    if pulled := getattr(image, "pulled_at", None):
        told["lastRecordedPullTime"] = pulled
    return told
