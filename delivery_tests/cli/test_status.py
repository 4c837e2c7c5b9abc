"""`delivery status`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from delivery.core import journal
from delivery.core.analysis import Accepted
from delivery.core.ledger import Hold, LedgerRecord, Outcome, Quarantine, ReleaseRecord
from delivery.core.release import Slot
from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.strategy import Canary, steps_for
from delivery_tests.cli.conftest import Run
from delivery_tests.fakes.samples import sample_release
from delivery_tests.fakes.world import FakeWorld


def store(world: FakeWorld, record: LedgerRecord) -> None:
    """Write the environment's document."""
    world.ledger.store(record, world.ledger.load(record.service, record.environment).etag)


def test_nothing_yet(run: Run) -> None:
    """A new installation shows every environment, and that nothing was verified in it."""
    result = run("status")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("nothing verified yet") == 2


def test_everything_that_can_be_the_case(run: Run, world: FakeWorld) -> None:
    """Live release, rollout in flight, hold, quarantine and lock are all told."""
    now = world.clock.now()
    good, new = sample_release("good"), sample_release("new")
    record = LedgerRecord("web", "production")
    record = journal.record_outcome(record, ReleaseRecord(good, Outcome.VERIFIED, now))
    rollout = Rollout(new, steps_for(Canary()), Slot.GREEN, now, now, index=2, reason="analysing")
    record = journal.put_rollout(record, rollout)
    record = journal.impose_hold(record, Hold("[red] button", now, "ada"))
    record = journal.impose_quarantine(
        record, Quarantine(new.image.digest, new.commit, "answered 500", "run 1", now)
    )
    locked = journal.acquire_lock(record, "run 1a2b", now, 60)
    assert locked is not None
    store(world, locked)
    text = run("status", "web").stdout
    assert f"{good.id}, verified" in text
    assert f"deploy {new.id} Progressing at 10 %, step 3 of 8, analysis since" in " ".join(text.split())
    assert "held since" in text and "by ada: [red] button" in text  # not taken for markup
    assert f"({new.commit[:8]}): answered 500" in text
    assert "locked by run 1a2b until" in text and "expired" not in text
    world.clock.sleep_until(now + timedelta(seconds=61))
    assert "(expired)" in run("status").stdout
    ended = replace(rollout, phase=RolloutPhase.ABORTED)
    store(world, journal.put_rollout(locked, ended))
    assert f"last rollout: {new.id} Aborted" in run("status").stdout


def test_what_an_answer_would_mean(run: Run, world: FakeWorld) -> None:
    """A rollout that waits for a person: both answers, what each does, and what was accepted before."""
    now, new = world.clock.now(), sample_release("new")
    stands = Rollout(
        new, steps_for(Canary()), Slot.GREEN, now, now, index=2, reason="inconclusive: few samples"
    )
    word = Accepted("person ada", "seen before", now, 1, 0, ("preview",), "one of five")
    unsure = replace(stands, phase=RolloutPhase.PAUSED, undecided=("canary",), accepted=(word,))
    cases = (
        (unsure, "accepts canary"),
        (replace(unsure, undecided=()), "looks again"),
        (replace(unsure, index=len(unsure.steps) - 1), "verified by your word"),
        (replace(unsure, returning=True), "tries again to return its traffic"),
    )
    for rollout, told in cases:
        store(world, journal.put_rollout(LedgerRecord("web", "production"), rollout))
        text = " ".join(run("status", "web").stdout.split())
        assert "`delivery continue`:" in text and told in text, text
        assert "ends it where it stands" in text if rollout.returning else "its traffic goes back" in text
        assert "accepted: preview accepted at 0 % by person ada: seen before" in text
    store(world, journal.put_rollout(LedgerRecord("web", "production"), stands))
    assert "`delivery continue`" not in run("status", "web").stdout
