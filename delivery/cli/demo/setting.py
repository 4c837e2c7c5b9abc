"""The demo's stage set: sandbox, infrastructure, Dagster, the sample's repository; and its clearing away."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from delivery import sandbox
from delivery.catalog.loader import load_services
from delivery.cli.bootstrap import bootstrap_world
from delivery.cli.control_plane import ControlPlane
from delivery.cli.demo.load import Book, Load
from delivery.cli.demo.repo import WorkingCopy
from delivery.cli.demo.report import Teller
from delivery.cli.demo.story import PRODUCTION, STAGING, Stage
from delivery.cli.demo.watch import DagsterRuns, Watcher
from delivery.errors import NotFoundError
from delivery.ports import Ledger
from delivery.sandbox.config import SandboxConfig
from delivery.sandbox.github.repository import create_repository
from delivery.sandbox.images import prepare
from delivery.settings import Settings
from delivery.world import build_world

SERVICE = "web"
#: The paths that the demo's users ask for.
PATHS = ("/", "/checkout")
#: Of the bootstrap stack: the sandbox has no TLS, and its world ends with it.
VARIABLES = {"tls_only": "false", "force_destroy": "true", "noncurrent_days": "0"}


@dataclass(frozen=True, slots=True)
class Venue:
    """Where one demo happens: folder, sandbox, Dagster's port, and the environment it is started in."""

    root: Path
    folder: Path
    sandbox: SandboxConfig
    port: int
    inherited: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of everything that works on this sandbox."""
        config = self.sandbox
        return {
            **self.inherited,
            **config.endpoints.environment(),
            "DELIVERY_ROOT": str(self.root),
            "DELIVERY_WORK": str(self.folder / "work"),
            "DELIVERY_BUCKET": f"delivery-state-{config.account}",
            "DELIVERY_UI_URL": f"http://127.0.0.1:{self.port}",
        }


@contextmanager
def staged(venue: Venue, teller: Teller, rate: float) -> Iterator[tuple[Stage, ControlPlane]]:
    """Set everything up, and leave nothing behind."""
    with ExitStack() as stack:
        sandbox.down(venue.sandbox)
        shutil.rmtree(venue.folder, ignore_errors=True)
        venue.folder.mkdir(parents=True)
        teller.say("starting the sandbox: AWS, GitHub, a registry, DNS, a load balancer")
        stack.callback(sandbox.down, venue.sandbox)
        sandbox.up(venue.sandbox)
        settings = Settings.read(venue.environment)
        _images(teller)
        plane = ControlPlane(venue.root, venue.folder / "dagster", venue.environment, venue.port)
        stack.callback(plane.stop)
        services = load_services(settings.defs)
        repository = next(s for s in services if s.name == SERVICE).repository
        create_repository(venue.sandbox.repositories, repository.github)
        bootstrap_world(
            settings, services, variables=VARIABLES, dns=True, say=_Digest(teller).line,
        )  # fmt: skip
        teller.say("starting Dagster: webserver and daemon")
        plane.start()
        teller.say(f"Dagster is up: {plane.url}", "good")
        copy = WorkingCopy(
            venue.folder / "copy", settings.git_url, repository.github, settings.github_token.value,
            repository.branch,
        )  # fmt: skip
        copy.create(venue.root / "examples" / SERVICE)
        yield _stage(build_world(settings).ledger, plane, copy, teller, stack, rate), plane


class _Digest:
    """Terraform's many lines as a few: what it will do, how far it is, how it ended."""

    EVERY = 10

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._done: Counter[str] = Counter()

    def line(self, text: str) -> None:
        """One line of the bootstrap; those of single resources are counted."""
        who, _, said = text.partition(" │ ")
        if " complete after " not in said:
            self._teller.say(text, "note")
            return
        self._done[who] += 1
        if self._done[who] % self.EVERY == 0:
            resource = said.split(":")[0].removeprefix("module.")
            self._teller.say(f"{who} │ {self._done[who]} resources so far, the last {resource}", "note")


def _images(teller: Teller) -> None:
    """The base image of the sample and the image of its gates: built once from this machine's Python."""
    teller.say("base images: this machine's Python, and the gates' tools")
    prepare()


def _stage(
    ledger: Ledger, plane: ControlPlane, copy: WorkingCopy, teller: Teller, stack: ExitStack, rate: float
) -> Stage:
    runs = DagsterRuns(plane.query)
    watcher = Watcher(ledger, runs, SERVICE, (STAGING, PRODUCTION), teller)
    book = Book()

    def host() -> str:
        contract = watcher.record(PRODUCTION).contract
        if contract is None:
            raise NotFoundError(
                "The demo cannot send load", "production has no infrastructure yet", "See the run."
            )
        return contract.load_balancer_dns

    def start_load() -> None:
        load = Load(host(), book, rate, PATHS)
        stack.callback(load.stop)
        load.start()
        teller.say(f"steady load on production begins: {rate:g} requests/s", "load")

    return Stage(watcher, copy, book, teller, start_load, host)
