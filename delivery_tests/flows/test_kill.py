"""Killed anywhere, it ends in the same place: around every ledger write, around every action.

Each case runs its story once without a kill, then once for every point, the worker killed there and a
successor doing what the backstop would have it do. The end must be the same, with one effect per action.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from delivery.core.idling import LONGEST_LOCK
from delivery.core.ledger import Outcome
from delivery.core.release import Slot
from delivery.core.rollout import RolloutPhase
from delivery.core.service import EnvironmentSpec
from delivery.core.strategy import BlueGreen, Canary, CanaryStep, Linear, Pause, Rolling, RunTask
from delivery.core.target import Action, RunOnce
from delivery.errors import RefusedError
from delivery.flows.deploy import deploy
from delivery.flows.manual_rollback import return_to
from delivery.flows.watch import unfinished
from delivery_tests.fakes import Behaviour, Killed, sample_environment, sample_sha
from delivery_tests.flows.journey import Journey

POINTS = ("before ledger.store", "after ledger.store", "before target.apply", "after target.apply")
BAD = Behaviour(error_rate=0.5)


@dataclass(frozen=True)
class End:
    """What has to be the same, whatever was killed when."""

    live: str
    outcome: Outcome | None
    quarantined: bool
    restored: bool
    serving: str | None
    weight: int
    other_desired: int
    effects: tuple[Action, ...]
    told: frozenset[str]


@dataclass(frozen=True)
class Case:
    """`before` is not killed; `act` is what the run of the commit `b` does."""

    environment: EnvironmentSpec
    before: Callable[[Journey], None]
    act: Callable[[Journey], None]


def start(case: Case) -> Journey:
    journey = Journey.start(case.environment)
    case.before(journey)
    return journey


def deliver_b(journey: Journey) -> None:
    """What a run does for the commit `b`."""
    sha, op = sample_sha("b"), journey.op()
    journey.finish(sha, deploy(op, journey.environment, sha), op)


def rejudge_b(journey: Journey) -> None:
    """What the run of an alarm does."""
    journey.rejudge(sample_sha("b"))


def good(journey: Journey) -> None:
    journey.deliver("a")
    journey.push("b")


def bad(journey: Journey) -> None:
    good(journey)
    journey.world.behave(sample_sha("b"), BAD)


def crashing(journey: Journey) -> None:
    good(journey)
    journey.world.behave(sample_sha("b"), Behaviour(crash=True))


def late(journey: Journey) -> None:
    journey.deliver("a")
    journey.deliver("b")
    journey.world.behave(sample_sha("b"), BAD)
    journey.world.clock.advance(120)


def failing_task(journey: Journey) -> None:
    good(journey)
    journey.world.behave(sample_sha("b"), Behaviour(task="fails"))


BEFORE = RunTask(("python", "-m", "migrate"), timeout=20)
TASK = replace(sample_environment("production", Canary((10, 100), analyze_for=10, bake=10)), before=BEFORE)


def late_and_gone(journey: Journey) -> None:
    """The image of the release before is gone."""
    for name in "zab":
        journey.deliver(name)
    journey.world.registry.remove(journey.record.releases[1].release.image)
    journey.world.behave(sample_sha("b"), BAD)
    journey.world.clock.advance(120)


CANARY = sample_environment("production", Canary((10, 100), analyze_for=10, bake=10))
LINEAR = sample_environment("production", Linear(50, interval=10, bake=10))
ASKING = sample_environment("production", Canary((CanaryStep(10, 10, Pause(10, "continue")), 100), bake=10))
CASES = {
    "canary that passes": Case(CANARY, good, deliver_b),
    "canary that fails": Case(CANARY, bad, deliver_b),
    "canary that crashes": Case(CANARY, crashing, deliver_b),
    "blue/green that passes": Case(sample_environment("production", BlueGreen(bake=10)), good, deliver_b),
    "blue/green that fails": Case(sample_environment("production", BlueGreen(bake=30)), bad, deliver_b),
    "linear that passes": Case(LINEAR, good, deliver_b),
    "linear that fails": Case(LINEAR, bad, deliver_b),
    "canary that asks": Case(ASKING, good, deliver_b),
    "late failure, the first target gone": Case(CANARY, late_and_gone, rejudge_b),
    "rolling that passes": Case(sample_environment("production", Rolling(bake=10)), good, deliver_b),
    "rolling that fails": Case(sample_environment("production", Rolling(bake=30)), bad, deliver_b),
    "late failure": Case(CANARY, late, rejudge_b),
    "task that passes": Case(TASK, good, deliver_b),
    "task that fails": Case(TASK, failing_task, deliver_b),
    "task that fails, rolling": Case(
        replace(sample_environment("production", Rolling(bake=10)), before=BEFORE), failing_task, deliver_b
    ),
}


def end_of(journey: Journey, effects: int, told: int) -> End:
    record, seen = journey.record, journey.target.look()
    entry = next((r for r in reversed(record.releases) if r.release.commit == sample_sha("b")), None)
    stable = seen.slot(seen.stable)
    assert record.live is not None
    return End(
        record.live.commit,
        entry.outcome if entry else None,
        any(q.commit == sample_sha("b") for q in record.quarantine),
        any(r.restored for r in record.restorations),
        stable.release,
        stable.weight,
        seen.slot(seen.stable.other).desired,
        tuple(_plain(action) for _, action in journey.target.effects[effects:]),
        frozenset(journey.world.notifier.kinds()[told:]) & {"live", "incident"},  # at least once each
    )


def _plain(action: Action) -> Action:
    """The action without its token, which has the second in it at which its rollout began."""
    return replace(action, token="") if isinstance(action, RunOnce) else action


def succeed(journey: Journey) -> None:
    """What the backstop's runs do until it finds nothing unfinished."""
    world = journey.world
    for _ in range(5):
        world.clock.advance(LONGEST_LOCK + 20)
        left = unfinished(world, [world.service], world.clock.now())
        if not left:
            return
        one = left[0]
        if one.kind == "rollout":
            op = journey.op()
            journey.finish(one.commit, deploy(op, journey.environment, one.commit), op)
        else:
            journey.rejudge(one.commit)
    raise AssertionError(f"still unfinished: {left}")


