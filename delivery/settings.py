"""What configures an installation, read once from the environment. Nothing else reads `os.environ`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from delivery.errors import ConfigurationError

#: Names that are ours; one that nearly is one of them is a slip of the pen.
KNOWN = {
    "DELIVERY_ROOT",
    "DELIVERY_DEFS",
    "DELIVERY_WORK",
    "DELIVERY_BUCKET",
    "DELIVERY_GIT_URL",
    "DELIVERY_UI_URL",
    "DELIVERY_SIGNING_KEY",
}


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that shows itself only when asked to."""

    value: str = field(repr=False)

    def __repr__(self) -> str:
        return "Secret('***')" if self.value else "Secret('')"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self.value)


@dataclass(frozen=True, slots=True)
class Settings:
    """One installation's settings. Reading them asks nobody and needs no credentials.

    root         the project: Terraform's folders are relative to it (DELIVERY_ROOT, default here)
    defs         the services' definitions (DELIVERY_DEFS, default those of this package)
    work         a folder for mirrors and Terraform's data (DELIVERY_WORK, default `.work` in the root)
    bucket       ledger, artifacts and Terraform's state (DELIVERY_BUCKET); see `required_bucket`
    region       AWS_REGION or AWS_DEFAULT_REGION; empty: the profile's
    signing_key  alias, id or ARN of the KMS key (DELIVERY_SIGNING_KEY)
    ui_url       where people open Dagster (DELIVERY_UI_URL)
    environment  everything, for child processes such as Terraform; holds secrets, so it is not shown
    """

    root: Path
    defs: Path
    work: Path
    bucket: str
    region: str
    github_api_url: str
    github_token: Secret
    git_url: str
    ui_url: str
    signing_key: str
    environment: Mapping[str, str] = field(repr=False)

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read `environ`, this process's by default; one ConfigurationError with every problem."""
        given = dict(os.environ if environ is None else environ)
        root = _path(given.get("DELIVERY_ROOT"), Path.cwd())
        settings = cls(
            root=root,
            defs=_path(given.get("DELIVERY_DEFS"), Path(__file__).parent / "defs"),
            work=_path(given.get("DELIVERY_WORK"), root / ".work"),
            bucket=given.get("DELIVERY_BUCKET", ""),
            region=given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION", ""),
            github_api_url=_url(given.get("GITHUB_API_URL"), "https://api.github.com"),
            github_token=Secret(given.get("GITHUB_TOKEN", "")),
            git_url=_url(given.get("DELIVERY_GIT_URL"), "https://github.com"),
            ui_url=_url(given.get("DELIVERY_UI_URL"), "http://127.0.0.1:3000"),
            signing_key=given.get("DELIVERY_SIGNING_KEY") or "alias/delivery-signing",
            environment=given,
        )
        problems = settings.problems()
        if problems:
            raise ConfigurationError(
                "The settings are wrong", "; ".join(problems), "Correct the environment."
            )
        return settings

    def problems(self) -> tuple[str, ...]:
        """Everything that is wrong, one sentence each."""
        found = [
            f"{name} is not a setting, {near[0]} is"
            for name in sorted(self.environment.keys() - KNOWN)
            if name.startswith("DELIVERY") and (near := get_close_matches(name, KNOWN, 1, cutoff=0.85))
        ]
        if not self.root.is_dir():
            found.append(f"DELIVERY_ROOT names no folder: {self.root}")
        # The default may be empty in a project that has its services elsewhere; a named one must exist.
        if self.environment.get("DELIVERY_DEFS") and not self.defs.is_dir():
            found.append(f"DELIVERY_DEFS names no folder: {self.defs}")
        for name, url in (
            ("GITHUB_API_URL", self.github_api_url),
            ("DELIVERY_GIT_URL", self.git_url),
            ("DELIVERY_UI_URL", self.ui_url),
        ):
            problem = _problem_of(url)
            if problem:
                found.append(f"{name} {problem}")
        return tuple(found)

    @property
    def required_bucket(self) -> str:
        """The bucket; ConfigurationError when none is set, where one is needed."""
        if not self.bucket:
            raise ConfigurationError(
                "There is no bucket to work with", "DELIVERY_BUCKET is not set",
                "Set it to the bucket that `delivery bootstrap` made (its output `state_bucket`).",
            )  # fmt: skip
        return self.bucket


def _path(given: str | None, default: Path) -> Path:
    return Path(given).expanduser().absolute() if given else default.absolute()


def _url(given: str | None, default: str) -> str:
    return (given or default).rstrip("/")


def _problem_of(url: str) -> str:
    """What is wrong with a URL; without repeating it, for it may hold a password."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  - reading it checks it
    except ValueError:
        return "is not a URL"
    if parts.username or parts.password:
        return "holds credentials: use GITHUB_TOKEN"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "is not an http(s) URL"
    return ""
