"""A person's orders in the flows: stop, go on, give up, go back, whoever drives the rollout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.strategy import Pause
from delivery.errors import DeliveryError, NotFoundError, RefusedError
from delivery.flows.control import abort_rollout, continue_rollout, lift_quarantine, pause_rollout
from delivery.flows.manual_rollback import return_to
from delivery.flows.steering import Order, steer
from delivery_tests.fakes import Behaviour, Killed, sample_sha
from delivery_tests.flows.journey import Journey

BAD = Behaviour(error_rate=0.5)
DAY = 86400.0


def verified(*names: str) -> Journey:
    """These commits went live one after the other."""
    journey = Journey.start()
    for name in names:
        assert journey.deliver(name).live is not None
    return journey


def at(journey: Journey, weight: int, act: Callable[[], object]) -> None:
    """Do it while the candidate has that share, some seconds into its analysis."""
    clock = journey.world.clock

    def look() -> None:
        rollout = journey.record.rollout
        step = rollout.step.kind if rollout is not None and rollout.step else ""
        if rollout is not None and rollout.weight == weight and step in ("analyze", "bake"):
            act()
        else:
            clock.at(1, look)

    clock.at(1, look)


def stop(journey: Journey, weight: int, patience: float = DAY) -> None:
    """Ada pauses at that share."""
    op = journey.op("person ada")
    at(journey, weight, lambda: pause_rollout(op, "production", "let me look", patience))


def test_a_rollout_is_stopped_where_it_stands() -> None:
    """At 10 % for two hours, then continued: the analysis is served anew, and it gets through."""
    journey = verified("a")
    stop(journey, 10)
    journey.world.clock.at(7200, lambda: continue_rollout(journey.op("person ada"), "production"))
    began = journey.world.clock.now()
    weights: list[int] = []
    journey.world.clock.at(7000, lambda: weights.append(_weight(journey)))
    ended = journey.deliver("b")
    assert weights == [10] and ended.live is not None
    assert (journey.world.clock.now() - began).total_seconds() > 7200
    lines = [line.message for line in ended.rollout.history]
    assert "paused by person ada: let me look" in lines and "paused by" not in ended.rollout.reason


def test_a_stopped_candidate_that_turns_bad_goes_back() -> None:
    """A pause is no blind spot: errors while it is paused take it off within a minute."""
    journey = verified("a")
    stop(journey, 10)
    journey.world.clock.at(3600, lambda: journey.world.behave(sample_sha("b"), BAD))
    ended = journey.deliver("b")
    assert ended.rollout.condemned and ended.restoration is not None and _weight(journey) == 0
    assert (ended.rollout.history[-1].at - ended.rollout.started_at).total_seconds() < 3600 + 120


def test_a_stopped_rollout_never_goes_on_by_itself() -> None:
    """Nobody answers in time: it waits for a look, with its share as it was."""
    journey = verified("a")
    stop(journey, 10, 1800)
    with pytest.raises(RefusedError, match="nobody answered within 1800 s"):
        journey.deliver("b")
    rollout = journey.record.rollout
    assert rollout is not None and rollout.phase is RolloutPhase.PAUSED and _weight(journey) == 10


def test_a_pause_in_the_middle_of_a_shift_stops_after_it() -> None:
    """The share that was ordered is reached, and no further one; a `continue` before that is remembered."""
    for hasty in (False, True):
        journey = verified("a")
        sha = journey.push("b").sha
        journey.world.wire.fail("target.apply", on=2, error=Killed())
        with pytest.raises(Killed):
            journey.deploy(sha)
        pause_rollout(journey.op("person ada"), "production", "let me look")
        if hasty:
            continue_rollout(journey.op("person ada"), "production")
        else:
            op = journey.op("person ada")
            journey.world.clock.at(7200, partial(continue_rollout, op, "production"))
        began = journey.world.clock.now()
        assert journey.deploy(sha).phase is RolloutPhase.SUCCEEDED
        took = (journey.world.clock.now() - began).total_seconds()
        assert (took > 7200) is not hasty


def test_a_stopped_rollout_survives_its_worker() -> None:
    """The pause is in the ledger: the successor waits as well."""
    journey = verified("a")
    stop(journey, 10)
    sha = journey.push("b").sha

    def die() -> None:
        raise Killed("kill -9")

    journey.world.clock.at(1000, die)
    with pytest.raises(Killed):
        journey.deploy(sha)
    journey.world.clock.at(7200, lambda: abort_rollout(journey.op("person ada"), "production", "ugly"))
    ended = journey.deploy(sha)
    assert ended.phase is RolloutPhase.ABORTED and not ended.condemned
    shares = {line.weight for line in ended.history}
    assert shares == {0, 10}


def test_what_cannot_be_stopped_says_why() -> None:
    """Nothing in flight, a rollout on its way back, and a way back."""
    journey = verified("a", "b")
    with pytest.raises(NotFoundError):
        pause_rollout(journey.op(), "production", "x")
    now = journey.world.clock.now()
    record = journey.record
    assert record.rollout is not None
    on = replace(record.rollout, phase=RolloutPhase.PROGRESSING, entered_at=now)
    cases: tuple[tuple[Rollout, str], ...] = (
        (on, "all its steps are passed"),
        (replace(on, kind="restore", index=0), "the way back"),
        (replace(on, phase=RolloutPhase.ABORTING, index=0, reason="bad"), "aborting already: bad"),
    )
    for rollout, why in cases:
        stored = journey.world.ledger.peek("web", "production")
        journey.world.ledger.store(replace(stored.record, rollout=rollout), stored.etag)
        with pytest.raises(RefusedError, match=why):
            pause_rollout(journey.op(), "production", "x")
        assert journey.record.rollout == rollout


def test_a_rollback_is_begun_once_by_whoever_calls_again() -> None:
    """Killed anywhere and run again by Dagster, `rollback` ends what it began and goes back no further."""
    for point in range(1, 26, 3):
        journey = verified("a", "b", "c")
        op = journey.op("person ada (run 1a2b3c4d)")
        journey.world.wire.kill(point, "after ledger.store", "after target.apply")
        try:
            return_to(op, "production", None, "complaints")
        except Killed:
            journey.world.wire.heal()
        journey.world.wire.heal()
        ended = return_to(op, "production", None, "complaints")
        record = journey.record
        assert ended.restored and [r.restored for r in record.restorations] == [True]
        assert record.live is not None and record.live.commit == sample_sha("b"), point


def test_an_abort_without_a_driver_is_carried_out() -> None:
    """The run that drove it is dead and no daemon is there: the order itself returns the traffic."""
    journey = verified("a")
    journey.world.wire.fail("target.observe", on=15, error=Killed())
    with pytest.raises(Killed):
        journey.deploy(journey.push("b").sha)
    done = steer(journey.op("person ada"), "production", Order("abort", "ada", "ugly"))
    assert done.rollout is not None and done.rollout.phase is RolloutPhase.ABORTED and _weight(journey) == 0
    assert journey.world.notifier.kinds()[-1] == "aborted" and journey.record.lock is None


@pytest.mark.parametrize(
    ("weight", "end"), [(0, ": it had no traffic"), (10, ": all its traffic is back with ")]
)
def test_an_abort_says_what_is_true_at_the_time(weight: int, end: str) -> None:
    """First that it was told to give up; that it was given up, when the traffic is back, read back."""
    journey = verified("a")
    said: list[tuple[str, int, bool]] = []

    def abort() -> None:
        rollout = journey.record.in_flight
        if rollout is None or rollout.weight < weight or (weight and not _weight(journey)):
            journey.world.clock.at(0.5, abort)
            return
        op = replace(journey.op("person ada"), progress=note)
        # Nobody else can drive while this hook holds the clock: the order waits for the lock of a dead run.
        steer(op, "production", Order("abort", "ada", "ugly"))
        raise Killed

    def note(line: str) -> None:
        rollout = journey.record.rollout
        ended = rollout is not None and rollout.phase is RolloutPhase.ABORTED
        said.append((line, _weight(journey), ended))

    journey.world.clock.at(0.5, abort)
    with pytest.raises(Killed):
        journey.deploy(journey.push("b").sha)
    first, last = (next(s for s in said if word in s[0]) for word in ("told to give up", "was given up"))
    assert first[0].endswith("by ada: its traffic goes back") and first[1:] == (weight, False)
    assert end in last[0] and last[1:] == (0, True)


def test_a_continued_rollout_is_driven_when_there_is_no_dagster() -> None:
    """`drive`: from where it was paused to all of the traffic; one that fails on the way is an error."""
    for bad in (False, True):
        journey = verified("a")
        sha = journey.push("b").sha
        journey.world.wire.fail("metrics.read", on=1, times=6)
        with pytest.raises(RefusedError):
            journey.deploy(sha)
        journey.world.wire.heal()
        order = Order("continue", "ada", "looked at")
        if bad:
            journey.world.behave(sha, BAD)
            with pytest.raises(DeliveryError, match="did not get through"):
                steer(journey.op("person ada"), "production", order, drive=True)
            assert _weight(journey) == 0
        else:
            done = steer(journey.op("person ada"), "production", order, drive=True)
            assert done.rollout is not None and done.rollout.phase is RolloutPhase.SUCCEEDED


def test_lifting_a_quarantine_is_on_record() -> None:
    """Who, why and what was lifted stay in the ledger."""
    journey = verified("a")
    journey.world.behave(sample_sha("b"), BAD)
    journey.deliver("b")
    (bad,) = journey.record.quarantine
    lift_quarantine(journey.op("person ada"), "production", bad.digest, "the database was down")
    (lifted,) = journey.record.lifted
    assert (lifted.by, lifted.reason, lifted.quarantine) == ("person ada", "the database was down", bad)
    assert journey.record.quarantine == ()


def test_a_pause_replaces_one_of_the_strategy() -> None:
    """A rollout that would go on by itself when nobody answers is stopped for good."""
    journey = verified("a")
    stop(journey, 10)
    seen: list[Pause] = []

    def again() -> None:
        rollout = pause_rollout(journey.op("person bob"), "production", "me too")
        assert isinstance(rollout.step, Pause)
        seen.extend(step for step in rollout.steps if isinstance(step, Pause))
        abort_rollout(journey.op("person bob"), "production", "enough")

    journey.world.clock.at(600, again)
    journey.deploy(journey.push("b").sha)
    assert seen == [Pause(DAY, "stop")]


def _weight(journey: Journey) -> int:
    rollout = journey.record.rollout
    assert rollout is not None
    return journey.target.look().slot(rollout.candidate).weight
