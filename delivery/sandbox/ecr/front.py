"""The registry's port: the guard in front, the registry itself behind, started and stopped together."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

from moto.ecr.models import ECRBackend
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from delivery.sandbox.ecr.blobs import Blobs
from delivery.sandbox.ecr.guard import Guard
from delivery.sandbox.ecr.login import Logins, agent_login
from delivery.sandbox.registry import RegistryProcess


class _Quiet(WSGIRequestHandler):
    def log_request(self, *args: object, **kwargs: object) -> None:
        """One line per layer and look is too much."""


class Registry:
    """ECR's registry on 127.0.0.1. While it is stopped nothing answers on its port.

    Make it before Docker's client: it brings that the login.
    """

    def __init__(
        self,
        port: int,
        state_dir: Path,
        backend: Callable[[], ECRBackend],
        lock: threading.RLock,
    ) -> None:
        self._port, self.logins = port, Logins()
        self._process = RegistryProcess(_free_port(), state_dir)
        self.blobs = Blobs(state_dir / "registry" / "blobs")
        self._guard = Guard(self._process.url, backend, lock, self.logins)
        self._server: BaseWSGIServer | None = None
        agent_login(self.logins, self.url, state_dir / "docker")

    @property
    def url(self) -> str:
        """`host:port`, as it stands in an image's name."""
        return f"127.0.0.1:{self._port}"

    @property
    def full(self) -> bool:
        """Whether uploads find no space left."""
        return self._guard.full

    @full.setter
    def full(self, value: bool) -> None:
        self._guard.full = value

    def start(self) -> None:
        """Start it, unless it runs, and return when it answers."""
        self._process.start()
        if self._server is None:
            self._server = make_server(
                "127.0.0.1", self._port, self._guard, threaded=True, request_handler=_Quiet
            )
            threading.Thread(target=self._server.serve_forever, name="ecr", daemon=True).start()

    def stop(self) -> None:
        """Give the port back and end the registry."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        self._process.stop()


def _free_port() -> int:
    """A port nobody listens on: the registry's own, which only the guard knows."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
