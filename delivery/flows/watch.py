"""What the sensors ask: what is new, what is failing, what is left unfinished, what may go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from delivery.core.ledger import LedgerRecord, Outcome, ReleaseRecord
from delivery.core.promotion import may_promote
from delivery.core.release import Commit
from delivery.core.returning import may_try_again, stuck
from delivery.core.rollout import RolloutPhase
from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.core.standing import failing, handled, open_restoration, settled_since
from delivery.errors import RewrittenError
from delivery.flows.alarmed import Alarmed as Alarmed
from delivery.flows.alarmed import Rejudge as Rejudge
from delivery.flows.alarmed import alarmed as alarmed
from delivery.flows.alarmed import alarms_to_judge as alarms_to_judge
from delivery.flows.ledgers import around_gates, each_ledger, gated, read_again
from delivery.ports import Progress, World

#: A failed verdict is left to the run that made it for this long before the backstop takes it up, seconds.
GRACE = 60.0
DAY = 24 * 3600.0
#: Whether whoever holds the lock of that ledger is known to be dead.
Gone = Callable[[LedgerRecord, ServiceSpec], bool]


@dataclass(frozen=True, slots=True)
class CommitsFound:
    """Commits since the cursor, oldest first; the next cursor; what people should know (a force push)."""

    commits: tuple[Commit, ...]
    cursor: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A rollout nobody drives, or a failed verdict nobody acted on. `attempt_key` is new for each attempt.

    `dead` is who still has the lock and is known to be gone. `in_place`: a rolling update, which judgements
    wait for.
    """

    service: str
    environment: str
    commit: str
    kind: Literal["rollout", "rollback"]
    reason: str
    attempt_key: str
    dead: str = ""
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class PromotionDue:
    """A commit before a gated environment: may it go on, why (not), and when to ask again."""

    service: str
    environment: str
    commit: str
    allowed: bool
    reason: str
    wake_at: datetime | None = None


def new_commits(world: World, service: ServiceSpec, cursor: str | None) -> CommitsFound:
    """Commits of the service's branch after `cursor`; without one, or after a force push, the head alone."""
    note = ""
    try:
        commits = world.source.commits_since(service.repository, cursor)
    except RewrittenError:  # a branch or repository that is gone is an error, and no reason to start over
        if cursor is None:
            raise
        commits = (world.source.head(service.repository),)
        branch = service.repository.branch
        note = (
            f"{cursor[:8]} is no longer on {branch} (force push); going on from its head {commits[0].sha[:8]}"
        )
    return CommitsFound(commits, commits[-1].sha if commits else cursor or "", note)


def unfinished(
    world: World,
    services: Sequence[ServiceSpec],
    now: datetime,
    tell: Progress | None = None,
    gone: Gone = lambda record, spec: False,
) -> tuple[Unfinished, ...]:
    """What somebody began and nobody is finishing. A paused rollout waits for a person, not for us; only
    traffic that stands on its way back is tried again.

    `gone` tells of a lock that is not expired whether its holder is known to be dead. One that ended just now
    had its last word after the ledger was read: it is read again.
    """
    found = []
    for service, spec, record in each_ledger(world, services, tell):
        one = _unfinished(service, spec, record, now, gone)
        if one is not None and one.dead:
            one = _unfinished(service, spec, read_again(world, (service, spec), record, tell), now, gone)
        found += [one] if one is not None else []
    return tuple(found)


def promotable(world: World, services: Sequence[ServiceSpec], now: datetime) -> tuple[PromotionDue, ...]:
    """What is verified before each gated environment and not there yet, with the answer and its reason."""
    due = []
    places = gated(services)
    records = around_gates(world, places)
    for service, spec in places:
        assert spec.after is not None
        upstream, here = records[service.name, spec.after.environment], records[service.name, spec.name]
        if upstream.live is None:
            continue
        commit = upstream.live.commit
        ended = _ended_here(here, commit)
        if ended == "live":
            continue
        if ended:
            due.append(PromotionDue(service.name, spec.name, commit, False, ended))
            continue
        answer = may_promote(spec.after, commit, upstream, here, now)
        due.append(
            PromotionDue(service.name, spec.name, commit, answer.allowed, answer.reason, answer.wake_at)
        )
    return tuple(due)


def _unfinished(
    service: ServiceSpec, spec: EnvironmentSpec, record: LedgerRecord, now: datetime, gone: Gone
) -> Unfinished | None:
    lock = record.lock
    if lock is None or now >= lock.expires_at:
        return _left_behind(service, spec, record, now)
    one = _left_behind(service, spec, record, now) if gone(record, service) else None
    return replace(one, dead=lock.holder) if one is not None else None


