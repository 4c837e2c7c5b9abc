"""What is not deployed, and who may deploy."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from delivery.core.analysis import VerdictPhase
from delivery.core.journal import acquire_lock
from delivery.core.ledger import Outcome
from delivery.core.rollout import RolloutPhase
from delivery.core.target import ShiftTraffic
from delivery.errors import LockHeldError, NotFoundError, RefusedError
from delivery.flows import keys
from delivery.flows.control import abort_rollout, hold, lift_quarantine
from delivery.flows.deploy import deploy, refuse_given_up
from delivery.flows.health import judge
from delivery.flows.report import live
from delivery_tests.fakes import Behaviour, Killed, sample_sha
from delivery_tests.flows.journey import Journey


def test_the_same_live_release_is_not_deployed_again() -> None:
    """A rerun for the live release returns its rollout and does nothing, also after others came and went."""
    journey = Journey.start()
    first = journey.deliver("a")
    sha = first.rollout.release.commit
    effects = len(journey.target.effects)
    assert journey.deploy(sha) == journey.record.rollout
    journey.world.behave(sample_sha("b"), Behaviour(error_rate=0.5))
    journey.deliver("b")
    effects = len(journey.target.effects)
    assert journey.deploy(sha).phase is RolloutPhase.SUCCEEDED
    assert len(journey.target.effects) == effects


def test_an_older_commit_is_refused() -> None:
    """A commit older than the live one is not deployed, whether or not it was live before."""
    journey = Journey.start()
    journey.deliver("a")
    skipped = journey.push("b")
    journey.deliver("c")
    for sha in (skipped.sha, sample_sha("a")):
        with pytest.raises(RefusedError, match=r"older than the live|was live before"):
            journey.deploy(sha)
    live_now = journey.record.live
    assert live_now is not None and live_now.commit == sample_sha("c")
    assert journey.record.lock is None


def test_a_retry_does_not_undo_an_abort() -> None:
    """The worker was killed and a person gave the rollout up: Dagster's own retry finds it over, a person's
    rerun begins it anew."""
    journey = Journey.start()
    journey.deliver("a")
    commit, begun = journey.push("b"), journey.world.clock.now()
    journey.world.wire.fail("target.observe", on=5, error=Killed())
    with pytest.raises(Killed):
        journey.deploy(commit.sha)
    abort_rollout(journey.op("person ada"), "production", "not today")
    journey.deploy(commit.sha)
    effects = len(journey.target.effects)
    retry = replace(journey.op(), retries_since=begun)
    ended = deploy(retry, "production", commit.sha)
    assert ended.phase is RolloutPhase.ABORTED and len(journey.target.effects) == effects
    with pytest.raises(RefusedError, match="not today"):
        refuse_given_up(retry, "production", ended)
    journey.world.clock.advance(60)
    later = replace(journey.op(), retries_since=journey.world.clock.now())
    assert deploy(later, "production", commit.sha).phase is RolloutPhase.SUCCEEDED


def test_a_quarantined_digest_is_refused_until_it_is_lifted() -> None:
    """A digest judged bad is refused, in the other environment too, until a person lifts it."""
    journey = Journey.start()
    journey.deliver("a")
    journey.world.behave(sample_sha("b"), Behaviour(error_rate=0.5))
    digest = journey.deliver("b").rollout.release.image.digest
    with pytest.raises(RefusedError, match="quarantined in production"):
        journey.deploy(sample_sha("b"))
    staging = Journey(journey.world, "staging")
    journey.world.behave(sample_sha("b"), Behaviour())
    staging.push_infrastructure(sample_sha("b"))
    with pytest.raises(RefusedError, match="quarantined in production"):
        staging.deploy(sample_sha("b"))
    lift_quarantine(journey.op("person ada"), "production", digest)
    ended = journey.finish(sample_sha("b"), journey.deploy(sample_sha("b")))
    assert ended.live is not None


def test_a_hold_is_obeyed() -> None:
    """While deployments are held, none begins; the reason is told."""
    journey = Journey.start()
    commit = journey.push("a")
    hold(journey.op("person ada"), "production", "black friday")
    with pytest.raises(RefusedError, match="black friday"):
        journey.deploy(commit.sha)
    assert journey.record.rollout is None


def test_an_unsigned_or_foreign_image_is_refused() -> None:
    """What is deployed is a digest whose signature and commit label were checked."""
    journey = Journey.start()
    commit = journey.push("a")
    store = journey.world.artifacts
    key = f"web/{commit.sha}/attestation.json"
    signed = store.contents.pop(key)
    with pytest.raises(RefusedError, match="not signed"):
        journey.deploy(commit.sha)
    store.contents[key] = signed
    journey.world.signer.secret = b"another key"
    with pytest.raises(RefusedError, match="not ours"):
        journey.deploy(commit.sha)
    journey.world.signer.secret = b"secret"
    journey.world.registry.remove(journey.world.registry.images[("web", commit.sha)].image)
    with pytest.raises(RefusedError, match="no longer has"):
        journey.deploy(commit.sha)
    assert journey.target.applied == []


def test_without_image_or_infrastructure_it_says_what_is_missing() -> None:
    """A deployment before its inputs exist names them."""
    journey = Journey.start()
    with pytest.raises(NotFoundError, match="deploy contract"):
        journey.deploy(sample_sha("a"))
    with pytest.raises(NotFoundError, match="no environment qa"):
        journey.op().spec("qa")


def test_somebody_elses_lock_is_respected() -> None:
    """Two deployers: the second is told who holds the lock and until when, and touches nothing."""
    journey = Journey.start()
    commit = journey.push("a")
    ledger, clock = journey.world.ledger, journey.world.clock

    def renew() -> None:
        stored = ledger.peek("web", "production")
        taken = acquire_lock(stored.record, "run one", clock.now(), 60)
        assert taken is not None
        ledger.store(taken, stored.etag)

    renew()
    clock.at(8, renew)
    with pytest.raises(LockHeldError, match="run one holds it until 2026-03-02 10:01:08"):
        journey.deploy(commit.sha, "run two")
    assert journey.target.applied == []


def test_a_dead_deployers_lock_is_waited_out() -> None:
    """A lock that nobody renews expires; then the next deployer begins, without a person."""
    journey = Journey.start()
    commit = journey.push("a")
    stored = journey.world.ledger.peek("web", "production")
    taken = acquire_lock(stored.record, "run one", journey.world.clock.now(), 60)
    assert taken is not None
    journey.world.ledger.store(taken, stored.etag)
    assert journey.deploy(commit.sha, "run two").phase is RolloutPhase.SUCCEEDED
    assert any("locked by run one" in line for line in journey.said)


def steal(journey: Journey) -> None:
    """Another deployer takes the lock, as if ours had expired."""
    stored = journey.world.ledger.peek("web", "production")
    lock = stored.record.lock
    assert lock is not None
    other = replace(lock, holder="run two", fence=lock.fence + 1)
    journey.world.ledger.store(replace(stored.record, lock=other, fence=other.fence), stored.etag)


def test_a_deployer_that_lost_its_lock_stops() -> None:
    """A worker that slept through its lock finds the new holder at its next write and does nothing."""
    journey = Journey.start()
    journey.deliver("a")
    commit = journey.push("b")
    journey.world.clock.at(15, lambda: steal(journey))
    with pytest.raises(LockHeldError, match="run two"):
        journey.deploy(commit.sha, "run one")
    lock = journey.record.lock
    assert lock is not None and lock.holder == "run two"


def test_an_action_that_is_asked_for_again_needs_the_lock_again() -> None:
    """The rollout did not change since its last write: the lock is looked at all the same before acting."""
    journey = Journey.start()
    journey.deliver("a")
    commit = journey.push("b")
    target = journey.target
    target.propagation = 16.0
    applied: list[int] = []

    def intrude() -> None:
        assert isinstance(target.applied[-1][1], ShiftTraffic)
        steal(journey)
        applied.append(len(target.applied))

    journey.world.clock.at(9, intrude)
    with pytest.raises(LockHeldError, match="run two"):
        journey.deploy(commit.sha, "run one")
    assert applied == [len(target.applied)]


def test_a_condemnation_is_not_lost_when_the_next_commit_comes_first() -> None:
    """Condemned, then killed before its rollback: the newer deployment keeps failure and quarantine."""
    journey = Journey.start()
    journey.deliver("a")
    bad, newer = journey.push("b"), journey.push("c")
    journey.world.behave(bad.sha, Behaviour(error_rate=0.5))
    assert journey.deploy(bad.sha).condemned
    journey.finish(newer.sha, journey.deploy(newer.sha))
    assert [q.commit for q in journey.record.quarantine] == [bad.sha]
    outcomes = {r.release.commit: r.outcome for r in journey.record.releases}
    assert outcomes[bad.sha] is Outcome.FAILED and outcomes[newer.sha] is Outcome.VERIFIED


def test_a_dead_rollout_of_an_older_commit_is_given_up_first() -> None:
    """A newer commit settles what a killed worker left: traffic back, then its own rollout; never judged."""
    journey = Journey.start()
    journey.deliver("a")
    older, newer = journey.push("b"), journey.push("c")
    journey.world.wire.fail("target.observe", on=15, error=Killed())
    with pytest.raises(Killed):
        journey.deploy(older.sha)
    journey.world.wire.heal()
    ended = journey.finish(newer.sha, journey.deploy(newer.sha))
    assert ended.live is not None
    assert journey.record.quarantine == ()
    assert [r.release.commit for r in journey.record.releases] == [sample_sha("a"), newer.sha]
    with pytest.raises(RefusedError, match="older than the live"):
        journey.deploy(older.sha)


def test_a_rollout_given_up_is_never_live() -> None:
    """Aborted without a judgement: the verdict is inconclusive and `live` refuses."""
    journey = Journey.start()
    journey.deliver("a")
    commit = journey.push("b")
    journey.world.clock.at(20, lambda: abort_rollout(journey.op("person ada"), "production", "no time"))
    rollout = journey.deploy(commit.sha)
    assert rollout.phase is RolloutPhase.ABORTED and not rollout.condemned
    assert judge(journey.op(), "production", commit.sha).phase is VerdictPhase.INCONCLUSIVE
    with pytest.raises(RefusedError):
        live(journey.op(), "production", commit.sha)
    seen = journey.target.look()
    assert seen.slot(seen.stable).weight == 100 and seen.slot(seen.stable.other).desired == 0


def test_a_child_of_the_live_commit_is_newer_whatever_its_clock_says() -> None:
    """An author whose clock is behind is not refused: parents count before dates."""
    journey = Journey.start()
    journey.deliver("a")
    child = journey.push("b")
    snapshot = journey.world.source.snapshot(journey.world.service.repository, child.sha)
    early = replace(snapshot.commit, committed_at=snapshot.commit.committed_at - timedelta(days=1))
    key = keys.of_commit(journey.world.service.name, child.sha, "source")
    journey.world.artifacts.save(key, replace(snapshot, commit=early))
    assert journey.deploy(child.sha).phase is RolloutPhase.SUCCEEDED
