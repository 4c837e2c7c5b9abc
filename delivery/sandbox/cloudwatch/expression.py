"""Metric math as text: from `100 * m1 / SUM(METRICS())` to a tree. Pure.

Source: "Using math expressions with CloudWatch metrics" in the Amazon CloudWatch user guide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^<>(),\[\]]))"
)
#: Binary operators by how tightly they bind, loosest first.
_LEVELS = (("OR", "||"), ("AND", "&&"), ("==", "!=", "<", "<=", ">", ">="), ("+", "-"), ("*", "/"))
_WORDS = {"OR": "||", "AND": "&&"}


class ExpressionError(Exception):
    """Why an expression cannot be read or evaluated."""


@dataclass(frozen=True, slots=True)
class Number:
    """A scalar."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted text, or one of FILL's words."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """The id of another metric or expression."""

    id: str


@dataclass(frozen=True, slots=True)
class Array:
    """`[m1, m2]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function of its arguments; operators too, by their sign, and `neg`."""

    function: str
    arguments: tuple[Node, ...]


Node = Number | Text | Name | Array | Call


def parse(text: str) -> Node:
    """The tree of an expression. Raises ExpressionError where it is not one."""
    parser = _Parser(list(_tokens(text)))
    tree = parser.binary(0)
    if parser.kind != "end":
        raise ExpressionError(f"Unexpected '{parser.value}'")
    return tree


def names(node: Node) -> Iterator[str]:
    """The ids a tree names."""
    match node:
        case Name(id):
            yield id
        case Array(items) | Call(_, items):
            for item in items:
                yield from names(item)


def calls(node: Node) -> Iterator[str]:
    """The functions a tree calls."""
    match node:
        case Call(function, arguments):
            yield function
            for item in arguments:
                yield from calls(item)
        case Array(items):
            for item in items:
                yield from calls(item)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise ExpressionError(f"Unexpected '{text[at:].strip()[:1]}'")
        at = found.end()
        yield found.lastgroup or "", found[found.lastgroup or 0]


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens, self._at = tokens, 0

    @property
    def kind(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else "end"

    @property
    def value(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else "end of expression"

    def take(self, *signs: str) -> str:
        """The next token if it is one of these, or empty."""
        if self.kind in ("sign", "name") and self.value in signs:
            self._at += 1
            return self._tokens[self._at - 1][1]
        return ""

    def expect(self, sign: str) -> None:
        """The next token must be this one."""
        if not self.take(sign):
            raise ExpressionError(f"Expected '{sign}' but found '{self.value}'")

    def binary(self, level: int) -> Node:
        """Operators of one level, from left to right."""
        if level == len(_LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while sign := self.take(*_LEVELS[level]):
            left = Call(_WORDS.get(sign, sign), (left, self.binary(level + 1)))
        return left

    def unary(self) -> Node:
        """`-m1`; a power binds tighter."""
        if self.take("-"):
            return Call("neg", (self.unary(),))
        base = self.primary()
        return Call("^", (base, self.unary())) if self.take("^") else base

    def primary(self) -> Node:
        """A number, a text, an id, a call, an array, or something in parentheses."""
        kind, value = self.kind, self.value
        if self.take("("):
            inside = self.binary(0)
            self.expect(")")
            return inside
        if self.take("["):
            return Array(self.list("]"))
        if kind == "end" or kind == "sign" or value in _WORDS:
            raise ExpressionError(f"Unexpected '{value}'")
        self._at += 1
        if kind == "number":
            return Number(float(value))
        if kind == "text":
            return Text(value[1:-1])
        if self.take("("):
            return Call(value, self.list(")"))
        return Name(value) if value[0].islower() else Text(value)

    def list(self, end: str) -> tuple[Node, ...]:
        """Arguments up to `end`."""
        items: list[Node] = []
        if self.take(end):
            return ()
        while True:
            items.append(self.binary(0))
            if not self.take(","):
                self.expect(end)
                return tuple(items)
