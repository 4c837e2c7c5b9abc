"""Pushing an image with a deadline of our own: the engine retries a dead registry for almost a minute."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import requests

from delivery.adapters.docker.engine import engine
from delivery.errors import ConflictError, DeliveryError, ProviderError, UnavailableError
from delivery.ports import Progress

#: Seconds until a registry must answer at all, for the whole push, and from the first retry on.
ANSWER, WHOLE, RETRYING = 5.0, 900.0, 15.0
_PASSING = re.compile(
    r"dial tcp|i/o timeout|connection (refused|reset)|EOF|TLS handshake|toomanyrequests|status: 5\d\d",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Login:
    """How to enter a registry: its URL, user and password."""

    url: str
    user: str
    password: str = field(repr=False)


def push(
    image_id: str, repository: str, tag: str, login: Login, progress: Progress, retrying: float = RETRYING
) -> str:
    """Push a local image as `repository:tag`; the manifest's digest, from the stream's last word."""
    what = f"{repository}:{tag} was not pushed"
    _answers(login, what)
    with engine(what) as client:
        client.api.tag(image_id, repository, tag, force=True)
        stream = client.api.push(
            repository, tag, stream=True, decode=True,
            auth_config={"username": login.user, "password": login.password},
        )  # fmt: skip
        try:
            digest = _follow(stream, what, progress, retrying)
        finally:
            with suppress(AttributeError):
                stream.close()  # the engine gives up a push nobody listens to
    progress(f"pushed {repository}@{digest[:19]}")
    return digest


def _answers(login: Login, what: str) -> None:
    """Ask first: a registry that is down is told in seconds."""
    try:
        answer = requests.get(f"{login.url}/v2/", auth=(login.user, login.password), timeout=ANSWER)
    except requests.RequestException:
        raise UnavailableError(
            what, f"the registry {login.url} does not answer", "Start or check the registry, or retry."
        ) from None
    if answer.status_code >= 500:
        raise UnavailableError(what, f"the registry answered {answer.status_code}", "Retry; it may pass.")
    if answer.status_code in (401, 403):
        why = "the registry does not accept the login"
        raise ProviderError(what, why, "Check the role's ECR permissions.")


def _follow(stream: Iterable[Mapping[str, Any]], what: str, progress: Progress, retrying: float) -> str:
    begun, failing, digest, told = time.monotonic(), 0.0, "", set()
    for event in stream:
        now, status = time.monotonic(), str(event.get("status", ""))
        if "error" in event:
            raise _failed(what, str(event["error"]))
        digest = (event.get("aux") or {}).get("Digest", digest)
        if status.startswith("Retrying in"):
            failing = failing or now
        if now - begun > WHOLE or (failing and now - failing > retrying):
            why = "the registry keeps failing" if failing else f"it took more than {WHOLE:g} s"
            raise UnavailableError(what, why, "Check the registry, or retry.")
        layer = event.get("id", "")
        if status in ("Pushed", "Layer already exists") and layer not in told:
            told.add(layer)
            progress(f"layer {layer}: {status.lower()}")
    if not digest:
        raise ProviderError(what, "the engine told no digest", "Look at the Docker engine's log.")
    return digest


def _failed(what: str, said: str) -> DeliveryError:
    why = " ".join(said.split())[:300]
    if "immutable" in said:
        return ConflictError(what, why, "Rerun from the asset `image`: it uses the image that has this tag.")
    if _PASSING.search(said):
        return UnavailableError(what, why, "Check the registry, or retry.")
    return ProviderError(what, why, "Check the repository and the role's ECR permissions.")
