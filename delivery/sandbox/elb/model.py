"""What the proxy is told: listeners with their rules, and target groups with their servers. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: "Idle timeout" and "HTTP client keepalive duration" of a new load balancer, in AWS seconds.
IDLE_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Condition:
    """`field` is one of ELB's; `header` names the header of `http-header`.

    `values` may be wild; those of `query-string` are pairs (key, value), the key empty when none was given.
    `expressions` are the regular expressions of `RegexValues`.
    """

    field: str
    values: tuple[Any, ...] = ()
    header: str = ""
    expressions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: all conditions must hold; `action` is ELB's action as data."""

    name: str
    conditions: tuple[Condition, ...]
    action: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frontend:
    """One listener at its own address; rules in order of priority, the default last.

    name          its name in the proxy
    certificates  files with certificate and key, the default one first; none: plain HTTP
    idle          real seconds without a byte after which a connection is closed
    forwarded     what happens to X-Forwarded-For: append, preserve or remove
    scale         AWS seconds in a real one, for what clients are told in seconds
    """

    name: str
    address: str
    port: int
    rules: tuple[Rule, ...]
    certificates: tuple[str, ...] = ()
    idle: float = IDLE_TIMEOUT
    forwarded: str = "append"
    scale: float = 1.0

    @property
    def protocol(self) -> str:
        """As in `#{protocol}` and X-Forwarded-Proto."""
        return "https" if self.certificates else "http"


@dataclass(frozen=True, slots=True)
class Server:
    """One target, under a name that it keeps."""

    name: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Backend:
    """One target group's servers that get traffic.

    algorithm  `load_balancing.algorithm.type`
    idle       real seconds a target may be silent
    sticky     real seconds a client stays with its target; 0: it does not
    tls        whether the targets speak HTTPS; their certificates are not checked, as an ALB does not
    """

    name: str
    servers: tuple[Server, ...]
    algorithm: str = "round_robin"
    idle: float = IDLE_TIMEOUT
    sticky: float = 0.0
    tls: bool = False


def name_of(arn: str) -> str:
    """A target group's or listener's name in the configuration: the unique end of its ARN."""
    return arn.rsplit("/", 1)[-1]


def suffix_of(arn: str) -> str:
    """The part of an ARN that CloudWatch uses as a dimension."""
    return arn.rsplit(":", 1)[-1].removeprefix("loadbalancer/")
