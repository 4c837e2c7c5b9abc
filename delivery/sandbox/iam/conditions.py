"""Whether a statement's Condition holds for what is known of a request. Pure.

Source: IAM user guide, "IAM JSON policy elements: Condition operators", "Set operators for multivalued
context keys".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

#: What is known of a request: by key in lower case, all its values.
Context = Mapping[str, Sequence[str]]


@lru_cache(4096)
def _pattern(text: str) -> re.Pattern[str]:
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in text)
    return re.compile("".join(parts), re.DOTALL)


def like(value: str, pattern: str) -> bool:
    """Whether a text matches one with `*` (any characters) and `?` (any one)."""
    return _pattern(pattern).fullmatch(value) is not None


def arn_like(value: str, pattern: str) -> bool:
    """Whether an ARN matches: each of its six parts by itself, wildcards do not reach over a colon."""
    own, wanted = value.split(":", 5), pattern.split(":", 5)
    return len(own) == len(wanted) and all(like(a, b) for a, b in zip(own, wanted, strict=True))


def filled(text: str, context: Context) -> str:
    """A text with its policy variables, e.g. `${aws:username}`; `${*}` is a literal asterisk.

    A variable nobody knows matches nothing. Source: IAM user guide, "Policy variables and tags".
    """

    def value(found: re.Match[str]) -> str:
        name, _, default = found[1].partition(",")
        if name.strip() in ("*", "?", "$"):
            return name.strip()
        known = context.get(name.strip().lower(), ())
        return str(known[0]) if len(known) == 1 else default.strip().strip("'") or "\0"

    return re.sub(r"\$\{([^}]+)\}", value, text)


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def test(value: str, wanted: str) -> bool:
        try:
            return compare(float(value), float(wanted))
        except ValueError:
            return False

    return test


def _moment(text: str) -> float:
    """Seconds since the epoch, of an ISO 8601 date or of seconds."""
    try:
        return float(text)
    except ValueError:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _date(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def test(value: str, wanted: str) -> bool:
        try:
            return compare(_moment(value), _moment(wanted))
        except ValueError:
            return False

    return test


def _in_network(value: str, wanted: str) -> bool:
    try:
        return ip_address(value) in ip_network(wanted, strict=False)
    except ValueError:
        return False


_COMPARED: dict[str, Callable[[float, float], bool]] = {
    "Equals": lambda a, b: a == b,
    "LessThan": lambda a, b: a < b,
    "LessThanEquals": lambda a, b: a <= b,
    "GreaterThan": lambda a, b: a > b,
    "GreaterThanEquals": lambda a, b: a >= b,
}
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda a, b: a == b,
    "StringEqualsIgnoreCase": lambda a, b: a.lower() == b.lower(),
    "StringLike": like,
    "ArnEquals": arn_like,  # "ArnEquals and ArnLike behave identically"
    "ArnLike": arn_like,
    "Bool": lambda a, b: a.lower() == b.lower(),
    "BinaryEquals": lambda a, b: a == b,
    "IpAddress": _in_network,
    **{f"Numeric{name}": _number(compare) for name, compare in _COMPARED.items()},
    **{f"Date{name}": _date(compare) for name, compare in _COMPARED.items()},
}
#: Operators that hold when their positive does not.
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
}


def listed(value: Any) -> list[Any]:
    """One or several, as a list."""
    return list(value) if isinstance(value, list) else [value]


def holds(condition: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Whether every operator holds for every key of a Condition. An operator nobody knows never does."""
    return all(
        _holds(operator, [_text(w) for w in listed(wanted)], key.lower(), context)
        for operator, keys in condition.items()
        for key, wanted in keys.items()
    )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _holds(operator: str, wanted: Sequence[str], key: str, context: Context) -> bool:
    quantifier, _, name = operator.rpartition(":")
    optional, name = name.endswith("IfExists"), name.removesuffix("IfExists")
    if name == "Null":
        return (key not in context) == (wanted[0].lower() == "true")
    test = _TESTS.get(_NEGATED.get(name, name))
    if test is None:
        return False
    values = context.get(key)
    if not values:
        return optional or quantifier == "ForAllValues" or (name in _NEGATED and not quantifier)
    filled_in = [filled(w, context) for w in wanted]

    def one(value: str) -> bool:
        assert test is not None
        return any(test(value, w) for w in filled_in) != (name in _NEGATED)

    return all(map(one, values)) if quantifier == "ForAllValues" else any(map(one, values))
