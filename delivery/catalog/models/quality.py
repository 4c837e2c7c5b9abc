"""Quality gates: commands without a shell, run in isolation on the commit's files."""

from __future__ import annotations

import re
import shlex
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from delivery.catalog.models.base import PositiveDuration, RelativePath, Strict

#: The image of gates that name none: the tools of this installation, built once on this machine.
GATES_IMAGE = "delivery/gates:local"

_MEMORY = re.compile(r"(\d+)([mg])")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*")


def argv(value: Any) -> Any:
    """A written command as an argument list. ValueError for what only a shell would understand."""
    if isinstance(value, list):
        if not value:
            raise ValueError("is empty: name the command to run")
        return value
    if not isinstance(value, str):
        raise ValueError("must be a command, as text or as a list of arguments")
    special = shell_syntax(value)
    if special:
        raise ValueError(
            f"has shell syntax ({special}), but no shell runs it: split it into several gates, "
            "or call one on purpose with sh -c '…'"
        )
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"cannot be split into arguments: {str(error).lower()}") from None
    if not words:
        raise ValueError("is empty: name the command to run")
    if _ASSIGNMENT.fullmatch(words[0]):
        raise ValueError(f"begins with {words[0]!r}: variables belong under `environment`")
    return words


def shell_syntax(text: str) -> str:
    """The first unquoted operator or expansion of a shell in `text`; empty if there is none."""
    quote = ""
    skip = False
    for at, char in enumerate(text):
        if skip:
            skip = False
        elif char == "\\" and quote != "'":
            skip = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "|&;<>`$\n":
            pair = text[at : at + 2]
            return pair if pair in ("&&", "||", "$(", "${", ">>", "<<") else char.replace("\n", "a new line")
    return ""


def megabytes(text: str) -> int:
    """`512m` or `2g` in MiB; ValueError when it is neither."""
    match = _MEMORY.fullmatch(text)
    if not match or not int(match[1]):
        raise ValueError(f"{text!r} is not an amount of memory such as 512m or 2g")
    return int(match[1]) * (1024 if match[2] == "g" else 1)


def memory_text(text: str) -> str:
    """The text, if it is an amount of memory."""
    megabytes(text)
    return text


def _gate_name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"{name!r} is not a name of lower-case letters, digits and underscores")
    if name == "quality_gate":
        raise ValueError("'quality_gate' is the name of the verdict over all gates")
    return name


GateName = Annotated[str, AfterValidator(_gate_name)]


class GateModel(Strict):
    """One gate. A missing, empty or unreadable report is an error, and an error blocks."""

    run: Annotated[list[str], BeforeValidator(argv, json_schema_input_type=str | list[str])]
    image: str | None = Field(None, min_length=1, description="Container image; default: quality.image.")
    timeout: PositiveDuration | None = None
    memory: Annotated[str, AfterValidator(memory_text)] | None = None
    environment: dict[str, str] = {}
    junit: RelativePath | None = Field(None, description="JUnit XML the command writes.")
    coverage: RelativePath | None = Field(None, description="Cobertura XML the command writes.")
    sarif: RelativePath | None = Field(None, description="SARIF the command writes.")
    on_error: Literal["block"] = "block"


class CoverageModel(Strict):
    """The least share of covered lines, in percent."""

    minimum: float = Field(ge=0, le=100)


class QualityModel(Strict):
    """All gates of a service; they run side by side."""

    gates: dict[GateName, GateModel] = Field(min_length=1)
    image: str = Field(GATES_IMAGE, min_length=1, description="Container image of gates that name none.")
    coverage: CoverageModel | None = None
