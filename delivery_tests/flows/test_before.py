"""A migration before the switch, from the run's point of view."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.core.rollout import RolloutPhase
from delivery.core.strategy import Canary, RunTask
from delivery.core.target import Launch, RunOnce
from delivery.errors import RefusedError
from delivery.flows.control import abort_rollout
from delivery_tests.fakes import Behaviour, Killed, sample_environment
from delivery_tests.flows.journey import Journey

BEFORE = RunTask(("python", "-m", "migrate"), timeout=60)
CANARY = Canary((10, 100), analyze_for=10, bake=10)


def migrating() -> Journey:
    """A service with a verified release and a migration."""
    journey = Journey.start(replace(sample_environment("production", CANARY), before=BEFORE))
    journey.deliver("a")
    return journey


def test_the_migration_has_ended_before_anything_is_launched() -> None:
    """Also for the very first release."""
    journey = migrating()
    kinds = [type(action) for _, action in journey.target.effects]
    assert kinds.index(RunOnce) < kinds.index(Launch) and kinds.count(RunOnce) == 1
    ended = journey.deliver("b")
    assert ended.live is not None and any("exit code 0" in line.message for line in ended.rollout.history)
    assert len(journey.target.one_offs.runs) == 2


@pytest.mark.parametrize("how", ["fails", "out of memory", "does not start", "hangs"])
def test_a_failed_migration_is_a_failed_release(how: str) -> None:
    """No traffic ever moved, the release is in quarantine, and people are told the cause."""
    journey = migrating()
    commit = journey.push("b")
    journey.world.behave(commit.sha, Behaviour(task=how))
    before = journey.target.look()
    ended = journey.finish(commit.sha, journey.deploy(commit.sha))
    cause = {"fails": "exit code 1", "out of memory": "out of memory", "does not start": "CannotPull"}
    assert ended.rollout.condemned and ended.error is not None
    assert cause.get(how, "not ended after 60 s") in str(ended.error)
    assert ended.restoration is not None and ended.restoration.restored and ended.restoration.reflex
    assert journey.record.quarantine and journey.target.look() == before


def test_an_unreachable_provider_condemns_nobody() -> None:
    """The budget of errors is used up, then it pauses."""
    journey = migrating()
    sha = journey.push("b").sha
    journey.world.wire.fail("target.apply", times=50)
    with pytest.raises(RefusedError, match="paused"):
        journey.deploy(sha)
    assert journey.record.quarantine == ()


def test_without_a_network_nothing_is_begun() -> None:
    """A deploy contract from before such tasks is refused at once, and says what to do."""
    journey = migrating()
    sha = journey.push("b").sha
    stored = journey.world.ledger.peek("web", "production")
    assert stored.record.contract is not None
    old = replace(stored.record, contract=replace(stored.record.contract, subnets=()))
    journey.world.ledger.put(old, stored.etag)
    with pytest.raises(RefusedError, match="Rerun the assets"):
        journey.deploy(sha)
    assert journey.record.in_flight is None


def test_nobody_looked_for_hours_and_the_task_is_forgotten() -> None:
    """No pass and no second run; given up and deployed again it runs anew."""
    journey = migrating()
    commit = journey.push("b")
    journey.world.behave(commit.sha, Behaviour(task_takes=30))

    def die() -> None:
        raise Killed("kill -9")

    journey.world.clock.at(10, die)
    with pytest.raises(Killed):
        journey.deploy(commit.sha)
    journey.world.clock.advance(3 * 3600)
    with pytest.raises(RefusedError, match="nobody can tell"):
        journey.deploy(commit.sha)
    assert len(journey.target.one_offs.runs) == 2  # a's and b's
    given_up = abort_rollout(journey.op("person ada"), "production", "looked at the database")
    assert given_up.phase in (RolloutPhase.ABORTING, RolloutPhase.ABORTED)
    if given_up.phase is RolloutPhase.ABORTING:
        journey.deploy(commit.sha)
    ended = journey.finish(commit.sha, journey.deploy(commit.sha))
    assert ended.live is not None and len(journey.target.one_offs.runs) == 3
