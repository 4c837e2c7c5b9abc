"""A verdict computed again from the evidence that was kept with it, with the rules of then or today's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from delivery.core.accepting import by_word
from delivery.core.analysis import Rule, RuleResult, Verdict, VerdictPhase
from delivery.core.comparing import compare
from delivery.core.comparison import CanaryAnalysis, Comparison
from delivery.core.judging import judge_again, verdict_of
from delivery.core.scoring import CANARY, result_of, score_of


@dataclass(frozen=True, slots=True)
class Rules:
    """What is judged by. Results that are neither rules nor comparisons (targets, alarms) stay as seen."""

    rules: Mapping[str, Rule]
    analysis: CanaryAnalysis | None = None

    @property
    def comparisons(self) -> Mapping[str, Comparison]:
        """By name."""
        return {c.name: c for c in self.analysis.comparisons} if self.analysis else {}


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a verdict comes to. `dropped`: rules of then that there are no more; `unseen`: rules of today
    for which there is no evidence."""

    verdict: Verdict
    dropped: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()


def replay(kept: Verdict, today: Rules | None = None) -> Replayed:
    """Judge the kept evidence again: with the rules kept in it, or with `today`'s."""
    results: list[RuleResult] = []
    dropped: list[str] = []
    for result in kept.results:
        if result.rule == CANARY and result.score is not None:
            continue
        again = _again(result, today)
        if again is None:
            dropped.append(result.rule)
        else:
            results.append(again)
    verdict = verdict_of([*results, *_score(kept, results, today)], kept.judged_at)
    verdict = replace(verdict, accepted=kept.accepted)
    if kept.by_word:
        word = {r.rule for r in kept.results if r.counts and r.phase is VerdictPhase.INCONCLUSIVE}
        verdict = by_word(verdict, word, kept.accepted)
    unseen = _unseen(kept, today) if today else ()
    return Replayed(verdict, tuple(dropped), tuple(unseen))


def differences(one: Verdict, other: Verdict) -> tuple[str, ...]:
    """The results (and `verdict`) whose phase is not the same in both."""
    phases = [{**{r.rule: r.phase for r in v.results}, "verdict": v.phase} for v in (one, other)]
    names = dict.fromkeys((*phases[0], *phases[1]))
    return tuple(n for n in names if phases[0].get(n) is not phases[1].get(n))


def recomputable(verdict: Verdict) -> bool:
    """Whether any of it was kept with what it takes to compute it again."""
    return any(r.basis is not None or r.compared is not None for r in verdict.results)


def _again(result: RuleResult, today: Rules | None) -> RuleResult | None:
    """One result from its own evidence; None when today has no such rule."""
    if result.basis is not None:
        rule = today.rules.get(result.rule) if today else result.basis.rule
        return judge_again(result, rule) if rule else None
    if result.compared is None:
        return result
    then = result.compared
    comparison = today.comparisons.get(then.comparison.name) if today else then.comparison
    if comparison is None:
        return None
    if result.dry_run and not then.comparison.dry_run:
        return result  # there was nothing to compare with
    made = compare(comparison, then.against, then.candidate, then.baseline, then.alpha, then.since)
    return result_of(made, result.query)


def _score(kept: Verdict, results: Sequence[RuleResult], today: Rules | None) -> list[RuleResult]:
    then = next((r for r in kept.results if r.rule == CANARY and r.score is not None), None)
    if then is None or then.score is None or (today and today.analysis is None):
        return []
    limits = today.analysis.score if today and today.analysis else then.score
    return [score_of([r for r in results if r.part_of == CANARY], limits)]


def _unseen(kept: Verdict, today: Rules) -> Sequence[str]:
    seen = {r.rule for r in kept.results}
    compared = {r.compared.comparison.name for r in kept.results if r.compared is not None}
    return [n for n in today.rules if n not in seen] + [n for n in today.comparisons if n not in compared]
