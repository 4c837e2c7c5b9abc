"""The whole of a service's file, under `attributes`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails

from delivery.catalog.models.base import EnvironmentName, ServiceName, Strict, off_or_given
from delivery.catalog.models.environment import EnvironmentModel
from delivery.catalog.models.quality import QualityModel
from delivery.catalog.models.source import ImageModel, RegistryModel, RepositoryModel
from delivery.catalog.relations import Place, findings


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

    @model_validator(mode="wrap")
    @classmethod
    def _relations(cls, value: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """Refuse what only shows when fields are seen together, along with what is wrong with each field."""
        told: list[InitErrorDetails] = []
        model = None
        try:
            model = validate(value)
        except ValidationError as error:
            told = [_again(detail) for detail in error.errors(include_url=False)]
        data = value if model is None else model.model_dump(by_alias=True, exclude_unset=True)
        known = {detail["loc"] for detail in told}
        told += [_related(place, why, data) for place, why in findings(data) if place not in known]
        if model is None or told:
            raise ValidationError.from_exception_data(cls.__name__, told)
        return model


def _again(detail: ErrorDetails) -> InitErrorDetails:
    """One of Pydantic's own errors, as it was."""
    again = InitErrorDetails(type=detail["type"], loc=detail["loc"], input=detail["input"])
    if "ctx" in detail:
        again["ctx"] = detail["ctx"]
    return again


def _related(place: Place, message: str, data: Any) -> InitErrorDetails:
    """As Pydantic's error of a `ValueError`: Dagster, which adds file and line, makes each of them anew by
    its type, and knows Pydantic's types only."""
    return InitErrorDetails(type="value_error", loc=place, input=data, ctx={"error": ValueError(message)})
