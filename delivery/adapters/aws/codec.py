"""Core's dataclasses as JSON documents and back. A document says which kind and version it is.

`{"schema": 1, "kind": "LedgerRecord", "written": "…", "value": {…}}`. What does not fit is refused with the
field's name: a document half understood is worse than none.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from delivery.errors import ProviderError

T = TypeVar("T")

#: Raised by one when a stored document's meaning changes; older ones are then read by a migration here.
SCHEMA = 1


class Document(BaseModel, Generic[T]):
    """The envelope. Its configuration holds for the dataclasses inside: unknown fields are refused, text is
    no number. `NaN` is kept, for a sample may be one.

    `written` names one act of writing, so that a writer recognises its own document.
    """

    model_config = ConfigDict(extra="forbid", strict=True, ser_json_inf_nan="constants")

    version: int = Field(SCHEMA, alias="schema")
    kind: str
    written: str = ""
    value: T


def encode(value: object, written: str = "") -> bytes:
    """The document of one of core's dataclasses; ValueError for a moment without a time zone."""
    kind = type(value)
    if any(moment.tzinfo is None for moment in _moments(value)):
        raise ValueError(f"{kind.__name__} has a moment without a time zone")
    document = _document(kind)(kind=kind.__name__, written=written, value=value)
    return document.model_dump_json(by_alias=True, indent=1).encode()


def decode(text: bytes, kind: type[T], name: str) -> T:
    """The dataclass a document holds; ProviderError with the first misfit when it does not fit.

    `name` tells people which document it is.
    """
    return open_document(text, kind, name).value


def open_document(text: bytes, kind: type[T], name: str) -> Document[T]:
    """The whole document, envelope included; errors as `decode`."""
    try:
        head = json.loads(text)
    except ValueError:
        raise _misfit(name, "it is not JSON") from None
    if not isinstance(head, dict) or not {"schema", "kind", "value"} <= head.keys():
        raise _misfit(name, "it is not a document of delivery")
    if head["schema"] != SCHEMA:
        raise _misfit(name, f"it has schema {head['schema']!r}, this version reads {SCHEMA}")
    if head["kind"] != kind.__name__:
        raise _misfit(name, f"it is a {head['kind']}, not a {kind.__name__}")
    try:
        document: Document[T] = _document(kind).model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]).removeprefix("value.")
        raise _misfit(name, f"{where}: {first['msg']}") from None
    if any(moment.tzinfo is None for moment in _moments(document.value)):
        raise _misfit(name, "it has a moment without a time zone")
    return document


def _document(kind: type[Any]) -> type[Document[Any]]:
    return Document[kind]  # type: ignore[valid-type]  # pydantic keeps the class for the next time


def _moments(value: object) -> Iterator[datetime]:
    """Every moment in a value, however deep."""
    if isinstance(value, datetime):
        yield value
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _moments(getattr(value, field.name))
    elif isinstance(value, Mapping):
        yield from _moments(tuple(value.values()))
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _moments(part)


def _misfit(name: str, why: str) -> ProviderError:
    return ProviderError(
        f"{name} cannot be read", why,
        "It was written by another version or changed by hand: restore an earlier version of the object.",
    )  # fmt: skip
