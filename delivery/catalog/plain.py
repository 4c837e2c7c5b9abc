"""Plain data that may be malformed, read without an error: what is wrong with it the models say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from delivery.catalog.models.base import seconds


def written_seconds(value: Any) -> float | None:
    """A written duration in seconds; None when it is none."""
    try:
        return seconds(value) if isinstance(value, str) else None
    except ValueError:
        return None


def mapping(value: Any) -> Mapping[str, Any]:
    """The mapping, or an empty one."""
    return value if isinstance(value, Mapping) else {}
