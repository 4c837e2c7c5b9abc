"""What all models share: unknown fields are refused, nothing is converted silently, durations have a unit."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_DURATION = r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?"
_SECONDS = (3600.0, 60.0, 1.0, 0.001)

#: The one template that is understood, and only in `notify`: the value stays out of files and definitions.
REFERENCE = re.compile(r"\{\{\s*env\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


class Strict(BaseModel):
    """A part of the file: unknown fields are errors, `"3"` is not a number."""

    model_config = ConfigDict(
        extra="forbid", strict=True, populate_by_name=True, hide_input_in_errors=True, frozen=True,
        allow_inf_nan=False,
    )  # fmt: skip


def seconds(text: str) -> float:
    """A written duration (`500ms`, `10s`, `2m`, `1h30m`) in seconds; ValueError when it is none."""
    match = re.fullmatch(_DURATION, text.strip())
    if not match or not any(match.groups()):
        raise ValueError(f"{text!r} is not a duration such as 500ms, 10s, 2m or 1h")
    return sum(float(part) * unit for part, unit in zip(match.groups(), _SECONDS, strict=True) if part)


def _text(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"a duration needs a unit: {value}s or {value}m, for example")
    return value


#: Longer than this is a slip of the pen, and in the end no moment that a calendar has.
LONGEST = 366 * 24 * 3600.0


def _duration(text: str) -> str:
    if seconds(text) > LONGEST:
        raise ValueError(f"{text!r} is longer than a year")
    return text


def _positive(text: str) -> str:
    if seconds(text) <= 0:
        raise ValueError("must be longer than 0")
    return text


Duration = Annotated[
    str, BeforeValidator(_text, json_schema_input_type=str), AfterValidator(_duration),
    Field(examples=["500ms", "10s", "2m", "1h"]),
]  # fmt: skip
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]


def _relative(path: str) -> str:
    if not path or path.startswith(("/", "~")) or ".." in path.split("/"):
        raise ValueError(f"{path!r} must be a path inside the project, relative and without '..'")
    return path


RelativePath = Annotated[str, AfterValidator(_relative)]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


RelativePaths = Annotated[
    list[RelativePath], BeforeValidator(_as_list, json_schema_input_type=str | list[str])
]


def off_or_given(value: Any) -> Any:
    """`false` switches a part off; an empty value is neither on nor off, so it is refused."""
    if value is None:
        raise ValueError("is empty; write `false` to switch it off, or leave the line out for the default")
    return None if value is False else value


_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def service_name(name: str) -> str:
    """A name that fits every resource, key and tag made of it; ValueError otherwise."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name of lower-case letters, digits and single dashes")
    return name


ServiceName = Annotated[str, AfterValidator(service_name)]


def _environment_name(name: str) -> str:
    """As `infra/stacks/service` demands it: part of every resource's name."""
    if not (_NAME.fullmatch(name) and 2 <= len(name) <= 15):
        raise ValueError(f"{name!r} is not a name of 2 to 15 lower-case letters, digits and single dashes")
    return name


EnvironmentName = Annotated[str, AfterValidator(_environment_name)]
