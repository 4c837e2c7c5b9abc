"""A judgement of what is live, asked for while a rolling update changes its very slot: it waits."""

from __future__ import annotations

from datetime import timedelta

import pytest

from delivery.core.analysis import VerdictPhase
from delivery.core.rollout import RolloutPhase
from delivery.core.strategy import Rolling
from delivery.errors import RefusedError
from delivery.flows.control import abort_rollout
from delivery.flows.health import judge
from delivery.flows.watch import alarms_to_judge, unfinished
from delivery_tests.fakes import Behaviour, Killed, sample_environment, sample_sha
from delivery_tests.flows.journey import Journey

BAD = Behaviour(error_rate=0.5)
A, B = sample_sha("a"), sample_sha("b")


def updating() -> Journey:
    """`z` and `a` went live; the rolling update to `b` has begun and its worker is dead."""
    journey = Journey.start(sample_environment("production", Rolling(bake=10)))
    journey.deliver("z")
    journey.deliver("a")
    journey.world.clock.advance(600)
    sha = journey.push("b").sha
    journey.world.wire.fail("target.observe", on=3, error=Killed())
    with pytest.raises(Killed):
        journey.deploy(sha)
    journey.world.wire.heal()
    rollout = journey.record.in_flight
    assert rollout is not None and rollout.in_place
    return journey


def test_it_is_judged_when_the_update_was_given_up() -> None:
    """An alarm of `a` in the middle of the update to `b`, which is aborted: `a` is judged, and goes back."""
    journey = updating()

    def give_up() -> None:
        abort_rollout(journey.op("person ada"), "production", "not now")
        assert journey.deploy(B).phase is RolloutPhase.ABORTED
        journey.world.behave(A, BAD)
        journey.world.clock.advance(30)

    journey.world.clock.at(30, give_up)
    ended = journey.finish(A, journey.record.rollout or pytest.fail("no rollout"), journey.op("run alarm"))
    assert ended.verdict.phase is VerdictPhase.FAILED
    assert ended.restoration is not None and ended.restoration.restored
    (told,) = [line for line in journey.said if "judging when that has ended" in line]
    assert "is being updated in place to" in told and "at most" in told


def test_what_took_its_place_answers_for_itself() -> None:
    """The update went through: `a` serves no longer, which is said and is no verdict on `b`."""
    journey = updating()
    journey.world.clock.at(30, lambda: journey.deploy(B))
    verdict = judge(journey.op(), "production", A)
    assert verdict.phase is VerdictPhase.INCONCLUSIVE and "serves in" in verdict.reason
    assert journey.record.quarantine == ()


def test_it_does_not_wait_for_ever() -> None:
    """Nobody ends the update: after as long as one may take, it is said whose end is missing."""
    journey = updating()
    began = journey.world.clock.now()
    with pytest.raises(RefusedError, match=r"the rolling update to .* is progressing"):
        judge(journey.op(), "production", A)
    waited = (journey.world.clock.now() - began).total_seconds()
    assert 60 < waited < 1000


def test_a_paused_update_is_a_persons() -> None:
    """It may stand for days: said at once, with where it stands."""
    journey = updating()
    journey.world.wire.fail("target.observe", times=100)
    with pytest.raises(RefusedError):
        journey.deploy(B)
    journey.world.wire.heal()
    began = journey.world.clock.now()
    with pytest.raises(RefusedError, match="is paused"):
        judge(journey.op(), "production", A)
    assert journey.world.clock.now() == began


def test_an_alarm_that_outlives_the_update_is_due_afterwards() -> None:
    """It fired in the middle, nobody could judge it then: it is found again when the update was given up."""
    journey = updating()
    rollout = journey.record.in_flight
    assert rollout is not None
    world, services = journey.world, [journey.world.service]
    world.alarms.fire(f"web-production-{rollout.candidate}-5xx", world.clock.now(), "errors")
    assert alarms_to_judge(world, services) == ()
    abort_rollout(journey.op("person ada"), "production", "not now")
    journey.deploy(B)
    (due,) = alarms_to_judge(world, services)
    assert due.commit == A


def test_the_backstop_knows_what_a_judgement_waits_for() -> None:
    """The dead update is marked as one that no judgement finishes."""
    journey = updating()
    now = journey.world.clock.now() + timedelta(hours=1)
    (one,) = unfinished(journey.world, [journey.world.service], now)
    assert one.in_place and one.kind == "rollout"
