"""Traffic that could not be returned is tried again by itself; a pause that asks a person is not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from delivery.adapters.aws.codec import decode, encode
from delivery.core.returning import AGAIN, TRYING, try_again
from delivery.core.rollback import RollbackPolicy
from delivery.core.rollout import Rollout, RolloutPhase, resume
from delivery.errors import RefusedError
from delivery.flows.control import abort_rollout, continue_rollout
from delivery.flows.watch import unfinished
from delivery_tests.fakes import Behaviour
from delivery_tests.flows.journey import Journey


def due(journey: Journey) -> list[str]:
    """What the backstop would take up now."""
    world = journey.world
    return [one.commit for one in unfinished(world, [world.service], world.clock.now())]


def stuck(journey: Journey) -> str:
    """A condemned rollout whose traffic cannot be returned, for the provider is away."""
    journey.deliver("a")
    commit = journey.push("b")
    journey.world.behave(commit.sha, Behaviour(error_rate=0.5))
    journey.world.wire.fail("target.apply", on=3, times=100000)
    with pytest.raises(RefusedError, match="could not return the traffic"):
        journey.deploy(commit.sha)
    return commit.sha


def test_it_is_tried_again_when_aws_is_back() -> None:
    """The backstop takes it up after a while, people are told once, and the traffic goes back."""
    journey = Journey.start()
    sha = stuck(journey)
    assert due(journey) == []
    journey.world.clock.advance(AGAIN + 1)
    assert due(journey) == [sha]
    with pytest.raises(RefusedError, match="could not return the traffic"):
        journey.deploy(sha)
    assert journey.world.notifier.kinds().count("paused") == 1
    journey.world.wire.heal()
    ended = journey.deploy(sha)
    assert ended.phase is RolloutPhase.ABORTED and ended.condemned
    assert [line.message for line in ended.history].count(TRYING) == 2
    assert ended.reason.count("could not return") == 0 and ended.verdict is not None
    assert ended.reason == ended.verdict.reason


def test_a_newer_commit_tries_it_too() -> None:
    """What comes by does not stand before a closed door: the traffic goes back, and it is deployed."""
    journey = Journey.start()
    stuck(journey)
    journey.world.wire.heal()
    newer = journey.push("c")
    assert journey.deploy(newer.sha).phase is RolloutPhase.SUCCEEDED


def test_after_a_day_it_is_left_to_a_person() -> None:
    """A failure that nobody mended for so long is not acted on: by then people have got used to it."""
    journey = Journey.start()
    sha = stuck(journey)
    journey.world.clock.advance(AGAIN + 1)
    with pytest.raises(RefusedError):
        journey.deploy(sha)
    journey.world.clock.advance(RollbackPolicy().max_age)
    assert due(journey) == []


def test_a_pause_that_asks_a_person_is_left_alone() -> None:
    """Not judged and not returning: nothing is taken up, however long it waits."""
    journey = Journey.start()
    journey.deliver("a")
    commit = journey.push("b")
    journey.world.wire.fail("metrics.read", on=1, times=1000)
    with pytest.raises(RefusedError, match="paused"):
        journey.deploy(commit.sha)
    journey.world.clock.advance(10 * AGAIN)
    assert due(journey) == []
    with pytest.raises(RefusedError, match="paused"):
        journey.deploy(commit.sha)


def given_up(journey: Journey) -> str:
    """A rollout that a person gives up at its first share, and whose traffic cannot be returned."""
    journey.deliver("a")
    commit = journey.push("b")
    journey.world.wire.fail("target.apply", on=3, times=100000)
    op = journey.op("person ada")
    journey.world.clock.at(12, lambda: abort_rollout(op, "production", "customers complain"))
    with pytest.raises(RefusedError, match="could not return the traffic"):
        journey.deploy(commit.sha)
    return commit.sha


def test_a_retry_tells_why_it_was_given_up() -> None:
    """The person's reason, after as many retries as it takes, and at the end; not what stood in the way."""
    journey = Journey.start()
    sha = given_up(journey)
    first = "customers complain (person ada)"
    for _ in range(3):
        rollout = journey.record.rollout
        assert rollout is not None and rollout.cause == first and first in rollout.reason
        assert try_again(rollout, journey.world.clock.now()).reason == first
        assert resume(rollout, journey.world.clock.now()).reason == first
        journey.world.clock.advance(AGAIN + 1)
        with pytest.raises(RefusedError, match="could not return the traffic"):
            journey.deploy(sha)
    journey.world.wire.heal()
    journey.deploy(journey.push("c").sha)
    assert any("aborted: customers complain (person ada)" in line for line in journey.said)


def test_a_condemned_one_that_a_person_continues_is_refused_for_its_own_cause() -> None:
    """The quarantine names what was measured, not that somebody continued it."""
    journey = Journey.start()
    sha = stuck(journey)
    journey.world.wire.heal()
    continue_rollout(journey.op("person ada"), "production", "AWS is back")
    ended = journey.deploy(sha)
    assert ended.verdict is not None and ended.reason == ended.verdict.reason
    journey.finish(sha, ended)
    (bad,) = journey.record.quarantine
    assert bad.reason == ended.verdict.reason


def test_a_ledger_from_before_the_first_reason_was_kept_can_be_read() -> None:
    """It has no cause: a release that was judged bad has its verdict's, another one has its story."""
    journey = Journey.start()
    stuck(journey)
    rollout = journey.record.rollout
    assert rollout is not None and rollout.verdict is not None
    document = json.loads(encode(rollout))
    for name in ("cause", "again_at"):
        del document["value"][name]
    old, now = decode(json.dumps(document).encode(), Rollout, "old"), journey.world.clock.now()
    assert old.cause == "" and try_again(old, now).reason == rollout.verdict.reason
    assert "story" in try_again(replace(old, verdict=None), now).reason
