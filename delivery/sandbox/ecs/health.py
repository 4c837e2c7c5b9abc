"""Container health, as ECS tells it from Docker's own health checks.

Source: "Determine Amazon ECS task health using container health checks" in the ECS developer guide. Docker
does the asking, with the definition's times; a check in an image's Dockerfile is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from delivery.sandbox.ecs.definition import HealthCheck

UNKNOWN, HEALTHY, UNHEALTHY = "UNKNOWN", "HEALTHY", "UNHEALTHY"
_STATUS = re.compile(r"\((?:health: )?(\w+)\)$")


def docker_check(check: HealthCheck | None, real: Callable[[float], float]) -> dict[str, Any]:
    """Docker's HEALTHCHECK (nanoseconds); without one in the definition the image's own is switched off.

    `real` tells how many real seconds so many AWS seconds take.
    """
    if check is None:
        return {"test": ["NONE"]}
    # Docker refuses anything between nothing and a millisecond.
    nanoseconds = {
        name: max(1_000_000, int(real(seconds) * 1e9)) if seconds else 0
        for name, seconds in (
            ("interval", check.interval), ("timeout", check.timeout), ("start_period", check.start_period)
        )
    }  # fmt: skip
    return {"test": list(check.command), "retries": check.retries, **nanoseconds}


def health_of(status: str) -> str:
    """ECS's word for what Docker's list of containers says, e.g. `Up 3 seconds (health: starting)`."""
    found = _STATUS.search(status)
    return {"healthy": HEALTHY, "unhealthy": UNHEALTHY}.get(found[1] if found else "", UNKNOWN)


def task_health(containers: Iterable[tuple[bool, bool, str]]) -> str:
    """A task's health from its containers': (essential, has a health check, health).

    HEALTHY when all essential containers with a check are; UNHEALTHY when one of them is; else UNKNOWN, also
    when there is nothing to check.
    """
    told = [health for essential, checked, health in containers if essential and checked]
    if UNHEALTHY in told:
        return UNHEALTHY
    return HEALTHY if told and all(h == HEALTHY for h in told) else UNKNOWN
