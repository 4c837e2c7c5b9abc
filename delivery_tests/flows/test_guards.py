"""What a rollback goes back to after several bad releases, and what keeps it from going on for ever."""

from __future__ import annotations

import pytest

from delivery.core.release import Slot
from delivery.errors import RefusedError
from delivery.flows.control import lift_hold, lift_quarantine
from delivery.flows.watch import alarms_to_judge
from delivery_tests.fakes import Behaviour, sample_sha
from delivery_tests.flows.journey import Ended, Journey

BAD = Behaviour(error_rate=0.5)


def serving(journey: Journey) -> str:
    """The commit that is recorded as live; it has all the traffic."""
    seen, live = journey.target.look(), journey.record.live
    assert live is not None
    slot = seen.slot(seen.stable)
    assert (slot.release, slot.weight) == (live.id, 100) and slot.healthy > 0
    return live.commit


def fails_late(journey: Journey, name: str) -> Ended:
    """An hour after it went live it is bad."""
    journey.world.clock.advance(3600)
    journey.world.behave(sample_sha(name), BAD)
    journey.world.clock.advance(60)
    return journey.rejudge(sample_sha(name))


def test_two_bad_canaries_in_a_row_leave_the_good_one() -> None:
    """A good, B and C bad under traffic: A serves, both are refused from now on, and D goes live."""
    journey = Journey.start()
    assert journey.deliver("a").live is not None
    for name in "bc":
        journey.world.behave(sample_sha(name), BAD)
        assert journey.deliver(name).restoration is not None
        assert serving(journey) == sample_sha("a")
    assert {q.commit for q in journey.record.quarantine} == {sample_sha("b"), sample_sha("c")}
    assert journey.deliver("d").live is not None


def test_two_late_failures_lead_to_the_good_one() -> None:
    """A good; B and C were verified and failed an hour later each: from C back to A, not to B."""
    journey = Journey.start()
    assert journey.deliver("a").live is not None
    for name in "bc":
        assert journey.deliver(name).live is not None
        ended = fails_late(journey, name)
        assert ended.restoration is not None and ended.restoration.restored
        assert serving(journey) == sample_sha("a")


def test_a_lifted_quarantine_makes_no_verified_release() -> None:
    """B failed, and a person allows it again: until it is verified anew nothing goes back to it."""
    journey = Journey.start()
    for name in "ab":
        assert journey.deliver(name).live is not None
    fails_late(journey, "b")
    (bad,) = journey.record.quarantine
    lift_quarantine(journey.op("person ada"), "production", bad.digest, "it was the database")
    assert journey.deliver("c").live is not None
    fails_late(journey, "c")
    assert serving(journey) == sample_sha("a")


def alarm_of(journey: Journey) -> str:
    """The error alarm of the slot that serves."""
    slot: Slot = journey.target.look().stable
    return f"web-production-{slot}-5xx"


def test_a_flapping_alarm_gives_one_rollback_and_then_a_hold() -> None:
    """What is broken is behind the service: each release is bad under it, and the alarm comes and goes.

    The first firing rolls back. The second finds the release before failing as well: deployments are held
    with the reason, people are told, and however often it fires nothing is moved any more.
    """
    journey = Journey.start()
    for name in "abc":
        assert journey.deliver(name).live is not None
    journey.world.clock.advance(3600)
    for name in "abc":
        journey.world.behave(sample_sha(name), BAD)
    moved = []
    for _ in range(6):
        journey.world.clock.advance(60)
        name = alarm_of(journey)
        journey.world.alarms.fire(name, journey.world.clock.now(), "too many errors")
        for due in alarms_to_judge(journey.world, [journey.world.service]):
            journey.rejudge(due.commit)
        moved.append(len(journey.target.moved))
        journey.world.alarms.clear(name)
    assert [r.good for r in journey.record.restorations if r.restored] == [_release(journey, "b")]
    assert len(set(moved)) == 1, "traffic moved after the first rollback"
    hold = journey.record.hold
    assert hold is not None and "is itself the result of a rollback" in hold.reason
    assert "rollback_refused" in journey.world.notifier.kinds()
    commit = journey.push("d")
    with pytest.raises(RefusedError, match=r"held since .* result of a rollback"):
        journey.deploy(commit.sha)
    lift_hold(journey.op("person ada"), "production")
    assert journey.finish(commit.sha, journey.deploy(commit.sha)).live is not None


def _release(journey: Journey, name: str) -> str:
    return next(r.release.id for r in journey.record.releases if r.release.commit == sample_sha(name))
