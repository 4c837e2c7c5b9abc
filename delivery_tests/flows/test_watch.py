"""What the sensors ask: new commits, firing alarms, what is unfinished, what may be promoted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from delivery.core.ledger import LedgerRecord
from delivery.core.rollout import RolloutPhase
from delivery.core.service import PromotionSpec, ServiceSpec
from delivery.errors import NotFoundError, UnavailableError
from delivery.flows.control import approve, hold
from delivery.flows.health import judge
from delivery.flows.watch import alarms_to_judge, new_commits, promotable, unfinished
from delivery_tests.fakes import Behaviour, Killed, sample_service, sample_sha
from delivery_tests.flows.journey import Journey

BAD = Behaviour(error_rate=0.5)


def left(journey: Journey) -> list[tuple[str, str, str]]:
    """What the backstop would find now."""
    world = journey.world
    found = unfinished(world, [world.service], world.clock.now())
    return [(one.environment, one.commit, one.kind) for one in found]


def test_commits_come_oldest_first_after_the_cursor() -> None:
    """Without a cursor the head alone; then everything newer, oldest first."""
    world = Journey.start().world
    first = world.source.push("a")
    found = new_commits(world, world.service, None)
    assert found.commits == (first,) and found.cursor == first.sha
    assert new_commits(world, world.service, found.cursor).commits == ()
    second, third = world.source.push("b"), world.source.push("c")
    found = new_commits(world, world.service, found.cursor)
    assert found.commits == (second, third) and found.cursor == third.sha and not found.note


def test_a_force_push_falls_back_to_the_head_and_says_so() -> None:
    """The last seen commit is gone: the head is taken and the note tells it."""
    world = Journey.start().world
    gone = world.source.push("a")
    world.source.force_push("x", "y")
    found = new_commits(world, world.service, gone.sha)
    assert [c.sha for c in found.commits] == [sample_sha("y")]
    assert "force push" in found.note and gone.sha[:8] in found.note


def test_a_deleted_branch_is_no_force_push() -> None:
    """Nothing is started over, and the sensor hears what is gone; the fault is told as it is."""
    world = Journey.start().world
    seen = world.source.push("a")
    world.source.force_push()
    with pytest.raises(NotFoundError, match="no branch"):
        new_commits(world, world.service, seen.sha)
    world.source.push("b")
    world.wire.fail("source.commits_since", error=NotFoundError("the compared commits", "404", ""))
    with pytest.raises(NotFoundError, match="404"):  # the head is there, and yet this is no force push
        new_commits(world, world.service, seen.sha)


def test_an_unreachable_repository_is_an_error_not_silence() -> None:
    """The sensor hears that it could not look; the cursor is not moved."""
    world = Journey.start().world
    world.source.push("a")
    world.wire.fail("source.commits_since")
    with pytest.raises(UnavailableError):
        new_commits(world, world.service, None)


def test_only_alarms_of_the_serving_slot_since_its_traffic_count() -> None:
    """The idle slot's alarms and old ones are no reason to judge; the serving slot's new one is."""
    journey = Journey.start()
    rollout = journey.deliver("a").rollout
    world, now = journey.world, journey.world.clock.now()
    services = [world.service]
    assert alarms_to_judge(world, services) == ()
    world.alarms.fire(f"web-production-{rollout.candidate.other}-healthy-hosts", now)
    world.alarms.fire(f"web-production-{rollout.candidate}-5xx", now - timedelta(hours=2))
    world.alarms.fire("somebody-elses", now)
    assert alarms_to_judge(world, services) == ()
    world.alarms.fire(f"web-production-{rollout.candidate}-5xx", now, "too many")
    (due,) = alarms_to_judge(world, services)
    assert (due.service, due.environment, due.commit) == ("web", "production", sample_sha("a"))
    assert due.since == now and due.reason == "too many"


def test_an_alarm_during_a_rollout_is_left_to_its_analysis() -> None:
    """While a rollout is in flight nobody else judges; a release judged bad is not judged again."""
    journey = Journey.start()
    rollout = journey.deliver("a").rollout
    commit = journey.push("b")
    journey.world.wire.fail("target.observe", on=15, error=Killed())
    with pytest.raises(Killed):
        journey.deploy(commit.sha)
    journey.world.alarms.fire(f"web-production-{rollout.candidate}-5xx", journey.world.clock.now())
    assert alarms_to_judge(journey.world, [journey.world.service]) == ()
    journey.finish(commit.sha, journey.deploy(commit.sha))
    journey.world.behave(commit.sha, BAD)
    journey.world.clock.advance(60)
    judge(journey.op(), "production", commit.sha)
    journey.world.alarms.fire(f"web-production-{rollout.candidate.other}-5xx", journey.world.clock.now())
    assert alarms_to_judge(journey.world, [journey.world.service]) == ()


def test_without_firing_alarms_no_ledger_is_read() -> None:
    """The quiet case costs one call, however many services there are."""
    journey = Journey.start()
    reads = journey.world.wire.counts["ledger.load"]
    alarms_to_judge(journey.world, [journey.world.service] * 50)
    assert journey.world.wire.counts["ledger.load"] == reads


def test_the_last_word_of_one_that_ends_just_now_counts() -> None:
    """Its rollout is paused between the look at the ledger and the one at its run: nobody has to go on."""
    journey = Journey.start()
    journey.deliver("a")
    journey.world.wire.fail("target.observe", on=5, error=Killed())
    with pytest.raises(Killed):
        journey.deploy(journey.push("b").sha)

    def ended(record: LedgerRecord, spec: ServiceSpec) -> bool:
        assert record.rollout is not None
        paused = replace(record.rollout, phase=RolloutPhase.PAUSED, reason="no data")
        loaded = journey.world.ledger.load("web", "production")
        journey.world.ledger.store(replace(loaded.record, rollout=paused, lock=None), loaded.etag)
        return True

    found = unfinished(journey.world, [journey.world.service], journey.world.clock.now(), gone=ended)
    assert [one for one in found if one.environment == "production"] == []


def test_a_dead_rollout_is_unfinished_once_its_lock_expired() -> None:
    """A killed worker's rollout is found after the lock's time, with a new key for each attempt."""
    journey = Journey.start()
    journey.deliver("a")
    commit = journey.push("b")
    keys = set()
    for _ in range(2):
        journey.world.wire.fail("target.observe", on=5, error=Killed())
        with pytest.raises(Killed):
            journey.deploy(commit.sha)
        assert left(journey) == []
        journey.world.clock.advance(61)
        assert left(journey) == [("production", commit.sha, "rollout")]
        found = unfinished(journey.world, [journey.world.service], journey.world.clock.now())
        keys |= {one.attempt_key for one in found}
    assert len(keys) == 2


def test_a_failed_verdict_without_a_rollback_is_unfinished() -> None:
    """Judged bad, and the run died: found after a grace, gone once rolled back and told."""
    journey = Journey.start()
    journey.deliver("a")
    journey.deliver("b")
    journey.world.behave(sample_sha("b"), BAD)
    journey.world.clock.advance(60)
    judge(journey.op(), "production", sample_sha("b"))
    assert left(journey) == []
    journey.world.clock.advance(61)
    assert left(journey) == [("production", sample_sha("b"), "rollback")]
    journey.rejudge(sample_sha("b"))
    journey.world.clock.advance(3600)
    assert left(journey) == []


def test_a_rollout_that_passed_and_was_never_judged_is_unfinished() -> None:
    """Killed between deployment and health: 100 % of the traffic on an unverified release is found."""
    journey = Journey.start()
    commit = journey.push("a")
    rollout = journey.deploy(commit.sha)
    journey.world.clock.advance(61)
    assert left(journey) == [("production", commit.sha, "rollout")]
    journey.finish(commit.sha, rollout)
    journey.world.clock.advance(3600)
    assert left(journey) == []


def test_an_outcome_nobody_was_told_of_is_unfinished() -> None:
    """Killed between the record and the notice: people are told later, once."""
    journey = Journey.start()
    commit = journey.push("a")
    rollout = journey.deploy(commit.sha)
    journey.world.wire.fail("notifier.send", error=Killed())
    with pytest.raises(Killed):
        journey.finish(commit.sha, rollout)
    journey.world.clock.advance(61)
    assert left(journey) == [("production", commit.sha, "rollout")]
    journey.finish(commit.sha, journey.deploy(commit.sha))
    assert journey.world.notifier.kinds() == ["live"]
    journey.world.clock.advance(61)
    assert left(journey) == []


def gated(after: PromotionSpec) -> tuple[Journey, Journey]:
    """Staging with `a` live, and production behind a gate."""
    service = sample_service()
    production = replace(service.environment("production"), after=after)
    staging = Journey.start(production)
    staging.environment = "staging"
    staging.deliver("a")
    return staging, Journey(staging.world, "production")


def due(journey: Journey) -> list[tuple[bool, str]]:
    world = journey.world
    return [(p.allowed, p.reason) for p in promotable(world, [world.service], world.clock.now())]


def test_a_promotion_waits_for_its_soak_then_for_its_approval() -> None:
    """Not yet: the reason and the moment to ask again; then who is missing; then yes."""
    staging, production = gated(PromotionSpec("staging", soak=600, approvals=1))
    world = staging.world
    (waiting,) = promotable(world, [world.service], world.clock.now())
    assert not waiting.allowed and waiting.wake_at is not None and "soaks" in waiting.reason
    world.clock.sleep_until(waiting.wake_at)
    assert due(staging) == [(False, "0 of 1 approvals")]
    approve(production.op(), "production", sample_sha("a"), "ada")
    assert [allowed for allowed, _ in due(staging)] == [True]


def test_nothing_is_due_once_it_is_there_or_on_its_way() -> None:
    """A commit that is live or in flight is not promoted again; one taken off is refused with the reason."""
    staging, production = gated(PromotionSpec("staging", soak=1))
    staging.world.clock.advance(10)
    assert [allowed for allowed, _ in due(staging)] == [True]
    production.push_infrastructure(sample_sha("a"))
    rollout = production.deploy(sample_sha("a"))
    production.finish(sample_sha("a"), rollout)
    assert due(staging) == []
    staging.deliver("b")
    staging.world.clock.advance(10)
    staging.world.behave(sample_sha("b"), BAD)
    production.push_infrastructure(sample_sha("b"))
    production.finish(sample_sha("b"), production.deploy(sample_sha("b")))
    ((allowed, reason),) = due(staging)
    assert not allowed and "was deployed here before and is failed" in reason


def test_a_hold_stops_promotions() -> None:
    """Held here: not allowed, and why."""
    staging, production = gated(PromotionSpec("staging", soak=1))
    staging.world.clock.advance(10)
    hold(production.op("person ada"), "production", "freeze")
    ((allowed, reason),) = due(staging)
    assert not allowed and "freeze" in reason


def test_an_ungated_environment_is_not_the_sensors() -> None:
    """Without soak, approvals or windows the commit's own run goes on: nothing is due here."""
    staging, _ = gated(PromotionSpec("staging"))
    assert due(staging) == []


def test_one_unreadable_ledger_does_not_hide_the_others() -> None:
    """The backstop tells which environment it could not look at, and looks at the rest."""
    journey = Journey.start()
    told: list[str] = []
    journey.world.wire.fail("ledger.load")
    assert unfinished(journey.world, [journey.world.service], journey.world.clock.now(), told.append) == ()
    assert len(told) == 1 and "could not be looked at" in told[0]
