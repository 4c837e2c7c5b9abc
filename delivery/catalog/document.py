"""YAML that remembers where everything stands, and refuses a key written twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from delivery.catalog.relations import Finding, Place


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: its data, and the nodes that know their lines."""

    data: Any
    node: yaml.Node

    def line(self, place: Place) -> int:
        """The line (from 1) of that place, or of the nearest part of it that is there."""
        node, line = self.node, self.node.start_mark.line
        for part in place:
            found = _step(node, part)
            if found is None:
                break
            mark, node = found
            line = mark.start_mark.line
        return line + 1

    def repeated(self) -> Iterator[Finding]:
        """Keys that are written twice: YAML would silently keep the last."""
        yield from _repeated(self.node, ())


def documents(text: str) -> list[Document]:
    """All documents of a file that are not empty; yaml.YAMLError when it is no YAML."""
    found = []
    for node in yaml.compose_all(text, Loader=yaml.SafeLoader):
        loader = yaml.SafeLoader("")
        try:
            data = loader.construct_document(node)
        finally:
            loader.dispose()
        if data is not None:
            found.append(Document(data, node))
    return found


def _step(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The node with the line of that part, and the part's value."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


def _repeated(node: yaml.Node, place: Place) -> Iterator[Finding]:
    if isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in first and name != "<<":
                where = key.start_mark.line + 1
                yield (*place, name), f"is written twice, in lines {first[name]} and {where}"
            first.setdefault(name, key.start_mark.line + 1)
            yield from _repeated(value, (*place, name))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _repeated(value, (*place, index))
