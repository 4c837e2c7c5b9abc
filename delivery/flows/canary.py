"""Canary analysis of a rollout: what is read, and what is compared with what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from delivery.core.analysis import RuleResult
from delivery.core.comparing import ALPHA, ALPHA_BEFORE, compare
from delivery.core.comparison import (
    Against,
    CanaryAnalysis,
    Compared,
    Comparison,
    Label,
    Measured,
    result_name,
)
from delivery.core.judging import PUBLISHED_WITHIN
from delivery.core.ledger import LedgerRecord
from delivery.core.release import Slot
from delivery.core.rollout import Rollout
from delivery.core.sample import Reading, Series
from delivery.core.scoring import result_of, score_of
from delivery.core.strategy import Analyze, Pause, SetWeight

NOTHING_BEFORE = "not compared: nothing served before it"


def readings(analysis: CanaryAnalysis | None, rollout: Rollout, now: datetime) -> list[Reading]:
    """Every compared metric of the candidate, and of the stable slot while it has traffic too."""
    asked: list[Reading] = []
    for comparison in analysis.comparisons if analysis and rollout.traffic_at else ():
        start = _start(comparison, rollout, now)
        slots = [rollout.candidate]
        if "stable" in analysis.sides and shared(rollout):  # type: ignore[union-attr]
            slots.append(rollout.candidate.other)
        asked += [_reading(comparison, slot, start, now) for slot in slots]
    return asked


def results(
    analysis: CanaryAnalysis | None,
    record: LedgerRecord,
    rollout: Rollout,
    answers: Sequence[Series],
    over: bool,
) -> list[RuleResult]:
    """Each comparison and the score; empty without an analysis or before there was traffic.

    `answers` belong to `readings`. `over`: the step's time is over; before that only what is beyond doubt
    fails. While the stable slot has no traffic, what was compared before stands.
    """
    if analysis is None or rollout.traffic_at is None:
        return []
    told = iter(answers)
    found: list[RuleResult] = []
    for comparison in analysis.comparisons:
        candidate = next(told)
        beside = next(told) if "stable" in analysis.sides and shared(rollout) else None
        for against in analysis.sides:
            found.append(_result(comparison, against, candidate, beside, record, rollout, over))
    return [*found, score_of(found, analysis.score)]


def shared(rollout: Rollout) -> bool:
    """Candidate and stable slot both have production traffic."""
    return not rollout.in_place and 0 < rollout.weight < 100


def _result(
    comparison: Comparison,
    against: Against,
    candidate: Series,
    beside: Series | None,
    record: LedgerRecord,
    rollout: Rollout,
    over: bool,
) -> RuleResult:
    alpha = ALPHA if over else ALPHA_BEFORE
    since = None if isinstance(rollout.step, Pause) else rollout.entered_at
    ours = _measured(candidate)
    if rollout.previous is None:
        return _shown(comparison, against, ours, NOTHING_BEFORE)
    if against == "previous":
        kept = kept_of(record, rollout.previous, comparison)
        if kept is None:  # more of them will not come: waiting for them would hold up every release
            few = f"not compared: fewer than {comparison.minimum_samples} samples kept of {rollout.previous}"
            return _shown(comparison, against, ours, few)
        return result_of(compare(comparison, against, ours, kept, alpha, since), candidate.query)
    if beside is not None:
        compared = compare(comparison, against, ours, _measured(beside), alpha, since)
        return result_of(compared, f"{candidate.query} against {beside.query}")
    before = _compared_before(comparison, rollout)
    if before is not None:
        return before
    if _was_shared(rollout):
        unknown = Compared(comparison, against, Label.NODATA, "was not compared", ours, Measured(), alpha)
        return result_of(unknown, candidate.query)
    return _shown(comparison, against, ours, "not compared: no step in which both have traffic")


def _shown(comparison: Comparison, against: Against, ours: Measured, why: str) -> RuleResult:
    """Nothing to compare with: shown, not counted, and kept for the release that comes after."""
    compared = Compared(comparison, against, Label.NODATA, why, ours, Measured(), ALPHA)
    return replace(result_of(compared), dry_run=True)


def kept_of(record: LedgerRecord, release_id: str, comparison: Comparison) -> Measured | None:
    """The samples that were kept of a release the last time it was judged with this metric, if enough."""
    for entry in reversed(record.releases):
        if entry.release.id != release_id or entry.verdict is None:
            continue
        for compared in (r.compared for r in entry.verdict.results if r.compared is not None):
            kept = compared.candidate
            count = len(kept.requests if comparison.counted else kept.samples)
            if _alike(compared.comparison, comparison) and count >= comparison.minimum_samples:
                return kept
    return None


def _alike(one: Comparison, other: Comparison) -> bool:
    return (one.metric, one.statistic, one.per) == (other.metric, other.statistic, other.per)


def _compared_before(comparison: Comparison, rollout: Rollout) -> RuleResult | None:
    """The comparison of the last share both had traffic at, as the step passed with it."""
    wanted = result_name(comparison, "stable")
    results_ = rollout.verdict.results if rollout.verdict else ()
    return next((r for r in results_ if r.rule == wanted and r.compared is not None), None)


def _was_shared(rollout: Rollout) -> bool:
    """Whether a step was judged at which both had traffic."""
    weight = 0
    for step in rollout.steps[: rollout.index]:
        if isinstance(step, SetWeight):
            weight = step.percent
        elif isinstance(step, Analyze | Pause) and 0 < weight < 100:
            return True
    return False


def _start(comparison: Comparison, rollout: Rollout, now: datetime) -> datetime:
    """This step, and further back where it is too short for the samples needed; never before the traffic."""
    needed = now - PUBLISHED_WITHIN - timedelta(seconds=(comparison.minimum_samples + 2) * comparison.per)
    traffic = rollout.traffic_at or rollout.entered_at
    if isinstance(rollout.step, Pause):  # may take days: only the newest samples
        return max(traffic, needed)
    return max(traffic, min(rollout.entered_at, needed))


def _reading(comparison: Comparison, slot: Slot, start: datetime, now: datetime) -> Reading:
    """An error count is read up to one period ago: the newest may be published later than its requests."""
    end = now - timedelta(seconds=comparison.per) if comparison.counted else now
    name, counted = result_name(comparison, slot), comparison.counted
    return Reading(name, comparison.metric, comparison.statistic, comparison.per, slot, start, end, counted)


def _measured(series: Series) -> Measured:
    return Measured(series.samples, series.witness, series.error)


def of_live(analysis: CanaryAnalysis | None) -> Iterator[RuleResult]:
    """A release that serves alone has nothing beside it: said, and not counted."""
    for comparison in analysis.comparisons if analysis else ():
        for against in analysis.sides:  # type: ignore[union-attr]
            yield _shown(comparison, against, Measured(), "not compared: it serves alone")
