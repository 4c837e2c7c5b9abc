"""What a firing alarm means, by whose slot it is: a judgement, or word to people where nothing may move.

What is live is judged again, and so is a candidate with traffic whose rollout is paused. Where a rollout is
driven its own analysis looks at the alarms of its candidate. But while a rollout waits for a person, nobody
looks at the slot beside it: a rollback of what serves there would cross the rollout that stands. The answer
is a person's, who has to know. Each alarm is told once per firing, whoever looks, and how often.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from delivery.core import journal
from delivery.core.ledger import LedgerRecord
from delivery.core.pausing import unanswered
from delivery.core.release import Slot
from delivery.core.returning import options
from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.core.standing import failing, newest_failure, settled_since
from delivery.core.strategy import SetWeight
from delivery.errors import DeliveryError
from delivery.flows import telling
from delivery.flows.judgement import judged_until
from delivery.flows.ledgers import each_ledger
from delivery.flows.operation import Operation
from delivery.flows.paused import may_be_judged
from delivery.flows.records import change_now
from delivery.ports import FiringAlarm, Progress, World


@dataclass(frozen=True, slots=True)
class Rejudge:
    """A firing alarm of a live release, whose health is to be judged again."""

    service: str
    environment: str
    commit: str
    alarm: str
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Unheard:
    """Firing alarms of what has traffic beside a rollout that waits for a person, not told of yet."""

    service: ServiceSpec
    environment: str
    alarms: tuple[FiringAlarm, ...]


@dataclass(frozen=True, slots=True)
class Alarmed:
    """What follows from the alarms that fire now."""

    due: tuple[Rejudge, ...] = ()
    unheard: tuple[Unheard, ...] = ()


def alarmed(world: World, services: Sequence[ServiceSpec], tell: Progress | None = None) -> Alarmed:
    """What is to be judged, and what people are to hear of. One question for all alarms, one for all ledgers.

    An alarm has a live release judged if it fired since that has to answer for it; what was judged bad
    already is not judged again.
    """
    firing = {alarm.name: alarm for alarm in world.alarms.firing()}
    if not firing:
        return Alarmed()
    due: list[Rejudge] = []
    unheard: list[Unheard] = []
    for service, spec, record in each_ledger(world, services, tell):
        due += [*_while_paused(service, spec, record, firing), *_of_live(service, spec, record, firing)]
        alarms = tuple(_beside(record, firing))
        unheard += [Unheard(service, spec.name, alarms)] if alarms else []
    return Alarmed(tuple(due), tuple(unheard))


def alarms_to_judge(
    world: World, services: Sequence[ServiceSpec], tell: Progress | None = None
) -> tuple[Rejudge, ...]:
    """Only what is to be judged (see `alarmed`)."""
    return alarmed(world, services, tell).due


def tell_people(op: Operation, one: Unheard) -> bool:
    """Tell what is known of these alarms, and what a person can do; whether there was anything left to tell.

    It is written down first, by a conditional write: of many who look at once, that one tells whose name is
    in the ledger, and nobody again. What cannot be written down is not told: the next look comes back to it.
    """
    firing = {alarm.name: alarm for alarm in one.alarms}
    teller = f"{op.holder} at {op.world.clock.now().isoformat()} ({op.url})"

    def noted(record: LedgerRecord) -> LedgerRecord:
        fires = [(alarm.name, alarm.since) for alarm in _beside(record, firing)]
        return journal.mark_alarms(record, fires, teller)

    try:
        record = change_now(op, one.environment, noted)
    except DeliveryError as error:
        op.progress(
            f"{op.service.name} {one.environment}: an alarm could not be noted and is told later: {error}"
        )
        return False
    news = [a for a in one.alarms if record.alarm_told_by(a.name, a.since) == teller]
    rollout = record.in_flight
    if not news or rollout is None:
        return False
    title, body = _notice(op.spec(one.environment), record, rollout, news)
    op.progress(f"{title}. {body}")
    telling.notice(op, "alarm", one.environment, title, body)
    return True


def _notice(
    spec: EnvironmentSpec, record: LedgerRecord, rollout: Rollout, news: Sequence[FiringAlarm]
) -> tuple[str, str]:
    """Which alarm, since when and why; who serves in its slot; that nothing was moved, and the answers."""
    names, release = ", ".join(alarm.name for alarm in news), rollout.release.id
    fires = "an alarm fires" if len(news) == 1 else f"{len(news)} alarms fire"
    title = f"{record.service} {record.environment}: {fires} beside the paused rollout of {release}: {names}"
    told = [f"{alarm.name} since {alarm.since:%Y-%m-%d %H:%M:%S} UTC: {alarm.reason}" for alarm in news]
    slot = rollout.candidate if rollout.in_place else rollout.candidate.other
    stable = record.live.id if record.live is not None else rollout.previous or "what was there before"
    share = _share(rollout)
    shares = f"{release} has {share} %, the other {100 - share} % are with {stable} in {slot}"
    if rollout.in_place:
        shares = f"all traffic is with {slot}, which is updated in place from {rollout.previous} to {release}"
    state = f"The rollout waits ({rollout.reason.rstrip('.') or 'for a person'}), {shares}; nothing was moved"
    return title, ". ".join([*told, state, options(record, rollout, spec.rollback)])


def _beside(record: LedgerRecord, firing: Mapping[str, FiringAlarm]) -> Iterator[FiringAlarm]:
    """Alarms of slots with traffic that nobody looks at, for the rollout waits; those not told yet."""
    rollout = record.in_flight
    if rollout is None or record.contract is None or not _waits(rollout):
        return
    for slot in _unwatched(rollout):
        for name in record.contract.alarm_names.get(slot, ()):
            alarm = firing.get(name)
            if alarm is not None and not record.alarm_told_by(alarm.name, alarm.since):
                yield alarm


def _waits(rollout: Rollout) -> bool:
    """For a person: paused, or at a pause of its strategy."""
    progressing = rollout.phase is RolloutPhase.PROGRESSING
    return rollout.phase is RolloutPhase.PAUSED or (progressing and unanswered(rollout))


def _unwatched(rollout: Rollout) -> Iterator[Slot]:
    """The slots with traffic, as the rollout last saw it, whose alarms have nothing judged."""
    share, judged = _share(rollout), may_be_judged(rollout) or rollout.phase is RolloutPhase.PROGRESSING
    if share < 100:
        yield rollout.candidate.other
    ordered = rollout.kind == "deploy" and isinstance(rollout.step, SetWeight)  # and perhaps not read back
    if (share > 0 or ordered) and not judged:
        yield rollout.candidate


def _share(rollout: Rollout) -> int:
    """Percent of the traffic that the candidate was last seen with."""
    if rollout.in_place:
        return 100
    return rollout.history[-1].weight if rollout.history else 0


def _of_live(
    service: ServiceSpec, spec: EnvironmentSpec, record: LedgerRecord, firing: Mapping[str, FiringAlarm]
) -> Iterator[Rejudge]:
    live = record.live
    if live is None or record.contract is None or record.in_flight is not None:
        return
    if newest_failure(record, live) is not None and not _refused_since(record):
        return
    since = judged_until(record)
    for slot in _serving(record):
        for name in record.contract.alarm_names.get(slot, ()):
            alarm = firing.get(name)
            if alarm is None or (since is not None and alarm.since < since):
                continue
            yield Rejudge(service.name, spec.name, live.commit, name, alarm.since, alarm.reason)


def _while_paused(
    service: ServiceSpec, spec: EnvironmentSpec, record: LedgerRecord, firing: Mapping[str, FiringAlarm]
) -> Iterator[Rejudge]:
    """Nobody drives a paused rollout, but users are served by it."""
    rollout = record.in_flight
    if rollout is None or record.contract is None or not may_be_judged(rollout):
        return
    for name in record.contract.alarm_names.get(rollout.candidate, ()):
        alarm = firing.get(name)
        if alarm is not None and rollout.traffic_at is not None and alarm.since >= rollout.traffic_at:
            commit = rollout.release.commit
            yield Rejudge(service.name, spec.name, commit, name, alarm.since, alarm.reason)


def _serving(record: LedgerRecord) -> tuple[Slot, ...]:
    """The slot that serves, as the last rollout left it; both when it cannot be told from the ledger."""
    rollout = record.rollout
    if rollout is None or rollout.in_place:
        return (Slot.BLUE, Slot.GREEN) if rollout is None else (rollout.candidate,)
    if rollout.phase is RolloutPhase.SUCCEEDED:
        return (rollout.candidate,)
    return (rollout.candidate.other,)


def _refused_since(record: LedgerRecord) -> bool:
    """The rollback of the failed live release was refused: a new alarm may have it judged again."""
    if record.live is None:
        return False
    bad = failing(record, record.live)
    return bad is not None and settled_since(record, record.live.id, bad.at) is not None
