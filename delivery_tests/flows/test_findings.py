"""What the property tests found, each as its smallest history, with what should have come of it."""

from __future__ import annotations

from delivery.core.ledger import Outcome
from delivery.core.rollout import RolloutPhase
from delivery.core.strategy import BlueGreen, Canary, Rolling
from delivery.core.target import Launch
from delivery_tests.flows.properties.history import Event, Fault, History, Turn
from delivery_tests.flows.properties.stage import Play, play
from delivery_tests.flows.properties.world import HistoryWorld

SWITCH, STEPS = BlueGreen(bake=4), Canary((10, 50, 100), analyze_for=4, bake=4)
ROLLING = Rolling(bake=4)
DEPLOY = Event(0, "deploy", "b")


def played(history: History) -> HistoryWorld:
    """The world at the end of a history that breaks no promise."""
    one = Play(history)
    broken = one.to_the_end()
    assert not broken, "\n".join([*broken, *one.world.said])
    return one.world


def serving(world: HistoryWorld) -> str | None:
    """What has the traffic."""
    seen = world.watched.look()
    return seen.slot(seen.stable).release


def test_an_aborted_rolling_update_puts_the_release_before_it_back() -> None:
    """Giving a rolling rollout up said that its traffic goes back, and left the new release serving."""
    world = played(History(ROLLING, (DEPLOY, Event(3, "abort"))))
    assert serving(world) == world.release("a").id


def test_an_aborted_rolling_update_of_a_sick_release_waits_until_the_old_one_serves() -> None:
    """The release before is put back as ECS does it, and judged by nobody while that is going on."""
    world = played(
        History(
            ROLLING, (DEPLOY, Event(12, "abort"), Event(13, "judge")), (Turn(0, "b", "sick"),), queue=False
        )
    )
    assert serving(world) == world.release("a").id
    assert world.written().quarantine == ()


def test_an_abort_comes_too_late_when_the_old_slot_is_drained() -> None:
    """Paused at its very last look, a rollout could be neither aborted nor left: it has succeeded."""
    faults = (Fault("target.apply", 3, "lose"),)
    world = played(History(SWITCH, (DEPLOY,), faults=faults, budget=0, rescue=True))
    assert any("too late to give up" in line for line in world.said)


def test_a_person_can_always_get_out() -> None:
    """Both slots sick, the traffic cannot be returned: an abort ends it there, and a good commit gets in."""
    turns = (Turn(5, "a", "sick"), Turn(5, "b", "errors"))
    world = played(History(STEPS, (DEPLOY,), turns, rescue=True))
    assert sum("event: abort" in line for line in world.said) == 1
    assert serving(world) == world.release("z").id


def test_the_last_healthy_slot_is_not_drained() -> None:
    """The old release crashes just when the new one gave its traffic back: what still answers stays."""
    turns = (Turn(0, "b", "errors"), Turn(6.25, "a", "crashes"))
    world = played(History(BlueGreen(bake=0), (DEPLOY,), turns))
    assert world.watched.look().green.healthy == 2


def test_a_release_with_all_the_traffic_is_judged_before_the_next_one_begins() -> None:
    """Its run was killed before `health`; the next commit's run does what is missing, then goes on."""
    faults = (Fault("artifacts.save", 1, "kill"),)
    world = played(History(SWITCH, (DEPLOY, Event(20, "deploy", "c")), faults=faults, backstop=False))
    assert [r.outcome for r in world.written().releases][-2:] == [Outcome.SUPERSEDED, Outcome.VERIFIED]


def test_a_release_that_is_found_bad_before_the_next_one_begins_is_taken_off() -> None:
    """The same when it turned bad meanwhile: rolled back and in quarantine first."""
    faults, turns = (Fault("artifacts.save", 1, "kill"),), (Turn(15, "b", "sick"),)
    world = played(History(SWITCH, (DEPLOY, Event(20, "deploy", "c")), turns, faults, backstop=False))
    record = world.written()
    assert [q.commit for q in record.quarantine] == [world.release("b").commit]
    assert record.live == world.release("c") and [r.restored for r in record.restorations] == [True]


def test_what_was_never_verified_is_nothing_to_return_to() -> None:
    """The traffic is back with a release that failed itself: that is no restoration, and says so."""
    turns = (Turn(0, "a", "errors"), Turn(0, "b", "crashes"))
    world = played(History(SWITCH, (Event(0, "deploy", "a"), Event(30, "deploy", "b")), turns, verified=0))
    assert "never verified" in world.written().restorations[-1].refused


def test_a_refused_rollback_is_not_tried_again_for_ever() -> None:
    """A first release fails after its rollout succeeded: refused and told once, not a red run every hour."""
    faults, turns = (Fault("artifacts.save", 1, "kill"),), (Turn(15, "a", "sick"),)
    world = played(History(SWITCH, (Event(0, "deploy", "a"),), turns, faults, verified=0))
    assert [r.refused for r in world.written().restorations] == ["no verified release to return to"]


