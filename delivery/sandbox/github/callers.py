"""Who calls: any well-formed token is somebody's, for a sandbox hands out none.

The token `ada-token` belongs to the user `ada`; every other to `sandbox`. What begins with `bad`, `invalid`,
`expired` or `revoked` is refused, so that a refusal can be tried. `ghs_…` is the token of an App's
installation. Source: GitHub REST API, "Authenticating to the REST API".
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from delivery.sandbox.github.errors import GitHubError

_TOKEN = re.compile(r"[A-Za-z0-9_.\-]{1,255}")
_REFUSED = ("bad", "invalid", "expired", "revoked")
_OWNED = re.compile(r"(?:gh[a-z]_|github_pat_)?([A-Za-z0-9][A-Za-z0-9-]{0,38}?)-token")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. Without a token, `login` is empty and the quota is the address's."""

    login: str = ""
    token: str = ""

    @property
    def is_app(self) -> bool:
        """Whether it is an App's installation, which alone may write checks."""
        return self.token.startswith("ghs_")

    @property
    def key(self) -> str:
        """Whose quota a request is counted against."""
        return self.login or "127.0.0.1"


def caller_of(authorization: str | None) -> Caller:
    """The caller of a request with this `Authorization` header; 401 when GitHub would not know the token."""
    if not authorization:
        return Caller()
    scheme, _, value = authorization.strip().partition(" ")
    token = _password(value) if scheme.lower() == "basic" else value.strip()
    known = scheme.lower() in ("basic", "bearer", "token") and _TOKEN.fullmatch(token)
    if not known or token.startswith(_REFUSED):
        raise GitHubError(401, "Bad credentials")
    owned = _OWNED.fullmatch(token)
    return Caller(owned[1] if owned else "sandbox", token)


def _password(value: str) -> str:
    """The token of a Basic header: the password, or the user name when there is only that."""
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return password if password and password != "x-oauth-basic" else user
