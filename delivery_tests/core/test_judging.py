"""Verdicts: silence is never success, an error is never a pass."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from delivery.core.analysis import (
    DEFAULT_RULES,
    NoData,
    ProbeResult,
    Rule,
    RuleResult,
    Sample,
    Series,
    VerdictPhase,
)
from delivery.core.judging import (
    judge,
    judge_alarms,
    judge_probes,
    judge_rule,
    judge_targets,
    only_fresh,
    verdict_of,
    worse,
)
from delivery.core.release import Slot
from delivery_tests.core.states import ERROR, FAILED, GOOD, NEW, UNKNOWN, at, slot

FAIL, OK = VerdictPhase.FAILED, VerdictPhase.SUCCESSFUL
OPEN, BROKEN = VerdictPhase.INCONCLUSIVE, VerdictPhase.ERROR
LATENCY = Rule("latency", "TargetResponseTime", "Average", ">", 5, per=10, duration=30)
ERRORS = Rule("errors", "HTTPCode_Target_5XX_Count", "Sum", ">", 10, per=10, duration=10, no_data="zero")
HOSTS = Rule("hosts", "HealthyHostCount", "Minimum", "<", 1, per=10, duration=20, no_data="fail")


def series(rule: Rule, *values: float | None, requests: float | None = 100) -> Series:
    """One sample per period; None leaves a gap."""
    samples = (Sample(at(i * rule.per), v) for i, v in enumerate(values) if v is not None)
    return Series(rule.name, tuple(samples), requests, "query")


@pytest.mark.parametrize(
    ("values", "phase"),
    [
        ((1, 1, 1), OK),
        ((6, 6, 6), FAIL),
        ((6, 6, 1, 6, 6), OK),
        ((1, 6, 6, 6, 1), FAIL),
        ((5, 5, 5), OK),
        ((6, None, 6, 6), FAIL),
        ((6, None, 6), OK),
        ((), OPEN),
        ((math.nan, math.nan), OPEN),
    ],
)
def test_a_threshold_fails_after_its_whole_duration(
    values: tuple[float | None, ...], phase: VerdictPhase
) -> None:
    """30 s in periods of 10: three in a row; equal is not above; a gap ends no streak."""
    assert judge_rule(LATENCY, series(LATENCY, *values)).phase is phase


def test_a_below_rule_looks_the_other_way() -> None:
    """`<` fails below its threshold."""
    assert judge_rule(HOSTS, series(HOSTS, 0, 0)).phase is FAIL
    assert judge_rule(HOSTS, series(HOSTS, 1, 1)).phase is OK


def test_no_datapoint_is_zero_only_where_requests_were_counted() -> None:
    """CloudWatch sends no datapoint for zero errors; without requests it is a blind spot."""
    assert judge_rule(ERRORS, series(ERRORS, requests=50)).phase is OK
    assert judge_rule(ERRORS, series(ERRORS, requests=0)).phase is OPEN
    assert judge_rule(ERRORS, series(ERRORS, requests=None)).phase is OPEN


def test_zero_errors_need_requests_of_a_period_that_is_old_enough() -> None:
    """CloudWatch may publish a period's requests before its errors: the newest period proves no zero."""

    def judged(now: float, *requests: float) -> RuleResult:
        witness = tuple(Sample(at(i * ERRORS.per), n) for i, n in enumerate(requests))
        counted = Series(ERRORS.name, (), sum(requests), "query", witness=witness)
        return judge_rule(ERRORS, counted, at(0), at(now))

    newest = judged(10, 50)
    assert newest.phase is OPEN and "published later" in newest.reason
    assert judged(19.9, 50).phase is OPEN
    assert judged(20, 50).phase is OK
    assert judged(20, 0, 50).phase is OPEN
    assert judged(30, 0, 50).phase is OK
    told = judged(20, 20, 50)
    assert told.phase is OK and "20 requests" in told.reason


@pytest.mark.parametrize("no_data", ["inconclusive", "fail", "zero"])
@pytest.mark.parametrize("values", [(), (0,), (99, 99, 99)])
def test_an_error_of_the_provider_is_no_data_of_any_policy(
    no_data: NoData, values: tuple[float, ...]
) -> None:
    """Could not look: neither a failure nor a pass, whatever silence means, whatever came back with it."""
    rule = replace(ERRORS, no_data=no_data)
    told = judge_rule(rule, replace(series(rule, *values), error="Throttling"), at(0), at(9999))
    assert told.phase is BROKEN and "Throttling" in told.reason


def test_silence_fails_where_the_rule_says_so_but_not_before_it_could_speak() -> None:
    """`no_data: fail` waits for its duration and for as long as CloudWatch may take to publish."""
    empty = series(HOSTS)
    assert judge_rule(HOSTS, empty, at(0), at(319)).phase is OPEN
    assert judge_rule(HOSTS, empty, at(0), at(320)).phase is FAIL
    assert judge_rule(HOSTS, empty).phase is FAIL


def test_a_metric_that_falls_silent_breaches_where_silence_fails() -> None:
    """Samples, then nothing for longer than the duration: failed under `fail`, not under the default."""
    assert judge_rule(HOSTS, series(HOSTS, 2, 2), at(0), at(400)).phase is FAIL
    assert judge_rule(HOSTS, series(HOSTS, 2, 2), at(0), at(300)).phase is OK
    assert judge_rule(LATENCY, series(LATENCY, 1, 1), at(0), at(400)).phase is OK


