"""What a request of ECR's API names: its repository, its image, its page."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import TypeVar

from moto.core.exceptions import ServiceException
from moto.ecr.exceptions import ImageNotFoundException, InvalidParameterException
from moto.ecr.models import Image, Repository
from moto.ecr.responses import ECRResponse

from delivery.sandbox.ecr import images

T = TypeVar("T")
#: Entries of a page unless the request says otherwise.
PAGE = 100


class EcrError(ServiceException):
    """An error of ECR that moto has no class for."""


def repository_of(response: ECRResponse) -> Repository:
    """The repository; RepositoryNotFoundException without it."""
    name, registry = response._get_param("repositoryName"), response._get_param("registryId")
    return response.ecr_backend._get_repository(name, registry)


def image_of(repository: Repository, wanted: dict[str, str]) -> Image:
    """The image that is named; ImageNotFoundException without it."""
    tag, digest = wanted.get("imageTag"), wanted.get("imageDigest")
    if tag is None and digest is None:
        raise InvalidParameterException("Invalid request parameters: both tag and digest cannot be null")
    found = images.found(repository, tag, digest)
    if found is None:
        named = f"{{imageDigest:'{digest or 'null'}', imageTag:'{tag or 'null'}'}}"
        raise ImageNotFoundException(named, repository.name, repository.registry_id)
    return found


def page_of(response: ECRResponse, rows: Sequence[T]) -> tuple[Sequence[T], dict[str, str]]:
    """The page that is asked for, and the token of the next."""
    size, token = int(response._get_param("maxResults") or PAGE), response._get_param("nextToken")
    try:
        start = int(b64decode(token, validate=True)) if token else 0
    except ValueError:
        raise InvalidParameterException("Invalid parameter at 'nextToken'") from None
    more = start + size < len(rows)
    following = {"nextToken": b64encode(str(start + size).encode()).decode()} if more else {}
    return rows[start : start + size], following