def test_a_failure_is_told_although_another_release_came_after_it() -> None:
    """Killed before people heard of `b`; `c` went live meanwhile: they hear of both."""
    faults, turns = (Fault("notifier.send", 3, "kill"),), (Turn(0, "b", "errors"),)
    world = played(History(SWITCH, (DEPLOY, Event(20, "deploy", "c")), turns, faults))
    assert world.notifier.kinds().count("incident") == 1


def test_a_failure_is_told_although_the_release_got_well_again() -> None:
    """Its rollback was refused, the run killed before people heard of it, and by now it is healthy."""
    events = (Event(0, "sour"), Event(70, "judge"))
    turns = (Turn(60, "a", "errors"), Turn(80, "a", "good"))
    faults = (Fault("notifier.send", 5, "kill"),)
    world = played(History(SWITCH, events, turns, faults, verified=2, backstop=False))
    assert world.notifier.kinds().count("incident") == 2


def test_a_verified_release_is_told_although_its_health_is_unclear_by_now() -> None:
    """Killed between record and notice; asked again its health is inconclusive: what was verified is told."""
    faults, turns = (Fault("notifier.send", 1, "kill"),), (Turn(30, "b", "one bad preview"),)
    world = played(History(SWITCH, (DEPLOY,), turns, faults, backstop=False))
    assert world.notifier.kinds().count("live") == 1


def test_nothing_is_done_when_the_ledger_answered_late() -> None:
    """The write that renewed the lock took longer than the lock lasts: another deployer may act by now."""
    for number in range(3, 12):
        faults = (Fault("ledger.store", number, "late", seconds=200),)
        assert play(History(SWITCH, (DEPLOY, Event(3, "deploy", "c")), faults=faults, queue=False)) == []


def test_a_look_that_took_long_condemns_nobody() -> None:
    """The slot was seen before its tasks were up; that the answer came a minute later is not its fault."""
    for number in range(2, 8):
        faults = (Fault("target.observe", number, "late", seconds=70),)
        assert play(History(SWITCH, (DEPLOY,), (Turn(0, "b", "slow"),), faults)) == []


def test_what_ecs_put_back_does_not_answer_for_what_failed() -> None:
    """The live release, judged just after ECS went back to it, was called failed for the other's crash."""
    world = played(History(ROLLING, (DEPLOY, Event(15, "judge")), (Turn(0, "b", "crashes"),)))
    assert [q.commit for q in world.written().quarantine] == [world.release("b").commit]


def test_a_lifted_quarantine_stays_lifted() -> None:
    """Deploying the release again put it back into quarantine as it began."""
    events = (DEPLOY, Event(30, "lift", "b"), Event(40, "deploy", "b"))
    world = played(History(SWITCH, events, (Turn(0, "b", "errors"), Turn(35, "b", "good"))))
    assert world.written().live == world.release("b") and world.written().quarantine == ()


def test_the_second_failure_of_a_release_is_a_failure_of_its_own() -> None:
    """Released from quarantine and bad again: on record, refused and told a second time."""
    events = (DEPLOY, Event(30, "lift", "b"), Event(40, "deploy", "b"))
    world = played(History(SWITCH, events, (Turn(0, "b", "errors"),)))
    record = world.written()
    assert [r.outcome for r in record.releases[-2:]] == [Outcome.FAILED, Outcome.FAILED]
    assert len(record.quarantine) == 1 and world.notifier.kinds().count("incident") == 2


def test_a_way_back_of_ecs_that_no_look_saw_is_our_red_all_the_same() -> None:
    """The circuit breaker put the old revision back between two looks: condemned, not launched once more."""
    world = played(History(ROLLING, (DEPLOY,), (Turn(0, "b", "crashes"),), rollback_shows=1))
    launched = [a for _, a in world.watched.effects if isinstance(a, Launch)]
    assert len(launched) == 1
    rollout = world.written().rollout
    assert rollout is not None and rollout.condemned and rollout.phase is RolloutPhase.ABORTED


def test_a_rollback_whose_end_was_not_written_down_is_ended_before_anything_begins() -> None:
    """Restored, but killed before that was recorded: the next commit began under an open rollback."""
    for number in range(8, 20):
        faults = (Fault("ledger.store", number, "kill"), Fault("target.apply", 7, "refuse"))
        turns = (Turn(0, "b", "few errors"),)
        events = (DEPLOY, Event(56, "deploy", "c"))
        assert play(History(ROLLING, events, turns, faults, budget=0, rescue=True)) == []


