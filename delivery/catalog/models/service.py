"""The whole of a service's file, under `attributes`."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from delivery.catalog.models.base import EnvironmentName, ServiceName, Strict, off_or_given
from delivery.catalog.models.environment import EnvironmentModel
from delivery.catalog.models.quality import QualityModel
from delivery.catalog.models.source import ImageModel, RegistryModel, RepositoryModel
from delivery.catalog.relations import RelationError, findings


def _owner(text: str) -> str:
    if not re.fullmatch(r"team:\S.*|[^@\s]+@[^@\s]+\.[^@\s]+", text):
        raise ValueError(f"{text!r} is neither an e-mail address nor a team such as team:web")
    return text


class ServiceModel(Strict):
    """A service as its users describe it. Its name is the folder's unless `name` says otherwise."""

    name: ServiceName | None = None
    owners: list[Annotated[str, AfterValidator(_owner)]] = []
    repository: RepositoryModel
    quality: QualityModel
    image: ImageModel = ImageModel()
    registry: Annotated[
        RegistryModel | None, BeforeValidator(off_or_given, json_schema_input_type=RegistryModel | bool)
    ] = RegistryModel()
    environments: dict[EnvironmentName, EnvironmentModel] = Field(min_length=1)
    keep_partitions: int = Field(500, ge=10, description="Newest commits kept as partitions.")

    @model_validator(mode="after")
    def _relations(self) -> Self:
        """Refuse what only shows when fields are seen together."""
        found = tuple(findings(self.model_dump(by_alias=True, exclude_unset=True)))
        if found:
            raise RelationError(found)
        return self
