"""How many requests are left: the primary limit of an hour, and secondary limits on demand.

Source: GitHub REST API, "Rate limits for the REST API"
(https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

#: Requests an hour of a user and of an address without a token, and seconds of that hour.
USER, ANONYMOUS, HOUR = 5000, 60, 3600.0


@dataclass(slots=True)
class Window:
    """One caller's hour. It begins with the first request and ends at `reset` (seconds since the epoch)."""

    limit: int
    reset: float
    used: int = 0

    @property
    def remaining(self) -> int:
        """Requests left."""
        return max(0, self.limit - self.used)

    def headers(self) -> dict[str, str]:
        """What every answer says of it."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Used": str(self.used),
            "X-RateLimit-Reset": str(int(self.reset)),
            "X-RateLimit-Resource": "core",
        }

    def body(self) -> dict[str, int | str]:
        """The same for `GET /rate_limit`."""
        return {
            "limit": self.limit, "used": self.used, "remaining": self.remaining,
            "reset": int(self.reset), "resource": "core",
        }  # fmt: skip


@dataclass(slots=True)
class Secondary:
    """The next `count` requests are told to wait `retry_after` seconds."""

    count: int
    retry_after: int
    status: int = 403


@dataclass
class RateLimits:
    """The windows of all callers; safe to use from several threads. `now` tells the time."""

    now: Callable[[], float]
    _windows: dict[str, Window] = field(default_factory=dict)
    _limits: dict[str, int] = field(default_factory=dict)
    _secondary: Secondary | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def window(self, key: str, limit: int) -> Window:
        """The caller's window as it stands; nothing is spent."""
        with self._lock:
            return self._copy(self._current(key, limit))

    def spend(self, key: str, limit: int) -> tuple[bool, Window]:
        """Take one request from the quota; whether there was one, and how it stands then."""
        with self._lock:
            window = self._current(key, limit)
            if window.used >= window.limit:
                return False, self._copy(window)
            window.used += 1
            return True, self._copy(window)

    def give_back(self, key: str, limit: int) -> Window:
        """That request did not count: it was answered with 304."""
        with self._lock:
            window = self._current(key, limit)
            window.used = max(0, window.used - 1)
            return self._copy(window)

    def set_limit(self, limit: int | None, key: str = "", seconds: float = HOUR) -> None:
        """From now on `limit` requests for this caller, or for all; a new window of `seconds` begins."""
        with self._lock:
            for known in [key] if key else [*self._windows, ""]:
                self._windows.pop(known, None)
            if limit is None:
                self._limits.pop(key, None)
            else:
                self._limits[key] = limit
                if key:
                    self._windows[key] = Window(limit, self.now() + seconds)

    def clear(self) -> None:
        """GitHub's own limits again, nothing used."""
        with self._lock:
            self._windows.clear()
            self._limits.clear()
            self._secondary = None

    def told(self) -> dict[str, int]:
        """The limits that were set, by caller; an empty name is for all others."""
        with self._lock:
            return dict(self._limits)

    def set_secondary(self, count: int, retry_after: int = 60, status: int = 403) -> None:
        """Refuse the next `count` requests as too many at once."""
        with self._lock:
            self._secondary = Secondary(count, retry_after, status)

    def take_secondary(self) -> Secondary | None:
        """The secondary limit this request runs into, if any."""
        with self._lock:
            if self._secondary is None or self._secondary.count <= 0:
                return None
            self._secondary.count -= 1
            return self._secondary

    def _current(self, key: str, limit: int) -> Window:
        window = self._windows.get(key)
        if window is None or self.now() >= window.reset:
            limit = self._limits.get(key, self._limits.get("", limit))
            window = self._windows[key] = Window(limit, self.now() + HOUR)
        return window

    @staticmethod
    def _copy(window: Window) -> Window:
        return Window(window.limit, window.reset, window.used)
