"""A sandbox with two small services, and control planes that may be killed: `delivery up`, as people do."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import requests

from delivery import sandbox
from delivery.catalog.loader import load_services
from delivery.cli.bootstrap import bootstrap_world
from delivery.cli.demo.load import Book, Load
from delivery.cli.demo.repo import WorkingCopy
from delivery.cli.demo.setting import PATHS, VARIABLES
from delivery.core.ledger import LedgerRecord, ReleaseRecord
from delivery.core.target import TargetState
from delivery.sandbox.config import SandboxConfig
from delivery.sandbox.github.repository import create_repository
from delivery.sandbox.images import prepare
from delivery.settings import Settings
from delivery.world import build_world
from delivery_tests.conftest import clean_environment, free_ports, sandbox_config
from delivery_tests.e2e.wire import Wire

ROOT = Path(__file__).parents[2]
DELIVERY = Path(sys.executable).parent / "delivery"
ENVIRONMENT = "production"
#: Requests a second on each service.
RATE = 40.0

_DEFS = """\
type: delivery.Service
attributes:
  repository: {{ github: demo/{service}, branch: main }}
  quality:
    image: delivery/gates:local
    gates:
      lint: {{ run: ruff check . }}
  image: {{ context: . }}
  environments:
    production:
      terraform:
        stack: infra/stacks/service
        vars: infra/environments/town.tfvars
        backend: infra/environments/production/backend.hcl
"""
_VARS = """\
min_capacity              = 1
max_capacity              = 3
alarm_period              = 10
deregistration_delay      = 5
stop_timeout              = 5
health_check              = { interval = 5, timeout = 4, healthy_threshold = 2, unhealthy_threshold = 6 }
health_check_grace_period = 120
deletion_protection       = false
"""


def definition(service: str, production: str) -> str:
    """A service's `defs.yaml`: one environment, with what is given of its strategy, health and probe."""
    return _DEFS.format(service=service) + indent(dedent(production), " " * 6)