def test_tasks_that_autoscaling_adds_have_time_to_start() -> None:
    """A scale-out when the launch had waited for long condemned the release within a second."""
    events = (DEPLOY, Event(25, "scale", number=1))
    turns = (Turn(0, "b", "slow"), Turn(10, "b", "one bad preview"))
    world = played(History(SWITCH, events, turns))
    assert world.written().quarantine == ()


def test_a_bad_release_that_was_scaled_to_nothing_is_taken_off() -> None:
    """Somebody drained the slot that has all the traffic: the last verified release is brought back."""
    faults = (Fault("artifacts.save", 1, "kill"),)
    world = played(History(ROLLING, (DEPLOY, Event(30, "drain", number=0)), faults=faults))
    assert serving(world) == world.release("a").id


def test_an_abort_takes_back_a_shift_that_was_on_its_way() -> None:
    """The order to shift took long, the abort came meanwhile, and a first look still showed no traffic."""
    world = played(
        History(
            BlueGreen(bake=0),
            (DEPLOY, Event(0, "deploy", "c"), Event(7, "abort")),
            (Turn(0, "b", "bad preview"),),
            (Fault("target.apply", 4, "stall", 1, 15), Fault("target.apply", 4, "stall", 1, 5)),
            strict=False, budget=0, propagation=3, queue=False, backstop=False,
        )
    )  # fmt: skip
    assert serving(world) == world.release("a").id


def test_what_somebody_takes_away_at_the_console_is_on_record() -> None:
    """A rollout had succeeded unjudged and its traffic was moved by hand: it is not forgotten either."""
    world = played(
        History(
            Canary((1, 100), analyze_for=0, bake=0),
            (Event(0, "deploy", "c"), Event(11, "sour", "c"), Event(21, "weight", "c", 1)),
            faults=(Fault("ledger.store", 1, "race"), Fault("ledger.store", 1, "race"),
                    Fault("ledger.store", 14, "lose")),
            verified=2, budget=0, strict=False, queue=False, backstop=False,
        )
    )  # fmt: skip
    entry = world.written().record_of(world.release("c").id)
    assert entry is not None and entry.outcome is not Outcome.VERIFIED


def test_an_order_to_roll_back_is_done_when_that_release_is_gone() -> None:
    """What the person saw was rolled back while the ledger was slow, and what came in its place as well: the
    order rolled the first one back once more, on record and in people's mail."""
    world = played(
        History(
            BlueGreen(bake=0),
            (Event(0, "deploy", "c"), Event(2, "return"), Event(12, "late alarm")),
            (Turn(0, "c", "hangs"),),
            (Fault("ledger.load", 6, "late", seconds=200),),
            verified=2,
        )
    )
    assert [r.bad for r in world.written().restorations] == [world.release(n).id for n in ("c", "b")]
    assert world.written().hold is not None


def test_what_was_not_tried_is_not_waited_for() -> None:
    """The ledger took longer over the order than the patience for it lasts: it was given up without a try."""
    late = (Fault("ledger.store", 5, "late", seconds=200),)
    turns = (Turn(0, "b", "hanging task"),)
    world = played(History(SWITCH, (DEPLOY,), turns, late, task=True, rescue=True))
    assert [run.ended is not None for run in world.watched.one_offs.runs] == [True, False]
    assert serving(world) == world.release("z").id


def test_a_bad_release_does_not_keep_its_traffic_because_the_ledger_was_late() -> None:
    """The same when it was traffic that had to go back."""
    for number in range(4, 14):
        late = (Fault("ledger.store", number, "late", seconds=200),)
        world = played(History(SWITCH, (DEPLOY,), (Turn(6, "b", "errors"),), late))
        rollout = world.written().rollout
        assert rollout is not None and rollout.phase is not RolloutPhase.PAUSED
        assert serving(world) == world.release("a").id


def test_what_is_put_back_has_to_serve_before_the_rolling_update_counts_as_given_up() -> None:
    """The update was never seen running by who gave it up: the first look at the old release, which does not
    start any more, was taken for its return, and ECS quietly brought the new one back."""
    events = (Event(0, "deploy", "c"), Event(0, "return"))
    turns, faults = (Turn(1, "b", "crashes"),), (Fault("target.apply", 1, "die", 2),)
    world = played(History(Rolling(bake=0), events, turns, faults, verified=2))
    rollout = world.written().rollout
    assert rollout is not None and rollout.phase is RolloutPhase.PAUSED
    assert "could not put" in rollout.reason


def test_what_an_update_in_place_measured_is_not_held_against_the_release_that_is_back() -> None:
    """What is live was judged after the update to the slow `c` in its slot, which a person gave up."""
    events = (Event(0, "deploy", "c"), Event(0, "judge", "b"), Event(6, "return", "b"))
    one = History(Rolling(bake=0), events, (Turn(0, "c", "hangs"),), (), verified=1, task=True)
    world = played(one)
    assert world.written().quarantine == ()
    live = world.written().live
    assert live is not None and live.id == world.release("a").id
