"""A person and a rollout: continue, abort, and the way back to a verified release."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.core import journal
from delivery.core.ledger import LedgerRecord, Outcome, Quarantine, ReleaseRecord
from delivery.core.release import Slot
from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.strategy import Canary, steps_for
from delivery_tests.cli.conftest import Run
from delivery_tests.cli.test_status import store
from delivery_tests.cli.webserver import FakeDagster
from delivery_tests.fakes.samples import sample_contract, sample_pushed, sample_release, sample_sha
from delivery_tests.fakes.target import Behaviour
from delivery_tests.fakes.world import FakeWorld

WHY = ("--reason", "customers complain", "--by", "ada", "--direct")


@pytest.fixture
def record(world: FakeWorld) -> LedgerRecord:
    """Production serves `c`; `a` and `b` were verified before."""
    kept = LedgerRecord("web", "production", contract=sample_contract("web", "production"))
    for name in "abc":
        entry = ReleaseRecord(sample_release(name), Outcome.VERIFIED, world.clock.now())
        kept = journal.record_outcome(kept, entry)
        world.registry.seed(sample_pushed(sample_sha(name)))
    world.at().target.seed(Slot.BLUE, sample_release("c"))
    store(world, kept)
    return kept


def in_flight(world: FakeWorld, record: LedgerRecord, phase: RolloutPhase) -> Rollout:
    """The rollout of `d`, at 10 %."""
    now = world.clock.now()
    rollout = Rollout(
        sample_release("d"), steps_for(Canary()), Slot.GREEN, now, now, index=2, phase=phase, reason="look"
    )
    store(world, journal.put_rollout(record, rollout))
    return rollout


def locked(world: FakeWorld) -> None:
    """`run one` takes the deploy lock, or keeps it."""
    stored = world.ledger.peek("web", "production")
    taken = journal.acquire_lock(stored.record, "run one", world.clock.now(), 60)
    assert taken is not None
    world.ledger.store(taken, stored.etag)


def test_a_paused_rollout_goes_on(run: Run, world: FakeWorld, record: LedgerRecord) -> None:
    """A living run that holds the lock goes on with it: `continue` then changes the ledger alone."""
    paused = in_flight(world, record, RolloutPhase.PAUSED)
    clock = world.clock
    for at in (0, 4, 8):
        clock.at(at, lambda: locked(world))
    clock.advance(1)
    result = run("continue", "web", "production", "--by", "ada", "--direct")
    assert result.exit_code == 0, result.output
    rollout = world.record().rollout
    assert rollout is not None and rollout.phase is RolloutPhase.PROGRESSING and rollout.index == paused.index
    assert f"{paused.release.id} continued by ada" in result.stderr
    assert "run one holds it" in result.stderr and "it goes on with it" in result.stderr
    again = run("continue", "web", "production", "--direct")
    assert again.exit_code == 1 and "it is progressing, not paused" in again.stderr


def test_a_rollout_is_given_up(run: Run, world: FakeWorld, record: LedgerRecord) -> None:
    """`abort` gives the traffic back without a verdict: the release may come again."""
    in_flight(world, record, RolloutPhase.PAUSED)
    assert run("abort", "web", "production", *WHY).exit_code == 0
    rollout = world.record().rollout
    assert rollout is not None and rollout.phase is RolloutPhase.ABORTED and not rollout.condemned
    assert rollout.reason == "customers complain (person ada)"
    assert world.record().lock is None


def test_an_abort_says_first_that_it_was_told_and_then_how_it_ended(
    run: Run, world: FakeWorld, record: LedgerRecord
) -> None:
    """Nobody drives the rollout: this command does, and what it says is true when it says it."""
    in_flight(world, record, RolloutPhase.PROGRESSING)
    result = run("abort", "web", "production", *WHY)
    assert result.exit_code == 0, result.output
    name = f"web/production: {sample_release('d').id}"
    told = result.stderr.index(f"{name} was told to give up by ada: its traffic goes back")
    assert (
        told < result.stderr.index("taking over the rollout") < result.stderr.index(f"{name} was given up by")
    )


def test_an_interrupted_wait_leaves_the_run_alone(
    run: Run, record: LedgerRecord, dagster: FakeDagster
) -> None:
    """Ctrl-C: it says which run goes on, and where to look; nothing else is asked for."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    dagster.up("SUCCESS", "d was told to give up")
    dagster.at_a_look = interrupt
    result = run("abort", "web", "production", "--reason", "x")
    assert result.exit_code == 130 and len(dagster.launched) == 1
    assert "The run 1a2b3c4d goes on: http://127.0.0.1:3000/runs/1a2b3c4d-0000" in result.stderr
    assert "`delivery status web`" in result.stderr


