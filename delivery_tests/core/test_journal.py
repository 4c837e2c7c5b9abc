"""Ledger changes: pure, small, and safe to apply again."""

from __future__ import annotations

from datetime import timedelta

from delivery.core import journal
from delivery.core.analysis import Verdict, VerdictPhase
from delivery.core.comparing import compare
from delivery.core.comparison import Comparison, Measured
from delivery.core.ledger import Hold, LedgerRecord, Outcome, Quarantine, ReleaseRecord, Restoration
from delivery.core.scoring import result_of
from delivery_tests.core.states import NEW, OLD, at
from delivery_tests.fakes import sample_release
from delivery_tests.seeded import at_each_minute

EMPTY = LedgerRecord("web", "production")


def verified(record: LedgerRecord, release, when: float) -> LedgerRecord:  # type: ignore[no-untyped-def]
    return journal.record_outcome(record, ReleaseRecord(release, Outcome.VERIFIED, at(when)))


def test_the_lock_is_for_one() -> None:
    """Held by another until it expires; each acquisition has a higher fence, also by the same holder."""
    one = journal.acquire_lock(EMPTY, "one", at(0), 60)
    assert one is not None and one.lock is not None and one.lock.fence == 1
    assert journal.acquire_lock(one, "two", at(59), 60) is None
    again = journal.acquire_lock(one, "one", at(30), 60)
    assert again is not None and again.fence == 2
    two = journal.acquire_lock(one, "two", at(60), 60)
    assert two is not None and two.lock is not None and two.lock.holder == "two" and two.fence == 2


def test_the_lock_of_a_dead_holder_is_not_waited_for() -> None:
    """Who knows that the holder is gone takes its lock at once, with a higher fence; a third one waits."""
    one = journal.acquire_lock(EMPTY, "one", at(0), 60)
    assert one is not None
    assert journal.acquire_lock(one, "two", at(1), 60, dead="three") is None
    two = journal.acquire_lock(one, "two", at(1), 60, dead="one", url="http://ui.test/runs/two")
    assert two is not None and two.lock is not None and two.lock.fence == 2
    assert journal.acquire_lock(two, "three", at(2), 60, dead="one") is None
    said = two.lock.sentence()
    assert said.startswith("two holds it until ") and said.endswith(" UTC, see http://ui.test/runs/two")


def test_a_late_writer_is_recognised_by_its_fence() -> None:
    """Renewing or releasing with an old fence does nothing to the new holder's lock."""
    one = journal.acquire_lock(EMPTY, "one", at(0), 60)
    assert one is not None
    two = journal.acquire_lock(one, "two", at(61), 60)
    assert two is not None
    assert journal.renew_lock(two, 1, at(62), 60) is None
    assert journal.release_lock(two, 1) == two
    renewed = journal.renew_lock(two, 2, at(62), 60)
    assert renewed is not None and renewed.lock is not None
    assert renewed.lock.expires_at == at(62) + timedelta(seconds=60)
    freed = journal.release_lock(renewed, 2)
    assert freed.lock is None and freed.fence == 2


def test_a_verified_release_supersedes_the_one_before() -> None:
    """`live` moves; the old one stays a rollback's target."""
    record = verified(verified(EMPTY, OLD, 0), NEW, 10)
    assert record.live == NEW
    assert [r.outcome for r in record.releases] == [Outcome.SUPERSEDED, Outcome.VERIFIED]


def test_a_failure_leaves_live_alone() -> None:
    """Failed is recorded; what serves is still what was verified."""
    record = journal.record_outcome(verified(EMPTY, OLD, 0), ReleaseRecord(NEW, Outcome.FAILED, at(5)))
    assert record.live == OLD


