"""Rollouts of every strategy through the drive loop, on virtual time."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from delivery.core.ledger import Outcome
from delivery.core.release import Slot
from delivery.core.rollout import RolloutPhase
from delivery.core.strategy import BlueGreen, Rolling
from delivery.core.target import Drain, Launch, ShiftTraffic
from delivery_tests.fakes import Behaviour, sample_environment, sample_sha
from delivery_tests.flows.journey import Journey


def weights(journey: Journey, slot: Slot) -> list[int]:
    """Every weight the slot was given, in order."""
    return [w if slot is Slot.GREEN else 100 - w for _, w in journey.target.moved]


def test_a_first_commit_goes_live() -> None:
    """The first release gets all traffic in one step and is recorded as verified."""
    journey = Journey.start()
    ended = journey.deliver("a")
    assert ended.rollout.phase is RolloutPhase.SUCCEEDED
    assert ended.live is not None and ended.live.outcome is Outcome.VERIFIED
    assert weights(journey, ended.rollout.candidate) == [100]
    assert journey.record.live == ended.rollout.release and journey.record.lock is None


def test_blue_green_switches_once_and_drains_the_old_slot_last() -> None:
    """Blue/green: preview checks, one switch, bake, then the old slot is drained."""
    journey = Journey.start(sample_environment("staging", BlueGreen(bake=20, preview_for=4)))
    first = journey.deliver("a").rollout
    second = journey.deliver("b").rollout
    assert second.phase is RolloutPhase.SUCCEEDED and second.candidate is first.candidate.other
    kinds = [type(action) for _, action in journey.target.effects[-3:]]
    assert kinds == [Launch, ShiftTraffic, Drain]
    shifted, drained = (at for at, _ in journey.target.effects[-2:])
    assert (drained - shifted).total_seconds() >= 20


def test_a_canary_takes_its_steps_in_order() -> None:
    """Canary: 10, 50, 100 %, each held for its analysis, then the bake, then the old slot is drained."""
    journey = Journey.start()
    journey.deliver("a")
    before = len(journey.target.moved)
    ended = journey.deliver("b")
    moved = journey.target.moved[before:]
    share = [100 - w if ended.rollout.candidate is Slot.BLUE else w for _, w in moved]
    assert share == [10, 50, 100]
    assert all(b - a >= timedelta(seconds=20) for (a, _), (b, _) in pairwise(moved))
    assert isinstance(journey.target.effects[-1][1], Drain)
    seen = journey.target.look()
    assert seen.slot(ended.rollout.candidate).weight == 100
    assert seen.slot(ended.rollout.candidate.other).desired == 0


def test_a_rolling_update_stays_in_its_slot() -> None:
    """Rolling: the slot with the traffic is updated in place; no weight moves."""
    journey = Journey.start(sample_environment("production", Rolling(bake=20)))
    first = journey.deliver("a").rollout
    moved = list(journey.target.moved)
    second = journey.deliver("b").rollout
    assert second.phase is RolloutPhase.SUCCEEDED and second.candidate is first.candidate
    assert journey.target.moved == moved
    assert journey.record.live == second.release


def test_a_bad_canary_comes_back() -> None:
    """Errors in the canary: traffic back, digest in quarantine, run red with the metric as the cause."""
    journey = Journey.start()
    good = journey.deliver("a")
    journey.world.behave(sample_sha("b"), Behaviour(error_rate=0.5))
    ended = journey.deliver("b")
    assert ended.rollout.phase is RolloutPhase.ABORTED and ended.rollout.condemned
    assert weights(journey, ended.rollout.candidate)[-2:] == [10, 0]
    seen = journey.target.look()
    assert seen.slot(good.rollout.candidate).weight == 100
    assert seen.slot(ended.rollout.candidate).desired == 0
    assert ended.restoration is not None and ended.restoration.reflex and ended.restoration.restored
    assert ended.error is not None and "HTTPCode_Target_5XX_Count" in str(ended.error)
    assert journey.record.live == good.rollout.release
    assert journey.record.quarantined(ended.rollout.release.image.digest) is not None
    assert journey.world.notifier.kinds()[-3:] == ["rollback_started", "rolled_back", "incident"]
    assert journey.world.source.status(sample_sha("b"), "delivery/production") == "failure"


def test_a_release_that_fails_its_preview_never_gets_traffic() -> None:
    """Preview requests that fail condemn the candidate before any user meets it."""
    journey = Journey.start()
    journey.deliver("a")
    moved = list(journey.target.moved)
    journey.world.behave(sample_sha("b"), Behaviour(preview_error_rate=0.6))
    ended = journey.deliver("b")
    assert ended.rollout.condemned and "preview" in ended.rollout.reason
    assert journey.target.moved == moved


def test_a_crashing_release_is_given_up_with_its_last_words() -> None:
    """Tasks that die: condemned by ECS's count, with exit code and log lines in the cause."""
    journey = Journey.start()
    journey.deliver("a")
    journey.world.behave(sample_sha("b"), Behaviour(crash=True, out_of_memory=True))
    ended = journey.deliver("b")
    assert ended.rollout.condemned
    for told in ("out of memory", "exit code 1", "no database"):
        assert told in str(ended.error)


def test_a_release_that_never_gets_healthy_is_condemned_after_the_launch_timeout() -> None:
    """Targets that never become healthy end the launch, not the patience of a person."""
    journey = Journey.start()
    journey.deliver("a")
    journey.world.behave(sample_sha("b"), Behaviour(unhealthy=True))
    ended = journey.deliver("b")
    assert ended.rollout.condemned and "targets healthy after 60 s" in ended.rollout.reason


def test_a_failed_rolling_update_is_put_back() -> None:
    """Rolling: metrics turn bad in the bake; the last verified release takes over from beside."""
    journey = Journey.start(sample_environment("production", Rolling(bake=60)))
    good = journey.deliver("a")
    journey.world.behave(sample_sha("b"), Behaviour(error_rate=0.5))
    ended = journey.deliver("b")
    assert ended.restoration is not None and ended.restoration.restored and not ended.restoration.reflex
    seen = journey.target.look()
    assert seen.slot(seen.stable).release == good.rollout.release.id and seen.slot(seen.stable).weight == 100
    assert journey.record.live == good.rollout.release


def test_ecs_putting_the_old_revision_back_is_our_red() -> None:
    """Rolling: ECS's circuit breaker rolls back by itself; our run is red and the old release stays live."""
    journey = Journey.start(sample_environment("production", Rolling(bake=20)))
    good = journey.deliver("a")
    journey.world.behave(sample_sha("b"), Behaviour(crash=True))
    ended = journey.deliver("b")
    assert ended.rollout.condemned and ended.error is not None
    assert ended.restoration is not None and ended.restoration.reflex and ended.restoration.restored
    assert journey.record.live == good.rollout.release
