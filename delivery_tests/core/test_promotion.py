"""Promotion: soak, approvals, windows with their timezone and the change of clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from delivery.core.journal import approve, impose_hold, impose_quarantine, record_outcome
from delivery.core.ledger import Hold, LedgerRecord, Outcome, Quarantine, ReleaseRecord
from delivery.core.promotion import Window, may_promote
from delivery.core.service import PromotionSpec
from delivery_tests.core.states import NEW, OLD, at

UPSTREAM = record_outcome(LedgerRecord("web", "staging"), ReleaseRecord(NEW, Outcome.VERIFIED, at(0)))
HERE = LedgerRecord("web", "production")
BERLIN = "Mon-Fri 09:00-16:00 Europe/Berlin"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2026-03-27T08:00", True),  # Friday 09:00 in winter
        ("2026-03-27T07:59", False),
        ("2026-03-27T14:59", True),
        ("2026-03-27T15:00", False),
        ("2026-03-28T10:00", False),  # Saturday
        ("2026-03-30T07:00", True),  # Monday 09:00 in summer, the clocks changed on the 29th
        ("2026-03-30T06:59", False),
        ("2026-10-26T08:00", True),  # Monday 09:00 in winter again
        ("2026-10-26T07:30", False),
    ],
)
def test_a_window_follows_the_clocks_of_its_people(moment: str, inside: bool) -> None:
    """09:00 in Berlin is 08:00 UTC in winter and 07:00 UTC in summer."""
    assert Window.parse(BERLIN).contains(utc(moment)) is inside


def test_the_next_opening_is_right_across_the_change_of_clocks() -> None:
    """From Friday evening to Monday morning the offset changes."""
    window = Window.parse(BERLIN)
    assert window.opens_after(utc("2026-03-27T16:00")) == utc("2026-03-30T07:00")
    assert window.opens_after(utc("2026-10-23T16:00")) == utc("2026-10-26T08:00")


def test_a_window_over_midnight() -> None:
    """22:00-02:00 belongs to the day it begins on."""
    window = Window.parse("Fri 22:00-02:00 UTC")
    assert window.contains(utc("2026-03-27T23:00")) and window.contains(utc("2026-03-28T01:59"))
    assert not window.contains(utc("2026-03-28T02:00")) and not window.contains(utc("2026-03-27T01:00"))


@pytest.mark.parametrize(
    "text",
    [
        "whenever",
        "Mon 25:00-26:00 UTC",
        "Mon 09:00-09:00 UTC",
        "Xyz 09:00-10:00 UTC",
        "Mon 09:00-10:00 Moon/Base",
    ],
)
def test_a_wrong_window_is_refused(text: str) -> None:
    """What cannot be read says what is wrong with it."""
    with pytest.raises(ValueError, match=text.split()[0]):
        Window.parse(text)


def test_soak_counts_from_the_verification() -> None:
    """Not before; with the moment to ask again; then yes."""
    spec = PromotionSpec("staging", soak=600)
    early = may_promote(spec, NEW.commit, UPSTREAM, HERE, at(599))
    assert not early.allowed and early.wake_at == at(600)
    assert may_promote(spec, NEW.commit, UPSTREAM, HERE, at(600)).allowed


def test_approvals_are_of_this_commit_and_of_different_people() -> None:
    """The same person twice is one; another commit's approval is none."""
    spec = PromotionSpec("staging", approvals=2)
    here = approve(approve(HERE, NEW.commit, "ada", at(0)), NEW.commit, "ada", at(1))
    here = approve(here, OLD.commit, "bob", at(2))
    waiting = may_promote(spec, NEW.commit, UPSTREAM, here, at(10))
    assert not waiting.allowed and "1 of 2 approvals: ada" in waiting.reason
    assert may_promote(spec, NEW.commit, UPSTREAM, approve(here, NEW.commit, "bob", at(3)), at(10)).allowed


def test_outside_the_window_it_waits_for_the_opening() -> None:
    """The reason names the opening, `wake_at` is it."""
    spec = PromotionSpec("staging", windows=(BERLIN,))
    night = utc("2026-03-02T20:00")
    answer = may_promote(spec, NEW.commit, UPSTREAM, HERE, night)
    assert not answer.allowed and answer.wake_at == utc("2026-03-03T08:00")


def test_only_what_is_live_and_verified_upstream_goes_on() -> None:
    """Another commit, a failed one and one that was superseded do not."""
    spec = PromotionSpec("staging")
    assert not may_promote(spec, OLD.commit, UPSTREAM, HERE, at(10)).allowed
    failed = record_outcome(UPSTREAM, ReleaseRecord(NEW, Outcome.FAILED, at(5)))
    assert not may_promote(spec, NEW.commit, failed, HERE, at(10)).allowed
    newer = record_outcome(UPSTREAM, ReleaseRecord(OLD, Outcome.VERIFIED, at(5)))
    assert not may_promote(spec, NEW.commit, newer, HERE, at(10)).allowed


def test_hold_and_quarantine_stop_it() -> None:
    """With their reasons."""
    spec = PromotionSpec("staging")
    held = impose_hold(HERE, Hold("freeze", at(0)))
    assert "freeze" in may_promote(spec, NEW.commit, UPSTREAM, held, at(10)).reason
    bad = impose_quarantine(HERE, Quarantine(NEW.image.digest, NEW.commit, "bad", "x", at(0)))
    assert "quarantined" in may_promote(spec, NEW.commit, UPSTREAM, bad, at(10)).reason


def test_gated_is_what_needs_time_or_a_person() -> None:
    """Soak, approvals or windows; nothing else."""
    plain = PromotionSpec("staging")
    assert not plain.gated
    for more in ({"soak": 1.0}, {"approvals": 1}, {"windows": (BERLIN,)}):
        assert replace(plain, **more).gated
    assert at(0) + timedelta(seconds=1) == at(1)
