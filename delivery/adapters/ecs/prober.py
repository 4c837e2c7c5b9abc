"""`Prober`: requests through the preview rule, which reach the candidate before any production traffic."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from delivery.core.analysis import ProbeResult
from delivery.core.infra import DeployContract

#: Requests at once, and bytes of an answer that are read.
AT_ONCE, ENOUGH = 8, 65536


class PreviewProber:
    """Asks the load balancer with the preview header. Plain HTTP, unless the contract's `extra` says
    `scheme: https`; its certificate is then that of `record_name`, whose record may still be missing or
    point elsewhere, so the load balancer is asked by its own name and told the other."""

    def __init__(self, contract: DeployContract) -> None:
        scheme = contract.extra.get("scheme", "http")
        self._base = f"{scheme}://{contract.load_balancer_dns}"
        self._headers = {
            contract.preview_header_name: contract.preview_header_value,
            "User-Agent": "delivery-preview",
            "Connection": "close",
        }
        self._name = contract.record_name if scheme == "https" else None
        if self._name:
            self._headers["Host"] = self._name

    def probe(self, path: str, count: int, timeout: float) -> tuple[ProbeResult, ...]:
        """Send `count` requests, each over a connection of its own and ended after `timeout` seconds.

        Never raises: a request without an answer is a result with status 0 and an error.
        """
        url = f"{self._base}/{path.lstrip('/')}"
        if count < 1:
            return ()
        with ThreadPoolExecutor(min(count, AT_ONCE), "probe") as pool:
            return tuple(pool.map(lambda _: self._ask(url, timeout), range(count)))

    def _ask(self, url: str, timeout: float) -> ProbeResult:
        begun = time.monotonic()
        try:
            with requests.Session() as session:
                session.trust_env = False  # a proxy or .netrc of this machine has no part in it
                if self._name:
                    session.mount("https://", _Named(self._name))
                with session.get(
                    url, headers=self._headers, timeout=timeout, allow_redirects=False, stream=True
                ) as answer:
                    error = _read(answer, begun + timeout) or _misled(answer)
                    status = 0 if error else answer.status_code
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as problem:
            status, error = 0, _short(problem)
        return ProbeResult(url, status, round(time.monotonic() - begun, 4), error)


class _Named(HTTPAdapter):
    """TLS with the name the certificate is for, whatever name the connection goes to."""

    def __init__(self, name: str) -> None:
        self._name = name
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """The pool of connections, all with that name."""
        super().init_poolmanager(*args, server_hostname=self._name, assert_hostname=self._name, **kwargs)


def _read(answer: requests.Response, deadline: float) -> str:
    """Read the body: half an answer is none. The library's timeout starts anew with every byte; ours not."""
    size = 0
    while size < ENOUGH and (some := answer.raw.read1(4096)):  # what is there, not what may still come
        size += len(some)
        if time.monotonic() > deadline:
            return f"HTTP {answer.status_code}, but not all of the answer came in time"
    return ""


def _misled(answer: requests.Response) -> str:
    """A redirect to HTTPS is the load balancer's answer, and says nothing of the candidate."""
    location = answer.headers.get("Location", "")
    if answer.is_redirect and location.startswith("https://") and answer.url.startswith("http://"):
        return f"redirected to {location}: the candidate was not asked"
    return ""


def _short(problem: Exception) -> str:
    """The innermost reason, without the library's frames round it."""
    reason: BaseException = problem
    while isinstance(reason, requests.RequestException) and reason.args:
        inner = reason.args[0]
        inner = getattr(inner, "reason", None) or inner
        if not isinstance(inner, BaseException):
            break
        reason = inner
    if isinstance(problem, requests.Timeout):
        return "no answer in time"
    return " ".join(str(reason).split())[:200] or type(problem).__name__
