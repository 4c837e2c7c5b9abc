"""The services by the names people call them, their operations, and the words each throttles with.

Sources: "Common errors" in the API reference of each service; Amazon S3 user guide, "Best practices design
patterns" (503 Slow Down); Amazon EC2 API reference, "Request throttling" (503 RequestLimitExceeded).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from botocore.loaders import Loader

from delivery.sandbox.config import SandboxError

_loader = Loader()


@dataclass(frozen=True, slots=True)
class Service:
    """`name` is the one requests are signed for, `model` botocore's folder; `throttled` code and status."""

    name: str
    model: str = ""
    throttled: tuple[str, int] = ("ThrottlingException", 400)
    message: str = "Rate exceeded"


_ALL = (
    Service("ecs", "ecs"),
    Service("ecr", "ecr"),
    Service("elasticloadbalancing", "elbv2", ("Throttling", 400)),
    Service("monitoring", "cloudwatch", ("Throttling", 400)),
    Service("application-autoscaling", "application-autoscaling"),
    Service("route53", "route53", ("Throttling", 400)),
    Service("s3", "s3", ("SlowDown", 503), "Please reduce your request rate."),
    Service("sns", "sns", ("Throttling", 400)),
    Service("sqs", "sqs", ("RequestThrottled", 403), "The request was denied due to request throttling."),
    Service("ssm", "ssm"),
    Service("secretsmanager", "secretsmanager"),
    Service("sts", "sts", ("Throttling", 400)),
    Service("iam", "iam", ("Throttling", 400)),
    Service("kms", "kms"),
    Service("logs", "logs"),
    Service("events", "events"),
    Service("ec2", "ec2", ("RequestLimitExceeded", 503), "Request limit exceeded."),
    Service("github", "", ("RateLimited", 403), "API rate limit exceeded"),
)
_BY_NAME = {s.name: s for s in _ALL} | {s.model: s for s in _ALL if s.model} | {"alb": _ALL[2]}


def service_named(name: str) -> Service:
    """The service people mean: `elbv2` and `cloudwatch` as well as the names requests are signed for."""
    found = _BY_NAME.get(name.lower())
    if found is None:
        raise SandboxError(
            "The sandbox has no such service",
            f"{name!r} is none of {', '.join(names())}",
            _guess(name, names()),
        )
    return found


def names() -> list[str]:
    """What services are called on the command line."""
    return [s.model or s.name for s in _ALL]


def check_operation(service: Service, operation: str) -> None:
    """Refuse an operation the service does not have; `METHOD /path`, a prefix and nothing are fine."""
    if not operation or "/" in operation or not service.model:
        return
    known = operations(service.model)
    if not any(name.startswith(operation) for name in known):
        raise SandboxError(
            f"{service.model} has no operation {operation!r}",
            "botocore's copy of its API does not list it",
            _guess(operation, known),
        )


def operations(model: str) -> dict[str, Any]:
    """A service's operations, from botocore's copy of AWS's own description."""
    return dict(_loader.load_service_model(model, "service-2")["operations"])


def rest_operation(service: str, method: str, path: str, query: str) -> str:
    """The name of a REST call of S3 or Route 53; empty when it is none of theirs."""
    found = _BY_NAME.get(service)
    if found is None or found.name not in ("s3", "route53"):
        return ""
    asked = parse_qs(query, keep_blank_values=True)
    for route in _routes(found.model):
        fits = route.method == method and route.path.fullmatch(path)
        if fits and all(asked.get(k, [None])[0] == v for k, v in route.query):
            return route.name
    return ""


@dataclass(frozen=True, slots=True)
class _Route:
    name: str
    method: str
    path: re.Pattern[str]
    query: tuple[tuple[str, str], ...]


@cache
def _routes(model: str) -> list[_Route]:
    """The most particular ones first; of two alike the one that asks less (PutObject before CopyObject)."""
    found = []
    api = _loader.load_service_model(model, "service-2")
    for name, operation in api["operations"].items():
        http = operation["http"]
        path, _, query = http["requestUri"].partition("?")
        shape = re.sub(r"\\{[^}]*?\\\+\\}", ".+", re.escape(path))
        shape = re.sub(r"\\{[^}]*?\\}", "[^/]+", shape)
        wanted = tuple((k, v[0]) for k, v in parse_qs(query, keep_blank_values=True).items())
        needs = api["shapes"].get(operation.get("input", {}).get("shape"), {}).get("required", ())
        route = _Route(name, str(http["method"]), re.compile(shape + "/?"), wanted)
        found.append((-len(wanted), len(needs), route))
    return [route for *_, route in sorted(found, key=lambda f: f[:2])]


def _guess(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"Did you mean {close[0]}?" if close else ""
