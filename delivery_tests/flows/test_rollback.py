"""Rollback: late failures, refusals, once per failure, by whatever way it was reached."""

from __future__ import annotations

import pytest

from delivery.core.analysis import VerdictPhase
from delivery.core.journal import acquire_lock
from delivery.core.ledger import Outcome, Restoration
from delivery.core.target import Drain, Launch, ShiftTraffic
from delivery.errors import DeploymentFailedError, NotFoundError, RefusedError
from delivery.flows.health import judge
from delivery.flows.rollback import rollback
from delivery_tests.fakes import Behaviour, Killed, sample_sha
from delivery_tests.flows.journey import Journey

BAD = Behaviour(error_rate=0.5)


def late_failure(*names: str) -> Journey:
    """These commits went live one after the other; an hour later the last one begins to fail."""
    journey = Journey.start()
    for name in names:
        assert journey.deliver(name).live is not None
    journey.world.clock.advance(3600)
    journey.world.behave(sample_sha(names[-1]), BAD)
    journey.world.clock.advance(60)
    return journey


def test_a_late_failure_returns_to_the_last_verified_release() -> None:
    """The live release fails long after it was verified: it is taken off, quarantined, told, and red."""
    journey = late_failure("a", "b")
    ended = journey.rejudge(sample_sha("b"))
    assert ended.verdict.phase is VerdictPhase.FAILED
    assert ended.restoration is not None and ended.restoration.restored and not ended.restoration.reflex
    assert isinstance(ended.error, DeploymentFailedError) and "restored to" in str(ended.error)
    record = journey.record
    assert record.live is not None and record.live.commit == sample_sha("a")
    assert record.quarantine[0].commit == sample_sha("b")
    outcomes = [(r.release.commit, r.outcome) for r in record.releases]
    assert outcomes[0] == (sample_sha("a"), Outcome.VERIFIED)
    assert all(outcome is Outcome.FAILED for commit, outcome in outcomes[1:])
    seen = journey.target.look()
    assert seen.slot(seen.stable).release == record.live.id and seen.slot(seen.stable).weight == 100


def test_people_hear_of_it_before_traffic_moves() -> None:
    """`rollback_started` is sent before the first action of the way back."""
    journey = late_failure("a", "b")
    journey.world.wire.calls.clear()
    journey.rejudge(sample_sha("b"))
    calls = journey.world.wire.calls
    assert calls.index("notifier.send") < calls.index("target.apply")
    assert journey.world.notifier.kinds()[-3:] == ["rollback_started", "rolled_back", "incident"]


def test_the_last_verified_one_is_chosen_not_the_one_before() -> None:
    """A good, B bad in its canary, C live and failing late: back to A."""
    journey = Journey.start()
    journey.deliver("a")
    journey.world.behave(sample_sha("b"), BAD)
    journey.deliver("b")
    assert journey.deliver("c").live is not None
    journey.world.clock.advance(600)
    journey.world.behave(sample_sha("c"), BAD)
    journey.world.clock.advance(60)
    ended = journey.rejudge(sample_sha("c"))
    assert ended.restoration is not None and ended.restoration.restored
    assert journey.record.live is not None and journey.record.live.commit == sample_sha("a")


def test_a_release_that_stayed_live_through_a_bad_canary_can_still_fail_late() -> None:
    """The reflex of a bad canary is no rollback of the live release: its own late failure is acted on."""
    journey = Journey.start()
    journey.deliver("a")
    journey.deliver("b")
    journey.world.behave(sample_sha("c"), BAD)
    journey.deliver("c")
    journey.world.behave(sample_sha("b"), BAD)
    journey.world.clock.advance(60)
    ended = journey.rejudge(sample_sha("b"))
    assert ended.restoration is not None and ended.restoration.restored
    assert journey.record.live is not None and journey.record.live.commit == sample_sha("a")


