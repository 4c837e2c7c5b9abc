"""An alarm of what serves beside a rollout that waits for a person moves nothing: people are told, once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from delivery.adapters.aws.codec import decode, encode
from delivery.core.analysis import VerdictPhase
from delivery.core.ledger import LedgerRecord
from delivery.core.release import Slot
from delivery.core.rollout import Rollout
from delivery.core.strategy import SetWeight
from delivery.errors import RefusedError
from delivery.flows.alarmed import Unheard, alarmed, tell_people
from delivery.flows.control import abort_rollout, pause_rollout
from delivery.flows.health import judge
from delivery.flows.records import change
from delivery.ports import Notice
from delivery_tests.fakes import Behaviour
from delivery_tests.flows.journey import Journey
from delivery_tests.flows.test_paused_judged import paused
from delivery_tests.flows.test_stuck_restore import fails_late, stuck


def standing(journey: Journey) -> Rollout:
    """The rollout of the ledger."""
    assert journey.record.rollout is not None
    return journey.record.rollout


def fire(journey: Journey, slot: Slot, which: str = "5xx") -> None:
    """An alarm of that slot fires now."""
    journey.world.alarms.fire(f"web-production-{slot}-{which}", journey.world.clock.now(), "too many errors")


def unheard(journey: Journey) -> tuple[Unheard, ...]:
    """What the alarm sensor finds to be told."""
    return alarmed(journey.world, [journey.world.service]).unheard


def tell(journey: Journey) -> list[Notice]:
    """The alarm sensor looks and tells; all it ever told."""
    for one in unheard(journey):
        tell_people(journey.op("the alarm sensor"), one)
    return [notice for _, notice in journey.world.notifier.sent if notice.kind == "alarm"]


def test_people_are_told_what_is_known_and_what_they_can_do() -> None:
    """Alarm, moment, reason, who has which share, the answers; and the rollout stays as it is."""
    journey = Journey.start()
    paused(journey)
    rollout, effects = standing(journey), len(journey.target.effects)
    fire(journey, rollout.candidate.other)
    (told,) = tell(journey)
    assert f"web-production-{rollout.candidate.other}-5xx" in told.title and rollout.release.id in told.title
    live = journey.record.live
    assert live is not None
    shares = f"has 10 %, the other 90 % are with {live.id} in {rollout.candidate.other}"
    for part in ("too many errors", shares, "nothing was moved", "delivery continue web production"):
        assert part in told.body
    assert "delivery abort web production" in told.body and rollout.reason in told.body
    assert standing(journey) == rollout and len(journey.target.effects) == effects


def test_one_firing_is_told_once_and_the_next_one_again() -> None:
    """However often it is looked at; two alarms at once are one notice."""
    journey = Journey.start()
    paused(journey)
    slot = standing(journey).candidate.other
    fire(journey, slot)
    assert len(tell(journey)) == len(tell(journey)) == 1
    journey.world.clock.advance(600)
    assert len(tell(journey)) == 1
    fire(journey, slot)
    fire(journey, slot, "response-time")
    told = tell(journey)
    assert len(told) == 2 and "2 alarms fire" in told[1].title


def test_however_many_fire_each_is_told_once() -> None:
    """More alarms than a service has ever had."""
    journey = Journey.start()
    paused(journey)
    slot = standing(journey).candidate.other
    names = tuple(f"alarm-{number}" for number in range(60))
    contract = journey.record.contract
    assert contract is not None
    many = replace(contract, alarm_names={**contract.alarm_names, slot: names})
    change(journey.op(), "production", lambda record: replace(record, contract=many))
    for name in names:
        journey.world.alarms.fire(name, journey.world.clock.now(), "too many errors")
    assert [len(tell(journey)) for _ in range(3)] == [1, 1, 1]


def test_a_ledger_that_cannot_be_written_costs_no_time() -> None:
    """A sensor's look is over after a minute, and the judgements of other services are in it."""
    journey = Journey.start()
    paused(journey)
    fire(journey, standing(journey).candidate.other)
    journey.world.wire.fail("ledger.store", times=1000)
    begun = journey.world.clock.now()
    assert tell(journey) == [] and journey.world.clock.now() == begun


