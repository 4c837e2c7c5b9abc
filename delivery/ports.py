"""What the use cases need from the world, in the house's own words. Adapters implement these.

Every port raises only `delivery.errors`: `ProviderError`/`UnavailableError` when the outside failed,
the narrower ones where their docstring says so. Implementations are safe to call twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

from delivery.core.analysis import ProbeResult, Series
from delivery.core.attestation import Signature
from delivery.core.build import BuiltImage, GateResult, PushedImage, ScanReport, SourceSnapshot
from delivery.core.infra import DeployContract, PlanSummary
from delivery.core.ledger import LedgerRecord
from delivery.core.ledger import Stored as Stored
from delivery.core.release import Commit, Image, Slot
from delivery.core.sample import Reading
from delivery.core.service import GateSpec, ImageSpec, RepositorySpec, TerraformSpec
from delivery.core.target import Action, TargetState
from delivery.errors import DeliveryError

T = TypeVar("T")

#: One line of progress for people: log lines in Dagster, a live line in the terminal.
Progress = Callable[[str], None]


class Clock(Protocol):
    """Time as an argument: the wall clock in production, a virtual one in tests."""

    def now(self) -> datetime:
        """The present moment, timezone-aware UTC."""

    def sleep_until(self, moment: datetime) -> None:
        """Return at `moment`, at once if it has passed."""


class Source(Protocol):
    """Commits and their content. Content is only ever read from `git archive <sha>`."""

    def head(self, repository: RepositorySpec) -> Commit:
        """The branch's newest commit; NotFoundError if repository or branch does not exist."""

    def commits_since(
        self, repository: RepositorySpec, sha: str | None, limit: int = 50
    ) -> tuple[Commit, ...]:
        """Commits of the branch after `sha` that touch the paths, oldest first.

        RewrittenError when `sha` is no longer on the branch (force push): the caller falls back to the
        head and says so. NotFoundError as `head`. `sha=None` gives the head alone.
        """

    def snapshot(self, repository: RepositorySpec, sha: str) -> SourceSnapshot:
        """The commit with the tree id of the service's paths and the files it changed."""

    def checkout(self, repository: RepositorySpec, sha: str) -> AbstractContextManager[Path]:
        """A read-only temporary folder with that commit's files, removed afterwards."""

    def set_status(
        self, repository: RepositorySpec, sha: str, context: str, state: str, text: str, url: str = ""
    ) -> None:
        """Write a commit status back (`pending|success|failure|error`)."""


class Gates(Protocol):
    """Runs quality gates on untrusted code, isolated."""

    def run(self, gate: GateSpec, folder: Path, progress: Progress) -> GateResult:
        """Run one gate on the files; never raises for a bad commit. `ERROR`: it could not judge."""


class Builder(Protocol):
    """Builds images from a folder of files."""

    def build(
        self, spec: ImageSpec, folder: Path, tag: str, labels: Mapping[str, str], progress: Progress
    ) -> BuiltImage:
        """Build and tag locally; RefusedError (with the failing step's lines) when the Dockerfile fails."""

    def find(self, tag: str) -> BuiltImage | None:
        """The local image of that tag, if this machine has it."""


class Registry(Protocol):
    """The image registry (ECR)."""

    def find(self, repository: str, tag: str) -> PushedImage | None:
        """The image already pushed under this tag, labels included; None if there is none.

        `repository` is the ECR name (not the URI) in `find` and `push`; NotFoundError if it does not exist.
        """

    def push(self, built: BuiltImage, repository: str, tag: str, progress: Progress) -> PushedImage:
        """Push and return the digest the registry computed."""

    def scan(self, image: Image, progress: Progress) -> ScanReport:
        """Wait for and return the scan's findings; ProviderError when the scan itself failed."""

    def exists(self, image: Image) -> bool:
        """Whether the registry still has this digest."""


class Signer(Protocol):
    """Signs with a key that never leaves its keeper (KMS)."""

    def sign(self, payload: bytes) -> Signature:
        """Sign these bytes; NotFoundError when the key does not exist."""

    def verify(self, payload: bytes, signature: Signature) -> bool:
        """Whether our key made this signature over these bytes."""


class Planner(Protocol):
    """Terraform: a saved plan, and exactly that plan applied."""

    def plan(
        self, spec: TerraformSpec, key: str, variables: Mapping[str, Any], progress: Progress
    ) -> tuple[PlanSummary, bytes]:
        """Plan the stack under state key `key`; its summary and its bytes (secret: store them encrypted)."""

    def apply(
        self, spec: TerraformSpec, key: str, plan: PlanSummary, file: bytes, progress: Progress
    ) -> None:
        """Apply exactly this plan; StalePlanError when state or file is not the reviewed one."""

    def outputs(self, spec: TerraformSpec, key: str) -> Mapping[str, Any]:
        """The stack's outputs; NotFoundError before the first apply."""

    def contract(self, spec: TerraformSpec, key: str) -> DeployContract:
        """The output `deploy_contract` of a service stack."""

    def drift(
        self, spec: TerraformSpec, key: str, variables: Mapping[str, Any], progress: Progress
    ) -> PlanSummary:
        """An ordinary plan that is thrown away: what differs from the code."""


