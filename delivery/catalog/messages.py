"""Pydantic's errors as findings: a place in the file, and a sentence a person can act on."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from delivery.catalog.relations import Finding, Place, RelationError

_PLAIN = {
    "missing": "is required",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
}


def findings_of(error: ValidationError, model: type[BaseModel]) -> Iterator[Finding]:
    """One finding per error of one validation of `model`."""
    for detail in error.errors(include_url=False, include_input=False):
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, RelationError):
            yield from cause.found
            continue
        place: Place = tuple(part for part in detail["loc"] if part != "[key]")
        yield place, _sentence(detail, place, model)


def _sentence(detail: ErrorDetails, place: Place, model: type[BaseModel]) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown(place, model)
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    if kind in ("too_short", "string_too_short"):
        return "must not be empty"
    if kind == "string_pattern_mismatch":
        return f"does not have the form {detail['ctx']['pattern']}"
    return _PLAIN.get(kind) or detail["msg"].replace("Input should be", "must be")


def _unknown(place: Place, model: type[BaseModel]) -> str:
    """An unknown field, with the one that was probably meant and the ones there are."""
    parent = _model_at(model, place[:-1])
    names = [field.alias or name for name, field in parent.model_fields.items()] if parent else []
    close = difflib.get_close_matches(str(place[-1]), names, n=1)
    guess = f"; did you mean {close[0]!r}?" if close else ""
    return f"is not known here{guess} Known: {', '.join(names)}".replace("here Known", "here. Known")


def _model_at(model: Any, place: Place) -> type[BaseModel] | None:
    """The model that describes a place."""
    at = _inner(model)
    for part in place:
        if isinstance(at, type) and issubclass(at, BaseModel):
            named = {field.alias or name: field for name, field in at.model_fields.items()}
            if part not in named:
                return None
            at = _inner(named[str(part)].annotation)
        elif get_origin(at) in (dict, list):
            at = _inner(get_args(at)[-1])
    return at if isinstance(at, type) and issubclass(at, BaseModel) else None


def _inner(annotation: Any) -> Any:
    """The type itself, without `Annotated` and `| None`."""
    if get_origin(annotation) is Annotated:
        return _inner(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _inner(next(a for a in get_args(annotation) if a is not type(None)))
    return annotation
