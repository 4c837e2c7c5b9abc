"""Rule conditions as HAProxy's tests. Pure; no value can leave its quotes.

Source: "Condition types for listener rules" in the user guide for Application Load Balancers. Many values of
one condition are alternatives, many conditions must all hold.
"""

from __future__ import annotations

import re

from delivery.sandbox.elb.model import Condition


def test_of(condition: Condition) -> str:
    """One condition as an anonymous ACL."""
    if condition.field == "source-ip":
        return f"{{ src {' '.join(quoted(v) for v in condition.values)} }}"
    if condition.field == "http-request-method":
        return f"{{ method -m str {' '.join(quoted(v) for v in condition.values)} }}"
    wild = _query if condition.field == "query-string" else _wild
    patterns = [wild(v) for v in condition.values] + [plain(e) for e in condition.expressions]
    return f"{{ {_subject(condition)} {' '.join(quoted(p) for p in patterns)} }}"


def _subject(condition: Condition) -> str:
    """What is compared, and how. Of these only the path is told apart by case."""
    match condition.field:
        case "path-pattern":
            return "path -m reg"
        case "host-header":
            return "req.hdr(host),field(1,:) -m reg -i"
        case "http-header":  # a header that comes several times is looked at in turn
            return f"{quoted(f'req.fhdr({condition.header})')} -m reg -i"
        case "query-string":
            return "query -m reg -i"
    raise ValueError(f"the sandbox does not know the condition {condition.field!r}")


def _wild(pattern: str, star: str = ".*", one: str = ".", escapes: bool = False) -> str:
    """ELB's `*` and `?` as an anchored expression; with `escapes`, `\\*` and `\\?` are themselves."""
    return f"^{_body(pattern, star, one, escapes)}$"


def _body(pattern: str, star: str, one: str, escapes: bool = False) -> str:
    pieces = []
    for piece in re.findall(r"\\[*?]|.", pattern, re.DOTALL):
        if piece == "*":
            pieces.append(star)
        elif piece == "?":
            pieces.append(one)
        elif len(piece) == 2:
            pieces.append(_literal(piece[1] if escapes else piece))
        else:
            pieces.append(_literal(piece))
    return "".join(pieces)


def _literal(text: str) -> str:
    """Each byte as itself; what is not printable as its number: a line of configuration has no newline."""
    return "".join(
        re.escape(chr(b)) if 32 <= b < 127 else f"\\x{b:02x}" for b in text.encode("utf-8", "surrogateescape")
    )


def plain(expression: str) -> str:
    """A regular expression on one line."""
    return "".join(c if 32 <= ord(c) < 127 else _literal(c) for c in expression)


def _query(pair: tuple[str, str]) -> str:
    """A key with its value, or a value under any key, anywhere in the query string."""
    key, value = pair
    star, one = "[^&]*", "[^&]"
    name = f"{_body(key, '[^&=]*', '[^&=]', True)}=" if key else "([^&=]*=)?"
    return f"(^|&){name}{_body(value, star, one, True)}(&|$)"


def quoted(text: str) -> str:
    """One word of HAProxy's configuration; nothing in strong quotes means anything but their end."""
    return "'" + text.replace("'", "'\\''") + "'"
