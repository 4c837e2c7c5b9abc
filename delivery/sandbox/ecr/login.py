"""Logins: what GetAuthorizationToken gives, and what the registry takes.

Source: ECR user guide, "Private registry authentication": the user is AWS, a token is valid for 12 hours.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path

from delivery.sandbox.clock import CLOCK

#: AWS seconds a token and a layer's address are valid.
TOKEN_LIFE, URL_LIFE = 12 * 3600.0, 3600.0


class Logins:
    """Tokens are signed with a key of this process; none is kept."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def token(self, life: float = TOKEN_LIFE) -> tuple[str, float]:
        """A password for the user AWS, and when it ends (AWS's seconds since the epoch)."""
        end = int(CLOCK.now() + life)
        return f"{end}.{self.signed(f'login {end}')}", float(end)

    def signed(self, text: str) -> str:
        """The signature of a text."""
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def valid(self, authorization: str) -> bool:
        """Whether an Authorization header holds a token of ours that has not ended."""
        scheme, _, given = authorization.partition(" ")
        try:
            user, _, password = base64.b64decode(given, validate=True).decode().partition(":")
            end, _, signature = password.partition(".")
            alive = int(end) > CLOCK.now()
        except ValueError:
            return False
        ours = hmac.compare_digest(signature, self.signed(f"login {end}"))
        return scheme.lower() == "basic" and user == "AWS" and alive and ours

    def query(self, path: str) -> str:
        """What makes an address of a layer valid for an hour without a login."""
        end = int(CLOCK.now() + URL_LIFE)
        return f"X-Sandbox-Expires={end}&X-Sandbox-Signature={self.signed(f'{path} {end}')}"

    def opens(self, path: str, end: str, signature: str) -> bool:
        """Whether that query is ours, for this path, and has not ended."""
        alive = end.isdigit() and int(end) > CLOCK.now()
        return alive and hmac.compare_digest(signature, self.signed(f"{path} {end}"))


def agent_login(logins: Logins, url: str, folder: Path) -> None:
    """Give this process's Docker client a login of the registry, as ECS's agent has one by its role.

    docker-py reads the folder of $DOCKER_CONFIG. Logins of the user's own are not the agent's.
    """
    token, _ = logins.token(life=10 * 365 * 86400.0)
    auth = base64.b64encode(f"AWS:{token}".encode()).decode()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = folder / "config.json"
    config.touch(mode=0o600)
    config.write_text(json.dumps({"auths": {url: {"auth": auth}}}))
    os.environ["DOCKER_CONFIG"] = str(folder)
