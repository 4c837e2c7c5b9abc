"""Running the git program: argument lists only, a small environment, errors in the house's words.

The repository is a stranger's: no hook, template or system configuration of this machine takes part, only
http(s) is spoken, and the token travels by environment, never in an argument or a URL.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from delivery.errors import (
    DeliveryError,
    NotFoundError,
    PrerequisiteError,
    ProviderError,
    UnavailableError,
)

#: What of the installation's environment git may see: the way out to the network, and whom to trust there.
_PASSED = re.compile(
    r"^(PATH|(https?|all|no)_proxy|GIT_SSL_CAINFO|SSL_CERT_FILE|SSL_CERT_DIR)$", re.IGNORECASE
)
_PASSING = re.compile(
    r"could not resolve host|failed to connect|couldn't connect|connection (refused|reset)|timed out"
    r"|early eof|rpc failed|unexpected disconnect|remote end hung up|returned error: (429|5\d\d)",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"authentication failed|could not read username|terminal prompts disabled|returned error: 40[13]",
    re.IGNORECASE,
)
_MISSING = re.compile(r"repository .*not found|returned error: 404|couldn't find remote ref", re.IGNORECASE)


class LocalDamage(Exception):
    """The mirror on this machine is unusable; it holds nothing that cannot be fetched again."""


_DAMAGED = re.compile(
    r"\.lock': File exists|not a git repository|cannot lock ref|object file .* is empty|bad object"
    r"|loose object .* is corrupt|unable to read|packfile .* (cannot|is far too short|does not match)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Git:
    """git on one bare repository. `token` may be empty (public repositories)."""

    folder: Path
    token: str = field(default="", repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def run(self, arguments: Sequence[str], timeout: float = 60.0, accept: Sequence[int] = (0,)) -> bytes:
        """Run `git <arguments>`; its output. LocalDamage, or one of the house's errors, when it fails."""
        return self.ask(arguments, timeout, accept)[1]

    def ask(
        self, arguments: Sequence[str], timeout: float = 60.0, accept: Sequence[int] = (0,)
    ) -> tuple[int, bytes]:
        """As `run`, with the exit code, for the commands that answer by it."""
        try:
            done = subprocess.run(
                self.command(arguments), env=self.variables(), stdin=subprocess.DEVNULL,
                capture_output=True, timeout=timeout, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            why = f"it did not end within {timeout:g} s"
            raise UnavailableError(f"git {arguments[0]} was stopped", why, "Retry; it may pass.") from None
        if done.returncode not in accept:
            raise failure(arguments[0], done.stderr.decode(errors="replace"))
        return done.returncode, done.stdout

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The argument list."""
        program = shutil.which("git", path=self.environment.get("PATH"))
        if program is None:
            raise PrerequisiteError(
                "The repository cannot be read", "there is no program `git`", "Install git."
            )
        return [program, f"--git-dir={self.folder}", *arguments]

    def variables(self) -> dict[str, str]:
        """The child's whole environment; the only place where the token stands."""
        config = {
            "core.hooksPath": os.devnull,
            "gc.autoDetach": "false",
            "http.lowSpeedLimit": "1000",
            "http.lowSpeedTime": "30",
        }
        if self.token:
            # What GitHub documents for git over https with any kind of token.
            login = base64.b64encode(f"x-access-token:{self.token}".encode()).decode()
            config["http.extraHeader"] = f"Authorization: Basic {login}"
        numbered = {
            name: text
            for number, (key, value) in enumerate(config.items())
            for name, text in ((f"GIT_CONFIG_KEY_{number}", key), (f"GIT_CONFIG_VALUE_{number}", value))
        }
        return {
            "PATH": os.defpath,
            **{name: value for name, value in self.environment.items() if _PASSED.match(name)},
            **numbered,
            "GIT_CONFIG_COUNT": str(len(config)),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ALLOW_PROTOCOL": "http:https",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_LITERAL_PATHSPECS": "1",
            "LC_ALL": "C",
        }


def failure(command: str, said: str) -> DeliveryError | LocalDamage:
    """What git's last words mean."""
    lines = [line for line in said.splitlines() if line.strip()]
    why = next(
        (line for line in lines if line.startswith(("fatal:", "error:"))), (lines or ["no output"])[-1]
    )
    why = " ".join(why.split())[:300]
    what = f"git {command} failed"
    if _DENIED.search(said):
        hint = "Set GITHUB_TOKEN to a token that may read this repository's contents."
        return ProviderError(what, "the server does not accept the token", hint)
    if _MISSING.search(said):
        return NotFoundError(
            what, why, "Check `repository` in the service's defs.yaml, and the token's reach."
        )
    if _PASSING.search(said):
        return UnavailableError(what, why, "Check the network and DELIVERY_GIT_URL, or retry.")
    if _DAMAGED.search(said):
        return LocalDamage(why)
    return ProviderError(what, why, "Look at the repository with the same git command by hand.")
