"""What somebody who wanted to see a rollback go wrong did to it, and what has to come of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from delivery.core.journal import acquire_lock
from delivery.core.ledger import Outcome
from delivery.core.release import Slot
from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.strategy import BlueGreen, Canary, CanaryStep, Pause, Rolling, RunTask, Strategy
from delivery.errors import NotFoundError, RefusedError
from delivery.flows.control import abort_rollout, continue_rollout, pause_rollout
from delivery.flows.deploy import deploy
from delivery.flows.drift import drift
from delivery.flows.health import judge
from delivery.flows.manual_rollback import return_to
from delivery.flows.rollback import rollback
from delivery.flows.session import lock
from delivery.flows.watch import unfinished
from delivery_tests.fakes import Behaviour, Killed, sample_environment, sample_sha
from delivery_tests.flows.journey import Journey
from delivery_tests.flows.properties.history import Event, History, Turn
from delivery_tests.flows.test_findings import played, serving

BAD, SLOW = Behaviour(error_rate=0.5), Behaviour(start=10, healthy=20)
SWITCH = BlueGreen(bake=30, preview_for=4)


def verified(*names: str, strategy: Strategy = SWITCH, before: RunTask | None = None) -> Journey:
    """These commits went live one after the other; the last rollback of anything was long ago."""
    journey = Journey.start(replace(sample_environment("production", strategy), before=before))
    for name in names:
        assert journey.deliver(name).live is not None
    return journey


def in_the_bake(journey: Journey, act: Callable[[Rollout], object]) -> None:
    """Do it as soon as the candidate bakes."""

    def look() -> None:
        rollout = journey.record.rollout
        if rollout is not None and rollout.release != journey.record.live and rollout.traffic_at is not None:
            act(rollout)
        else:
            journey.world.clock.at(1, look)

    journey.world.clock.at(1, look)


def killed_in_the_bake(journey: Journey, name: str) -> None:
    """Deploy it, with the worker dead as soon as it bakes."""

    def die(_: Rollout) -> None:
        raise Killed

    in_the_bake(journey, die)
    with pytest.raises(Killed):
        deploy(journey.op(), "production", journey.push(name).sha)


def served(journey: Journey) -> str | None:
    """The commit that has the traffic, with healthy targets."""
    seen = journey.target.look()
    slot = seen.slot(seen.stable)
    known = {entry.release.id: entry.release.commit for entry in journey.record.releases}
    return known.get(slot.release or "") if slot.weight == 100 and slot.healthy else None


@pytest.mark.parametrize("names", [("a",), ("a", "b")])
@pytest.mark.parametrize("strategy", [SWITCH, Rolling(bake=30)])
def test_a_rollback_in_the_bake_takes_off_what_bakes(names: tuple[str, ...], strategy: Strategy) -> None:
    """It gave the new release up and took the good one off as well, or refused to where there was one."""
    journey = verified(*names, strategy=strategy)
    killed_in_the_bake(journey, "z")
    ended = return_to(journey.op("person ada"), "production", None, "z is slow")
    record = journey.record
    assert ended.restored and record.live is not None and served(journey) == sample_sha(names[-1])
    assert record.live.commit == sample_sha(names[-1]) and record.live.id == ended.good
    newest = record.releases[-1]
    assert (newest.release.commit, newest.outcome) == (sample_sha("z"), Outcome.RESTORED_AWAY)
    assert record.quarantine == () and record.hold is not None


def test_a_rollback_before_the_new_release_has_traffic_takes_the_live_one_off() -> None:
    """What people see is the live release: the one in preview is given up, and the one before comes back."""
    journey = verified("a", "b")
    journey.world.wire.fail("target.observe", on=3, error=Killed())
    with pytest.raises(Killed):
        deploy(journey.op(), "production", journey.push("c").sha)
    assert return_to(journey.op("person ada"), "production", None, "b is slow").restored
    assert served(journey) == sample_sha("a")


def test_a_reflex_and_a_person_are_one_rollback() -> None:
    """Whenever the order comes, from the first traffic until after the bad release is gone: one step back."""
    for second in range(5, 40, 2):
        events = (Event(0, "deploy", "c"), Event(second, "return"))
        world = played(History(BlueGreen(bake=10), events, (Turn(12, "c", "errors"),), verified=2))
        moved = [r.bad for r in world.written().restorations if r.restored]
        assert serving(world) == world.release("b").id and moved == [world.release("c").id], second


@pytest.mark.parametrize("begun", [False, True])
def test_an_alarm_and_a_person_are_one_rollback(begun: bool) -> None:
    """Also when the alarm's run died half way; the digest is refused although a person was faster."""
    journey = verified("a", "b", "c")
    journey.world.behave(sample_sha("c"), BAD)
    journey.world.clock.advance(60)
    judge(journey.op(), "production", sample_sha("c"))
    if begun:
        journey.world.wire.fail("target.apply", on=2, error=Killed())
        with pytest.raises(Killed):
            rollback(journey.op(), "production", sample_sha("c"))
    ended = return_to(journey.op("person ada"), "production", None, "c is bad")
    assert rollback(journey.op(), "production", sample_sha("c")) == ended
    record = journey.record
    assert ended.restored and len(record.restorations) == 1 and served(journey) == sample_sha("b")
    assert [q.commit for q in record.quarantine] == [sample_sha("c")] and record.hold is not None


def test_who_wants_to_go_further_back_at_once_says_so() -> None:
    """Just after a rollback a second order is most likely the same one, unless it names where to."""
    journey = verified("a", "b", "c")
    assert return_to(journey.op("person ada"), "production", None, "slow").restored
    effects = len(journey.target.effects)
    for person in ("person ada", "person bob"):
        op = replace(journey.op(person), run_id="")
        with pytest.raises(RefusedError, match=r"came back \d+ s ago by a rollback"):
            return_to(op, "production", None, "slow")
    assert len(journey.target.effects) == effects
    assert return_to(journey.op("person bob"), "production", sample_sha("a")[:8], "slow").restored
    assert served(journey) == sample_sha("a")


