"""Asking Docker until it answers: while it is away nothing is known, and nothing is concluded."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from docker.errors import APIError, DockerException

log = logging.getLogger(__name__)
T = TypeVar("T")


def insist(call: Callable[..., T], *args: Any) -> T:
    """What a call to Docker gives, however long the engine is away; its refusals are raised."""
    while True:
        try:
            return call(*args)
        except (DockerException, OSError) as error:
            if isinstance(error, APIError) and not error.is_server_error():
                raise
            log.warning("Docker does not answer, asking again: %s", error)
            time.sleep(0.5)