def test_a_series_that_could_not_be_read_is_an_error() -> None:
    """Whatever samples came along, it is no pass and no failure."""
    broken = replace(series(LATENCY, 1, 1, 1), error="AccessDenied")
    result = judge_rule(LATENCY, broken)
    assert result.phase is BROKEN and "AccessDenied" in result.reason


def test_old_samples_say_nothing_of_this_step() -> None:
    """A success whose newest sample ends before the step is open; a failure stays one."""
    good = judge_rule(LATENCY, series(LATENCY, 1, 1, 1))
    assert only_fresh(good, LATENCY, at(29)).phase is OK
    assert only_fresh(good, LATENCY, at(30)).phase is OPEN
    bad = judge_rule(LATENCY, series(LATENCY, 6, 6, 6))
    assert only_fresh(bad, LATENCY, at(100)).phase is FAIL


def test_evidence_is_kept_and_fits_into_json() -> None:
    """Samples, limit and query stay with the result; what is no number is left out."""
    result = judge_rule(LATENCY, series(LATENCY, 1, math.nan, 2))
    assert [s.value for s in result.samples] == [1, 2]
    assert result.query == "query" and "Average TargetResponseTime > 5" in result.limit


@pytest.mark.parametrize(
    ("bad", "total", "phase"), [(0, 5, OK), (1, 5, OPEN), (2, 5, FAIL), (2, 20, OPEN), (5, 5, FAIL)]
)
def test_preview_requests(bad: int, total: int, phase: VerdictPhase) -> None:
    """Two failures that are a fifth condemn; fewer are open; none passes."""
    probes = [ProbeResult("http://x/", 500 if i < bad else 200, 0.1) for i in range(total)]
    assert judge_probes(probes).phase is phase


def test_a_preview_without_an_answer_is_told_as_such() -> None:
    """Status 0 is no success; the error is in the reason."""
    result = judge_probes([ProbeResult("http://x/", 0, 5.0, "timed out")] * 3)
    assert result.phase is FAIL and "timed out" in result.reason


def test_targets() -> None:
    """None healthy or ECS giving up is bad; fewer than wanted is open; all is good."""
    assert judge_targets(slot(Slot.GREEN, NEW), 3).phase is OK
    assert judge_targets(slot(Slot.GREEN, NEW, healthy=1), 3).phase is OPEN
    assert judge_targets(slot(Slot.GREEN, NEW, healthy=0), 3).phase is FAIL
    assert judge_targets(slot(Slot.GREEN, NEW, failed=True), 3).phase is FAIL
    assert judge_targets(slot(Slot.GREEN, NEW, failed_tasks=3), 3).phase is FAIL


def test_alarms() -> None:
    """ALARM fails, OK and too little data do not; one from before is shown and not counted."""
    states = {"a": "ALARM: bad", "b": "OK: ", "c": "INSUFFICIENT_DATA: ", "d": "ALARM: old"}
    results = judge_alarms(states, ignored=["d"])
    assert [(r.rule, r.dry_run) for r in results] == [("a", False), ("d", True)]
    assert verdict_of(results, at(0)).phase is FAIL
    assert verdict_of(results[1:], at(0)).phase is OPEN


def test_the_worst_counts() -> None:
    """Failed > Error > Inconclusive > Successful, and nothing measured is inconclusive."""

    def of(*phases: VerdictPhase) -> VerdictPhase:
        return verdict_of([RuleResult(p, p, "r") for p in phases], at(0)).phase

    assert of() is OPEN and of(OK, OK) is OK
    assert of(OK, OPEN) is OPEN and of(OPEN, BROKEN) is BROKEN and of(BROKEN, FAIL, OK) is FAIL
    assert worse(GOOD, UNKNOWN) is UNKNOWN and worse(FAILED, ERROR) is FAILED and worse(GOOD, GOOD) is GOOD


def test_a_dry_run_rule_is_shown_and_not_counted() -> None:
    """Watched, not judging: alone it passes nothing."""
    watched = replace(LATENCY, dry_run=True)
    bad = {watched.name: series(watched, 9, 9, 9)}
    both = judge([watched, HOSTS], {**bad, HOSTS.name: series(HOSTS, 2)}, (), at(20))
    assert both.phase is OK and both.results[0].phase is FAIL
    assert judge([watched], bad, (), at(20)).phase is OPEN


def test_a_rule_nobody_measured_is_not_a_pass() -> None:
    """A series missing from the answer is silence."""
    assert judge([LATENCY], {}, (), at(0)).phase is OPEN


def test_the_three_triggers_of_the_source_design() -> None:
    """5 s for 5 min, more than 10 errors in a minute, fewer than 1 host for 2 min."""
    latency, errors, hosts = DEFAULT_RULES
    assert (latency.datapoints, errors.datapoints, hosts.datapoints) == (5, 1, 2)
    assert latency.breaches(5.1) and not latency.breaches(5.0)
    assert errors.breaches(11) and not errors.breaches(10)
    assert hosts.breaches(0) and not hosts.breaches(1)
    assert timedelta(seconds=latency.duration) == timedelta(minutes=5)
