"""CloudWatch Logs: events of a group in the order of time."""

from __future__ import annotations

from typing import Any

from moto.logs.models import LogsBackend


def events_by_time() -> None:
    """moto tells one stream after the other unless `interleaved` is set, which AWS ignores: it always sorts.

    Source: CloudWatch Logs API reference, FilterLogEvents, `interleaved`.
    """
    tell: Any = LogsBackend.filter_log_events

    def filter_log_events(self: LogsBackend, *asked: Any) -> Any:
        return tell(self, *asked[:-1], True)

    LogsBackend.filter_log_events = filter_log_events  # type: ignore[method-assign,assignment]
