"""moto behind one lock: it is not thread-safe, and our own loops read and write the same state."""

from __future__ import annotations

import io
import logging
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.http import http_date
from werkzeug.serving import BaseWSGIServer, make_server

from delivery.sandbox import control
from delivery.sandbox.chaos import wire
from delivery.sandbox.chaos.signing import too_skewed
from delivery.sandbox.clock import CLOCK
from delivery.sandbox.faults import Fault, Faults
from delivery.sandbox.iam.gate import Gate, gated
from delivery.sandbox.malformed import PRETENDED, not_there, refusal, unanswered

log = logging.getLogger(__name__)
#: Held round every request and round every look of our loops into moto's state; never across I/O.
STATE = threading.RLock()

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
#: What moto's web framework says when it finds no handler, and what AWS's services say then.
_NOT_FOUND = {404: "UnknownOperationException", 405: "MethodNotAllowed"}


class _Serialised:
    """A WSGI application that answers one request at a time.

    The body is read before the lock is taken, and the answer sent after it is given back: slow clients hold
    up nobody.
    """

    def __init__(self, application: Wsgi, faults: Faults, actions: control.Actions) -> None:
        self._application, self._faults, self._actions = application, faults, actions

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            body = read_body(environ)
        except (ValueError, OSError) as error:
            if isinstance(error, ConnectionError | TimeoutError):
                raise
            text = "The request's body is not of the length it tells."
            refused = wire.error(environ, 400, "IncompleteBody", text)
            return _send(refused, start_response, ("Connection", "close"))
        if environ["PATH_INFO"].startswith(control.PREFIX):
            return control.answer(self._actions, environ, body, start_response)
        service, *names = wire.call_of(environ, body)
        fault = self._faults.take(service, *names, content=body)
        if fault is not None and (early := self._before(fault, environ)) is not None:
            return _send(early, start_response)
        no = too_skewed(environ) or refusal(environ, body)
        if no is None and (service, names[-1]) in PRETENDED:
            no = not_there(environ, names[-1])
        answered = _send(no, start_response) if no else self._answer(environ, body, start_response)
        if fault is not None and fault.kind == "lost":
            hang_up(environ)
        return answered

    @staticmethod
    def _before(fault: Fault, environ: dict[str, Any]) -> wire.Answer | None:
        """What a fault does to a call before it is done; an answer when it is not to be done at all."""
        if fault.refuses:
            return wire.error(environ, fault.status, fault.code, fault.message)
        CLOCK.wait(fault.seconds)
        if fault.kind == "hang":
            hang_up(environ)
            return wire.Answer("500 Gone", [], b"")
        return None

    def _answer(
        self, environ: dict[str, Any], body: bytes, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """moto's answer; where its web framework would show people a page, the service's own error."""
        said: list[Any] = []

        def began(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., Any]:
            said[:] = [status, headers]
            return lambda data: None

        try:
            with STATE:
                answered = list(self._application(environ, began))
        except NotImplementedError:
            return _send(not_there(environ, wire.call_of(environ, body)[-1]), start_response)
        except Exception as error:
            if (no := unanswered(environ, body, error)) is not None:
                return _send(no, start_response)
            log.exception("moto could not answer %s", wire.call_of(environ, body))
            text = "We encountered an internal error. Please try again."
            code = "InternalError" if wire.protocol_of(environ) == "s3" else "InternalFailure"
            return _send(wire.error(environ, 500, code, text), start_response)
        status, headers = said
        page = {k.lower(): v for k, v in headers}.get("content-type", "").startswith("text/html")
        number = int(status.split()[0])
        if number >= 400 and page and b"".join(answered).lstrip()[:9].lower() == b"<!doctype":
            code = _NOT_FOUND.get(number, "InvalidRequest" if number < 500 else "InternalFailure")
            return _send(wire.error(environ, number, code, status.partition(" ")[2]), start_response)
        start_response(status, headers)
        return answered


def _send(answer: Any, start_response: Callable[..., Any], *more: tuple[str, str]) -> Iterable[bytes]:
    start_response(answer.status, [*answer.headers, *more])
    return [answer.body]


def hang_up(environ: dict[str, Any]) -> None:
    """Close the connection under the answer."""
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)


def read_body(environ: dict[str, Any]) -> bytes:
    """The whole body, left in place for moto, which wants to know its length.

    ValueError or OSError when it is not as long as was told: nothing after it can be understood.
    """
    length = environ.get("CONTENT_LENGTH")
    if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
        body: bytes = environ["wsgi.input"].read()
        environ.pop("HTTP_TRANSFER_ENCODING")
        environ["CONTENT_LENGTH"] = str(len(body))
    else:
        body = environ["wsgi.input"].read(int(length)) if length else b""
        if length and len(body) != int(length):
            raise ValueError(f"{len(body)} bytes instead of {length}")
    environ["wsgi.input"] = io.BytesIO(body)
    return body


class _Handler(MotoRequestHandler):
    """HTTP/1.1 with connections that stay open, which Werkzeug's own server does not offer.

    An answer here is complete before its first byte is sent, and a request's body is read to its end: the
    next request begins where this one ended. Small answers go out at once (no Nagle).
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    #: Seconds without a byte after which a client is given up.
    timeout = 300

    def handle_expect_100(self) -> bool:
        """Said in `run_wsgi`; twice would be once too often."""
        return True

    def run_wsgi(self) -> None:
        """Answer one request."""
        if self.headers.get("Expect", "").strip().lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.environ = environ = self.make_environ()
        said: list[Any] = []
        try:
            body = b"".join(self.server.app(environ, lambda *answer: said.extend(answer[:2])))  # type: ignore[arg-type]
            self._say(said[0], said[1], body)
        except (ConnectionError, TimeoutError) as error:
            self.close_connection = True
            self.connection_dropped(error, environ)

    def _say(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        code, _, phrase = status.partition(" ")
        self.send_response_only(int(code), phrase)
        given = {name.lower() for name, _ in headers}
        for name, value in headers:
            self.send_header(name, value)
        if "date" not in given:
            self.send_header("Date", self.date_time_string())
        empty = self.command == "HEAD" or int(code) in (204, 304)
        if "content-length" not in given and not empty:
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection and "connection" not in given:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"" if empty else body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What is no HTTP request at all is refused like everything else, and the connection closed."""
        self.close_connection, self.command = True, getattr(self, "command", None) or ""
        self.request_version = self.protocol_version  # also for what names none: a status line is sent
        refused = wire.error({}, code, "BadRequest", message or "This is no HTTP request.")
        self._say(refused.status, refused.headers, refused.body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """AWS's time, by which clients put their clocks right."""
        return http_date(CLOCK.now() if timestamp is None else timestamp)


def _application(service: Any) -> Flask:
    """moto's application for one service; its exceptions reach us instead of becoming a page."""
    made: Flask = create_backend_app(service)
    made.config["PROPAGATE_EXCEPTIONS"] = True
    return made


class AwsServer:
    """moto's HTTP server on 127.0.0.1, with the sandbox's own API beside it."""

    def __init__(self, port: int, faults: Faults, actions: control.Actions, gate: Gate) -> None:
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        #: moto itself, for those in this process; hold its lock.
        self.inner: Wsgi = DomainDispatcherApplication(_application)
        application = _Serialised(gated(self.inner, gate), faults, actions)
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", port, application, threaded=True, request_handler=_Handler
        )

    def start(self) -> None:
        """Serve from a thread."""
        threading.Thread(target=self._server.serve_forever, name="aws", daemon=True).start()

    def stop(self) -> None:
        """Stop serving and give the port back."""
        self._server.shutdown()
        self._server.server_close()
