"""The proxy's log, one line per request, counted into CloudWatch's ELB metrics.

Source: "CloudWatch metrics for your Application Load Balancer" and "Troubleshoot your Application Load
Balancers" in the user guide. `HTTPCode_Target_*` is only what a target answered.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.cloudwatch.store import MetricStore

NAMESPACE = "AWS/ApplicationELB"
#: The errors of the load balancer that have a metric of their own.
_SINGLE = (500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Request:
    """One line: who should have answered, and what came. `seconds` < 0: no answer from a target.

    `ending` is HAProxy's: who ended it (- nobody, C client, S target, L the load balancer by a rule; small
    letters: by being silent too long) and in which phase (R request, C connect, H headers, D data).
    The proxy tells whole milliseconds, cut off; half of one is added, so that a fast answer is not none.
    """

    backend: str
    server: str
    status: int
    seconds: float
    frontend: str
    ending: str

    @property
    def chosen(self) -> bool:
        """Whether there was a target to send it to."""
        return self.server != "<NOSRV>"

    @property
    def by_target(self) -> bool:
        """A target's own answer, not one given in its place."""
        return self.chosen and self.seconds >= 0 and self.ending[1:2] not in ("C", "H", "Q", "R")

    @property
    def by_rule(self) -> bool:
        """Answered by a fixed response or a redirect."""
        return self.ending[:1] == "L"

    @property
    def refused(self) -> bool:
        """No connection to the target came about."""
        return self.chosen and self.ending[1:2] == "C" and self.ending[:1] in ("S", "s")

    @property
    def elb_status(self) -> int:
        """The load balancer's status: 460 for a client that left before there was one."""
        if self.chosen and self.ending[:1] == "C" and self.ending[1:2] in ("Q", "C", "H"):
            return 460
        return 502 if self.refused and self.status == 503 else self.status

    @classmethod
    def parse(cls, line: str) -> Request | None:
        """Read one line; None if it is not a request's."""
        fields = line.strip().split("|")
        if len(fields) != 6 or not fields[2].lstrip("-").isdigit():
            return None
        backend, server, status, milliseconds, frontend, ending = fields
        took = int(milliseconds)
        seconds = (took + 0.5) / 1000 if took >= 0 else -1.0
        return cls(backend, server, int(status), seconds, frontend.rstrip("~"), ending)

    def metrics(self, scale: float = 1.0, share: float = 1.0) -> Iterator[tuple[str, float, bool]]:
        """Name, value, and whether it is counted for the target group, too."""
        if self.chosen:
            yield "RequestCount", 1.0, True
        if self.refused:
            yield "TargetConnectionErrorCount", 1.0, True
        if self.by_target:
            if self.status >= 200:  # there is no metric of an upgrade
                yield f"HTTPCode_Target_{self.status // 100}XX_Count", 1.0, True
            yield "TargetResponseTime", self.seconds * scale, True
            return
        status = self.elb_status
        if status >= 300:
            yield f"HTTPCode_ELB_{status // 100}XX_Count", 1.0, False
        if status in _SINGLE:
            yield f"HTTPCode_ELB_{status}_Count", 1.0, False
        if self.by_rule and status != 463:
            kind = "Redirect" if 300 <= status < 400 else "Fixed_Response"
            yield f"HTTP_{kind}_Count", 1.0, False


#: From the names in the proxy's configuration to CloudWatch's dimensions: (target group, load balancer).
Names = Callable[[str, str], tuple[str | None, str | None]]
#: The kernel keeps about 17,000 lines for a reader that is late. A datagram socket keeps ten, and the
#: proxy drops what does not fit: that lost one request of six.
PIPE_BYTES = 1024 * 1024


class RequestCounter:
    """Reads the pipe the proxy logs into, from a thread, and counts. `names` must not wait for a lock.

    `share` says which part of a group's RequestCountPerTarget one request is.
    """

    def __init__(
        self, store: MetricStore, names: Names, share: Callable[[str], float] = lambda backend: 1.0
    ) -> None:
        self._store, self._names, self._share = store, names, share
        self._reader, self.pipe = os.pipe()
        fcntl.fcntl(self.pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._read, name="requests", daemon=True).start()

    def _read(self) -> None:
        rest = b""
        while chunk := os.read(self._reader, PIPE_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            at = CLOCK.now()
            for line in lines:
                request = Request.parse(line.decode(errors="replace"))
                if request is not None:
                    self.count(request, at)

    def count(self, request: Request, at: float) -> None:
        """Count one request for its load balancer, and for its target group if one was chosen."""
        group, balancer = self._names(request.backend, request.frontend)
        if balancer is None:
            return
        for metric, value, of_group in request.metrics(CLOCK.scale):
            self._store.add(NAMESPACE, metric, {"LoadBalancer": balancer}, at, value)
            if of_group and group is not None:
                spans = {"LoadBalancer": balancer, "TargetGroup": group}
                self._store.add(NAMESPACE, metric, spans, at, value)
        if request.chosen and group is not None:
            share = self._share(request.backend)
            for more in ({}, {"LoadBalancer": balancer}):
                self._store.add(NAMESPACE, "RequestCountPerTarget", {"TargetGroup": group, **more}, at, share)
