"""The component: the same fields as the file, and the assets that follow from them."""

from __future__ import annotations

from typing import Self

import dagster as dg
from pydantic import BaseModel

from delivery.catalog.convert import to_spec
from delivery.catalog.models.base import service_name
from delivery.catalog.models.service import ServiceModel
from delivery.catalog.relations import RelationError, findings


class Service(ServiceModel, dg.Component, dg.Resolvable):
    """One service on Amazon ECS, from a commit to verified live traffic in each of its environments."""

    @classmethod
    def model(cls) -> type[BaseModel]:
        """The schema of `attributes`. Dagster would derive a looser one, in which any field may be text."""
        return ServiceModel

    @classmethod
    def resolve_from_model(cls, context: dg.ResolutionContext, model: BaseModel) -> Self:
        """The component with the file's fields as they stand: templates were refused by the schema."""
        return cls(**{name: getattr(model, name) for name in model.model_fields_set})

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Assets, checks and jobs of the service."""
        from delivery.orchestration.service import service_definitions

        name = self.name or service_name(context.path.name)
        found = tuple(findings(self.model_dump(by_alias=True, exclude_unset=True), name))
        if found:
            raise RelationError(found)
        return service_definitions(to_spec(self, name))