def _left_behind(
    service: ServiceSpec, spec: EnvironmentSpec, record: LedgerRecord, now: datetime
) -> Unfinished | None:
    rollout, begun = record.in_flight, open_restoration(record)
    attempt = f"{rollout.release.id if rollout else ''}:{record.fence}"
    stands = rollout is not None and stuck(rollout)
    if rollout is not None and stands and not may_try_again(rollout, spec.rollback, now):
        return None
    if rollout is not None and stands and rollout.kind == "deploy":
        reason = f"the traffic of {rollout.release.id} could not be returned"
        return Unfinished(service.name, spec.name, rollout.release.commit, "rollout", reason, attempt)
    if begun is not None and (rollout is None or stands or rollout.phase is not RolloutPhase.PAUSED):
        entry = record.record_of(begun.bad)
        if entry is None:
            return None
        state = "stands on its way" if stands else "was begun and nobody finishes it"
        reason = f"the rollback of {begun.bad} {state}"
        return Unfinished(service.name, spec.name, entry.release.commit, "rollback", reason, attempt)
    if rollout is not None and rollout.phase is not RolloutPhase.PAUSED:
        reason = f"the rollout of {rollout.release.id} is {rollout.phase.lower()} and nobody drives it"
        commit, in_place = rollout.release.commit, rollout.in_place
        return Unfinished(service.name, spec.name, commit, "rollout", reason, attempt, in_place=in_place)
    return _not_followed_up(service, spec, record, now)


def _not_followed_up(
    service: ServiceSpec, spec: EnvironmentSpec, record: LedgerRecord, now: datetime
) -> Unfinished | None:
    """A failed verdict without the rollback that follows, or a rollout that passed and was never judged."""
    rollout = record.rollout
    if rollout is not None and rollout.phase is RolloutPhase.PAUSED:
        return None
    of_rollout = rollout is not None and rollout.kind == "deploy" and not handled(record, rollout)
    candidates = [rollout.release] if rollout is not None and of_rollout else []
    candidates += [record.live] if record.live is not None else []
    for release in candidates:
        bad = failing(record, release)
        if bad is None or settled_since(record, release.id, bad.at) is not None:
            continue
        if (now - bad.at).total_seconds() < GRACE:
            return None
        reason = f"{release.id} was judged bad and not rolled back: {bad.reason}"
        attempt = f"{release.id}:{bad.at.isoformat()}:{record.fence}"
        return Unfinished(service.name, spec.name, release.commit, "rollback", reason, attempt)
    if rollout is None or not of_rollout or rollout.phase is not RolloutPhase.SUCCEEDED:
        return _untold(service, spec, record, now)
    ago = (now - rollout.history[-1].at).total_seconds()
    if ago < GRACE:
        return None
    reason = f"the rollout of {rollout.release.id} succeeded and nobody recorded its health"
    hour = int(ago // 3600)  # a verdict that was inconclusive is asked for again, not each minute
    attempt = f"{rollout.release.id}:{rollout.started_at.isoformat()}:{record.fence}:{hour}"
    return Unfinished(service.name, spec.name, rollout.release.commit, "rollout", reason, attempt)


def _untold(
    service: ServiceSpec, spec: EnvironmentSpec, record: LedgerRecord, now: datetime
) -> Unfinished | None:
    """The oldest outcome of the last day that is on record and that nobody was told of."""
    entry = next((r for r in record.releases if _wants_telling(record, r, now)), None)
    if entry is None:
        return None
    kind: Literal["rollout", "rollback"] = "rollback" if entry.outcome is Outcome.FAILED else "rollout"
    reason = f"{entry.release.id} is {entry.outcome} and people were not told"
    hour = int((now - entry.at).total_seconds() // 3600)
    attempt = f"{entry.release.id}:{entry.at.isoformat()}:{hour}"
    return Unfinished(service.name, spec.name, entry.release.commit, kind, reason, attempt)


def _wants_telling(record: LedgerRecord, entry: ReleaseRecord, now: datetime) -> bool:
    """Not what is overtaken: of a release that was verified and then failed, the failure is told."""
    if record.record_of(entry.release.id) != entry:
        return False
    due = entry.outcome in (Outcome.FAILED, Outcome.VERIFIED) and not entry.told
    return due and GRACE <= (now - entry.at).total_seconds() < DAY


def _ended_here(here: LedgerRecord, commit: str) -> str:
    """`live`, or why this commit is not promoted again here; empty when it was never deployed here."""
    if here.live is not None and here.live.commit == commit:
        return "live"
    if here.in_flight is not None and here.in_flight.release.commit == commit:
        return "live"  # on its way: the run that drives it tells
    entry = next((r for r in reversed(here.releases) if r.release.commit == commit), None)
    if entry is None:
        return ""
    if entry.outcome is Outcome.FAILED and here.quarantined(entry.release.image.digest) is None:
        return ""  # a person lifted the quarantine
    return f"it was deployed here before and is {entry.outcome.replace('_', ' ')}: {entry.reason}"
