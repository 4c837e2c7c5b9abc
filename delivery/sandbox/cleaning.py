"""`make clean`: a project's sandboxes, what killed sandboxes left, and the images made here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, NotFound

from delivery.sandbox.config import LABEL, STATE_LABEL, SandboxConfig
from delivery.sandbox.leftovers import sweep
from delivery.sandbox.lifecycle import alive, down

#: What the names of the images begin with that demo and tests build, and those pulled from a sandbox.
_IMAGES = ("delivery/", "127.0.0.1:")
#: Containers of gates whose process was killed carry this label.
_GATES = "delivery.gate"


def clean(project: Path) -> None:
    """Stop the sandboxes whose state is in this folder, and remove what killed ones left behind.

    Sandboxes of other projects that are alive are left alone. Safe when nothing is there.
    """
    for file in (*project.glob(".sandbox/config.json"), *project.glob(".*/sandbox/config.json")):
        down(SandboxConfig.read(file))
    try:
        client = docker.from_env()
        client.ping()
    except DockerException:
        return  # no engine: none of its things either
    for config in abandoned(client):
        sweep(config)
    for container in client.containers.list(filters={"label": _GATES, "status": "exited"}):
        with contextlib.suppress(NotFound, APIError):
            container.remove(force=True, v=True)
    for image in client.images.list():
        for tag in image.tags or image.attrs.get("RepoDigests") or []:
            if tag.startswith(_IMAGES):
                with contextlib.suppress(NotFound, APIError):
                    client.images.remove(tag, force=True)


def abandoned(client: docker.DockerClient) -> Iterator[SandboxConfig]:
    """Sandboxes that left containers or a network, and whose process is not alive."""
    things: list[Any] = [
        *client.containers.list(all=True, filters={"label": LABEL}),
        *client.networks.list(filters={"label": LABEL}),
    ]
    for thing in things:
        labels = thing.attrs.get("Labels") or thing.attrs.get("Config", {}).get("Labels") or {}
        config = SandboxConfig(Path(labels.get(STATE_LABEL, "/nowhere")), name=labels.get(LABEL, ""))
        if not alive(config):
            yield config
