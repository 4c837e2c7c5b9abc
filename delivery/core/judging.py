"""How measurements become a verdict. Silence is never success, and an error is never a pass.

A window is judged from its start: a rule fails as soon as `rule.datapoints` consecutive samples breach;
fewer breaches are "not yet breached", which counts as success only because something was measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from delivery.core.analysis import (
    Basis,
    ProbeResult,
    Rule,
    RuleResult,
    Sample,
    Series,
    Verdict,
    VerdictPhase,
)
from delivery.core.target import SlotState

#: Preview requests: this many failures that are also this share of those looked at fail a candidate.
#: A single one may be the network's fault: it makes the verdict inconclusive, which is not a pass either.
PROBE_FAILURES = 2
PROBE_SHARE = 0.2

#: How late CloudWatch may publish a datapoint; usually it is one to three minutes.
PUBLISHED_WITHIN = timedelta(minutes=5)

_WORST_FIRST = (VerdictPhase.FAILED, VerdictPhase.ERROR, VerdictPhase.INCONCLUSIVE, VerdictPhase.SUCCESSFUL)


def judge_rule(
    rule: Rule, series: Series, start: datetime | None = None, now: datetime | None = None
) -> RuleResult:
    """Judge one rule on its samples between `start` and `now`.

    `no_data="fail"` applies only once `duration` and the time to publish (`PUBLISHED_WITHIN`) have passed
    since `start`: a provider that has not had time to speak says nothing bad.
    Without the two moments the window counts as old enough. A sample that is no number is none, and requests
    do not make a zero of it.
    """
    if not all(math.isfinite(s.value) for s in series.samples):
        series = replace(series, requests=None, witness=())
    result = _judged(rule, series, start, now)
    kept = Basis(rule, start, now, None, series.requests, _finite(series.witness), series.error)
    return replace(result, basis=kept)


def judge_again(result: RuleResult, rule: Rule) -> RuleResult:
    """The same evidence under this rule (the one of then, or today's)."""
    basis = result.basis
    if basis is None:
        return result
    series = Series(rule.name, result.samples, basis.requests, result.query, basis.error, basis.witness)
    again = judge_rule(rule, series, basis.start, basis.now)
    return again if basis.since is None else only_fresh(again, rule, basis.since)


def _judged(rule: Rule, series: Series, start: datetime | None, now: datetime | None) -> RuleResult:
    if series.error:
        return _result(rule, series, VerdictPhase.ERROR, f"could not be measured: {series.error}")
    measured = _finite(series.samples)
    if not measured:
        return _result(rule, series, *_silence(rule, series, start, now))
    points = _without_gaps(rule, series, measured, now)
    streak = _longest_breach(rule, points)
    worst = (max if rule.comparison == ">" else min)(s.value for s in measured)
    seen = f"{rule.metric} {worst:g} of {rule.threshold:g}"
    if streak >= rule.datapoints:
        return _result(rule, series, VerdictPhase.FAILED, f"{seen}: {rule.describe()} ({streak} samples)")
    if streak:
        return _result(
            rule,
            series,
            VerdictPhase.SUCCESSFUL,
            f"{seen}: not yet breached, {streak} of {rule.datapoints} samples",
        )
    return _result(rule, series, VerdictPhase.SUCCESSFUL, f"{seen}: within the limit")


def only_fresh(result: RuleResult, rule: Rule, since: datetime) -> RuleResult:
    """The result, but no success when no sample reaches past `since`: old samples say nothing of now."""
    if result.basis is not None:
        result = replace(result, basis=replace(result.basis, since=since))
    known = result.samples and result.samples[-1].at + timedelta(seconds=rule.per) > since
    if result.phase is not VerdictPhase.SUCCESSFUL or known:
        return result
    return replace(
        result, phase=VerdictPhase.INCONCLUSIVE, reason=f"no datapoint for {rule.metric} in this step yet"
    )


def judge_probes(probes: Sequence[ProbeResult]) -> RuleResult:
    """Judge preview requests: two failures and a fifth of them fail it, fewer are inconclusive."""
    bad = [p for p in probes if not p.ok]
    limit = f"fails at {PROBE_FAILURES} failures and {PROBE_SHARE:.0%}"
    if not bad:
        slowest = max(p.seconds for p in probes)
        return RuleResult(
            "preview",
            VerdictPhase.SUCCESSFUL,
            f"{len(probes)} answered, slowest {slowest:.2f} s",
            limit=limit,
        )
    last = bad[-1]
    told = last.error or (f"HTTP {last.status}" if last.status else "no answer")
    reason = f"{len(bad)} of {len(probes)} preview requests to {last.url} failed: {told}"
    condemned = len(bad) >= PROBE_FAILURES and len(bad) / len(probes) >= PROBE_SHARE
    phase = VerdictPhase.FAILED if condemned else VerdictPhase.INCONCLUSIVE
    return RuleResult("preview", phase, reason, limit=limit)


def judge_targets(slot: SlotState, failed_tasks: int) -> RuleResult:
    """Judge what the load balancer and ECS say of a slot that should be serving.

    No healthy target at all, ECS giving up, or `failed_tasks` tasks that died in a row is bad; fewer
    healthy targets than wanted (a scale-out in flight, one slow start) is not known yet. Where ECS put the
    previous revision back, what failed is not what the slot runs now.
    """
    counted = f"{slot.healthy} of {slot.desired} targets healthy"
    limit = f"at least {slot.desired}"
    if not slot.rolled_back and (slot.failed or slot.failed_tasks >= failed_tasks):
        return RuleResult("targets", VerdictPhase.FAILED, f"{counted}: {failure_of(slot)}", limit=limit)
    if slot.healthy == 0:
        return RuleResult("targets", VerdictPhase.FAILED, f"{counted}: nothing answers", limit=limit)
    phase = VerdictPhase.SUCCESSFUL if slot.serving else VerdictPhase.INCONCLUSIVE
    return RuleResult("targets", phase, counted, limit=limit)


def judge_alarms(states: Mapping[str, str], ignored: Iterable[str] = ()) -> tuple[RuleResult, ...]:
    """One failed result per alarm in ALARM. `ignored` ones fire for the time before this release."""
    skip = set(ignored)
    results = []
    for name, state in sorted(states.items()):
        if not state.startswith("ALARM"):
            continue
        before = name in skip
        reason = f"not counted, it fires for the time before this release ({state})" if before else state
        results.append(RuleResult(name, VerdictPhase.FAILED, reason, limit="not in ALARM", dry_run=before))
    return tuple(results)


def judge(
    rules: Sequence[Rule],
    series: Mapping[str, Series],
    probes: Sequence[ProbeResult],
    now: datetime,
    start: datetime | None = None,
    also: Sequence[RuleResult] = (),
) -> Verdict:
    """One verdict of all rules, preview requests and `also` (targets, alarms): the worst of them.

    Failed > Error > Inconclusive > Successful; dry-run rules are shown but not counted; nothing
    measured at all is Inconclusive.
    """
    results = [judge_rule(rule, series.get(rule.name, Series(rule.name)), start, now) for rule in rules]
    if probes:
        results.append(judge_probes(probes))
    return verdict_of((*results, *also), now)


def verdict_of(results: Sequence[RuleResult], now: datetime) -> Verdict:
    """The verdict that follows from single results."""
    counted = [r for r in results if r.counts]
    if not counted:
        return Verdict(VerdictPhase.INCONCLUSIVE, "nothing was measured", now, tuple(results))
    phase = min((r.phase for r in counted), key=_WORST_FIRST.index)
    decisive = [r for r in counted if r.phase is phase]
    reason = "; ".join(f"{r.rule}: {r.reason}" for r in decisive)
    return Verdict(phase, reason, now, tuple(results))


def worse(first: Verdict, second: Verdict) -> Verdict:
    """The worse of two verdicts (the second when they are equal)."""
    return min((second, first), key=lambda v: _WORST_FIRST.index(v.phase))


def failure_of(slot: SlotState) -> str:
    """Why a slot's tasks do not stay up, in one line with the last words of the task."""
    if slot.failure is None:
        return slot.reason or f"{slot.failed_tasks} tasks failed to start"
    return slot.failure.with_last_words()


def _silence(
    rule: Rule, series: Series, start: datetime | None, now: datetime | None
) -> tuple[VerdictPhase, str]:
    """What no sample at all means under the rule's policy."""
    if rule.no_data == "zero" and series.requests is not None and series.requests > 0:
        settled = _settled_requests(rule, series, now)
        if not settled:
            waiting = "the requests counted are of the newest period, whose errors may be published later"
            return VerdictPhase.INCONCLUSIVE, f"no datapoint for {rule.metric} yet: {waiting}"
        breached = rule.breaches(0.0)
        counted = f"no datapoint while {settled:g} requests were counted: zero"
        return (VerdictPhase.FAILED if breached else VerdictPhase.SUCCESSFUL), counted
    if rule.no_data == "fail":
        patience = timedelta(seconds=rule.duration) + _published_within(rule)
        if start is None or now is None or now - start >= patience:
            return VerdictPhase.FAILED, f"no datapoint for {rule.metric}, which this rule counts as bad"
        return VerdictPhase.INCONCLUSIVE, f"no datapoint for {rule.metric} yet"
    return VerdictPhase.INCONCLUSIVE, f"no datapoint for {rule.metric}"


def _settled_requests(rule: Rule, series: Series, now: datetime | None) -> float:
    """Requests of periods that ended at least one period ago.

    CloudWatch may publish a period's requests before its errors, so the newest one proves nothing yet.
    Without the requests per period or the moment of the look, all count.
    """
    if not series.witness or now is None:
        return series.requests or 0.0
    age = timedelta(seconds=2 * rule.per)
    return sum(s.value for s in series.witness if s.at + age <= now and math.isfinite(s.value))


def _without_gaps(
    rule: Rule, series: Series, measured: Sequence[Sample], now: datetime | None
) -> list[bool | None]:
    """Per period: breaching or not, with the missing periods decided by the rule's policy (None: skip)."""
    counted = rule.no_data == "zero" and bool(series.requests)
    missing = rule.breaches(0.0) if counted else True if rule.no_data == "fail" else None
    points: list[bool | None] = []
    previous: Sample | None = None
    for sample in sorted(measured, key=lambda s: s.at):
        if previous is not None:
            points += [missing] * _periods_between(rule, previous.at, sample.at)
        points.append(rule.breaches(sample.value))
        previous = sample
    if previous is not None and now is not None and rule.no_data == "fail":
        # The newest periods may not be published yet; what is older and absent is a gap.
        points += [missing] * _periods_between(rule, previous.at, now - _published_within(rule))
    return points


def _published_within(rule: Rule) -> timedelta:
    """After this long an absent datapoint is absent, and not merely late: a release is not condemned for
    CloudWatch's delay."""
    return max(timedelta(seconds=2 * rule.per), PUBLISHED_WITHIN)


def _periods_between(rule: Rule, earlier: datetime, later: datetime) -> int:
    """Whole periods missing between two samples."""
    return max(0, round((later - earlier).total_seconds() / rule.per) - 1)


def _longest_breach(rule: Rule, points: Sequence[bool | None]) -> int:
    """The longest run of breaching samples; a skipped period neither ends nor lengthens it."""
    longest = run = 0
    for breach in points:
        if breach is None:
            continue
        run = run + 1 if breach else 0
        longest = max(longest, run)
    return longest


def _result(rule: Rule, series: Series, phase: VerdictPhase, reason: str) -> RuleResult:
    """The result with its evidence; a sample that is no number is none, and does not fit into JSON."""
    kept = _finite(series.samples)
    return RuleResult(rule.name, phase, reason, kept, rule.describe(), series.query, dry_run=rule.dry_run)


def _finite(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    return tuple(s for s in samples if math.isfinite(s.value))
