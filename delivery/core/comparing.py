"""Canary analysis: is the candidate worse than the baseline by more than chance and tolerance?

Levels (times, percentiles, CPU). A one-sided Mann-Whitney U test of the candidate's samples against the
baseline's, moved by the tolerance: "worse" means worse than the baseline *and its tolerance*, so a large
number of samples does not turn a difference nobody minds into an alarm. Kayenta's judge does the same with
the confidence interval of the Hodges-Lehmann shift and a tolerance on it (Spinnaker, kayenta-judge,
`MannWhitneyClassifier`). H. B. Mann, D. R. Whitney, "On a test of whether one of two random variables is
stochastically larger than the other", Ann. Math. Stat. 18 (1947).

Counts (errors). Errors / requests, by the exact conditional test of two Poisson rates: of all errors, the
candidate's are binomial with the share of requests it had. J. Przyborowski, H. Wilenski, "Homogeneity of
results in testing samples from Poisson series", Biometrika 31 (1940). Not Fisher's: that has no tolerance,
and agrees where errors are rare. Errors that come in bursts are not Poisson: the counts are divided by their
dispersion (quasi-likelihood; P. McCullagh, J. Nelder, "Generalized Linear Models", 1989, section 6.2).

Looks before a step is over use a much smaller `alpha`, so that looking often does not add up to false alarms
(the Haybittle-Peto boundary; J. L. Haybittle, Br. J. Radiol. 44 (1971)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from statistics import median

from delivery.core.comparison import Against, Compared, Comparison, Label, Measured
from delivery.core.sample import Sample

#: The chance of a false alarm of one metric at the end of a step, and at each look before it.
ALPHA, ALPHA_BEFORE = 0.01, 0.001

_NEVER = datetime.min.replace(tzinfo=UTC)


def compare(
    comparison: Comparison,
    against: Against,
    candidate: Measured,
    baseline: Measured,
    alpha: float = ALPHA,
    since: datetime | None = None,
) -> Compared:
    """One metric of the candidate against the baseline. Samples that are no numbers are none.

    Too few samples on either side is Nodata, and so is a side that could not be asked. A pass needs a sample
    of the candidate that reaches past `since`: old ones say nothing of now.
    """
    ours, theirs = _side(comparison, candidate), _side(comparison, baseline)
    kept = Compared(
        comparison, against, Label.NODATA, "", _finite(candidate), _finite(baseline), alpha, since,
        candidate_figure=ours.figure, baseline_figure=theirs.figure,
    )  # fmt: skip
    if error := candidate.error or baseline.error:
        return replace(kept, reason=f"could not be measured: {error}")
    fewest = min(ours.periods, theirs.periods)
    if fewest < comparison.minimum_samples or ours.figure is None or theirs.figure is None:
        counted = f"{ours.periods} and {theirs.periods} of {comparison.minimum_samples} samples"
        return replace(kept, reason=f"not enough to compare with {against}: {counted}")
    way, p_value = _worse(comparison, ours, theirs)
    ways = 2 if comparison.direction == "either" else 1
    seen = f"{_number(comparison, ours.figure)} against {_number(comparison, theirs.figure)} of {against}"
    told = f"(p = {p_value:.2g}, {fewest} samples)"
    if p_value <= alpha / ways and abs(ours.figure - theirs.figure) > comparison.least:
        label = Label.HIGH if way == "higher" else Label.LOW
        return replace(kept, label=label, reason=f"{seen}: {label} {told}", p_value=p_value)
    if since is not None and ours.newest + timedelta(seconds=comparison.per) <= since:
        return replace(kept, reason=f"no datapoint for {comparison.metric} in this step yet", p_value=p_value)
    return replace(kept, label=Label.PASS, reason=f"{seen}: {Label.PASS} {told}", p_value=p_value)


def _worse(comparison: Comparison, ours: _Side, theirs: _Side) -> tuple[str, float]:
    """The way in which the candidate is most likely worse, and the chance to see this if it were not."""
    test = _rates if comparison.counted else _levels
    ways = ("higher", "lower") if comparison.direction == "either" else (comparison.direction,)
    found = {way: test(comparison, ours, theirs, way) for way in ways}
    way = min(found, key=lambda each: found[each])
    return way, found[way]


@dataclass(frozen=True, slots=True)
class _Side:
    """One side's numbers: values per period; for counts with the requests of the same periods."""

    values: tuple[float, ...]
    newest: datetime
    requests: tuple[float, ...] = ()

    @property
    def periods(self) -> int:
        return len(self.values)

    @property
    def figure(self) -> float | None:
        """The median; of counts the share of all requests."""
        if not self.values:
            return None
        return sum(self.values) / sum(self.requests) if self.requests else median(self.values)


def _side(comparison: Comparison, measured: Measured) -> _Side:
    """Periods with a sample; of a count those with requests: a count without datapoint is zero there."""
    samples = {s.at: s.value for s in measured.samples if math.isfinite(s.value)}
    if not comparison.counted:
        return _Side(tuple(samples.values()), max(samples, default=_NEVER))
    counted = {s.at: s.value for s in measured.requests if math.isfinite(s.value) and s.value > 0}
    events = tuple(samples.get(at, 0.0) for at in counted)
    return _Side(events, max(counted, default=_NEVER), tuple(counted.values()))


def _levels(comparison: Comparison, ours: _Side, theirs: _Side, way: str) -> float:
    """The chance to see this if the candidate were no worse than the baseline with its tolerance."""
    from scipy.stats import mannwhitneyu  # takes a second to import, and most commands never compare

    sign = 1 if way == "higher" else -1
    moved = tuple(v + sign * comparison.tolerance * abs(v) for v in theirs.values)
    if len({*ours.values, *moved}) == 1:
        return 1.0  # all the same: nothing to rank
    answer = mannwhitneyu(ours.values, moved, alternative="greater" if sign > 0 else "less")
    return float(answer.pvalue)


def _rates(comparison: Comparison, ours: _Side, theirs: _Side, way: str) -> float:
    """P(X ≥ k) or P(X ≤ k) for the candidate's k of all events, X binomial (regularized beta function)."""
    from scipy.special import betainc

    spread = _dispersion((ours, theirs))
    k, total = sum(ours.values) / spread, (sum(ours.values) + sum(theirs.values)) / spread
    ratio = 1 + comparison.tolerance if way == "higher" else max(0.0, 1 - comparison.tolerance)
    share = ratio * sum(ours.requests)
    share = share / (share + sum(theirs.requests))
    if way == "higher":
        return float(betainc(k, total - k + 1, share)) if k > 0 else 1.0
    return 1 - float(betainc(k + 1, total - k, share)) if k < total else 1.0


def _dispersion(sides: Sequence[_Side]) -> float:
    """How much more the counts scatter than Poisson counts would (at least 1): Pearson's X² per degree."""
    deviance, degrees = 0.0, 0
    for side in sides:
        rate = sum(side.values) / sum(side.requests)
        degrees += side.periods - 1
        if rate > 0:
            expected = [rate * n for n in side.requests]
            deviance += sum((v - e) ** 2 / e for v, e in zip(side.values, expected, strict=True))
    return max(1.0, deviance / degrees) if degrees > 0 else 1.0


def _finite(measured: Measured) -> Measured:
    """What can be kept: a sample that is no number does not fit into JSON."""

    def kept(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
        return tuple(s for s in samples if math.isfinite(s.value))

    return Measured(kept(measured.samples), kept(measured.requests), measured.error)


def _number(comparison: Comparison, value: float) -> str:
    return f"{value:.2%}" if comparison.counted else f"{value:.3g}"
