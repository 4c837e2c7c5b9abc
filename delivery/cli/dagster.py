"""The running Dagster, asked over its webserver: start a run of a job, tell what it says until it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests

from delivery.errors import DeliveryError, PrerequisiteError, ProviderError

#: Seconds: between two looks at a run, and for one answer.
LOOK, ANSWER = 0.5, 20.0

_WHERE = """{ instance { daemonHealth {
    queue: daemonStatus(daemonType: "QUEUED_RUN_COORDINATOR") { healthy } } }
  workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { ... on RepositoryLocation {
    name repositories { name pipelines { name } } } } } } } }"""
_LAUNCH = """mutation Launch($given: ExecutionParams!) { launchRun(executionParams: $given) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on Error { message }
  ... on RunConfigValidationInvalid { errors { message } } } }"""
_LOGS = """query Logs($run: ID!, $cursor: String) {
  logsForRun(runId: $run, afterCursor: $cursor) { ... on EventConnection { cursor events { __typename
    ... on LogMessageEvent { message level }
    ... on RunFailureEvent { error { message causes { message } } }
    ... on ExecutionStepFailureEvent { error { message causes { message } } } } } }
  runOrError(runId: $run) { ... on Run { status } } }"""
OVER = ("SUCCESS", "FAILURE", "CANCELED")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job is, and whether a daemon starts what is queued."""

    location: str
    repository: str
    daemon: bool


class Dagster:
    """One webserver. `sleep` is what passes the time between two looks."""

    def __init__(self, url: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self.url, self._sleep = url, sleep

    def place(self, job: str) -> Place:
        """Where that job is; PrerequisiteError when nobody would run it."""
        found = self.query(_WHERE)
        health = found["instance"]["daemonHealth"]["queue"] or {}
        for entry in found["workspaceOrError"].get("locationEntries", []):
            location = entry["locationOrLoadError"] or {}
            for repository in location.get("repositories", []):
                if any(known["name"] == job for known in repository["pipelines"]):
                    return Place(location["name"], repository["name"], bool(health.get("healthy")))
        raise PrerequisiteError("The run was not started", f"the Dagster at {self.url} has no job {job}")

    def submit(self, job: str, config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """Queue a run of the job; its id. PrerequisiteError when no daemon would start it."""
        place = self.place(job)
        if not place.daemon:
            raise PrerequisiteError("The run was not started", f"no Dagster daemon works for {self.url}")
        selector = {
            "pipelineName": job, "repositoryName": place.repository,
            "repositoryLocationName": place.location,
        }  # fmt: skip
        tagged = [{"key": name, "value": value} for name, value in tags.items()]
        given = {
            "selector": selector, "runConfigData": config, "mode": "default",
            "executionMetadata": {"tags": tagged},
        }  # fmt: skip
        answer = self.query(_LAUNCH, {"given": given})["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            said = [answer.get("message", ""), *(error["message"] for error in answer.get("errors", []))]
            raise ProviderError("The run was not started", "; ".join(filter(None, said)) or "no reason given")
        return str(answer["run"]["runId"])

    def follow(
        self, run: str, tell: Callable[[str], None], within: float | None = None,
        looked: Callable[[], None] = lambda: None,
    ) -> tuple[str, str]:  # fmt: skip
        """Tell each line of the run until it is over; its status and the error it ended with, if any.

        `looked` is called after each look that found it under way. ProviderError when it is not over after
        looking for `within` seconds.
        """
        cursor, error, status, looks = None, "", "", 0
        while within is None or looks * LOOK < within:
            found = self.query(_LOGS, {"run": run, "cursor": cursor})
            logs, status = found["logsForRun"], str(found["runOrError"].get("status", ""))
            for event in logs.get("events", []):
                error = error or _error(event)  # the step's own; the run's repeats less of it
                if event["__typename"] == "LogMessageEvent" and event["level"] != "DEBUG":
                    tell(event["message"])
            if status in OVER and not logs.get("events"):
                return status, error
            cursor = logs.get("cursor", cursor)
            if status not in OVER:
                looked()
                self._sleep(LOOK)
                looks += 1
        raise ProviderError(f"The run {run[:8]} is not over", f"it is {status.lower()} after {within:.0f} s")

    def query(self, text: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One GraphQL query; its data. PrerequisiteError when nobody answers."""
        try:
            answer = requests.post(
                f"{self.url}/graphql",
                json={"query": text, "variables": dict(variables or {})},
                timeout=ANSWER,
            )
            body = answer.json()
        except (requests.RequestException, ValueError) as error:
            why = f"no Dagster answers at {self.url} ({type(error).__name__})"
            raise PrerequisiteError("The run was not started", why) from None
        if body.get("errors"):
            raise ProviderError("Dagster refused a query", str(body["errors"][0]["message"]))
        return dict(body["data"])


def with_hint(error: DeliveryError, hint: str) -> DeliveryError:
    """The same error, with what to do instead."""
    return type(error)(error.what, error.why, hint)


def _error(event: Mapping[str, Any]) -> str:
    """The innermost sentence of a step's failure."""
    error = event.get("error")
    if not error:
        return ""
    causes = [cause["message"] for cause in error.get("causes") or ()]
    told = str((causes or [error["message"]])[-1]).strip()
    return told.removeprefix(_ours(told))


def _ours(told: str) -> str:
    """The class in front of one of our errors' sentences, which says nothing to people."""
    name = told.partition(": ")[0]
    return f"{name}: " if name.startswith("delivery.errors.") else ""
