"""Numbers nobody thought of: not a number, infinity, weights that do not add up, a hundred failures."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from delivery.core.analysis import Rule, RuleResult, Sample, Series, VerdictPhase
from delivery.core.comparison import Compared, Comparison, Label, Measured, Score
from delivery.core.journal import KEEP_RELEASES, prune
from delivery.core.judging import judge_again, judge_rule
from delivery.core.ledger import LedgerRecord, Outcome, ReleaseRecord
from delivery.core.scoring import result_of, score_of
from delivery_tests.fakes import EPOCH, sample_release

ERRORS = Rule("errors", "HTTPCode_Target_5XX_Count", "Sum", ">", 10, per=10, duration=10, no_data="zero")
START = EPOCH - timedelta(seconds=60)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_no_zero(value: float) -> None:
    """A datapoint was there: requests that were counted do not make "no errors" of it, now or in a replay."""
    at = EPOCH - timedelta(seconds=40)
    series = Series("errors", (Sample(at, value),), 100.0, witness=(Sample(at, 100.0),))
    result = judge_rule(ERRORS, series, START, EPOCH)
    assert result.phase is VerdictPhase.INCONCLUSIVE
    assert judge_again(result, ERRORS).phase is result.phase


@pytest.mark.parametrize(
    ("value", "phase"),
    [(1e308, VerdictPhase.FAILED), (-1e308, VerdictPhase.SUCCESSFUL), (5e-324, VerdictPhase.SUCCESSFUL)],
)
def test_huge_and_tiny_numbers_are_numbers(value: float, phase: VerdictPhase) -> None:
    """They are compared like any other."""
    series = Series("errors", (Sample(EPOCH - timedelta(seconds=40), value),))
    assert judge_rule(ERRORS, series, START, EPOCH).phase is phase


def test_all_that_passed_is_a_hundred() -> None:
    """Of weights whose sum is no round number: a score of 100 was missed by a rounding error."""
    for hundredth in range(1, 400):
        weights = (hundredth / 100, hundredth / 300, 0.1)
        passed = [_passed(f"m{i}", weight) for i, weight in enumerate(weights)]
        for some in (passed, passed[:1]):
            assert score_of(some, Score(100, 100)).phase is VerdictPhase.SUCCESSFUL, weights


def test_the_live_release_is_not_forgotten_behind_a_hundred_failures() -> None:
    """It may be older than they are: others came after it and were taken off again."""
    live, after = sample_release("live"), sample_release("after")
    old = [ReleaseRecord(live, Outcome.VERIFIED, EPOCH), ReleaseRecord(after, Outcome.SUPERSEDED, EPOCH)]
    bad = [ReleaseRecord(sample_release(f"x{i}"), Outcome.FAILED, EPOCH) for i in range(KEEP_RELEASES - 1)]
    record = prune(LedgerRecord("web", "production", live=live, releases=(*old, *bad)))
    assert record.record_of(live.id) == old[0] and len(record.releases) == KEEP_RELEASES + 1
    assert prune(record) == record
    assert len(prune(replace(record, live=after)).releases) == KEEP_RELEASES


def _passed(name: str, weight: float) -> RuleResult:
    comparison = Comparison(name, "TargetResponseTime", "p90", weight=weight)
    return result_of(Compared(comparison, "stable", Label.PASS, "", Measured(), Measured(), 0.01))
