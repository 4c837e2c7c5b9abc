"""What a person decides: continue, abort, hold, lift, approve."""

from __future__ import annotations

import pytest

from delivery.core.rollout import RolloutPhase
from delivery.errors import NotFoundError, RefusedError
from delivery.flows.control import abort_rollout, approve, continue_rollout, hold, lift_hold, lift_quarantine
from delivery_tests.flows.journey import Journey


def paused() -> tuple[Journey, str]:
    """A canary that paused at 10 % because the metrics could not be read."""
    journey = Journey.start()
    journey.deliver("a")
    commit = journey.push("b")
    journey.world.wire.fail("metrics.read", on=1, times=6)
    with pytest.raises(RefusedError):
        journey.deploy(commit.sha)
    return journey, commit.sha


def test_a_paused_rollout_is_continued() -> None:
    """It goes on where it stopped and passes."""
    journey, sha = paused()
    assert continue_rollout(journey.op("person ada"), "production").phase is RolloutPhase.PROGRESSING
    assert journey.deploy(sha).phase is RolloutPhase.SUCCEEDED


def test_a_paused_rollout_is_aborted_without_a_verdict() -> None:
    """Its traffic goes back; its release is not condemned and may come again."""
    journey, sha = paused()
    abort_rollout(journey.op("person ada"), "production", "wrong day")
    ended = journey.deploy(sha)
    assert ended.phase is RolloutPhase.ABORTED and "wrong day (person ada)" in ended.reason
    seen = journey.target.look()
    assert seen.slot(ended.candidate).weight == 0 and seen.slot(ended.candidate).desired == 0
    assert journey.record.quarantine == ()
    assert journey.finish(sha, journey.deploy(sha)).live is not None


def test_an_aborting_rollout_that_paused_goes_on_aborting() -> None:
    """`continue` never turns a way back into a way forward."""
    journey, sha = paused()
    abort_rollout(journey.op("person ada"), "production", "wrong day")
    journey.world.wire.fail("target.apply", on=1, times=1000)
    with pytest.raises(RefusedError, match="could not return"):
        journey.deploy(sha)
    journey.world.wire.heal()
    assert continue_rollout(journey.op("person ada"), "production").phase is RolloutPhase.ABORTING
    assert journey.deploy(sha).phase is RolloutPhase.ABORTED


def test_there_must_be_something_to_decide() -> None:
    """Nothing in flight, nothing in quarantine: said so."""
    journey = Journey.start()
    with pytest.raises(NotFoundError):
        abort_rollout(journey.op(), "production", "x")
    with pytest.raises(NotFoundError):
        continue_rollout(journey.op(), "production")
    with pytest.raises(NotFoundError):
        lift_quarantine(journey.op(), "production", "sha256:0")


def test_holds_and_approvals_are_recorded_once() -> None:
    """The first reason of a hold stays until it is lifted; a person counts once."""
    journey = Journey.start()
    op = journey.op("person ada")
    hold(op, "production", "freeze")
    hold(op, "production", "another")
    assert journey.record.hold is not None and journey.record.hold.reason == "freeze"
    lift_hold(op, "production")
    assert journey.record.hold is None
    approve(op, "production", "a" * 40, "ada")
    approve(op, "production", "a" * 40, "ada")
    assert len(journey.record.approvals) == 1
