"""Follows a commit on its way: the ledger for what was decided, Dagster for which assets are done."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from delivery.cli.demo.report import Teller
from delivery.core.ledger import LedgerRecord, ReleaseRecord, Restoration
from delivery.core.rollout import Rollout, Transition
from delivery.errors import UnavailableError
from delivery.ports import Ledger

#: Called for each new line of a rollout's story: environment, rollout, line.
OnTransition = Callable[[str, Rollout, Transition], None]


@dataclass(frozen=True, slots=True)
class Run:
    """A Dagster run: `status` in Dagster's words; it is over when `ended` is true."""

    run_id: str
    status: str
    tags: dict[str, str]

    @property
    def ended(self) -> bool:
        """Nothing more will happen in it."""
        return self.status in ("SUCCESS", "FAILURE", "CANCELED")


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of a run, as far as people care: an asset made, a check that failed, a failed step."""

    run_id: str
    text: str
    bad: bool = False


class Runs(Protocol):
    """What the demo asks of Dagster."""

    def of_commit(self, sha: str) -> Sequence[Run]:
        """All runs of a commit, newest first."""

    def happenings(self, run: Run) -> Sequence[Happening]:
        """What happened in it since the last time asked."""


@dataclass
class _Seen:
    """How much of one environment's ledger was already told."""

    rollout: str = ""
    transitions: int = 0
    releases: set[tuple[str, str, object]] = field(default_factory=set)
    restorations: set[tuple[str, object, bool]] = field(default_factory=set)


class Watcher:
    """Tells what is new since it last looked, and waits for what must come."""

    def __init__(
        self, ledger: Ledger, runs: Runs, service: str, environments: Sequence[str], teller: Teller
    ) -> None:
        self._ledger, self._runs, self._service, self._teller = ledger, runs, service, teller
        self._seen = {name: _Seen() for name in environments}

    def record(self, environment: str) -> LedgerRecord:
        """The environment's ledger now."""
        return self._ledger.load(self._service, environment).record

    def wait(
        self, sha: str, done: Callable[[], bool], timeout: float, on_transition: OnTransition | None = None
    ) -> bool:
        """Tell what happens to the commit until `done()`; False when `timeout` seconds were not enough."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                self._tell_runs(sha)
                self._tell_ledgers(on_transition)
                if done():
                    return True
            except UnavailableError as error:
                self._teller.say(f"cannot look just now: {error}", "note")
            time.sleep(0.5)
        return False

    @staticmethod
    def pause(seconds: float) -> None:
        """Let the load go on for a while."""
        time.sleep(seconds)

    def ended(self, sha: str, **tags: str) -> list[Run]:
        """The commit's ended runs with these tags (`delivery_environment` is `delivery/environment`)."""
        wanted = {name.replace("_", "/", 1): value for name, value in tags.items()}
        runs = [run for run in self._runs.of_commit(sha) if wanted.items() <= run.tags.items()]
        return [run for run in runs if run.ended]

    def running(self, sha: str) -> bool:
        """Whether a run of the commit is still on its way, or none was started yet."""
        runs = self._runs.of_commit(sha)
        return not runs or any(not run.ended for run in runs)

    def _tell_runs(self, sha: str) -> None:
        for run in reversed(self._runs.of_commit(sha)):
            for event in self._runs.happenings(run):
                self._teller.say(event.text, "bad" if event.bad else "step")

    def _tell_ledgers(self, on_transition: OnTransition | None) -> None:
        for environment, seen in self._seen.items():
            record = self.record(environment)
            if record.rollout is not None:
                self._tell_rollout(environment, record.rollout, seen, on_transition)
            for restoration in record.restorations:
                self._tell_restoration(environment, restoration, seen)
            for release in record.releases:
                self._tell_release(environment, release, seen)

    def _tell_rollout(
        self, environment: str, rollout: Rollout, seen: _Seen, on_transition: OnTransition | None
    ) -> None:
        key = f"{rollout.release.id} {rollout.started_at.isoformat()}"
        if key != seen.rollout:
            seen.rollout, seen.transitions = key, 0
        for line in rollout.history[seen.transitions :]:
            self._teller.say(f"{environment}: {line.weight:>3} % · {line.message}", "step")
            if on_transition is not None:
                on_transition(environment, rollout, line)
        seen.transitions = len(rollout.history)

    def _tell_release(self, environment: str, record: ReleaseRecord, seen: _Seen) -> None:
        key = (record.release.id, record.outcome.value, record.at)
        if key in seen.releases:
            return
        seen.releases.add(key)
        good = record.outcome.value in ("verified", "superseded")
        because = f": {record.reason}" if record.reason else ""
        self._teller.say(
            f"{environment}: release {record.release.id} is {record.outcome.value}{because}",
            "good" if good else "bad",
        )

    def _tell_restoration(self, environment: str, restoration: Restoration, seen: _Seen) -> None:
        key = (restoration.bad, restoration.started_at, restoration.finished_at is not None)
        if key in seen.restorations:
            return
        seen.restorations.add(key)
        if restoration.refused:
            text = f"{environment}: nothing restored: {restoration.refused}"
        elif restoration.finished_at is not None:
            text = f"{environment}: restored to {restoration.good}"
        else:
            text = f"{environment}: rolling back {restoration.bad} → {restoration.good}: {restoration.reason}"
        self._teller.say(text, "good" if restoration.restored else "bad")


