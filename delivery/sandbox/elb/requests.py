"""The proxy's log, one line per request, counted into CloudWatch's ELB metrics.

Source: "CloudWatch metrics for your Application Load Balancer" in the ELB user guide. What HAProxy
answered by itself is `HTTPCode_ELB_*`, what a target answered is `HTTPCode_Target_*`.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from delivery.sandbox.cloudwatch.store import MetricStore

NAMESPACE = "AWS/ApplicationELB"


@dataclass(frozen=True, slots=True)
class Request:
    """One line: who should have answered, and what came. `seconds` < 0: no answer from a target.

    The proxy tells whole milliseconds, cut off; half of one is added, so that a fast answer is not none.
    """

    backend: str
    server: str
    status: int
    seconds: float
    frontend: str
    ending: str

    @property
    def by_target(self) -> bool:
        """A target's own answer, not one HAProxy gave in its place."""
        return self.server != "<NOSRV>" and self.ending[:1] in ("-", "C", "c")

    @classmethod
    def parse(cls, line: str) -> Request | None:
        """Read one line; None if it is not a request's."""
        fields = line.strip().split("|")
        if len(fields) != 6 or not fields[2].lstrip("-").isdigit():
            return None
        backend, server, status, milliseconds, frontend, ending = fields
        took = int(milliseconds)
        seconds = (took + 0.5) / 1000 if took >= 0 else -1.0
        return cls(backend, server, int(status), seconds, frontend, ending)


#: From the names in the proxy's configuration to CloudWatch's dimensions: (target group, load balancer).
Names = Callable[[str, str], tuple[str | None, str | None]]
#: The kernel keeps about 17,000 lines for a reader that is late. A datagram socket keeps ten, and the
#: proxy drops what does not fit: that lost one request of six.
PIPE_BYTES = 1024 * 1024


class RequestCounter:
    """Reads the pipe the proxy logs into, from a thread, and counts. `names` must not wait for a lock."""

    def __init__(self, store: MetricStore, names: Names) -> None:
        self._store, self._names = store, names
        self._reader, self.pipe = os.pipe()
        fcntl.fcntl(self.pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._read, name="requests", daemon=True).start()

    def _read(self) -> None:
        rest = b""
        while chunk := os.read(self._reader, PIPE_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            at = time.time()
            for line in lines:
                request = Request.parse(line.decode(errors="replace"))
                if request is not None:
                    self.count(request, at)

    def count(self, request: Request, at: float) -> None:
        """Count one request for its load balancer, and for its target group if one was chosen."""
        group, balancer = self._names(request.backend, request.frontend)
        if balancer is None:
            return
        spans = [{"LoadBalancer": balancer}]
        if group is not None:
            spans.append({"LoadBalancer": balancer, "TargetGroup": group})
        side = "Target" if request.by_target else "ELB"
        metric = f"HTTPCode_{side}_{request.status // 100}XX_Count"
        for dimensions in spans:
            self._store.add(NAMESPACE, "RequestCount", dimensions, at, 1.0)
            if request.by_target or request.status >= 300:
                self._store.add(NAMESPACE, metric, dimensions, at, 1.0)
            if request.by_target and request.seconds >= 0:
                self._store.add(NAMESPACE, "TargetResponseTime", dimensions, at, request.seconds)
