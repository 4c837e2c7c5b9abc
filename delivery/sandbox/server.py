"""moto behind one lock: it is not thread-safe, and our own loops read and write the same state."""

from __future__ import annotations

import io
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server

from delivery.sandbox import control
from delivery.sandbox.faults import Faults, call_of, refused

#: Held round every request and round every look of our loops into moto's state; never across I/O.
STATE = threading.RLock()

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Serialised:
    """A WSGI application that answers one request at a time. The body is read before the lock is taken."""

    def __init__(self, application: Wsgi, faults: Faults, actions: control.Actions) -> None:
        self._application, self._faults, self._actions = application, faults, actions

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = _read(environ)
        if environ["PATH_INFO"].startswith(control.PREFIX):
            return control.answer(self._actions, environ, body, start_response)
        fault = self._faults.take(*call_of(environ, body))
        if fault is not None and fault.kind == "error":
            return refused(fault, environ, start_response)
        if fault is not None:
            time.sleep(fault.seconds)
        with STATE:
            answered = list(self._application(environ, start_response))
        if fault is not None and fault.kind == "lost":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return answered


def _read(environ: dict[str, Any]) -> bytes:
    """The body, left in place for moto; a chunked one is left unread."""
    length = environ.get("CONTENT_LENGTH")
    if not length:
        return b""
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


class AwsServer:
    """moto's HTTP server on 127.0.0.1, with the sandbox's own API beside it."""

    def __init__(self, port: int, faults: Faults, actions: control.Actions) -> None:
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        application = _Serialised(DomainDispatcherApplication(create_backend_app), faults, actions)
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", port, application, threaded=True, request_handler=MotoRequestHandler
        )

    def start(self) -> None:
        """Serve from a thread."""
        threading.Thread(target=self._server.serve_forever, name="aws", daemon=True).start()

    def stop(self) -> None:
        """Stop serving and give the port back."""
        self._server.shutdown()
        self._server.server_close()