def test_an_interrupted_order_of_this_process_says_who_goes_on(
    run: Run, world: FakeWorld, record: LedgerRecord
) -> None:
    """`--direct`: the ledger has the order, and the lock is left to expire, for the backstop."""
    in_flight(world, record, RolloutPhase.PROGRESSING)
    world.wire.fail("target.observe", error=KeyboardInterrupt())
    result = run("abort", "web", "production", *WHY)
    assert result.exit_code == 130 and "the backstop goes on with" in result.stderr
    rollout = world.record().rollout
    assert rollout is not None and rollout.phase is RolloutPhase.ABORTING and world.record().lock is not None


def test_an_abort_is_not_waited_for_for_ever(run: Run, record: LedgerRecord, dagster: FakeDagster) -> None:
    """The run hangs: after the longest time a way back may take, the command says so and leaves it."""
    dagster.up("SUCCESS")
    dagster.lasts = 10**6
    result = run("abort", "web", "production", "--reason", "x")
    assert result.exit_code == 1 and "it is started after " in result.stderr and "It goes on" in result.stderr


def test_there_is_nothing_in_flight(run: Run, record: LedgerRecord) -> None:
    """Neither continues or aborts what is not there."""
    for command in (
        ("continue", "web", "production", "--direct"),
        ("pause", "web", "production", *WHY),
        ("abort", "web", "production", *WHY),
    ):
        result = run(*command)
        assert result.exit_code == 1 and "has no unfinished rollout" in result.stderr


def test_back_to_the_last_verified(run: Run, world: FakeWorld, record: LedgerRecord) -> None:
    """The last verified release has the traffic, deployments are held, the left one is not condemned."""
    result = run("rollback", "web", "production", *WHY)
    assert result.exit_code == 0, result.output
    after, seen = world.record(), world.at().target.look()
    assert after.live == sample_release("b")
    assert seen.slot(seen.stable).release == sample_release("b").id and seen.slot(seen.stable).weight == 100
    assert after.hold is not None and after.hold.reason == "rolled back by person ada: customers complain"
    left = after.record_of(sample_release("c").id)
    assert left is not None and left.outcome is Outcome.RESTORED_AWAY and after.quarantine == ()
    assert after.lock is None
    assert world.notifier.kinds()[0] == "rollback_started" and world.notifier.kinds()[-1] == "rolled_back"
    assert "delivery unhold web production" in result.stderr


def test_back_to_a_named_one(run: Run, world: FakeWorld, record: LedgerRecord) -> None:
    """`--to` takes a release's id or the beginning of a commit, and only a verified one."""
    wrong = run("rollback", "web", "production", "--to", "ffffffff", *WHY)
    assert wrong.exit_code == 1 and f"are: {sample_release('b').id}, {sample_release('a').id}" in wrong.stderr
    assert world.at().target.effects == []
    assert run("rollback", "web", "production", "--to", sample_sha("a")[:8], *WHY).exit_code == 0
    assert world.record().live == sample_release("a")


def test_a_quarantined_release_is_no_way_back(run: Run, world: FakeWorld, record: LedgerRecord) -> None:
    """What is quarantined is neither chosen nor taken by name."""
    bad = sample_release("b")
    store(
        world,
        journal.impose_quarantine(
            record, Quarantine(bad.image.digest, bad.commit, "500", "x", world.clock.now())
        ),
    )
    assert run("rollback", "web", "production", "--to", bad.id, *WHY).exit_code == 1
    assert run("rollback", "web", "production", *WHY).exit_code == 0
    assert world.record().live == sample_release("a")


def test_nothing_to_return_to(run: Run, world: FakeWorld, record: LedgerRecord) -> None:
    """With one verified release or none there is no way back, and nothing is touched."""
    only = replace(record, releases=record.releases[-1:])
    store(world, only)
    result = run("rollback", "web", "production", *WHY)
    assert result.exit_code == 1 and "are: none" in result.stderr
    store(world, replace(only, live=None, releases=()))
    assert "nothing was ever verified here" in run("rollback", "web", "production", *WHY).stderr
    assert world.at().target.effects == [] and world.record().lock is None


def test_a_rollout_in_flight_is_given_up_first(run: Run, world: FakeWorld, record: LedgerRecord) -> None:
    """A rollout that nobody drives any more is settled before the way back begins."""
    in_flight(world, record, RolloutPhase.PROGRESSING)
    result = run("rollback", "web", "production", *WHY)
    assert result.exit_code == 0, result.output
    assert f"giving up the unfinished rollout of {sample_release('d').id}" in result.stderr
    assert world.record().live == sample_release("b")