def watch(journey: Journey, broken: list[str]) -> None:
    """Between any two actions: no production weight on a slot without a healthy target."""
    target = journey.target
    apply = target.apply

    def watched(action: Action) -> None:
        apply(action)
        seen = target.look()
        for slot in (Slot.BLUE, Slot.GREEN):
            state = seen.slot(slot)
            if state.weight > 0 and state.healthy == 0 and seen.slot(slot.other).healthy > 0:
                broken.append(f"{state.weight} % on {slot} without a healthy target after {action}")

    target.apply = watched  # type: ignore[method-assign]


@pytest.mark.parametrize("name", CASES)
def test_killed_anywhere_it_ends_in_the_same_place(name: str) -> None:
    """The same end and the same effects, each once, for a kill at every point of the run."""
    case = CASES[name]
    whole = start(case)
    effects, told = len(whole.target.effects), len(whole.world.notifier.sent)
    whole.world.wire.kill(0, *POINTS)
    case.act(whole)
    points, expected = whole.world.wire.points, end_of(whole, effects, told)
    assert points > 10
    for point in range(1, points + 1):
        journey = start(case)
        broken: list[str] = []
        watch(journey, broken)
        journey.world.wire.kill(point, *POINTS)
        with pytest.raises(Killed) as killed:
            case.act(journey)
        journey.world.wire.heal()
        if journey.record.rollout is None or not started(journey, case):
            case.act(journey)  # nothing was written yet: Dagster's own retry, or the next commit
        succeed(journey)
        assert end_of(journey, effects, told) == expected, f"killed {killed.value}, {point} of {points}"
        assert broken == []


def started(journey: Journey, case: Case) -> bool:
    """Whether the ledger knows of what the killed run was about."""
    record = journey.record
    rollout = record.rollout
    if case.act is rejudge_b:
        entry = record.record_of(rollout.release.id) if rollout else None
        return bool(record.restorations) or (entry is not None and entry.outcome is Outcome.FAILED)
    return rollout is not None and (rollout.release.commit == sample_sha("b") or rollout.kind == "restore")


def test_killed_twice_it_still_ends_well() -> None:
    """The successor is killed as well, at every point of its own way."""
    case = CASES["canary that fails"]
    for point in range(1, 60, 4):
        journey = start(case)
        journey.world.wire.kill(17, *POINTS)
        with pytest.raises(Killed):
            case.act(journey)
        journey.world.wire.kill(point, *POINTS)
        try:
            case.act(journey)
        except Killed:
            journey.world.wire.heal()
            succeed(journey)
        journey.world.wire.heal()
        record = journey.record
        assert record.live is not None and record.live.commit == sample_sha("a")
        assert record.quarantine and all(r.restored for r in record.restorations)
        assert len(record.restorations) == 1


def test_a_persons_rollback_is_finished_whatever_happens() -> None:
    """`delivery rollback` killed anywhere: the backstop finishes it; the release is not condemned by it."""
    for point in range(1, 40):
        journey = start(CASES["late failure"])
        journey.world.behave(sample_sha("b"), Behaviour())
        journey.world.wire.kill(point, *POINTS)
        try:
            return_to(journey.op("person ada"), "production", None, "customers complain")
        except Killed:
            journey.world.wire.heal()
            if not journey.record.restorations:
                continue  # nothing was begun
            succeed(journey)
        journey.world.wire.heal()
        record, seen = journey.record, journey.target.look()
        assert record.live is not None and record.live.commit == sample_sha("a"), point
        assert seen.slot(seen.stable).release == record.live.id and seen.slot(seen.stable).weight == 100
        assert record.quarantine == () and [r.restored for r in record.restorations] == [True]


def test_a_lost_response_of_any_ledger_write_is_survived() -> None:
    """The write is there, the answer is not: the worker finds its own write and goes on, nothing twice."""
    case = CASES["canary that fails"]
    whole = start(case)
    effects, told = len(whole.target.effects), len(whole.world.notifier.sent)
    before = whole.world.wire.counts["ledger.store"]
    case.act(whole)
    writes, expected = whole.world.wire.counts["ledger.store"] - before, end_of(whole, effects, told)
    for number in range(1, writes + 1):
        journey = start(case)
        journey.world.wire.fail("ledger.store", on=number, after=True)
        case.act(journey)
        assert end_of(journey, effects, told) == expected, f"write {number} of {writes}"
        releases = [(r.release.id, r.outcome) for r in journey.record.releases]
        assert len(releases) == len(set(releases)) and len(journey.record.restorations) == 1


def test_a_paused_rollout_is_nobodys_to_drive_but_a_persons() -> None:
    """A pause survives the worker: the next run is told to look, and touches nothing."""
    journey = start(CASES["canary that passes"])
    journey.world.wire.fail("metrics.read", on=2, times=100)
    with pytest.raises(RefusedError):
        deliver_b(journey)
    journey.world.wire.heal()
    effects = len(journey.target.effects)
    journey.world.clock.advance(600)
    assert unfinished(journey.world, [journey.world.service], journey.world.clock.now()) == ()
    with pytest.raises(RefusedError, match="paused"):
        deliver_b(journey)
    assert len(journey.target.effects) == effects
    rollout = journey.record.rollout
    assert rollout is not None and rollout.phase is RolloutPhase.PAUSED
