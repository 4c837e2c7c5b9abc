"""One health check, really asked. Pure but for the asking.

Source: "Health checks for Application Load Balancer target groups" in the user guide.
"""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Health:
    """What DescribeTargetHealth says of a target: state, reason code, description."""

    state: str
    reason: str = ""
    description: str = ""


REGISTERING = Health("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
CHECKING = Health("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
HEALTHY = Health("healthy")
DRAINING = Health("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
NOT_REGISTERED = Health(
    "unused", "Target.NotRegistered", "Target is not registered to the target group"
)  # fmt: skip
NOT_IN_USE = Health(
    "unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"
)  # fmt: skip
TIMEOUT = Health("unhealthy", "Target.Timeout", "Request timed out")
FAILED = Health("unhealthy", "Target.FailedHealthChecks", "Health checks failed")


def mismatch(status: int) -> Health:
    """The target answered, but not what the matcher asks for."""
    text = f"Health checks failed with these codes: [{status}]"
    return Health("unhealthy", "Target.ResponseCodeMismatch", text)


@dataclass(frozen=True, slots=True)
class Check:
    """Where and how one target is asked; `timeout` in real seconds."""

    host: str
    port: int
    path: str = "/"
    timeout: float = 5.0
    matcher: str = "200"
    tls: bool = False

    def ask(self) -> Health:
        """HEALTHY, or why not."""
        connection: http.client.HTTPConnection
        if self.tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = http.client.HTTPSConnection(
                self.host, self.port, timeout=self.timeout, context=context
            )  # fmt: skip
        else:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        try:
            headers = {"User-Agent": "ELB-HealthChecker/2.0", "Connection": "close"}
            connection.request("GET", self.path or "/", headers=headers)
            status = connection.getresponse().status
        except TimeoutError:
            return TIMEOUT
        except (OSError, ValueError, http.client.HTTPException):
            return FAILED
        finally:
            connection.close()
        return HEALTHY if matches(self.matcher, status) else mismatch(status)


def matcher_of(group: Any) -> str:
    """The group's HTTP codes; 200 when it names none."""
    return str((getattr(group, "matcher", None) or {}).get("HttpCode") or "200")


def matches(matcher: str, status: int) -> bool:
    """Whether a status fits `200`, `200,302` or `200-299`."""
    for part in matcher.split(","):
        low, _, high = part.strip().partition("-")
        if low and int(low) <= status <= int(high or low):
            return True
    return False