@dataclass
class Plane:
    """One `delivery up` with a home, a work folder and a wire of its own."""

    home: Path
    port: int
    environment: Mapping[str, str]
    wire: Wire
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its UI."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """`delivery up`, and wait until it says that it is up."""
        self.home.parent.mkdir(parents=True, exist_ok=True)
        log = self.home.with_suffix(".log")
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [str(DELIVERY), "up", "--port", str(self.port), "--home", str(self.home)],
                env={**self.environment}, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip
        until(lambda: f"{self.url}  (Ctrl-C" in log.read_text(), 300, f"{self.url} is up")

    def stop(self) -> None:
        """What a service manager does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def query(self, text: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One GraphQL query; its data."""
        body = {"query": text, "variables": dict(variables or {})}
        answer = requests.post(f"{self.url}/graphql", json=body, timeout=30).json()
        assert not answer.get("errors"), answer
        return dict(answer["data"])

    def runs(self, service: str, sha: str) -> list[dict[str, Any]]:
        """The commit's runs, oldest first, with their tags."""
        query = """query($tags: [ExecutionTag!]) { runsOrError(filter: {tags: $tags}, limit: 50) {
            ... on Runs { results { runId status creationTime startTime endTime rootRunId parentRunId
            tags { key value } } } } }"""
        tags = [{"key": "delivery/service", "value": service}, {"key": "delivery/commit", "value": sha}]
        found = self.query(query, {"tags": tags})["runsOrError"]
        rows = [{**r, "tags": {t["key"]: t["value"] for t in r["tags"]}} for r in found["results"]]
        return sorted(rows, key=lambda r: float(r["creationTime"]))

    def said(self, run: str) -> list[str]:
        """Every line of a run that people see, errors included."""
        query = """query($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events { __typename
            ... on MessageEvent { message }
            ... on ExecutionStepFailureEvent { error { message cause { message } } } } } } }"""
        events = self.query(query, {"run": run})["logsForRun"]["events"]
        lines = [str(e.get("message") or "") for e in events]
        errors = [e["error"] for e in events if e.get("error")]
        return [*lines, *(str((e.get("cause") or e)["message"]) for e in errors)]

    def processes(self, mark: str) -> list[int]:
        """The processes of this control plane whose command line has `mark`."""
        home, found = f"DAGSTER_HOME={self.home}", []
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                command, given = ((entry / name).read_bytes().decode() for name in ("cmdline", "environ"))
                if mark in command.replace("\0", " ") and home in given.split("\0"):
                    found.append(int(entry.name))
        return sorted(found)


@dataclass
class Town:
    """Everything that stands: sandbox, services, their developers and their users."""

    folder: Path
    config: SandboxConfig
    settings: Settings
    book: dict[str, Book] = field(default_factory=dict)
    copies: dict[str, WorkingCopy] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world = build_world(self.settings)

    def ledger(self, service: str) -> LedgerRecord:
        """What is written down of it now."""
        return self.world.ledger.load(service, ENVIRONMENT).record

    def ended(self, service: str, sha: str) -> ReleaseRecord | None:
        """How that commit ended, if it has."""
        return next((r for r in reversed(self.ledger(service).releases) if r.release.commit == sha), None)

    def observe(self, service: str) -> TargetState:
        """Both slots, as AWS tells now."""
        contract = self.ledger(service).contract
        assert contract is not None
        return self.world.environment(contract, {}).target.observe()

    def plane(self, name: str, stack: ExitStack) -> Plane:
        """Another control plane, not started yet."""
        wire = Wire(self.config.endpoints.aws)
        wire.start()
        stack.callback(wire.stop)
        (port,) = free_ports(1)
        environment = {
            **self.settings.environment, "AWS_ENDPOINT_URL": wire.url,
            "DELIVERY_WORK": str(self.folder / name / "work"), "DELIVERY_UI_URL": f"http://127.0.0.1:{port}",
        }  # fmt: skip
        plane = Plane(self.folder / name / "dagster", port, environment, wire)
        stack.callback(plane.stop)
        return plane

    def send_load(self, service: str, stack: ExitStack) -> None:
        """Its users begin to ask."""
        contract = self.ledger(service).contract
        assert contract is not None
        book = self.book[service] = Book()
        load = Load(contract.load_balancer_dns, book, RATE, PATHS)
        stack.callback(load.stop)
        load.start(4)


@contextmanager
def town(folder: Path, name: str, definitions: Mapping[str, str]) -> Iterator[Town]:
    """Sandbox, registries and environments of these services (name → `defs.yaml`); left behind is nothing."""
    with ExitStack() as stack:
        config = sandbox_config(folder / "sandbox", f"{name}-{os.getpid()}")
        stack.callback(sandbox.down, config)
        sandbox.up(config)
        threads = threading.Thread(target=prepare)
        threads.start()
        settings = Settings.read(_installed(folder, config, definitions))
        services = load_services(settings.defs)
        for service in services:
            create_repository(config.repositories, service.repository.github)
        with (folder / "bootstrap.log").open("w") as log:
            bootstrap_world(
                settings, services, variables=VARIABLES, dns=False,
                say=lambda line: print(line, file=log, flush=True),
            )  # fmt: skip
        threads.join()
        found = Town(folder, config, settings)
        for service in services:
            copy = WorkingCopy(
                folder / "copy" / service.name, settings.git_url, service.repository.github,
                settings.github_token.value, "main",
            )  # fmt: skip
            (folder / "copy").mkdir(exist_ok=True)
            copy.create(ROOT / "examples" / "web")
            found.copies[service.name] = copy
        yield found


def _installed(folder: Path, config: SandboxConfig, definitions: Mapping[str, str]) -> dict[str, str]:
    """A project folder of its own: Terraform's files, Dagster's settings, the services."""
    root = folder / "project"
    shutil.copytree(ROOT / "infra", root / "infra", ignore=shutil.ignore_patterns(".terraform*", "*.tfstate"))
    (root / "infra" / "environments" / "town.tfvars").write_text(_VARS)
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copyfile(ROOT / name, root / name)
    for service, definition in definitions.items():
        (root / "defs" / service).mkdir(parents=True)
        (root / "defs" / service / "defs.yaml").write_text(definition)
    return {
        **clean_environment(),
        **config.endpoints.environment(),
        "DELIVERY_ROOT": str(root),
        "DELIVERY_DEFS": str(root / "defs"),
        "DELIVERY_WORK": str(folder / "work"),
        "DELIVERY_BUCKET": f"delivery-state-{config.account}",
    }


def until(done: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for a condition; AssertionError that names it when it does not come."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain: {what}"
        time.sleep(0.1)
