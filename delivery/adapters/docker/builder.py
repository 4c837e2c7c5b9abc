"""The port `Builder`: images built by the local Docker engine."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound

from delivery.adapters.docker.engine import engine
from delivery.core.build import BuiltImage
from delivery.core.service import ImageSpec
from delivery.errors import DeliveryError, ProviderError, RefusedError, UnavailableError
from delivery.ports import Progress

_WHAT = "The image was not built"
#: Lines of the failing step that are shown.
TAIL = 20
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
#: Failures of the engine, not of the Dockerfile.
_ENGINE = re.compile(r"no space left on device|cannot allocate memory", re.IGNORECASE)
_NETWORK = re.compile(
    r"dial tcp|i/o timeout|TLS handshake|connection (refused|reset)|Client\.Timeout|toomanyrequests",
    re.IGNORECASE,
)


class DockerBuilder:
    """Builds with the engine's classic builder, on its default network."""

    def build(
        self, spec: ImageSpec, folder: Path, tag: str, labels: Mapping[str, str], progress: Progress
    ) -> BuiltImage:
        """Build and tag. Context and Dockerfile are relative to `folder` and stay inside it."""
        context = _inside(folder, spec.context, "context")
        dockerfile = _inside(folder, spec.dockerfile, "dockerfile")
        if not dockerfile.is_file():
            why = f"there is no file {spec.dockerfile} in the commit"
            raise RefusedError(_WHAT, why, "Correct `image.dockerfile` in defs.yaml, or add the file.")
        begun = time.monotonic()
        with engine(_WHAT) as client:
            try:
                stream = client.api.build(
                    path=str(context), dockerfile=str(dockerfile), tag=tag, labels=dict(labels),
                    buildargs=dict(spec.build_args), rm=True, forcerm=True, decode=True,
                )  # fmt: skip
                image_id = _follow(stream, progress)
            except APIError as error:
                if error.is_server_error():
                    raise
                raise RefusedError(_WHAT, str(error.explanation), "Correct the Dockerfile.") from None
            built = _inspected(client, image_id, tag)
        seconds = time.monotonic() - begun
        progress(f"built {tag} ({built.size / 1e6:.0f} MB, {seconds:.1f} s)")
        return BuiltImage(built.image_id, tag, built.size, seconds)

    def find(self, tag: str) -> BuiltImage | None:
        """The local image of that tag, if this machine has it."""
        with engine(f"The image {tag} could not be looked for", timeout=60) as client:
            try:
                return _inspected(client, tag, tag)
            except ImageNotFound:
                return None


def _inspected(client: docker.DockerClient, name: str, tag: str) -> BuiltImage:
    found = client.api.inspect_image(name)
    return BuiltImage(found["Id"], tag, int(found["Size"]), 0.0, reused=True)


def _follow(stream: Iterable[Mapping[str, Any]], progress: Progress) -> str:
    """Read the build's stream to its end: errors come inside it. The id of the image."""
    image_id, step = "", "before its first step"
    lines: deque[str] = deque(maxlen=TAIL)
    for event in stream:
        if "error" in event:
            raise _failed(step, str(event["error"]), lines)
        image_id = (event.get("aux") or {}).get("ID", image_id)
        for line in _COLOURS.sub("", event.get("stream", "")).splitlines():
            if line.startswith("Step "):
                step = line.strip()
                lines.clear()
                progress(step)
            elif line.strip() and not line.startswith(" ---> "):
                lines.append(line.rstrip()[:400])
    if not image_id:
        raise ProviderError(_WHAT, "the Docker engine ended the build without an image", "Look at its log.")
    return image_id


def _failed(step: str, said: str, lines: Iterable[str]) -> DeliveryError:
    why = f"{step}: {said.strip()[:400]}"
    if _ENGINE.search(said):
        return ProviderError(_WHAT, why, "Make room on the Docker engine's machine (`docker system df`).")
    # A base image that could not be fetched; what a RUN step could not fetch is in its own output.
    if " : FROM " in f"{step} " and _NETWORK.search(said):
        return UnavailableError(_WHAT, why, "Check the network and the base image's registry, or retry.")
    tail = "\n".join(lines)
    return RefusedError(_WHAT, f"{why}\n{tail}" if tail else why, "Correct this step of the Dockerfile.")


def _inside(folder: Path, name: str, what: str) -> Path:
    """A path of the commit; RefusedError when it leads out of it, also by a link."""
    root = folder.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise RefusedError(
            _WHAT, f"{what} {name!r} leads out of the commit's files", "Correct it in defs.yaml."
        )
    return path
