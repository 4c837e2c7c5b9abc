"""What is written down of one service in one environment: the memory that decisions read.

One small JSON document in S3, written with `If-Match`. Dagster's event log is the history people
read; losing it must not lose the last good release.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from delivery.core.analysis import Verdict
from delivery.core.infra import DeployContract
from delivery.core.release import Release
from delivery.core.rollout import Rollout


class Outcome(StrEnum):
    """How a release ended in this environment."""

    VERIFIED = "verified"  # healthy, live: may be a rollback's target
    FAILED = "failed"  # judged bad
    RESTORED_AWAY = "restored_away"  # taken off by a person without being judged bad
    SUPERSEDED = "superseded"  # was verified, a newer verified release replaced it


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """One release's passage through this environment."""

    release: Release
    outcome: Outcome
    at: datetime
    reason: str = ""
    run_id: str = ""
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A digest that may not be deployed until a person lifts it."""

    digest: str
    commit: str
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Lock:
    """Who may act. `fence` grows with every acquisition, so a late writer is recognised."""

    holder: str
    acquired_at: datetime
    expires_at: datetime
    fence: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Deployments wait for a person, and why."""

    reason: str
    since: datetime
    by: str = "delivery"


@dataclass(frozen=True, slots=True)
class Restoration:
    """A rollback that was begun, and (when `finished_at`) verified."""

    bad: str
    good: str
    reason: str
    started_at: datetime
    finished_at: datetime | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class LedgerRecord:
    """The whole document. `live` is the verified release that serves."""

    service: str
    environment: str
    contract: DeployContract | None = None
    rollout: Rollout | None = None
    live: Release | None = None
    releases: tuple[ReleaseRecord, ...] = ()  # newest last, pruned to 100
    quarantine: tuple[Quarantine, ...] = ()
    restorations: tuple[Restoration, ...] = ()  # newest last, pruned to 50
    lock: Lock | None = None
    fence: int = 0
    hold: Hold | None = None
    approvals: tuple[tuple[str, str, str], ...] = ()  # (commit, by, ISO time)