def test_an_image_that_is_gone_is_passed_over() -> None:
    """The next older verified release is taken when the registry no longer has the newest one."""
    journey = late_failure("a", "b", "c")
    entry = next(r for r in journey.record.releases if r.release.commit == sample_sha("b"))
    journey.world.registry.remove(entry.release.image)
    ended = journey.rejudge(sample_sha("c"))
    assert ended.restoration is not None and ended.restoration.restored
    assert journey.record.live is not None and journey.record.live.commit == sample_sha("a")


def test_a_release_that_does_not_come_up_again_is_passed_over() -> None:
    """A verified release that now crashes gets no traffic; the one before it does."""
    journey = late_failure("a", "b", "c")
    journey.world.behave(sample_sha("b"), Behaviour(crash=True))
    ended = journey.rejudge(sample_sha("c"))
    assert ended.restoration is not None and ended.restoration.restored
    assert journey.record.live is not None and journey.record.live.commit == sample_sha("a")
    assert [q.commit for q in journey.record.quarantine] == [sample_sha("c")]


def test_when_nothing_comes_up_deployments_are_held_and_the_traffic_stays() -> None:
    """No verified release starts: refused, held, told; the failing one keeps serving what it can."""
    journey = late_failure("a", "b")
    journey.world.behave(sample_sha("a"), Behaviour(crash=True))
    moved = list(journey.target.moved)
    ended = journey.rejudge(sample_sha("b"))
    assert ended.restoration is not None and "could be brought up" in ended.restoration.refused
    assert journey.record.hold is not None and journey.target.moved == moved


def test_a_first_release_that_fails_late_touches_nothing() -> None:
    """Nothing verified to return to: an incident that moves nothing, and says so."""
    journey = late_failure("a")
    effects = len(journey.target.effects)
    ended = journey.rejudge(sample_sha("a"))
    assert ended.restoration is not None
    assert ended.restoration.refused == "no verified release to return to"
    assert len(journey.target.effects) == effects
    assert "not rolled back: no verified release" in str(ended.error)
    assert journey.world.notifier.kinds()[-2:] == ["rollback_refused", "incident"]


def test_a_first_deployment_that_fails_its_preview_touches_nothing_more() -> None:
    """The very first release fails before traffic: refused restoration, red, and the next one may come."""
    journey = Journey.start()
    journey.world.behave(sample_sha("a"), Behaviour(crash=True))
    ended = journey.deliver("a")
    assert ended.restoration is not None and ended.restoration.refused
    assert journey.target.moved == [] and ended.error is not None
    assert journey.deliver("b").live is not None


def test_a_first_deployment_that_fails_under_traffic_keeps_it() -> None:
    """The first release fails at 100 %: there is nothing to return to, so its traffic stays."""
    journey = Journey.start()
    journey.world.behave(sample_sha("a"), BAD)
    ended = journey.deliver("a")
    assert ended.rollout.condemned and "traffic stays" in ended.rollout.reason
    assert ended.restoration is not None and ended.restoration.refused == "no verified release to return to"
    assert journey.record.live is None
    assert journey.deliver("b").live is not None


def test_a_rollback_is_never_rolled_back() -> None:
    """The restored release fails too: refused, and deployments are held for a person."""
    journey = late_failure("a", "b", "c")
    journey.rejudge(sample_sha("c"))
    journey.world.behave(sample_sha("b"), BAD)
    journey.world.clock.advance(60)
    ended = journey.rejudge(sample_sha("b"))
    assert ended.restoration is not None and "never rolled back" in ended.restoration.refused
    assert journey.record.hold is not None
    assert journey.record.live is not None and journey.record.live.commit == sample_sha("b")


def test_an_old_failure_is_left_to_a_person() -> None:
    """A verdict from two days ago moves no traffic."""
    journey = late_failure("a", "b")
    assert judge(journey.op(), "production", sample_sha("b")).phase is VerdictPhase.FAILED
    journey.world.clock.advance(2 * 24 * 3600)
    restoration = rollback(journey.op(), "production", sample_sha("b"))
    assert "too old to act on" in restoration.refused


