"""Where to go back to, and when not to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from delivery.core.journal import finish_restoration, impose_quarantine, record_outcome
from delivery.core.ledger import LedgerRecord, Outcome, Quarantine, ReleaseRecord, Restoration
from delivery.core.release import Release
from delivery.core.rollback import RollbackPolicy, choose, goods_before
from delivery_tests.core.states import at
from delivery_tests.fakes import sample_release

A, B, C, D = (sample_release(name) for name in "abcd")


def history(*entries: tuple[Release, Outcome]) -> LedgerRecord:
    """These releases ended so, one a minute."""
    record = LedgerRecord("web", "production")
    for number, (release, outcome) in enumerate(entries):
        record = record_outcome(record, ReleaseRecord(release, outcome, at(60 * number)))
    return record


def restored(
    record: LedgerRecord, bad: Release, good: Release, when: float, reflex: bool = False
) -> LedgerRecord:
    ended = Restoration(bad.id, good.id, "bad", at(when), at(when + 5), reflex=reflex)
    return finish_restoration(record, ended, good, Outcome.FAILED)


def test_the_last_verified_good_one_not_the_one_before() -> None:
    """A ok, B bad, C ok and now bad: back to A."""
    record = history((A, Outcome.VERIFIED), (B, Outcome.FAILED), (C, Outcome.VERIFIED))
    assert choose(record, C, at(200), at(200)).targets == (A,)


def test_a_bad_canary_goes_back_to_what_is_live() -> None:
    """C was never verified: the newest verified one is B, then A."""
    record = history((A, Outcome.VERIFIED), (B, Outcome.VERIFIED))
    assert choose(record, C, at(200), at(200)).targets == (B, A)


def test_quarantined_and_identical_digests_are_no_target() -> None:
    """Neither a refused digest nor the bad one under another name."""
    record = history((A, Outcome.VERIFIED), (B, Outcome.VERIFIED), (C, Outcome.VERIFIED))
    record = impose_quarantine(record, Quarantine(B.image.digest, B.commit, "bad", "x", at(0)))
    twin = Release(C.service, C.commit, C.image, "another template")
    record = record_outcome(record, ReleaseRecord(twin, Outcome.VERIFIED, at(300)))
    assert choose(record, twin, at(400), at(400)).targets == (A,)


def test_nothing_good_is_a_refusal_that_touches_nothing() -> None:
    """A first release, or only failed ones before."""
    assert (
        choose(history((A, Outcome.VERIFIED)), A, at(0), at(0)).refused == "no verified release to return to"
    )
    record = history((A, Outcome.FAILED), (B, Outcome.VERIFIED))
    assert choose(record, B, at(0), at(0)).targets == ()


def test_an_old_failure_is_left_alone() -> None:
    """Beyond its age it is a person's."""
    record = history((A, Outcome.VERIFIED), (B, Outcome.VERIFIED))
    day = timedelta(hours=24)
    assert choose(record, B, at(0), at(0) + day).targets
    assert "older than 24 h" in choose(record, B, at(0), at(1) + day).refused
    hour = RollbackPolicy(max_age=3600)
    assert choose(record, B, at(0), at(3600), policy=hour).targets
    assert "older than 1 h" in choose(record, B, at(0), at(3601), policy=hour).refused


def test_a_rollback_is_never_rolled_back() -> None:
    """What serves because of a rollback is not taken off by the next one; deployments are held."""
    record = history((A, Outcome.VERIFIED), (B, Outcome.VERIFIED), (C, Outcome.VERIFIED))
    record = restored(record, C, B, 300)
    record = record_outcome(record, ReleaseRecord(B, Outcome.FAILED, at(400)))
    choice = choose(record, B, at(400), at(400))
    assert "never rolled back" in choice.refused and choice.hold


def test_a_reflex_is_no_rollback_of_the_live_one() -> None:
    """B stayed live through a bad canary: its own failure is acted on."""
    record = history((A, Outcome.VERIFIED), (B, Outcome.VERIFIED), (C, Outcome.FAILED))
    record = restored(record, C, B, 300, reflex=True)
    assert choose(record, B, at(400), at(400)).targets == (A,)


def test_a_new_deployment_of_the_restored_one_ends_the_rule() -> None:
    """Deployed and verified again after the rollback, it may be rolled back again."""
    record = history((A, Outcome.VERIFIED), (B, Outcome.VERIFIED), (C, Outcome.VERIFIED))
    record = restored(record, C, B, 300)
    record = record_outcome(record, ReleaseRecord(D, Outcome.VERIFIED, at(400)))
    record = record_outcome(record, ReleaseRecord(B, Outcome.VERIFIED, at(500)))
    assert choose(record, B, at(600), at(600)).targets


@pytest.mark.parametrize(
    ("policy", "most"),
    [(RollbackPolicy(), 3), (RollbackPolicy(flapping_count=2), 2), (RollbackPolicy(flapping_span=150), 4)],
)
def test_flapping_ends_in_a_hold(policy: RollbackPolicy, most: int) -> None:
    """The last of several rollbacks within the hour asks for a person; how many and how long is set."""
    record = history((A, Outcome.VERIFIED))
    for number in range(3):
        new = sample_release(f"n{number}")
        record = record_outcome(record, ReleaseRecord(new, Outcome.VERIFIED, at(100 * number + 10)))
        choice = choose(record, new, at(100 * number + 20), at(100 * number + 20), policy=policy)
        assert choice.targets[0] == A and bool(choice.hold) is (number >= most - 1)
        record = restored(record, new, A, 100 * number + 20)
    later = at(0) + timedelta(hours=3)
    newest = sample_release("z")
    record = record_outcome(record, ReleaseRecord(newest, Outcome.VERIFIED, later))
    assert choose(record, newest, later, later, policy=policy).hold == ""


def test_each_target_once_newest_first() -> None:
    """A release that was live twice is offered once."""
    entries = [(A, Outcome.VERIFIED), (B, Outcome.VERIFIED), (A, Outcome.VERIFIED), (C, Outcome.VERIFIED)]
    assert list(goods_before(history(*entries), C)) == [A, B]
