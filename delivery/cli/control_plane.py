"""Dagster's webserver and daemon as one process group of ours, with a home of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests

from delivery.errors import PrerequisiteError, ProviderError

START_TIMEOUT = 180.0
SWEEP_TIMEOUT = 10.0
#: One that ends more often than this within so many seconds is not started again.
ENDS, SPAN = 5, 600.0
#: Seconds between two looks for failed runs; one whose worker was killed is then repeated. Dagster has 5 s by
#: default, in which nobody drives the rollout.
LOOK_FOR_FAILED_RUNS = {"DAGSTER_EVENT_LOG_CONSUMER_DAEMON_INTERVAL_SECONDS": "1"}


class ControlPlane:
    """One Dagster. `root` has `dagster.yaml` and `workspace.yaml`; `home` is its DAGSTER_HOME."""

    def __init__(self, root: Path, home: Path, environment: Mapping[str, str], port: int = 3000) -> None:
        self._root, self._home, self._port = root, home, port
        self._environment = {**LOOK_FOR_FAILED_RUNS, **environment, "DAGSTER_HOME": str(home)}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where people look; loopback only, for the webserver has no login."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def log(self) -> Path:
        """What webserver and daemon print."""
        return self._home / "dagster.log"

    def start(self) -> None:
        """Start it and return when the webserver answers and the definitions are loaded."""
        self._refuse_taken_port()
        self._home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._root / "dagster.yaml", self._home / "dagster.yaml")
        self._initialise()
        command = [
            sys.executable, "-m", "dagster", "dev", "--workspace", str(self._root / "workspace.yaml"),
            "--host", "127.0.0.1", "--port", str(self._port), "--log-level", "warning",
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._root, env=self._environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            self._await(self._ready)
        except BaseException:
            self.stop()
            raise

    def query(self, text: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One GraphQL query; its data."""
        try:
            answer = requests.post(
                f"{self.url}/graphql", json={"query": text, "variables": dict(variables or {})}, timeout=30
            )
            body = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise ProviderError("Dagster does not answer", type(error).__name__, f"See {self.log}.") from None
        if body.get("errors"):
            raise ProviderError("Dagster refused a query", str(body["errors"][0]["message"]), "")
        return dict(body["data"])

    def keep(self, say: Callable[[str], None]) -> None:
        """Start it again whenever it ends by itself, and never return; ProviderError when that is too often.

        Dagster ends altogether when its daemon or its webserver dies. The runs go on meanwhile: their
        processes are their own. One that died too is found by the new daemon.
        """
        ends: list[float] = []
        while self._process is not None:
            code = self._process.wait()
            ends = [*(at for at in ends if time.monotonic() - at < SPAN), time.monotonic()]
            if len(ends) > ENDS:
                why = f"it ended {len(ends)} times within {SPAN / 60:g} minutes, last with exit code {code}"
                raise ProviderError("Dagster does not keep running", why, f"See {self.log}.")
            say(f"Dagster ended by itself (exit code {code}, see {self.log}); starting it again")
            self._clear()
            self.start()
            say(f"{self.url} is up again; runs that were under way went on")

    def stop(self, patience: float = 20.0) -> None:
        """End every process of it, runs included. Safe when nothing runs."""
        if self._process is None:
            return
        group = self._process.pid
        for number, seconds in ((signal.SIGINT, patience), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, number)
            if self._gone(group, seconds):
                break
        self._sweep()
        self._process = None

    def _clear(self) -> None:
        """End what is left of one that ended: its webserver, say, keeps the port. Runs have other groups."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._gone(self._process.pid, 5.0)

    def _initialise(self) -> None:
        """Open the instance once before two processes do at the same time: SQLite's first start can race."""
        code = "from dagster import DagsterInstance; DagsterInstance.get().get_runs_count()"
        done = subprocess.run(
            [sys.executable, "-c", code], env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise ProviderError("Dagster could not open its storage", why, f"Look at {self._home}.")

    def _refuse_taken_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self._port))
            except OSError:
                raise PrerequisiteError(
                    "Dagster cannot start", f"port {self._port} is taken by another process",
                    f"Stop that process (`ss -ltnp 'sport = :{self._port}'` names it), or choose another.",
                ) from None  # fmt: skip

    def _ready(self) -> bool:
        query = """{ workspaceOrError { __typename ... on Workspace { locationEntries { loadStatus
            locationOrLoadError { __typename ... on PythonError { message } } } } } }"""
        entries = self.query(query)["workspaceOrError"].get("locationEntries", [])
        for entry in entries:
            loaded = entry["locationOrLoadError"] or {}
            if loaded.get("__typename") == "PythonError":
                raise ProviderError("Dagster could not load the definitions", loaded["message"].strip(), "")
        return bool(entries) and all(entry["loadStatus"] == "LOADED" for entry in entries)

    def _await(self, ready: Callable[[], bool]) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            if self._process.poll() is not None:
                tail = (self.log.read_text().strip().splitlines() or ["no output"])[-1]
                raise ProviderError("Dagster ended at its start", tail, f"See {self.log}.")
            with contextlib.suppress(requests.RequestException):
                if requests.get(f"{self.url}/server_info", timeout=2).ok and ready():
                    return
            if time.monotonic() > deadline:
                raise ProviderError(
                    "Dagster did not start", f"no answer within {START_TIMEOUT:g} s", f"See {self.log}."
                )
            time.sleep(0.2)

    def _gone(self, group: int, seconds: float) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._process.poll()
            try:
                os.killpg(group, 0)
            except (ProcessLookupError, PermissionError):
                return True
            time.sleep(0.1)
        return False

    def _sweep(self) -> None:
        """Run workers and code servers make sessions of their own: find them by their DAGSTER_HOME. One that
        is just starting another escapes a single look, so look until there is none."""
        deadline = time.monotonic() + SWEEP_TIMEOUT
        while (found := self._processes()) and time.monotonic() < deadline:
            for number in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            time.sleep(0.05)

    def _processes(self) -> list[int]:
        """The processes, ours left out, that were started with this DAGSTER_HOME."""
        mark = f"DAGSTER_HOME={self._home}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if mark in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
        return found
