"""Canary analysis, worked examples: what each kind of series comes to."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import timedelta

import pytest

from delivery.core.comparing import ALPHA_BEFORE, compare
from delivery.core.comparison import Compared, Comparison, Label, Measured
from delivery_tests.seeded import PER, START, at_each_minute

HIGH, LOW, PASS, NODATA = Label.HIGH, Label.LOW, Label.PASS, Label.NODATA
TIME = Comparison("time", "TargetResponseTime", "p90", tolerance=0.1)
ERRORS = Comparison("errors", "HTTPCode_Target_5XX_Count", "Sum", tolerance=0.1)
NAN = math.nan
#: Ten values that scatter by a few percent.
USUAL = (1.0, 1.02, 0.98, 1.01, 0.99, 1.03, 0.97, 1.0, 1.04, 0.96)


def side(*values: float) -> Measured:
    """One sample a minute."""
    return Measured(at_each_minute(values))


def counts(errors: dict[int, float], requests: float, periods: int = 10) -> Measured:
    """Errors by minute, and so many requests in each minute."""
    samples = at_each_minute([errors.get(i, NAN) for i in range(periods)])
    return Measured(
        tuple(s for s in samples if not math.isnan(s.value)), at_each_minute([requests] * periods)
    )


def times(candidate: Measured, baseline: Measured, **changes: object) -> Compared:
    """Response times compared."""
    return compare(replace(TIME, **changes), "stable", candidate, baseline)  # type: ignore[arg-type]


def scaled(factor: float) -> Measured:
    """The usual values, moved."""
    return side(*(v * factor for v in USUAL))


@pytest.mark.parametrize(
    ("candidate", "baseline", "label"),
    [
        (side(*USUAL), side(*USUAL), PASS),  # identical
        (side(*[0.2] * 10), side(*[0.2] * 10), PASS),  # constant, the same
        (side(*[0.3] * 10), side(*[0.2] * 10), HIGH),  # constant, another
        (side(*[0.21] * 10), side(*[0.2] * 10), PASS),  # constant, within the tolerance
        (side(*[0.22] * 10), side(*[0.2] * 10), PASS),  # constant, exactly at the tolerance
        (side(*[0.0] * 10), side(*[0.0] * 10), PASS),  # all zero
        (side(*[0.1] * 10), side(*[0.0] * 10), HIGH),  # from zero there is no tolerance
        (side(*[0.0] * 10), side(*[0.1] * 10), PASS),  # better
        (scaled(1.3), scaled(1), HIGH),
        (scaled(1.1), scaled(1), PASS),
        (scaled(0.5), scaled(1), PASS),
        (side(), side(), NODATA),
        (side(), side(*USUAL), NODATA),
        (side(*USUAL), side(), NODATA),
        (side(5.0), side(*USUAL), NODATA),  # one sample
        (side(*[5.0] * 9), side(*USUAL), NODATA),  # one too few
        (side(*[NAN] * 20), side(*USUAL), NODATA),
        (side(*[NAN] * 20, *[5.0] * 9), side(*USUAL), NODATA),  # a NaN is no sample
        (side(*[NAN] * 20, *[5.0] * 10), side(*USUAL), HIGH),
        (side(*[math.inf] * 10), side(*USUAL), NODATA),
        (side(*[5.0] * 10), side(*USUAL * 50), HIGH),  # 10 samples against 500
        (side(*USUAL), side(*USUAL * 50), PASS),
        (side(1, 1, 1, 1, 1, 2, 2, 2, 2, 2), side(1, 1, 1, 1, 1, 2, 2, 2, 2, 2), PASS),  # ties
        (side(*[2.0] * 10), side(*[1.0] * 9, 2.0), HIGH),  # ties, and shifted
        (side(*USUAL[:9], 90.0), side(*USUAL), PASS),  # one outlier is no shift
    ],
)  # fmt: skip
def test_times(candidate: Measured, baseline: Measured, label: Label) -> None:
    """Identical, degenerate, too short, tied and shifted series, each with its label."""
    told = times(candidate, baseline)
    assert told.label is label, told.reason
    assert told.p_value is None or 0 <= told.p_value <= 1


@pytest.mark.parametrize(
    ("direction", "factor", "label"),
    [("higher", 1.3, HIGH), ("higher", 0.7, PASS), ("lower", 1.3, PASS), ("lower", 0.7, LOW),
     ("either", 1.3, HIGH), ("either", 0.7, LOW), ("either", 1.0, PASS)],
)  # fmt: skip
def test_the_direction_says_which_way_is_worse(direction: str, factor: float, label: Label) -> None:
    """Only what is worse fails; either way is judged with half the chance of a false alarm each."""
    assert times(scaled(factor), scaled(1), direction=direction).label is label


@pytest.mark.parametrize(
    ("candidate", "baseline", "label"),
    [
        (counts({}, 60), counts({}, 60), PASS),  # no errors on either side
        (counts({0: 5.0}, 60), counts({1: 5.0}, 60), PASS),
        (counts(dict.fromkeys(range(10), 3.0), 60), counts(dict.fromkeys(range(10), 3.0), 60), PASS),
        (counts(dict.fromkeys(range(10), 3.0), 60), counts({}, 60), HIGH),
        (counts(dict.fromkeys(range(10), 3.0), 60), counts(dict.fromkeys(range(10), 27.0), 540), PASS),
        (counts(dict.fromkeys(range(10), 9.0), 60), counts(dict.fromkeys(range(10), 27.0), 540), HIGH),
        (counts({3: 2.0}, 60), counts({}, 60), PASS),  # two errors of 600 are no proof
        (counts({3: 30.0}, 60), counts({}, 60), PASS),  # one burst is one event, not thirty
        (counts(dict.fromkeys(range(10), 60.0), 60), counts({}, 60), HIGH),  # nothing but errors
        (counts(dict.fromkeys(range(10), 60.0), 60), counts(dict.fromkeys(range(10), 60.0), 60), PASS),
        (counts(dict.fromkeys(range(10), 60.0), 0), counts({}, 60), NODATA),  # no requests: a blind spot
        (counts({}, 60, periods=9), counts({}, 60), NODATA),
        (side(*USUAL), side(*USUAL), NODATA),  # counts without the witness
    ],
)  # fmt: skip
def test_errors_are_compared_as_shares_of_the_requests(
    candidate: Measured, baseline: Measured, label: Label
) -> None:
    """The same share of another number of requests is no difference; requests prove a count of zero."""
    told = compare(ERRORS, "stable", candidate, baseline)
    assert told.label is label, told.reason


def test_the_exact_test_of_counts_is_the_binomial_one() -> None:
    """20 of 600 against 5 of 600, without tolerance: P(X ≥ 20) of 25 at one half, as scipy says it."""
    from scipy.stats import binomtest

    ours = counts(dict.fromkeys(range(10), 2.0), 60)
    theirs = counts(dict.fromkeys(range(0, 10, 2), 1.0), 60)
    told = compare(replace(ERRORS, tolerance=0.0), "stable", ours, theirs)
    assert told.p_value == pytest.approx(binomtest(20, 25, 0.5, alternative="greater").pvalue)
    fewer = compare(replace(ERRORS, tolerance=0.0, direction="lower"), "stable", theirs, ours)
    assert fewer.p_value == pytest.approx(binomtest(5, 25, 0.5, alternative="less").pvalue)


def test_a_difference_nobody_minds_is_none() -> None:
    """`least`: twice the time of a fast answer, and still fast."""
    fast, slower = side(*(v / 1000 for v in USUAL)), side(*(v / 500 for v in USUAL))
    assert times(slower, fast).label is HIGH
    assert times(slower, fast, least=0.01).label is PASS


def test_a_look_before_the_end_needs_more_proof() -> None:
    """The same series: doubtful in the middle of a step, failed at its end."""
    doubtful = side(*(v * 1.15 for v in USUAL))
    assert compare(TIME, "stable", doubtful, side(*USUAL), ALPHA_BEFORE).label is PASS
    assert compare(TIME, "stable", doubtful, side(*USUAL)).label is HIGH


def test_an_error_of_the_provider_is_neither() -> None:
    """Could not look at one side: no label that passes or fails, whatever the other side has."""
    for ours, theirs in ((scaled(9), side()), (side(), scaled(1))):
        told = times(replace(ours, error="Throttling"), replace(theirs, error="Throttling"))
        assert told.label is NODATA and "Throttling" in told.reason


def test_old_samples_pass_nothing_and_still_condemn() -> None:
    """A pass needs a sample of this step; what was bad before it is bad."""
    last = START + timedelta(seconds=10 * PER)
    old = compare(TIME, "stable", scaled(1), scaled(1), since=last)
    assert old.label is NODATA and "in this step" in old.reason
    assert compare(TIME, "stable", scaled(1), scaled(1), since=last - timedelta(seconds=1)).label is PASS
    assert compare(TIME, "stable", scaled(2), scaled(1), since=last).label is HIGH


def test_the_evidence_fits_into_json() -> None:
    """Samples that are no numbers are left out of what is kept, and the figures are numbers or nothing."""
    told = times(side(NAN, math.inf, *USUAL), side(NAN))
    assert len(told.candidate.samples) == 10 and told.baseline.samples == ()
    json.dumps([told.candidate_figure, told.baseline_figure, told.p_value], allow_nan=False)
