"""What travels: a commit, its image, and the release made of them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

_SHA = re.compile(r"[0-9a-f]{40}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Slot(StrEnum):
    """One of the two ECS services a service runs in (see DESIGN: slots)."""

    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> Slot:
        """The slot that is not this one."""
        return Slot.GREEN if self is Slot.BLUE else Slot.BLUE


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a service's repository, as the source provider tells it."""

    sha: str
    message: str
    author: str
    committed_at: datetime
    parents: tuple[str, ...] = ()
    url: str = ""

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.splitlines()[0] if self.message else ""


@dataclass(frozen=True, slots=True)
class Image:
    """A container image known by its digest, never by a tag."""

    repository: str
    digest: str

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.digest):
            raise ValueError(f"not an image digest: {self.digest!r}")

    @property
    def reference(self) -> str:
        """`repository@sha256:…`, what a task definition names."""
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True, slots=True)
class Release:
    """Commit + image + the reviewed task template: immutable, and the same on every machine.

    `template` is the fingerprint of what Terraform reviewed for the task (cpu, memory, roles,
    containers). Its `id` goes into tags and labels everywhere.
    """

    service: str
    commit: str
    image: Image
    template: str

    def __post_init__(self) -> None:
        if not _SHA.fullmatch(self.commit):
            raise ValueError(f"not a full commit sha: {self.commit!r}")

    @property
    def id(self) -> str:
        """Short, readable and derived: first 8 of the commit, then 8 of the content's hash."""
        return _id(self.service, self.commit, self.image.repository, self.image.digest, self.template)


@lru_cache(maxsize=1024)
def _id(service: str, commit: str, repository: str, digest: str, template: str) -> str:
    content = "\n".join((service, commit, f"{repository}@{digest}", template))
    return f"{commit[:8]}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"
