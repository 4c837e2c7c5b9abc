"""Reads every service of a folder, and tells everything that is wrong with all of them at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from delivery.catalog.convert import to_spec
from delivery.catalog.document import Document, documents
from delivery.catalog.messages import findings_of
from delivery.catalog.models.base import service_name
from delivery.catalog.models.service import ServiceModel
from delivery.catalog.relations import Finding, Place, dotted, findings
from delivery.core.service import ServiceSpec
from delivery.errors import ConfigurationError

#: What the files call this component.
TYPES = ("delivery.Service", "delivery.catalog.component.Service")
#: Dagster's own file names and fields (dagster.components.core.defs_module).
FILES = ("defs.yaml", "defs.yml")
_FIELDS = ("type", "attributes", "requirements", "post_processing")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: `field` is e.g. `environments.production.strategy.canary.steps`."""

    file: Path
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: "
        return where + (f"{self.field}: {self.message}" if self.field else self.message)


@dataclass(frozen=True, slots=True)
class Catalog:
    """All services that could be read, and all problems; there is no service with a problem."""

    services: tuple[ServiceSpec, ...]
    problems: tuple[Problem, ...]
    files: tuple[Path, ...]


def load_services(defs: Path, root: Path | None = None) -> tuple[ServiceSpec, ...]:
    """Every service of the folder by name; one ConfigurationError that lists every problem.

    With `root`, the project's folder, the files that they name must exist there.
    """
    catalog = read_catalog(defs, root)
    if catalog.problems:
        lines = "".join(f"\n  {problem}" for problem in catalog.problems)
        count = len(catalog.problems)
        raise ConfigurationError(
            f"The services in {defs} cannot be used",
            f"{count} problem{'s' if count > 1 else ''}:{lines}\n",
            "Correct them, then look again with `delivery validate`.",
        )
    return catalog.services


def problems(defs: Path, root: Path | None = None) -> tuple[Problem, ...]:
    """Everything that is wrong with the services of the folder."""
    return read_catalog(defs, root).problems


def read_catalog(defs: Path, root: Path | None = None) -> Catalog:
    """Read all files of the folder. ConfigurationError when there is no such folder."""
    if not defs.is_dir():
        raise ConfigurationError(
            "The services cannot be read", f"{defs} is not a folder", "Set DELIVERY_DEFS or pass --defs."
        )
    files = sorted({path for name in FILES for path in defs.rglob(name)})
    found: list[Problem] = []
    services: dict[str, tuple[Path, ServiceSpec | None]] = {}
    for file in files:
        for name, line, problems_, spec in _read(file, root):
            found += problems_
            if name in services:
                message = f"a service {name!r} is described in {services[name][0]} already"
                found.append(Problem(file, line, "name", message))
            services.setdefault(name, (file, spec))
    good = tuple(spec for _, spec in services.values() if spec is not None)
    ordered = sorted(set(found), key=lambda p: (str(p.file), p.line, p.field))
    return Catalog(good, tuple(ordered), tuple(files))


def _read(file: Path, root: Path | None) -> Iterator[tuple[str, int, list[Problem], ServiceSpec | None]]:
    """Name, line, problems and specification of each service in a file; other components are left alone."""
    try:
        every = documents(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        yield file.parent.name, 1, [_no_yaml(file, error)], None
        return
    for document in every:
        kind = document.data.get("type") if isinstance(document.data, dict) else None
        if kind in TYPES:
            yield _service(file, document, root)
        elif isinstance(kind, str) and kind.startswith("delivery."):
            message = f"there is no component {kind!r}; the one for services is {TYPES[0]}"
            yield file.parent.name, 1, [Problem(file, document.line(("type",)), "type", message)], None


def _no_yaml(file: Path, error: yaml.YAMLError | UnicodeDecodeError) -> Problem:
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem(file, 1, "", f"is not YAML: {error}")
    mark = error.problem_mark or error.context_mark
    told = " ".join(filter(None, (error.context, error.problem)))
    return Problem(file, mark.line + 1 if mark else 1, "", f"is not YAML: {told}")


def _service(
    file: Path, document: Document, root: Path | None
) -> tuple[str, int, list[Problem], ServiceSpec | None]:
    attributes = document.data.get("attributes")
    if attributes is None:
        attributes = {}
    given = attributes.get("name") if isinstance(attributes, dict) else None
    name = given if isinstance(given, str) else file.parent.name
    model, found = _validated(attributes, name, given is None)
    spec = to_spec(model, name) if model else None
    if spec and root:
        found += _missing_files(spec, root)
    placed = [(("attributes", *place), message) for place, message in found]
    told = [
        Problem(file, document.line(place), dotted(place[1:] if place[0] == "attributes" else place), message)
        for place, message in (*placed, *_outside(document))
    ]
    line = document.line(("attributes", "name"))
    return name, line, told, None if told else spec


def _validated(attributes: Any, name: str, folder: bool) -> tuple[ServiceModel | None, list[Finding]]:
    """The model, and what is wrong: the fields by themselves, and then together."""
    found: list[Finding] = list(findings(attributes, name))
    if folder:
        try:
            service_name(name)
        except ValueError as error:
            found.append(((), f"the folder's name is the service's: {error}"))
    try:
        return ServiceModel.model_validate(attributes), found
    except ValidationError as error:
        known = {place for place, _ in found}
        return None, found + [f for f in findings_of(error, ServiceModel) if f[0] not in known]


def _outside(document: Document) -> Iterator[Finding]:
    """Problems of the file's frame, and keys written twice anywhere in it."""
    yield from document.repeated()
    for key in document.data:
        if key == "template_vars_module":
            yield (key,), "templates are not read in a delivery.Service"
        elif key not in _FIELDS:
            yield (key,), f"is not known here. Known: {', '.join(_FIELDS)}"


def _missing_files(spec: ServiceSpec, root: Path) -> list[Finding]:
    """Terraform files that are named and are not there."""
    found: list[Finding] = []
    stacks: list[tuple[Place, Any]] = [(("registry",), spec.registry)] if spec.registry else []
    stacks += [(("environments", e.name, "terraform"), e.terraform) for e in spec.environments]
    for place, stack in stacks:
        if not any((root / stack.stack).glob("*.tf")):
            found.append(((*place, "stack"), f"{stack.stack} has no .tf files in {root}"))
        for index, name in enumerate(stack.vars):
            if not (root / name).is_file():
                found.append(((*place, "vars", index), f"there is no file {name} in {root}"))
        if stack.backend and not (root / stack.backend).is_file():
            found.append(((*place, "backend"), f"there is no file {stack.backend} in {root}"))
    return found
