"""Load balancers, listeners, rules and targets as one HAProxy configuration. Pure.

Source: the user guide for Application Load Balancers, "How Application Load Balancers work", "HTTP headers
and Application Load Balancers" and "Troubleshoot your Application Load Balancers" (which error is whose).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from delivery.sandbox.elb.actions import SERVER, bodies, lines_of
from delivery.sandbox.elb.matching import quoted
from delivery.sandbox.elb.model import Backend, Frontend

#: Pages of the load balancer's own answers, by status.
PAGES = {
    301: "301 Moved Permanently", 302: "302 Found", 400: "400 Bad Request", 408: "408 Request Time-out",
    500: "500 Internal Server Error", 502: "502 Bad Gateway", 503: "503 Service Temporarily Unavailable",
    504: "504 Gateway Time-out",
}  # fmt: skip
_ERRORS = (400, 408, 500, 502, 503, 504)
_ALGORITHMS = {"least_outstanding_requests": "leastconn", "weighted_random": "random"}

# Headers of 64 KB pass, as at an ALB. A worker that was replaced goes on until its last request is answered.
_GLOBAL = """global
    log stdout len 2048 format raw local0
    stats socket {socket} mode 600 level admin
    description {generation}
    hard-stop-after 3600s
    maxconn 4000
    tune.bufsize 98304
    tune.maxrewrite 8192
    tune.http.maxhdr 500
defaults
    mode http
    log global
    log-format "%b|%s|%ST|%Tr|%f|%ts"
    option dontlognull
    option http-ignore-probes
    option abortonclose
    retries 0
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    http-reuse safe
"""

_TRACE = "1-%[date,hex,bytes(8,8),lower]-%[uuid(),regsub(-,,g),bytes(0,24)]"
_TRACED = "{ req.fhdr(x-amzn-trace-id) -m found }"
_FORWARDED = "{ req.fhdr(x-forwarded-for) -m found }"


def render(
    socket: str,
    generation: str,
    frontends: Iterable[Frontend],
    backends: Iterable[Backend],
    folder: str = ".",
) -> str:
    """The whole configuration file. `folder` holds what `files` returns."""
    lines = [_GLOBAL.format(socket=quoted(socket), generation=generation) + "\n".join(_errors(folder))]
    for frontend in frontends:
        lines += ["", f"frontend {frontend.name}", *(f"    {line}" for line in _frontend(frontend, folder))]
    for backend in backends:
        lines += ["", f"backend {backend.name}", *(f"    {line}" for line in _backend(backend, folder))]
    return "\n".join([*lines, "", "backend none", ""])


def files(frontends: Sequence[Frontend]) -> dict[str, bytes]:
    """What the configuration reads from its folder: pages and fixed responses' bodies."""
    pages = {f"{status}.html": _page(text) for status, text in PAGES.items()}
    # The proxy says 503 when a target refuses, an ALB says 502; without any target both say 503.
    refused = (
        b"HTTP/1.1 502 Bad Gateway\r\nServer: awselb/2.0\r\nContent-Type: text/html\r\n"
        b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(pages["502.html"]), pages["502.html"])
    )
    return {**pages, "refused.http": refused, **bodies(frontends)}


def _page(text: str) -> bytes:
    body = f"<head><title>{text}</title></head>\r\n<body>\r\n<center><h1>{text}</h1></center>\r\n</body>"
    return f"<html>\r\n{body}\r\n</html>\r\n".encode()


def _errors(folder: str) -> Iterator[str]:
    for status in _ERRORS:
        page = quoted(f"{folder}/{status}.html")
        yield f"    http-error status {status} content-type text/html file {page} {SERVER}"


def _frontend(frontend: Frontend, folder: str) -> Iterator[str]:
    idle = _ms(frontend.idle)
    secure = "".join(f" crt {quoted(c)}" for c in frontend.certificates)
    tls = f" ssl{secure} alpn h2,http/1.1" if secure else ""
    yield f"bind {frontend.address}:{frontend.port}{tls}"
    yield f"timeout client {idle}"
    yield f"timeout http-keep-alive {idle}"
    # "HTTP 463: X-Forwarded-For request header with more than 30 IP addresses."
    yield f"http-request return status 463 {SERVER} if {{ req.hdr_cnt(x-forwarded-for) gt 30 }}"
    yield from lines_of(frontend, folder)
    yield from _headers(frontend)


def _headers(frontend: Frontend) -> Iterator[str]:
    """What targets are told of the client."""
    if frontend.forwarded == "append":
        # The first of the two leaves the header found for the second, so both ask before either sets.
        yield f"http-request set-var(txn.forwarded) bool(true) if {_FORWARDED}"
        yield (
            "http-request set-header X-Forwarded-For '%[req.fhdr(x-forwarded-for)], %[src]' "
            "if { var(txn.forwarded) -m found }"
        )
        yield "http-request set-header X-Forwarded-For '%[src]' if !{ var(txn.forwarded) -m found }"
    elif frontend.forwarded == "remove":
        yield "http-request del-header X-Forwarded-For"
    yield f"http-request set-header X-Forwarded-Proto {frontend.protocol}"
    yield f"http-request set-header X-Forwarded-Port {frontend.port}"
    yield f"http-request set-var(txn.traced) bool(true) if {_TRACED}"
    yield (
        f"http-request set-header X-Amzn-Trace-Id 'Self={_TRACE};%[req.fhdr(x-amzn-trace-id)]' "
        "if { var(txn.traced) -m found }"
    )
    yield f"http-request set-header X-Amzn-Trace-Id 'Root={_TRACE}' if !{{ var(txn.traced) -m found }}"


def _backend(backend: Backend, folder: str) -> Iterator[str]:
    yield f"balance {_ALGORITHMS.get(backend.algorithm, 'roundrobin')}"
    yield f"timeout server {_ms(backend.idle)}"
    yield f"timeout tunnel {_ms(backend.idle)}"
    if backend.sticky:
        yield f"cookie AWSALB insert indirect nocache maxlife {max(1, round(backend.sticky))}s"
    if backend.servers:
        yield f"errorfile 503 {quoted(f'{folder}/refused.http')}"
    for server in backend.servers:
        cookie = f" cookie {server.name}" if backend.sticky else ""
        tls = " ssl verify none" if backend.tls else ""
        yield f"server {server.name} {server.host}:{server.port}{cookie}{tls}"


def _ms(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
