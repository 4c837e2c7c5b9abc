"""Which release of a commit is meant, and what follows from a moment of an environment."""

from __future__ import annotations

from dataclasses import replace

from delivery.core.drift import of_dns, of_plan, of_slots
from delivery.core.infra import PlanSummary, ResourceChange
from delivery.core.journal import put_rollout, record_outcome
from delivery.core.ledger import LedgerRecord, Outcome, ReleaseRecord, Restoration
from delivery.core.release import Release, Slot
from delivery.core.rollout import RolloutPhase
from delivery.core.standing import failing, handled, subject
from delivery.core.strategy import Canary
from delivery_tests.core.states import FAILED, NEW, OLD, at, canary, seen, slot, started

ROLLOUT = started(Canary())
CONDEMNED = replace(
    ROLLOUT, phase=RolloutPhase.ABORTED, verdict=replace(FAILED, judged_at=at(30)), reason="errors"
)
RECORD = record_outcome(LedgerRecord("web", "production"), ReleaseRecord(OLD, Outcome.VERIFIED, at(0)))


def test_the_one_on_its_way_is_meant_then_the_live_one_then_a_recorded_one() -> None:
    """In this order; a commit the ledger does not know has none."""
    assert subject(put_rollout(RECORD, ROLLOUT), NEW.commit) == NEW
    assert subject(RECORD, OLD.commit) == OLD
    assert subject(RECORD, NEW.commit) is None
    gone = record_outcome(RECORD, ReleaseRecord(NEW, Outcome.FAILED, at(5)))
    assert subject(gone, NEW.commit) == NEW


def test_a_handled_failure_no_longer_hides_the_live_release_of_the_same_commit() -> None:
    """The same commit with another template failed and was taken back: the live one is meant again."""
    twin = Release(OLD.service, OLD.commit, OLD.image, "another template")
    rollout = replace(CONDEMNED, release=twin)
    record = put_rollout(RECORD, rollout)
    assert subject(record, OLD.commit) == twin and not handled(record, rollout)
    ended = Restoration(twin.id, OLD.id, "errors", at(30), at(32), reflex=True)
    record = replace(record, restorations=(ended,))
    assert handled(record, rollout) and subject(record, OLD.commit) == OLD


def test_failing_is_a_condemned_rollout_or_a_recorded_failure() -> None:
    """With its cause, and whether it was live then."""
    bad = failing(put_rollout(RECORD, CONDEMNED), NEW)
    assert bad is not None and bad.reason == "errors" and not bad.late
    late = failing(record_outcome(RECORD, ReleaseRecord(OLD, Outcome.FAILED, at(9), "slow")), OLD)
    assert late is not None and late.late and late.reason == "slow"
    assert failing(RECORD, OLD) is None
    given_up = replace(ROLLOUT, phase=RolloutPhase.ABORTED)
    assert failing(put_rollout(RECORD, given_up), NEW) is None


def test_an_old_failure_does_not_speak_of_a_later_attempt() -> None:
    """Lifted from quarantine and deployed again, the release is judged afresh."""
    record = record_outcome(RECORD, ReleaseRecord(NEW, Outcome.FAILED, at(0), "errors"))
    again = replace(ROLLOUT, started_at=at(100), phase=RolloutPhase.SUCCEEDED)
    assert failing(put_rollout(record, again), NEW) is None


def test_drift_of_slots() -> None:
    """Release, health and weights against the ledger; nothing to say while a rollout moves them."""
    assert [f.ok for f in of_slots(RECORD, seen())] == [True, True]
    assert [f.ok for f in of_slots(RECORD, canary(10))] == [True, False]
    foreign = seen(slot(Slot.BLUE, NEW, 100))
    assert [f.ok for f in of_slots(RECORD, foreign)] == [False, True]
    assert [f.ok for f in of_slots(put_rollout(RECORD, ROLLOUT), canary(10))] == [True, True]


def test_drift_of_names_and_plans() -> None:
    """Names compare as DNS does; a plan that wants anything is drift, what it only reads back is told."""
    assert of_dns("lb.example.com", "dualstack.LB.example.com.").ok
    assert not of_dns("lb.example.com", None).ok
    plan = PlanSummary("id", "stack", at(0))
    assert of_plan(plan).ok
    assert not of_plan(replace(plan, changes=(ResourceChange("a.b", "update"),))).ok
    read_back = of_plan(replace(plan, drift=(ResourceChange("a.b", "update", ("size",)),)))
    assert read_back.ok and read_back.actual.startswith("No changes (1 read back otherwise")