def test_a_candidate_whose_share_was_never_read_back_is_not_forgotten() -> None:
    """It was given traffic, AWS went away, and the rollout is paused: nothing judges it, so people hear."""
    journey = Journey.start()
    journey.deliver("a")
    sha = journey.push("b").sha
    journey.world.wire.fail("target.observe", on=7, times=1000)
    with pytest.raises(RefusedError):
        journey.deploy(sha)
    journey.world.wire.heal()
    rollout = standing(journey)
    assert isinstance(rollout.step, SetWeight) and rollout.traffic_at is None
    assert journey.target.look().slot(rollout.candidate).weight > 0
    fire(journey, rollout.candidate)
    assert len(tell(journey)) == 1


def test_of_two_that_look_at_once_one_tells() -> None:
    """Two control planes have seen the same ledger: the second finds the name of the first in it."""
    journey = Journey.start()
    paused(journey)
    fire(journey, standing(journey).candidate.other)
    (one,) = unheard(journey)
    assert tell_people(journey.op("sensor one"), one)
    assert not tell_people(journey.op("sensor two"), one)
    assert journey.world.notifier.kinds().count("alarm") == 1


def test_a_write_whose_answer_is_lost_is_still_told() -> None:
    """It is in the ledger under the teller's name; one that was refused is told at the next look."""
    journey = Journey.start()
    paused(journey)
    fire(journey, standing(journey).candidate.other)
    journey.world.wire.fail("ledger.store", after=True)
    assert len(tell(journey)) == 1
    journey.world.clock.advance(60)
    fire(journey, standing(journey).candidate.other)
    journey.world.wire.fail("ledger.store", times=1000)
    assert len(tell(journey)) == 1 and "told later" in journey.said[-1]
    journey.world.wire.heal()
    assert len(tell(journey)) == 2


def test_the_candidates_alarm_is_judged_and_not_told() -> None:
    """It has a judge; what was told of its neighbour does not come between them."""
    journey = Journey.start()
    sha = paused(journey)
    rollout = standing(journey)
    fire(journey, rollout.candidate)
    assert unheard(journey) == ()
    fire(journey, rollout.candidate.other)
    assert len(tell(journey)) == 1
    journey.world.behave(sha, Behaviour(error_rate=0.5))
    journey.world.clock.advance(60)
    assert judge(journey.op(), "production", sha).phase is VerdictPhase.FAILED
    assert journey.target.look().slot(rollout.candidate).weight == 0


def test_a_way_back_that_stands_has_nobody_to_judge_either_slot() -> None:
    """It stands before its shift: the failing release still has all the traffic; at 0 % nobody is served."""
    journey = stuck(fails_late)
    rollout = standing(journey)
    fire(journey, rollout.candidate)
    assert unheard(journey) == ()
    fire(journey, rollout.candidate.other)
    (told,) = tell(journey)
    assert "Tried again every 5 min" in told.body


def test_at_a_pause_that_a_person_asked_for_they_are_told_as_well() -> None:
    """It is driven, and its candidate judged; the slot beside it is not."""
    journey = Journey.start()
    journey.deliver("a")
    sha, clock = journey.push("b").sha, journey.world.clock
    found: list[tuple[Unheard, ...]] = []

    def stop() -> None:
        fire(journey, standing(journey).candidate.other)
        found.append(unheard(journey))
        pause_rollout(journey.op("person ada"), "production", "let me look")

    clock.at(12, stop)
    clock.at(60, lambda: found.append(unheard(journey)))
    clock.at(90, lambda: abort_rollout(journey.op("person ada"), "production", "seen enough"))
    journey.deploy(sha)
    before, after = found
    assert before == () and [len(one.alarms) for one in after] == [1]
    assert unheard(journey) == ()  # it has ended, and what is live is judged


def test_a_ledger_from_before_this_can_be_read() -> None:
    """Nobody was told of anything."""
    journey = Journey.start()
    paused(journey)
    stored = journey.world.ledger.peek("web", "production")
    document = json.loads(encode(stored.record))
    del document["value"]["alarms_told"]
    old = decode(json.dumps(document).encode(), LedgerRecord, "old")
    assert old.alarms_told == () and old == stored.record
    assert old.alarm_told_by("x", journey.world.clock.now() - timedelta(days=1)) == ""
