"""The images that the sample service and its gates start from."""

from __future__ import annotations

import docker

from delivery.sandbox.base_image import ensure, ensure_gates


def prepare() -> tuple[str, str]:
    """Build both unless this machine has them; their names."""
    client = docker.from_env()
    try:
        return ensure(client), ensure_gates(client)
    finally:
        client.close()
