"""What is written down of one service in one environment: the memory that decisions read.

One small JSON document in S3, written with `If-Match`. Dagster's event log is the history people
read; losing it must not lose the last good release.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from delivery.core.analysis import Verdict
from delivery.core.infra import DeployContract
from delivery.core.release import Release
from delivery.core.rollout import Rollout, RolloutPhase


class Outcome(StrEnum):
    """How a release ended in this environment."""

    VERIFIED = "verified"  # healthy, live: may be a rollback's target
    FAILED = "failed"  # judged bad
    RESTORED_AWAY = "restored_away"  # taken off by a person without being judged bad
    SUPERSEDED = "superseded"  # was verified, a newer verified release replaced it


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """One release's passage through this environment. `told`: people have heard of this outcome."""

    release: Release
    outcome: Outcome
    at: datetime
    reason: str = ""
    run_id: str = ""
    verdict: Verdict | None = None
    told: bool = False

    @property
    def by_word(self) -> bool:
        """Verified because a person accepted what nobody could tell, not because all was measured good."""
        return self.verdict is not None and self.verdict.by_word


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
    """Who may act. `fence` grows with every acquisition, so a late writer is recognised.

    `url` is where people find the holder: its run may be one of another control plane.
    """

    holder: str
    acquired_at: datetime
    expires_at: datetime
    fence: int
    url: str = ""

    def sentence(self) -> str:
        """Who holds it, until when, and where to look."""
        told = f"{self.holder} holds it until {self.expires_at:%Y-%m-%d %H:%M:%S} UTC"
        return f"{told}, see {self.url}" if self.url else told


@dataclass(frozen=True, slots=True)
class Hold:
    """Deployments wait for a person, and why."""

    reason: str
    since: datetime
    by: str = "delivery"


@dataclass(frozen=True, slots=True)
class Lifted:
    """A quarantine that a person ended: which, who, why and when."""

    quarantine: Quarantine
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Restoration:
    """A rollback that was begun, and (when `finished_at`) ended.

    `bad` and `good` are release ids. `refused` says why nothing was moved (no release to return to, a
    guard); a restoration with it restored nothing. `reflex` tells that the rollout itself had already
    returned the traffic, so this one verified it. `hold`: why deployments are held when it has ended, whoever
    ends it.
    """

    bad: str
    good: str
    reason: str
    started_at: datetime
    finished_at: datetime | None = None
    by: str = ""
    refused: str = ""
    reflex: bool = False
    hold: str = ""

    @property
    def restored(self) -> bool:
        """The good release has the traffic, read back."""
        return self.finished_at is not None and not self.refused


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
    lifted: tuple[Lifted, ...] = ()  # newest last, pruned to 20
    alarms_told: tuple[tuple[str, str, str], ...] = ()  # (alarm, ISO time it fired last, who told)

    @property
    def in_flight(self) -> Rollout | None:
        """The rollout that is not finished: on its way, aborting, or paused until a person looks."""
        ended = (RolloutPhase.SUCCEEDED, RolloutPhase.ABORTED)
        return self.rollout if self.rollout is not None and self.rollout.phase not in ended else None

    @property
    def known(self) -> Iterator[Release]:
        """Every release on record, newest first."""
        return (entry.release for entry in reversed(self.releases))

    def record_of(self, release_id: str) -> ReleaseRecord | None:
        """The newest record of that release."""
        return next((r for r in reversed(self.releases) if r.release.id == release_id), None)

    def quarantined(self, digest: str) -> Quarantine | None:
        """Why that digest may not be deployed, if it may not."""
        return next((q for q in self.quarantine if q.digest == digest), None)

    def alarm_told_by(self, alarm: str, since: datetime) -> str:
        """Who told people of this firing of the alarm; empty: nobody yet."""
        fired = (alarm, since.isoformat())
        return next((by for name, at, by in self.alarms_told if (name, at) == fired), "")

    def restoration_of(self, release_id: str) -> Restoration | None:
        """The newest restoration away from that release."""
        return next((r for r in reversed(self.restorations) if r.bad == release_id), None)


@dataclass(frozen=True, slots=True)
class Stored:
    """A ledger document and the tag that a conditional write must name."""

    record: LedgerRecord
    etag: str | None
