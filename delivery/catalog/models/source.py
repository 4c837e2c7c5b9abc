"""Where the code is, how its image is built, and which Terraform stacks belong to it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from delivery.catalog.models.base import PositiveDuration, RelativePath, RelativePaths, Strict

Severity = Literal["critical", "high", "medium", "low", "none"]


class RepositoryModel(Strict):
    """A GitHub repository, and the parts of it that are this service."""

    github: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$")]
    branch: Annotated[str, Field(pattern=r"^[^-\s][^\s]*$")] = "main"
    paths: RelativePaths = []


class ScanModel(Strict):
    """The lowest severity of a finding that stops an image; `none` lets everything pass, visibly."""

    fail_on: Severity = "high"


class ImageModel(Strict):
    """How the image is built, relative to the service's first path or the repository's root."""

    context: RelativePath = "."
    dockerfile: RelativePath = "Dockerfile"
    build_args: dict[str, str] = {}
    repository: str = Field(
        "",
        pattern=r"^([a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*)?$",
        description="Name of the ECR repository; default: the service's name.",
    )
    scan: ScanModel = ScanModel()


class TerraformModel(Strict):
    """One stack with its variables; paths are relative to the project's root."""

    stack: RelativePath
    vars: RelativePaths = []
    backend: RelativePath | None = None
    plan_max_age: PositiveDuration | None = None


class RegistryModel(TerraformModel):
    """The stack that owns the service's ECR repository."""

    stack: RelativePath = "infra/stacks/registry"
    backend: RelativePath | None = "infra/environments/shared/backend.hcl"