def test_a_refusal_leaves_the_rollout_in_flight_alone(
    run: Run, world: FakeWorld, record: LedgerRecord
) -> None:
    """A slip in the release's name costs nothing: the rollout in flight is where it was."""
    rollout = in_flight(world, record, RolloutPhase.PROGRESSING)
    assert run("rollback", "web", "production", "--to", "ffffffff", *WHY).exit_code == 1
    assert world.record().rollout == rollout and world.at().target.applied == []


def test_a_release_that_does_not_come_up(run: Run, world: FakeWorld, record: LedgerRecord) -> None:
    """When no verified release starts, that is an error and a hold, and the live one keeps its traffic."""
    for name in "ab":
        world.behave(sample_sha(name), Behaviour(crash=True))
    result = run("rollback", "web", "production", *WHY)
    assert result.exit_code == 1 and "no verified release could be brought up" in result.stderr
    seen, after = world.at().target.look(), world.record()
    assert seen.slot(seen.stable).release == sample_release("c").id and after.hold is not None


def test_a_rollout_is_stopped(run: Run, world: FakeWorld, record: LedgerRecord) -> None:
    """`pause` writes a pause into the rollout, signed; the run that drives it stops there."""
    in_flight(world, record, RolloutPhase.PROGRESSING)
    result = run("pause", "web", "production", *WHY)
    assert result.exit_code == 0, result.output
    rollout = world.record().rollout
    assert rollout is not None and rollout.reason == "paused by person ada: customers complain"
    assert rollout.phase is RolloutPhase.PROGRESSING and world.notifier.kinds() == ["paused"]


@pytest.mark.parametrize("word", ["rollback", "pause", "abort", "continue"])
def test_without_a_dagster_the_way_around_it_is_named(
    run: Run, world: FakeWorld, record: LedgerRecord, word: str
) -> None:
    """No webserver answers, or no daemon works behind it: nothing is touched, `--direct` is named."""
    result = run(word, "web", "production", "--reason", "x", "--by", "ada")
    assert result.exit_code == 1 and "no Dagster answers at http://127.0.0.1:3000" in result.stderr
    assert "`--direct`" in result.stderr
    assert world.record() == record and world.at().target.applied == []


def test_an_order_is_a_run_that_is_followed(run: Run, record: LedgerRecord, dagster: FakeDagster) -> None:
    """The run is signed, its log is told line by line, and the command ends as the run does."""
    dagster.up("SUCCESS", "web/production: c was rolled back to b by ada", "deployments are held")
    result = run("rollback", "web", "production", "--to", "b", "--reason", "x", "--by", "ada")
    assert result.exit_code == 0, result.output
    (given,) = dagster.launched
    assert given["selector"]["pipelineName"] == "web_production_steer"
    config = given["runConfigData"]["ops"]["steer_web_production"]["config"]
    assert config == {"command": "rollback", "by": "ada", "reason": "x", "to": "b"}
    tags = {tag["key"]: tag["value"] for tag in given["executionMetadata"]["tags"]}
    assert (tags["delivery/by"], tags["delivery/reason"]) == ("ada", "x")
    assert tags["delivery/lock"] == "web/production/rollback"
    assert result.stderr.splitlines()[1:] == [
        "web/production: c was rolled back to b by ada", "deployments are held",
    ]  # fmt: skip


def test_a_run_that_came_to_nothing_is_an_error(run: Run, record: LedgerRecord, dagster: FakeDagster) -> None:
    """Exit code 1, the run's own error and where to look."""
    dagster.up(
        "FAILURE", error="delivery.errors.NotFoundError: web has no unfinished rollout: nothing moves."
    )
    result = run("abort", "web", "production", "--reason", "x")
    assert result.exit_code == 1 and "nothing: web has no unfinished rollout" in result.stderr
    assert "http://127.0.0.1:3000/runs/" in result.stderr


def test_a_dagster_without_a_daemon_starts_nothing(
    run: Run, record: LedgerRecord, dagster: FakeDagster
) -> None:
    """The webserver answers, but what it queues nobody would start."""
    dagster.up("SUCCESS", daemon=False)
    result = run("abort", "web", "production", "--reason", "x")
    assert result.exit_code == 1 and "no Dagster daemon works" in result.stderr
    assert "`--direct`" in result.stderr and dagster.launched == []