def test_nodes_may_be_run_again() -> None:
    """Health, rollback and incident of a failure, run again: the same answers, and nobody is told twice."""
    journey = late_failure("a", "b")
    first = journey.rejudge(sample_sha("b"))
    told, effects, writes = len(journey.world.notifier.sent), len(journey.target.effects), journey.record
    again = journey.rejudge(sample_sha("b"))
    assert again.verdict == first.verdict and again.restoration == first.restoration
    assert str(again.error) == str(first.error)
    assert len(journey.world.notifier.sent) == told and len(journey.target.effects) == effects
    assert journey.record == writes


def test_nodes_of_a_bad_canary_may_be_run_again() -> None:
    """The same after a reflex."""
    journey = Journey.start()
    journey.deliver("a")
    journey.world.behave(sample_sha("b"), BAD)
    first = journey.deliver("b")
    told, record = len(journey.world.notifier.sent), journey.record
    again = journey.finish(sample_sha("b"), first.rollout)
    assert again.verdict == first.verdict and again.restoration == first.restoration
    assert len(journey.world.notifier.sent) == told and journey.record == record


def test_two_triggers_give_one_rollback() -> None:
    """A second rollback that waited for the first one's lock finds it done."""
    journey = late_failure("a", "b")
    judge(journey.op(), "production", sample_sha("b"))
    effects = len(journey.target.effects)
    journey.world.wire.fail("target.apply", on=2, error=Killed())
    with pytest.raises(Killed):
        rollback(journey.op(), "production", sample_sha("b"))
    second = rollback(journey.op(), "production", sample_sha("b"))
    third = rollback(journey.op(), "production", sample_sha("b"))
    assert second == third and second.restored
    assert [type(a) for _, a in journey.target.effects[effects:]] == [Launch, ShiftTraffic, Drain]
    assert len(journey.record.restorations) == 1


def test_a_trigger_that_waited_for_the_lock_finds_it_done() -> None:
    """Two triggers at the same moment: the second waits, looks again, and does nothing."""
    journey = late_failure("a", "b")
    judge(journey.op(), "production", sample_sha("b"))
    ledger, clock = journey.world.ledger, journey.world.clock
    stored = ledger.peek("web", "production")
    taken = acquire_lock(stored.record, "run one", clock.now(), 60)
    assert taken is not None
    ledger.store(taken, stored.etag)
    first: list[Restoration] = []
    clock.at(3, lambda: first.append(rollback(journey.op("run one"), "production", sample_sha("b"))))
    second = rollback(journey.op("run two"), "production", sample_sha("b"))
    assert first == [second] and second.restored
    assert len(journey.record.restorations) == 1 and journey.record.hold is None
    assert journey.world.notifier.kinds().count("rolled_back") == 1


def test_a_healthy_release_is_not_rolled_back() -> None:
    """Without a failed verdict the node refuses; an unknown commit is not found."""
    journey = Journey.start()
    journey.deliver("a")
    with pytest.raises(RefusedError, match="not judged bad"):
        rollback(journey.op(), "production", sample_sha("a"))
    with pytest.raises(NotFoundError):
        rollback(journey.op(), "production", sample_sha("z"))


def test_a_dead_rollout_of_another_commit_is_given_up_for_the_rollback() -> None:
    """The live release fails while a killed worker's canary stands at 10 %: that one goes back first."""
    journey = Journey.start()
    journey.deliver("a")
    journey.deliver("b")
    commit = journey.push("c")
    journey.world.wire.fail("target.observe", on=15, error=Killed())
    with pytest.raises(Killed):
        journey.deploy(commit.sha)
    journey.world.behave(sample_sha("b"), BAD)
    journey.world.clock.advance(60)
    ended = journey.rejudge(sample_sha("b"))
    assert ended.restoration is not None and ended.restoration.restored
    assert journey.record.live is not None and journey.record.live.commit == sample_sha("a")
    assert [q.commit for q in journey.record.quarantine] == [sample_sha("b")]