class Target(Protocol):
    """One service in one environment, seen and changed through two verbs."""

    def observe(self, task: str = "", within: float = 0.0) -> TargetState:
        """One look at both slots, and at the one-off task of that token, if one is named. Measured now, or up
        to `within` seconds ago where nothing moves (minutes, where no traffic is): see `TargetState.age`."""

    def apply(self, action: Action) -> None:
        """Do one action; doing it twice has the effect of once. RefusedError when a guard says no."""


class Metrics(Protocol):
    """Measurements of the slots."""

    def read(self, readings: Sequence[Reading], within: float = 0.0) -> tuple[Series, ...]:
        """One series per reading, in their order, of both slots if need be, in one request; as it was up to
        `within` seconds ago. A provider failure comes back in `Series.error`, never as an empty series."""

    def alarms(self, slot: Slot, within: float = 0.0) -> Mapping[str, str]:
        """`STATE: reason` of the slot's alarms by name. An old answer tells only which are in `ALARM`."""


class Prober(Protocol):
    """Asks the candidate directly, through the preview rule."""

    def probe(self, path: str, count: int, timeout: float) -> tuple[ProbeResult, ...]:
        """Send `count` requests with the preview header."""


class Dns(Protocol):
    """The service's public name."""

    def current(self, zone: str, record: str) -> str | None:
        """What the record points to now."""

    def point(self, zone: str, record: str, contract: DeployContract, progress: Progress) -> str:
        """Make the record an alias of the load balancer and wait until in sync; returns its target."""


Owner = tuple[str, str]  #: of a ledger: service and environment


class Ledger(Protocol):
    """The memory that decisions read; conditional writes only."""

    def load(self, service: str, environment: str) -> Stored:
        """The document now; an empty record with `etag=None` when there is none yet."""

    def store(self, record: LedgerRecord, etag: str | None) -> Stored:
        """Write if nobody wrote since `etag`; ConflictError otherwise."""

    def load_all(self, owners: Sequence[Owner]) -> Mapping[Owner, Stored | DeliveryError]:
        """Many documents as of a few seconds ago, or why one cannot be read; only what changed is read."""

    def tag(self, service: str, environment: str, within: float) -> str | None:
        """The etag of the document, as it was at most `within` seconds ago; None when there is none."""


class Artifacts(Protocol):
    """Evidence and hand-overs by name, so that any node can be rerun on any machine.

    Keys: `<service>/<sha>/<node>.json`, `<service>/<sha>/<environment>/<node>.json`. Encrypted at rest.
    """

    def save(self, key: str, value: object) -> None:
        """Store one of core's dataclasses as JSON."""

    def load(self, key: str, kind: type[T]) -> T:
        """Read it back; NotFoundError if the key does not exist, ProviderError if it does not fit."""

    def put(self, key: str, value: bytes) -> None:
        """Store raw bytes (the plan file)."""

    def get(self, key: str) -> bytes:
        """The bytes; NotFoundError if the key does not exist."""

    def exists(self, key: str) -> bool:
        """Whether the key exists."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to people. `kind` is e.g. `live`, `rollback_started`, `rolled_back`, `incident`, `gate`."""

    kind: str
    service: str
    environment: str
    title: str
    body: str
    url: str = ""


class Notifier(Protocol):
    """Tells people."""

    def send(self, routes: Sequence[str], notice: Notice) -> tuple[str, ...]:
        """Send to every route; returns the problems, secrets masked: a deploy never fails of it."""


@dataclass(frozen=True, slots=True)
class FiringAlarm:
    """An alarm in ALARM state. `span` is how far back its datapoints reach at any moment."""

    name: str
    since: datetime
    reason: str
    span: timedelta = timedelta(0)


class Alarms(Protocol):
    """All alarms of the account at once, for the one alarm sensor."""

    def firing(self) -> tuple[FiringAlarm, ...]:
        """Every alarm in ALARM state, one paginated call."""


class EnvironmentPorts(Protocol):
    """The ports of one environment, built from its deploy contract."""

    @property
    def target(self) -> Target: ...
    @property
    def metrics(self) -> Metrics: ...
    @property
    def prober(self) -> Prober: ...


class World(Protocol):
    """Every port of an installation; composed in `delivery.world`, faked in tests."""

    @property
    def clock(self) -> Clock: ...
    @property
    def source(self) -> Source: ...
    @property
    def gates(self) -> Gates: ...
    @property
    def builder(self) -> Builder: ...
    @property
    def registry(self) -> Registry: ...
    @property
    def signer(self) -> Signer: ...
    @property
    def planner(self) -> Planner: ...
    @property
    def dns(self) -> Dns: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def artifacts(self) -> Artifacts: ...
    @property
    def notifier(self) -> Notifier: ...
    @property
    def alarms(self) -> Alarms: ...

    def environment(self, contract: DeployContract, variables: Mapping[str, str]) -> EnvironmentPorts:
        """Target, metrics and prober of one environment; `variables` are its containers' environment."""
