"""A paused rollout with traffic: an alarm has it judged, and only a failure ends the wait."""

from __future__ import annotations

from datetime import timedelta

import pytest

from delivery.core.analysis import Verdict, VerdictPhase
from delivery.core.rollout import RolloutPhase
from delivery.errors import RefusedError
from delivery.flows.health import judge
from delivery.flows.watch import alarms_to_judge
from delivery_tests.fakes import Behaviour
from delivery_tests.flows.journey import Journey


def paused(journey: Journey) -> str:
    """Nobody could tell whether `b` is well at its first share: a person is asked."""
    journey.deliver("a")
    sha = journey.push("b").sha
    metrics = journey.world.at("production").metrics
    metrics.dark = True
    with pytest.raises(RefusedError, match="inconclusive"):
        journey.deploy(sha)
    metrics.dark = False
    assert journey.record.rollout.weight == 10  # type: ignore[union-attr]
    return sha


def fires(journey: Journey, slot: str) -> list[str]:
    """An alarm of the slot fires now; the commits that it has judged."""
    world = journey.world
    world.alarms.fire(f"web-production-{slot}-5xx", world.clock.now(), "too many")
    return [one.commit for one in alarms_to_judge(world, [world.service])]


def judged(journey: Journey, sha: str, errors: float) -> Verdict:
    """It answers so for a minute, then its health is judged."""
    journey.world.behave(sha, Behaviour(error_rate=errors))
    journey.world.clock.advance(60)
    return judge(journey.op(), "production", sha)


def test_its_candidates_alarm_has_it_judged() -> None:
    """What is live has nothing to answer for, and an alarm from before its traffic says nothing of it."""
    journey = Journey.start()
    sha = paused(journey)
    rollout = journey.record.rollout
    assert rollout is not None and rollout.traffic_at is not None
    world, before = journey.world, rollout.traffic_at - timedelta(seconds=1)
    world.alarms.fire(f"web-production-{rollout.candidate}-5xx", before, "the release before it")
    assert fires(journey, rollout.candidate.other) == []
    assert fires(journey, rollout.candidate) == [sha]


def test_a_failure_ends_the_wait_backwards() -> None:
    """It is condemned, its traffic goes back, its digest is refused, and the cause is told."""
    journey = Journey.start()
    sha = paused(journey)
    assert judged(journey, sha, 0.5).phase is VerdictPhase.FAILED
    rollout = journey.record.rollout
    assert rollout is not None and rollout.phase is RolloutPhase.ABORTED and rollout.condemned
    ended = journey.rejudge(sha)
    assert ended.restoration is not None and ended.restoration.restored
    record, seen = journey.record, journey.target.observe()
    assert seen.slot(rollout.candidate).weight == 0
    assert record.quarantined(rollout.release.image.digest) is not None


def test_anything_else_leaves_it_to_the_person() -> None:
    """Healthy by now, or not to be measured: it stays where it stands."""
    journey = Journey.start()
    sha = paused(journey)
    before = journey.record.rollout
    assert judged(journey, sha, 0.0).phase is VerdictPhase.INCONCLUSIVE
    journey.world.at("production").metrics.dark = True
    assert judged(journey, sha, 0.5).phase is VerdictPhase.INCONCLUSIVE
    journey.world.wire.fail("target.observe", on=1, times=100000)
    assert judged(journey, sha, 0.5).phase is VerdictPhase.ERROR
    assert journey.record.rollout == before