@pytest.mark.parametrize("automatic", [False, True])
def test_a_way_back_that_is_given_up_goes_nowhere_else(automatic: bool) -> None:
    """A person aborted a rollback, and it went on to the next older release instead."""
    journey = verified("a", "b", "c")
    journey.world.behave(sample_sha("b"), SLOW)
    if automatic:
        journey.world.behave(sample_sha("c"), BAD)
        journey.world.clock.advance(60)
        judge(journey.op(), "production", sample_sha("c"))
    abort = journey.op("person bob")
    journey.world.clock.at(6, lambda: abort_rollout(abort, "production", "not that one"))
    if automatic:
        ended = rollback(journey.op(), "production", sample_sha("c"))
    else:
        ended = return_to(journey.op("person ada"), "production", None, "complaints")
    assert "not that one (person bob)" in ended.refused and journey.record.hold is None
    assert served(journey) == sample_sha("c")
    journey.world.clock.advance(120)
    assert not [u for u in unfinished(journey.world, [journey.world.service], journey.world.clock.now())
                if u.kind == "rollout"]  # fmt: skip


@pytest.mark.parametrize("by", ["the backstop", "the same run"])
def test_a_persons_rollback_holds_deployments_whoever_ends_it(by: str) -> None:
    """Its run was killed: who finished it forgot the hold, and the next commit brought the bad one back."""
    journey = verified("a", "b")
    journey.world.wire.fail("target.apply", on=2, error=Killed())
    with pytest.raises(Killed):
        return_to(journey.op("person ada (run 1)"), "production", None, "complaints")
    journey.world.clock.advance(100)
    if by == "the backstop":
        (left,) = unfinished(journey.world, [journey.world.service], journey.world.clock.now())
        rollback(journey.op(), "production", left.commit)
    else:
        return_to(journey.op("person ada (run 1)"), "production", None, "complaints")
    hold = journey.record.hold
    assert hold is not None and "complaints" in hold.reason and served(journey) == sample_sha("a")


@pytest.mark.parametrize("then", [BAD, Behaviour(crash=True)])
@pytest.mark.parametrize("slot", ["nothing", "a stranger"])
def test_the_old_slot_is_brought_back_when_somebody_emptied_it(slot: str, then: Behaviour) -> None:
    """Its tasks were scaled away in the bake: the bad release kept the traffic, or nothing served at all."""
    journey = verified("a")
    good = journey.record.live

    def meddle(rollout: Rollout) -> None:
        old: Slot = rollout.candidate.other
        if slot == "nothing":
            journey.target.scale(old, 0)
        else:
            journey.target.run(old, replace(rollout.release, commit="f" * 40), 2)
        journey.world.behave(sample_sha("b"), then)

    in_the_bake(journey, meddle)
    ended = journey.deliver("b")
    assert ended.restoration is not None and ended.restoration.restored
    assert journey.record.live == good and served(journey) == sample_sha("a")


def test_a_pause_during_the_task_before_the_switch_can_be_continued() -> None:
    """The pause came before anything was launched, and the empty slot was taken for somebody's meddling."""
    journey = verified("a", before=RunTask(("migrate",), timeout=30))
    op, clock = journey.op("person ada"), journey.world.clock
    clock.at(3, lambda: pause_rollout(op, "production", "let me look"))
    phases: list[RolloutPhase] = []
    clock.at(600, lambda: phases.extend(r.phase for r in [journey.record.rollout] if r is not None))
    clock.at(601, lambda: continue_rollout(op, "production"))
    assert journey.deliver("b").live is not None and phases == [RolloutPhase.PROGRESSING]


def test_a_service_that_is_gone_is_a_finding_of_drift() -> None:
    """It ended the whole report, and what Terraform had found with it."""
    journey = verified("a")
    journey.world.wire.fail("target.observe", on=1, error=NotFoundError("web-blue", "it does not exist"))
    report = drift(journey.op(), "production")
    assert [f.kind for f in report.findings if not f.ok] == ["ecs"] and len(report.findings) > 1


def test_a_pause_does_not_go_on_by_itself_into_the_dark() -> None:
    """Its time ran out while nothing was measured any more, and the release got all the traffic."""
    pause = CanaryStep(10, pause=Pause(600, "continue"))
    journey = verified("a", strategy=Canary((pause, 100), analyze_for=20, bake=0))
    metrics = journey.world.at("production").metrics

    def dark() -> None:
        metrics.dark = True

    in_the_bake(journey, lambda _: journey.world.clock.at(60, dark))
    with pytest.raises(RefusedError, match="not known to be good"):
        journey.deliver("b")
    rollout = journey.record.rollout
    assert rollout is not None and rollout.phase is RolloutPhase.PAUSED
    assert {line.weight for line in rollout.history} == {0, 10}


@pytest.mark.parametrize(("run", "waited"), [("", 60), ("1a2b3c4d", 0)])
def test_two_terminals_of_one_person_do_not_share_a_lock(run: str, waited: int) -> None:
    """The second took it from the first in the middle of its work; only a run's retry is its earlier self."""
    journey = verified("a")
    stored = journey.world.ledger.peek("web", "production")
    began = journey.world.clock.now()
    taken = acquire_lock(stored.record, "person ada", began, 60)
    assert taken is not None
    journey.world.ledger.store(taken, stored.etag)
    with lock(replace(journey.op("person ada"), run_id=run), "production") as session:
        assert (session.now() - began).total_seconds() == waited
