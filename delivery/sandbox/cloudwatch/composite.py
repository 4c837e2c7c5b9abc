"""Composite alarms: the rule's grammar, and what it says. Pure.

Source: "Create a composite alarm" in the Amazon CloudWatch user guide and "PutCompositeAlarm", AlarmRule, in
the API reference: ALARM(name), OK(name), INSUFFICIENT_DATA(name), TRUE, FALSE, AND, OR, NOT, parentheses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\s*(?:(?P<test>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?P<quoted>\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s()\"']+)\s*\)"
    r"|(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<sign>[()]))"
)


class RuleError(Exception):
    """Why a text is no alarm rule."""


@dataclass(frozen=True, slots=True)
class Test:
    """Whether the alarm of that name (or ARN) is in that state."""

    state: str
    alarm: str


@dataclass(frozen=True, slots=True)
class Constant:
    """TRUE or FALSE."""

    value: bool


@dataclass(frozen=True, slots=True)
class Combined:
    """AND, OR or NOT of other rules."""

    word: str
    parts: tuple[Rule, ...]


Rule = Test | Constant | Combined


def parse(text: str) -> Rule:
    """The rule a text says. Raises RuleError."""
    tokens = list(_tokens(text))
    rule, at = _either(tokens, 0)
    if at != len(tokens):
        raise RuleError(f"unexpected {_shown(tokens, at)}")
    return rule


def names(rule: Rule) -> Iterator[str]:
    """The alarms a rule looks at, by name; ARNs are cut to names."""
    match rule:
        case Test(_, alarm):
            yield alarm
        case Combined(_, parts):
            for part in parts:
                yield from names(part)


def holds(rule: Rule, state_of: Callable[[str], str | None]) -> bool:
    """Whether the rule is true of the alarms' states."""
    match rule:
        case Test(state, alarm):
            return state_of(alarm) == state
        case Constant(value):
            return value
        case Combined("NOT", (part,)):
            return not holds(part, state_of)
        case Combined("AND", parts):
            return all(holds(part, state_of) for part in parts)
        case Combined(_, parts):
            return any(holds(part, state_of) for part in parts)


def _tokens(text: str) -> Iterator[Rule | str]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise RuleError(f"unexpected '{text[at:].strip()[:20]}'")
        at = found.end()
        if found["test"]:
            name = found["quoted"]
            if name[0] in "\"'":
                name = re.sub(r"\\(.)", r"\1", name[1:-1])
            yield Test(found["test"], name.split(":alarm:")[-1])
        elif found["word"] in ("TRUE", "FALSE"):
            yield Constant(found["word"] == "TRUE")
        else:
            yield found["word"] or found["sign"]


def _either(tokens: list[Rule | str], at: int) -> tuple[Rule, int]:
    return _chain("OR", _both, tokens, at)


def _both(tokens: list[Rule | str], at: int) -> tuple[Rule, int]:
    return _chain("AND", _one, tokens, at)


def _chain(
    word: str, inner: Callable[[list[Rule | str], int], tuple[Rule, int]], tokens: list[Rule | str], at: int
) -> tuple[Rule, int]:
    first, at = inner(tokens, at)
    parts = [first]
    while at < len(tokens) and tokens[at] == word:
        part, at = inner(tokens, at + 1)
        parts.append(part)
    return (parts[0] if len(parts) == 1 else Combined(word, tuple(parts))), at


def _one(tokens: list[Rule | str], at: int) -> tuple[Rule, int]:
    token = tokens[at] if at < len(tokens) else "end of rule"
    if token == "NOT":
        part, at = _one(tokens, at + 1)
        return Combined("NOT", (part,)), at
    if token == "(":
        rule, at = _either(tokens, at + 1)
        if at >= len(tokens) or tokens[at] != ")":
            raise RuleError(f"expected ')' but found {_shown(tokens, at)}")
        return rule, at + 1
    if isinstance(token, str):
        raise RuleError(f"unexpected {token}")
    return token, at + 1


def _shown(tokens: list[Rule | str], at: int) -> str:
    return str(tokens[at]) if at < len(tokens) else "end of rule"
