"""From compared metrics to the canary's score, and what the score means for the release.

As in Kayenta: the score is the passed metrics' part of all weights, 0 to 100; a critical metric that is High
or Low fails the release whatever the score. Unlike Kayenta, a metric without data is not left out of the
score: as long as it could change the outcome, the outcome is Inconclusive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from delivery.core.analysis import RuleResult, VerdictPhase
from delivery.core.comparison import Compared, Label, Score

#: The result that counts: each compared metric is shown beside it and is a part of it.
CANARY = "canary"

_PHASES = {
    Label.PASS: VerdictPhase.SUCCESSFUL,
    Label.HIGH: VerdictPhase.FAILED,
    Label.LOW: VerdictPhase.FAILED,
    Label.NODATA: VerdictPhase.INCONCLUSIVE,
}


def result_of(compared: Compared, query: str = "") -> RuleResult:
    """One compared metric among a verdict's results."""
    failed = compared.candidate.error or compared.baseline.error
    return RuleResult(
        compared.name,
        VerdictPhase.ERROR if failed else _PHASES[compared.label],
        compared.reason,
        limit=compared.comparison.describe(compared.against),
        query=query,
        dry_run=compared.comparison.dry_run,
        part_of=CANARY,
        compared=compared,
    )


def score_of(results: Sequence[RuleResult], limits: Score) -> RuleResult:
    """The score of compared metrics: Successful, Inconclusive (marginal, or not enough data), Failed, Error.

    Weights of metrics that could not be judged count for the candidate when it is asked whether it fails,
    and against it when it is asked whether it passes. Where nothing was to be compared (a first release,
    dry-run metrics only) the score does not count: the other rules decide.
    """
    counted = [r for r in results if r.compared is not None and not r.dry_run]
    whole = sum(_weight(r) for r in counted)
    if not whole:
        return replace(_ended(VerdictPhase.INCONCLUSIVE, _nothing(results), limits), dry_run=True)
    by_phase = {phase: [r for r in counted if r.phase is phase] for phase in VerdictPhase}
    bad, unknown = by_phase[VerdictPhase.FAILED], by_phase[VerdictPhase.INCONCLUSIVE]
    errors = by_phase[VerdictPhase.ERROR]
    surely = _percent(sum(map(_weight, by_phase[VerdictPhase.SUCCESSFUL])), whole)
    at_best = _percent(whole - sum(map(_weight, bad)), whole)
    critical = [r for r in bad if r.compared is not None and r.compared.comparison.critical]
    if critical:
        return _ended(VerdictPhase.FAILED, f"critical {_told(critical)}", limits)
    if at_best < limits.marginal:
        return _ended(
            VerdictPhase.FAILED, f"score {at_best:.0f}, below {limits.marginal:g}: {_told(bad)}", limits
        )
    if errors:
        return _ended(VerdictPhase.ERROR, _told(errors), limits)
    if surely >= limits.passing:
        return _ended(VerdictPhase.SUCCESSFUL, f"score {surely:.0f}, passes from {limits.passing:g}", limits)
    if unknown:
        return _ended(VerdictPhase.INCONCLUSIVE, _told(unknown), limits)
    marginal = f"marginal: score {surely:.0f}, passes from {limits.passing:g}: {_told(bad)}"
    return _ended(VerdictPhase.INCONCLUSIVE, marginal, limits)


def _nothing(results: Sequence[RuleResult]) -> str:
    """Why nothing counts: the one reason all of them have (nothing served before it), where there is one."""
    whys = {r.reason for r in results}
    alike = len(whys) == 1 and all(r.compared and r.compared.label is Label.NODATA for r in results)
    return whys.pop() if alike else "nothing was compared"


def _ended(phase: VerdictPhase, reason: str, limits: Score) -> RuleResult:
    limit = f"passes from {limits.passing:g}, fails below {limits.marginal:g} of 100"
    return RuleResult(CANARY, phase, reason, limit=limit, score=limits)


def _weight(result: RuleResult) -> float:
    return result.compared.comparison.weight if result.compared is not None else 0.0


def _percent(part: float, whole: float) -> float:
    """Rounded, for 100 w / w is not always 100: a single metric of weight 0.17 would miss it."""
    return round(100 * part / whole, 9)


def _told(results: Sequence[RuleResult]) -> str:
    return "; ".join(f"{r.rule}: {r.reason}" for r in results)