class DagsterRuns:
    """`Runs` over the webserver's GraphQL; `query` sends one and returns its data."""

    _RUNS = """query($tags: [ExecutionTag!]) { runsOrError(filter: {tags: $tags}, limit: 20) {
        ... on Runs { results { runId status tags { key value } } } } }"""
    _EVENTS = """query($run: ID!, $cursor: String) {
        logsForRun(runId: $run, afterCursor: $cursor, limit: 500) {
            ... on EventConnection { cursor events { __typename
            ... on MaterializationEvent { assetKey { path } }
            ... on ExecutionStepFailureEvent { stepKey error { message cause { message } } }
            ... on AssetCheckEvaluationEvent { evaluation { checkName success severity assetKey { path } } }
            ... on RunFailureEvent { message } } } } }"""

    def __init__(self, query: Callable[[str, dict[str, Any]], dict[str, Any]]) -> None:
        self._query = query
        self._cursors: dict[str, str] = {}

    def of_commit(self, sha: str) -> Sequence[Run]:
        """All runs of a commit, newest first."""
        tags = [{"key": "delivery/commit", "value": sha}]
        results = self._query(self._RUNS, {"tags": tags})["runsOrError"].get("results", [])
        return [Run(r["runId"], r["status"], {t["key"]: t["value"] for t in r["tags"]}) for r in results]

    def happenings(self, run: Run) -> Sequence[Happening]:
        """What happened in it since the last time asked."""
        variables = {"run": run.run_id, "cursor": self._cursors.get(run.run_id)}
        page = self._query(self._EVENTS, variables)["logsForRun"]
        self._cursors[run.run_id] = page.get("cursor") or self._cursors.get(run.run_id, "")
        told = (_told(run.run_id, event) for event in page.get("events", []))
        return [happening for happening in told if happening is not None]


def _told(run_id: str, event: dict[str, Any]) -> Happening | None:
    """One event as a line, or nothing when people need not hear of it."""
    match event["__typename"]:
        case "MaterializationEvent":
            return Happening(run_id, f"{'/'.join(event['assetKey']['path'])} is made")
        case "AssetCheckEvaluationEvent" if not event["evaluation"]["success"]:
            check = event["evaluation"]
            asset = "/".join(check["assetKey"]["path"])
            if check["severity"] == "WARN":  # not measured: no pass, and no failure either
                return None
            return Happening(run_id, f"{asset}: {check['checkName']} failed", bad=True)
        case "ExecutionStepFailureEvent":
            error = event["error"] or {}
            message = ((error.get("cause") or error).get("message") or "failed").strip()
            return Happening(run_id, f"{event['stepKey']}: {message.splitlines()[0]}", bad=True)
        case _:
            return None
