"""The Docker engine of this machine, and its failures in the house's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import docker
import requests
from docker.errors import APIError, DockerException

from delivery.errors import DeliveryError, PrerequisiteError, ProviderError, UnavailableError

#: Seconds the engine may be silent in one request. A build step may be, for long.
SILENCE = 1800
_START = "Start it, e.g. with `systemctl start docker`, or set DOCKER_HOST to one that runs."


@contextmanager
def engine(what: str, timeout: int = SILENCE) -> Iterator[docker.DockerClient]:
    """A client for the length of the block; only house errors leave it. `what` could not be done.

    PrerequisiteError when no engine answers, so that it is never taken for a fault of the commit.
    """
    try:
        client = docker.from_env(timeout=timeout)
    except (DockerException, requests.RequestException):
        raise PrerequisiteError(what, "the Docker engine does not answer", _START) from None
    try:
        yield client
    except (DockerException, requests.RequestException) as error:
        raise translate(error, what) from None
    finally:
        client.close()


def translate(error: DockerException | requests.RequestException, what: str) -> DeliveryError:
    """The house's error for one of docker-py's."""
    if isinstance(error, APIError):
        why = str(error.explanation or error)[:300]
        if error.is_server_error():
            return UnavailableError(what, f"the Docker engine answered: {why}", "Look at its log, or retry.")
        return ProviderError(what, f"the Docker engine refused: {why}", "Correct what it names.")
    if isinstance(error, requests.Timeout):
        return UnavailableError(
            what, "the Docker engine did not answer in time", "Look at its log, or retry."
        )
    if isinstance(error, requests.RequestException):
        return PrerequisiteError(what, "the connection to the Docker engine was lost", _START)
    return ProviderError(what, str(error)[:300], "Look at the Docker engine's log.")
