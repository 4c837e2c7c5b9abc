"""The registry's layers, as its files tell: whether a repository has one, and how large it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Blobs:
    """`root` is docker-registry's root directory. Source: its documentation, "filesystem storage driver"."""

    root: Path

    def size(self, repository: str, digest: str) -> int | None:
        """Bytes of a layer or configuration that was uploaded to this repository; None without it."""
        if not _DIGEST.fullmatch(digest):
            return None
        kind, _, number = digest.partition(":")
        base = self.root / "docker" / "registry" / "v2"
        link = base / "repositories" / repository / "_layers" / kind / number / "link"
        data = base / "blobs" / kind / number[:2] / number / "data"
        try:
            return data.stat().st_size if link.exists() else None
        except OSError:
            return None
