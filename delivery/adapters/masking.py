"""What looks like a secret in words that are not ours.

An application's last log lines go to people, to the ledger and to Dagster's event log, and a traceback of a
database driver has the password in it. Nothing is certain here: what is told is masked where it is plain.
"""

from __future__ import annotations

import re

HIDDEN = "[hidden]"

_NAMED = (
    r"(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)"
)
#: Each keeps what comes before the secret, in its first group.
_PLAIN = (
    re.compile(r"(\w://[^/\s:@]*:)[^\s@]+(?=@)"),  # a URL's user:password@host; a password may have a slash
    re.compile(rf"(?i)([\w-]*{_NAMED}[\w-]*[\"']?\s*(?:=>|[=:])\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,;&\"'}})]+)"),
    re.compile(r"(?i)(\bauthorization[\"']?\s*[=:]\s*[\"']?(?:basic|bearer)?\s*)[\w.~+/=-]{6,}"),
    re.compile(r"(?i)(\bbearer\s+)[\w.~+/=-]{8,}"),
    re.compile(r"()\b(?:AKIA|ASIA)[A-Z0-9]{12,}"),
    re.compile(r"()\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|xox[abeprs]-[\w-]{10,}|sk[-_]\w{20,})"),
    re.compile(r"()\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"),  # a JSON web token
)


def hidden(text: str) -> str:
    """The text with everything that looks like a password, a key or a token replaced."""
    for pattern in _PLAIN:
        text = pattern.sub(rf"\g<1>{HIDDEN}", text)
    return text