def test_quarantine_and_hold_keep_their_first_reason() -> None:
    """Applied again with another reason, nothing changes; a person lifts them."""
    first = Quarantine(NEW.image.digest, NEW.commit, "errors", "run", at(0))
    record = journal.impose_quarantine(EMPTY, first)
    again = journal.impose_quarantine(record, Quarantine(NEW.image.digest, NEW.commit, "other", "x", at(9)))
    assert again == record
    now = record.quarantine[0].at
    lifted = journal.lift_quarantine(record, NEW.image.digest, "ada", "mended", now)
    assert lifted.quarantine == () and lifted.lifted[0].by == "ada" and lifted.lifted[0].reason == "mended"
    assert lifted.lifted[0].quarantine == record.quarantine[0]
    held = journal.impose_hold(record, Hold("flapping", at(0)))
    assert journal.impose_hold(held, Hold("other", at(5))) == held
    assert journal.lift_hold(held).hold is None


def test_a_restoration_is_begun_once_and_ends_once() -> None:
    """Begun twice is once; ended, the good one is live and the bad one failed."""
    record = verified(verified(EMPTY, OLD, 0), NEW, 10)
    begun = Restoration(NEW.id, OLD.id, "errors", at(20))
    record = journal.begin_restoration(journal.begin_restoration(record, begun), begun)
    assert record.restorations == (begun,)
    ended = Restoration(NEW.id, OLD.id, "errors", at(20), at(30))
    record = journal.finish_restoration(record, ended, OLD, Outcome.FAILED)
    assert record.restorations == (ended,) and record.live == OLD
    assert [r.outcome for r in record.releases] == [Outcome.VERIFIED, Outcome.FAILED]


def test_a_refused_restoration_leaves_live_alone() -> None:
    """Nothing was moved, nothing changes but the note of it."""
    record = verified(EMPTY, NEW, 0)
    refused = Restoration(NEW.id, "", "errors", at(20), at(20), refused="nothing to return to")
    after = journal.finish_restoration(record, refused, None, Outcome.FAILED)
    assert after.live == NEW and after.releases == record.releases and not refused.restored


def test_an_outcome_is_marked_as_told() -> None:
    """Only that entry, and again is the same."""
    record = verified(verified(EMPTY, OLD, 0), NEW, 10)
    marked = journal.mark_told(record, record.releases[1])
    assert [r.told for r in marked.releases] == [False, True]
    assert journal.mark_told(marked, record.releases[1]) == marked


def test_the_document_stays_small_and_keeps_a_way_back() -> None:
    """Pruned to its limits; the last verified good release is never pruned away."""
    record = verified(EMPTY, OLD, 0)
    for number in range(journal.KEEP_RELEASES + 20):
        bad = ReleaseRecord(sample_release(f"r{number}"), Outcome.FAILED, at(number))
        record = journal.record_outcome(record, bad)
    assert len(record.releases) == journal.KEEP_RELEASES + 1
    assert record.releases[0].release == OLD and record.live == OLD


def test_an_approval_counts_once_per_person() -> None:
    """The same person's second approval changes nothing."""
    once = journal.approve(EMPTY, NEW.commit, "ada", at(0))
    assert journal.approve(once, NEW.commit, "ada", at(9)) == once


def test_compared_samples_are_kept_of_the_newest_releases_and_of_the_live_one() -> None:
    """Many samples make a large document: the older releases keep their verdicts without them."""
    sides = [Measured(at_each_minute([0.2] * 10)) for _ in range(2)]
    compared = result_of(compare(Comparison("time", "TargetResponseTime", "p90"), "stable", *sides))
    verdict = Verdict(VerdictPhase.SUCCESSFUL, "fine", at(0), (compared,))
    record = LedgerRecord("web", "production")
    for name in ("old", "live"):
        entry = ReleaseRecord(sample_release(name), Outcome.VERIFIED, at(0), verdict=verdict)
        record = journal.record_outcome(record, entry)
    for number in range(journal.KEEP_COMPARED):
        entry = ReleaseRecord(sample_release(f"bad {number}"), Outcome.FAILED, at(number), verdict=verdict)
        record = journal.record_outcome(record, entry)
    with_samples = {
        e.release.id for e in record.releases if e.verdict and e.verdict.results[0].compared is not None
    }
    assert sample_release("old").id not in with_samples
    assert sample_release("live").id in with_samples and len(with_samples) == journal.KEEP_COMPARED + 1
