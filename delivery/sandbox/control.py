"""The sandbox's own small API, at `/_sandbox/…` of its AWS port: what a test may do and no AWS client can."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from delivery.sandbox.faults import Fault

PREFIX = "/_sandbox/"
#: By name: what happens with the body of a POST.
Actions = Mapping[str, Callable[[dict[str, Any]], object]]


def answer(
    actions: Actions, environ: dict[str, Any], body: bytes, start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """Do what the path names."""
    action = actions.get(environ["PATH_INFO"].removeprefix(PREFIX))
    try:
        if action is None:
            raise KeyError(f"there is no {environ['PATH_INFO']}")
        action(json.loads(body or b"{}"))
        status, text = "200 OK", "{}"
    except (KeyError, TypeError, ValueError) as error:
        status, text = "400 Bad Request", json.dumps({"message": str(error)})
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
    return [text.encode()]


@dataclass(frozen=True, slots=True)
class Control:
    """A client of it; `url` is the sandbox's AWS endpoint."""

    url: str

    def fault(self, service: str, operation: str = "", **more: Any) -> None:
        """Let the next calls of an operation fail; see `Fault` for what can be said."""
        self._post("faults", asdict(Fault(service, operation, **more)))

    def clear(self) -> None:
        """No more faults; the registry runs."""
        self._post("clear", {})
        self.registry(True)

    def findings(self, digest: str, **counts: int) -> None:
        """What scans of this image find from now on, e.g. `HIGH=2`."""
        self._post("findings", {"digest": digest, "counts": counts})

    def registry(self, running: bool) -> None:
        """Stop or start the Docker registry behind ECR."""
        self._post("registry", {"running": running})

    def _post(self, action: str, body: Mapping[str, Any]) -> None:
        data = json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{PREFIX}{action}", data=data, method="POST")
        with urllib.request.urlopen(request, timeout=30):
            pass
