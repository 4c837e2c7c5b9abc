"""Dagster's webserver in memory: one run at a time, which says its lines one look after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from delivery.cli.dagster import Dagster
from delivery.errors import PrerequisiteError


class FakeDagster(Dagster):
    """The client with a webserver in memory behind its one way out. `launched` are the runs asked for."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:3000", sleep=lambda _: None)
        self.launched: list[Mapping[str, Any]] = []
        self._answers = False
        #: What is done at each look; the run stays under way for as many more looks.
        self.at_a_look: Callable[[], object] = lambda: None
        self.lasts = 0

    def up(self, ends: str, *says: str, error: str = "", daemon: bool = True) -> None:
        """It answers from now on; a run says these lines and ends so."""
        self._answers, self._ends, self._daemon = True, ends, daemon
        self._events: list[dict[str, Any]] = [
            {"__typename": "LogMessageEvent", "message": line, "level": "INFO"} for line in says
        ]
        self._events.append({"__typename": "LogMessageEvent", "message": "not for people", "level": "DEBUG"})
        if error:
            told = {"message": "a step failed", "causes": [{"message": error}]}
            self._events.append({"__typename": "ExecutionStepFailureEvent", "error": told})
            self._events.append({"__typename": "RunFailureEvent", "error": {"message": "steps failed"}})

    def query(self, text: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What the webserver would answer."""
        if not self._answers:
            raise PrerequisiteError("The run was not started", f"no Dagster answers at {self.url} (down)")
        if "launchRun" in text:
            assert variables is not None
            self.launched.append(variables["given"])
            return {"launchRun": {"__typename": "LaunchRunSuccess", "run": {"runId": "1a2b3c4d-0000"}}}
        if "logsForRun" in text:
            self.at_a_look()
            events = [self._events.pop(0)] if self._events else []
            self.lasts -= 0 if events else 1
            status = "STARTED" if self._events or self.lasts > 0 else self._ends
            return {"logsForRun": {"cursor": "x", "events": events}, "runOrError": {"status": status}}
        job = {"name": "web_production_steer"}
        location = {"name": "delivery", "repositories": [{"name": "__repository__", "pipelines": [job]}]}
        return {
            "instance": {"daemonHealth": {"queue": {"healthy": self._daemon}}},
            "workspaceOrError": {"locationEntries": [{"locationOrLoadError": location}]},
        }
