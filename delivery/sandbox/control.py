"""The sandbox's own small API, at `/_sandbox/…` of its AWS port: what a test may do and no AWS client can."""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from delivery.sandbox.config import SandboxError

log = logging.getLogger(__name__)
PREFIX = "/_sandbox/"
#: No number is as large: as seconds, these are thirty years.
LIMIT = 1_000_000_000
#: By method and name (`POST faults`): what happens with the body, and what is answered.
Actions = Mapping[str, Callable[[dict[str, Any]], object]]


def answer(
    actions: Actions, environ: dict[str, Any], body: bytes, start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """Do what the path names."""
    name = environ["PATH_INFO"].removeprefix(PREFIX)
    action = actions.get(f"{environ['REQUEST_METHOD']} {name}")
    try:
        if action is None:
            there = f"there is no {environ['REQUEST_METHOD']} {name}; there are: {', '.join(actions)}"
            raise SandboxError("The sandbox does not understand this", there)
        status, said = "200 OK", action(_asked(body))
    except (SandboxError, KeyError, TypeError) as error:
        status, said = "400 Bad Request", _told(error)
    except Exception as error:
        log.exception("the sandbox's own API could not answer %s", name)
        status, said = "500 Internal Server Error", _told(error)
    raw = json.dumps({} if said is None else said).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(raw)))])
    return [raw]


def _asked(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body or b"{}")
    except ValueError as error:
        raise SandboxError("The sandbox does not understand this", f"the body is no JSON ({error})") from None
    if not isinstance(asked, dict):
        raise SandboxError("The sandbox does not understand this", "the body must be a JSON object")
    for name, value in asked.items():
        if isinstance(value, int | float) and not abs(value) < LIMIT:  # also what is no number (NaN)
            raise SandboxError(
                "The sandbox does not understand this", f"{name}: {value} is no number below {LIMIT:,}"
            )
    return asked


def _told(error: Exception) -> dict[str, str]:
    if isinstance(error, SandboxError):
        return {"what": error.what, "why": error.why, "hint": error.hint}
    why = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
    return {"what": "The sandbox does not understand this", "why": why, "hint": ""}


@dataclass(frozen=True, slots=True)
class Control:
    """A client of it; `url` is the sandbox's AWS endpoint."""

    url: str

    def now(self) -> float:
        """AWS's time in the sandbox: seconds since the epoch."""
        return float(self._call("GET", "clock")["now"])

    def status(self) -> dict[str, Any]:
        """The world at one moment: what `delivery sandbox status --json` prints."""
        return dict(self._call("GET", "status"))

    def fault(self, service: str, operation: str = "", **more: Any) -> None:
        """Let the next calls of an operation fail; see `Fault` for what can be said."""
        self._call("POST", "faults", {"service": service, "operation": operation, **more})

    def throttle(self, service: str, operation: str = "", count: int = 1, **more: Any) -> None:
        """Let the next calls be refused in the words the service throttles with."""
        self.fault(service, operation, kind="throttle", count=count, **more)

    def slot(self, service: str, kind: str, **more: Any) -> None:
        """Let the tasks of an ECS service `crash`, `leak`, be `slow`, answer `errors`, or be `ok` again.

        See `SlotFault` for what else can be said.
        """
        self._call("POST", "slots", {"service": service, "kind": kind, **more})

    def registry(self, state: bool | str) -> None:
        """The Docker registry behind ECR is `up` (True), `down` (False), or its disk is `full`."""
        word = state if isinstance(state, str) else "up" if state else "down"
        self._call("POST", "registry", {"state": word})

    def docker(self, running: bool) -> None:
        """Whether the Docker engine answers ECS."""
        self._call("POST", "docker", {"state": "up" if running else "stopped"})

    def skew(self, seconds: float) -> None:
        """Set AWS's clock ahead of ours, or behind with a negative number."""
        self._call("POST", "skew", {"seconds": seconds})

    def dns_stuck(self, stuck: bool) -> None:
        """Whether changes of records stay PENDING."""
        self._call("POST", "dns", {"state": "stuck" if stuck else "up"})

    def quota(self, limit: int, login: str = "sandbox", seconds: float = 3600) -> None:
        """GitHub allows this user `limit` requests in a new window of `seconds` (GitHub's).

        The user `sandbox` is whose token names nobody; an empty login is for everybody, an hour each.
        """
        self._call("POST", "quota", {"limit": limit, "login": login, "seconds": seconds})

    def faults(self) -> list[dict[str, Any]]:
        """What is broken, and what is going to be."""
        return list(self._call("GET", "faults")["faults"])

    def clear(self) -> None:
        """Everything works again."""
        self._call("POST", "clear")

    def findings(self, digest: str, **counts: int) -> None:
        """What scans of this image find from now on, e.g. `HIGH=2`."""
        self._call("POST", "findings", {"digest": digest, "counts": counts})

    def _call(self, method: str, name: str, body: Mapping[str, Any] | None = None) -> Any:
        data = None if method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(f"{self.url}{PREFIX}{name}", data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            said = json.loads(error.read() or b"{}")
            raise SandboxError(*(said.get(k, "") for k in ("what", "why", "hint"))) from None
        except OSError as error:
            raise SandboxError(
                f"The sandbox at {self.url} does not answer",
                str(error),
                "Start it with `delivery sandbox up`.",
            ) from None
