"""How the service is served."""

import http.client
import json
import os
import signal
import threading

import pytest

from app import behaviour
from app.server import Server, run


def get(port, path):
    """The response to one request, and its body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    response = connection.getresponse()
    body = json.loads(response.read())
    connection.close()
    return response, body


@pytest.fixture
def ask(monkeypatch):
    """A function that asks a running server."""
    monkeypatch.setenv("DELIVERY_RELEASE", "r-1")
    monkeypatch.setenv("DELIVERY_COMMIT", "c-1")
    with Server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        yield lambda path: get(server.server_port, path)
        server.shutdown()
        thread.join()


def test_it_is_healthy(ask):
    """The health page says ok."""
    response, body = ask("/health")
    assert response.status == 200 and body["status"] == "ok"


def test_every_answer_names_release_and_commit(ask):
    """The release is in a header, the commit in the body."""
    response, body = ask("/")
    assert response.status == 200
    assert response.getheader("X-Release") == "r-1" and body["commit"] == "c-1"


def test_queries_reach_the_behaviour(ask):
    """The query string is handed on."""
    assert ask("/checkout?items=2")[1]["items"] == 2


def test_unknown_pages_are_404(ask):
    """A page that does not exist is not an error of ours."""
    assert ask("/nowhere")[0].status == 404


def test_what_breaks_is_a_500_and_the_server_goes_on(ask, monkeypatch):
    """An exception is one lost request."""
    monkeypatch.setattr(behaviour, "respond", lambda path, query: 1 / 0)
    response, _ = ask("/")
    assert response.status == 500 and response.getheader("X-Release") == "r-1"
    assert ask("/health")[0].status == 200


def test_sigterm_ends_it_in_order():
    """It serves, and a SIGTERM makes it return instead of dying."""
    server = Server(("127.0.0.1", 0))
    seen = []

    def ask_then_stop():
        seen.append(get(server.server_port, "/health")[0].status)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=ask_then_stop).start()
    run(server)
    assert seen == [200]
