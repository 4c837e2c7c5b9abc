"""Progressive delivery for Amazon ECS as a Dagster asset graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from delivery.catalog.component import Service

__all__ = ["Service"]


def __getattr__(name: str) -> Any:
    """`type: delivery.Service` in a defs.yaml; Dagster is imported only when it is asked for."""
    if name == "Service":
        from delivery.catalog.component import Service

        return Service
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
