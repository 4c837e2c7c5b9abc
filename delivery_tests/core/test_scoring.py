"""From labels to a score, and from the score to a phase."""

from __future__ import annotations

import pytest

from delivery.core.analysis import RuleResult, VerdictPhase
from delivery.core.comparison import Compared, Comparison, Label, Measured, Score
from delivery.core.judging import verdict_of
from delivery.core.scoring import result_of, score_of
from delivery_tests.core.states import at

OK, FAIL = VerdictPhase.SUCCESSFUL, VerdictPhase.FAILED
OPEN, BROKEN = VerdictPhase.INCONCLUSIVE, VerdictPhase.ERROR


def metric(label: Label, weight: float = 1, **more: object) -> RuleResult:
    """One compared metric with that label."""
    error = str(more.pop("error", ""))
    comparison = Comparison(f"m{weight:g}", "TargetResponseTime", "p90", weight=weight, **more)  # type: ignore[arg-type]
    return result_of(
        Compared(comparison, "stable", label, f"was {label}", Measured(error=error), Measured(), 0.01)
    )


PASS, HIGH, NODATA = Label.PASS, Label.HIGH, Label.NODATA


@pytest.mark.parametrize(
    ("results", "phase", "words"),
    [
        ([metric(PASS), metric(PASS)], OK, "score 100, passes from 95"),
        ([metric(HIGH), metric(PASS)], FAIL, "score 50, below 75"),
        ([metric(HIGH), metric(PASS, 4)], OPEN, "marginal: score 80, passes from 95"),
        ([metric(HIGH), metric(PASS, 3)], OPEN, "marginal: score 75, passes"),
        ([metric(HIGH), metric(PASS, 2.9)], FAIL, "score 74"),
        ([metric(HIGH), metric(PASS, 19)], OK, "score 95, passes"),
        ([metric(HIGH, critical=True), metric(PASS, 99)], FAIL, "critical m1_vs_stable: was High"),
        ([metric(PASS, critical=True), metric(PASS)], OK, "score 100"),
        ([metric(Label.LOW, critical=True)], FAIL, "was Low"),
        ([metric(NODATA), metric(PASS)], OPEN, "m1_vs_stable: was Nodata"),
        ([metric(NODATA), metric(PASS, 99)], OK, "score 99"),
        ([metric(NODATA), metric(HIGH, 9)], FAIL, "score 10"),
        ([metric(NODATA, error="no"), metric(PASS)], BROKEN, ""),
        ([metric(NODATA, error="no"), metric(HIGH, 9)], FAIL, ""),
        ([metric(HIGH, dry_run=True), metric(PASS)], OK, "score 100"),
        ([metric(HIGH, dry_run=True, critical=True), metric(PASS)], OK, "score 100"),
    ],
)  # fmt: skip
def test_the_score(results: list[RuleResult], phase: VerdictPhase, words: str) -> None:
    """Weights of passed metrics; critical ones; what is not known never passes and never condemns."""
    told = score_of(results, Score())
    assert told.phase is phase and words in told.reason, told.reason


def test_the_limits_are_the_users() -> None:
    """The same score passes, is marginal, or fails, as the two limits say."""
    results = [metric(HIGH), metric(PASS, 4)]
    assert score_of(results, Score(80, 60)).phase is OK
    assert score_of(results, Score(95, 81)).phase is FAIL


def test_only_the_score_counts_in_the_verdict() -> None:
    """A metric of small weight that is High is shown, and fails nothing by itself."""
    results = [metric(HIGH), metric(PASS, 19)]
    verdict = verdict_of([*results, score_of(results, Score())], at(0))
    assert verdict.phase is OK and verdict.reason == "canary: score 95, passes from 95"
    assert [r.phase for r in verdict.results] == [FAIL, OK, OK]


def test_nothing_to_compare_leaves_the_other_rules_to_decide() -> None:
    """A first release: the score is shown and not counted; alone it is no pass either."""
    nothing = score_of([metric(NODATA, dry_run=True)], Score())
    other = RuleResult("targets", OK, "2 of 2")
    assert verdict_of([nothing, other], at(0)).phase is OK
    assert verdict_of([nothing], at(0)).phase is OPEN
