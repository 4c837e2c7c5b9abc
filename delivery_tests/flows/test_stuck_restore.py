"""A way back that had to stop is tried again by itself, as often as it takes and no longer than a day."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from delivery.core.returning import AGAIN, TRYING
from delivery.core.rollback import RollbackPolicy
from delivery.core.rollout import RolloutPhase
from delivery.core.target import Drain, Launch, ShiftTraffic
from delivery.errors import DeliveryError, RefusedError
from delivery.flows.control import abort_rollout
from delivery.flows.manual_rollback import return_to
from delivery.flows.watch import Unfinished, unfinished
from delivery_tests.fakes import Behaviour, sample_sha
from delivery_tests.flows.journey import Journey

B = sample_sha("b")


def due(journey: Journey) -> list[Unfinished]:
    """What the backstop would take up now."""
    world = journey.world
    return list(unfinished(world, [world.service], world.clock.now()))


def away(journey: Journey, on: int) -> None:
    """From that action on AWS does nothing any more."""
    journey.world.wire.fail("target.apply", on=on, times=100000)


def stuck(back: Callable[[Journey], object], on: int = 2) -> Journey:
    """`b` is taken off by `back`, and AWS is away before the shift (or that action) of the way back."""
    journey = Journey.start()
    for name in "ab":
        assert journey.deliver(name).live is not None
    journey.world.clock.advance(3600)
    away(journey, on)
    with pytest.raises(RefusedError, match="paused"):
        back(journey)
    rollout = journey.record.rollout
    assert rollout is not None and rollout.kind == "restore" and rollout.phase is RolloutPhase.PAUSED
    return journey


def fails_late(journey: Journey) -> object:
    """It begins to fail, and its health is judged again."""
    journey.world.behave(B, Behaviour(error_rate=0.5))
    journey.world.clock.advance(60)
    return journey.rejudge(B)


def complained_of(journey: Journey) -> object:
    """A person takes it off, without a verdict."""
    return return_to(journey.op("person ada"), "production", None, "complaints")


@pytest.mark.parametrize("back", [fails_late, complained_of])
@pytest.mark.parametrize("on", [1, 2, 3])
def test_it_is_tried_again_when_aws_is_back(back: Callable[[Journey], object], on: int) -> None:
    """Before its launch, its shift or its drain: taken up by the backstop, told once, and ended."""
    journey = stuck(back, on)
    assert due(journey) == []
    journey.world.clock.advance(AGAIN + 1)
    (one,) = due(journey)
    assert (one.kind, one.commit) == ("rollback", B) and "stands on its way" in one.reason
    with pytest.raises(RefusedError, match="paused"):
        journey.rejudge(B)
    assert due(journey) == []
    journey.world.clock.advance(AGAIN + 1)
    journey.world.wire.heal()
    ended = journey.rejudge(B).restoration
    assert ended is not None and ended.restored and due(journey) == []
    record = journey.record
    assert record.live is not None and record.live.commit == sample_sha("a")
    assert record.rollout is not None
    assert [line.message for line in record.rollout.history].count(TRYING) == 2
    assert [r.restored for r in record.restorations] == [True]
    kinds = journey.world.notifier.kinds()
    assert (kinds.count("paused"), kinds.count("rollback_started")) == (1, 1)


def test_nothing_is_done_twice() -> None:
    """What the first try did is seen, not repeated: one launch, one shift, one drain."""
    journey = stuck(fails_late)
    effects = len(journey.target.effects)
    journey.world.wire.heal()
    journey.world.clock.advance(AGAIN + 1)
    journey.rejudge(B)
    journey.rejudge(B)
    assert [type(a) for _, a in journey.target.effects[effects - 1 :]] == [Launch, ShiftTraffic, Drain]


def test_a_newer_commit_ends_it_first() -> None:
    """What comes by does not stand before a closed door: the way back is gone to its end, then it deploys."""
    journey = stuck(fails_late)
    journey.world.wire.heal()
    newer = journey.push("c")
    assert journey.deploy(newer.sha).phase is RolloutPhase.SUCCEEDED
    assert [r.restored for r in journey.record.restorations] == [True]


def test_after_a_day_it_is_left_to_a_person() -> None:
    """A failure that nobody mended for so long is not acted on by itself any more."""
    journey = stuck(fails_late)
    journey.world.clock.advance(AGAIN + 1)
    with pytest.raises(RefusedError):
        journey.rejudge(B)
    journey.world.clock.advance(RollbackPolicy().max_age)
    assert due(journey) == []


def test_a_target_that_never_comes_up_is_not_tried_for_ever() -> None:
    """Tried again it crashes: that is its own failure, so the way back goes on to no other, and says so."""
    journey = stuck(fails_late, on=1)
    journey.world.behave(sample_sha("a"), Behaviour(crash=True))
    journey.world.wire.heal()
    journey.world.clock.advance(AGAIN + 1)
    ended = journey.rejudge(B).restoration
    assert ended is not None and "could be brought up" in ended.refused
    assert due(journey) == [] and journey.record.hold is not None


def test_a_way_back_that_was_given_up_is_not_taken_up_again() -> None:
    """A person aborts it while it stands: refused, with the person's reason, and it stays so."""
    journey = stuck(fails_late)
    abort_rollout(journey.op("person ada"), "production", "mended by hand")
    journey.world.wire.heal()
    ended = journey.rejudge(B).restoration
    assert ended is not None and "mended by hand" in ended.refused
    journey.world.clock.advance(10 * AGAIN)
    assert due(journey) == []


def test_a_given_up_way_back_whose_traffic_could_not_be_returned_is_tried_again() -> None:
    """Given up at half of the way, with AWS away: that is traffic to be returned like any other."""
    journey = stuck(fails_late, on=3)
    abort_rollout(journey.op("person ada"), "production", "mended by hand")
    with pytest.raises(DeliveryError):
        journey.rejudge(B)
    assert journey.record.rollout is not None and journey.record.rollout.returning
    journey.world.clock.advance(AGAIN + 1)
    assert [one.kind for one in due(journey)] == ["rollback"]
    journey.world.wire.heal()
    ended = journey.rejudge(B).restoration
    assert ended is not None and ended.refused == "given up: mended by hand (person ada)"
