"""How results become checks: what was not measured never passes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from delivery.core.analysis import RuleResult, Sample, Verdict, VerdictPhase
from delivery.core.build import PushedImage, QualityReport, ScanReport
from delivery.core.comparing import compare
from delivery.core.comparison import CanaryAnalysis, Comparison, Measured, Score
from delivery.core.drift import DriftReport, Finding
from delivery.core.ledger import Restoration
from delivery.core.scoring import result_of, score_of
from delivery.orchestration import checks, verdicts
from delivery_tests.fakes.samples import sample_pushed, sample_service, sample_sha
from delivery_tests.seeded import at_each_minute

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
PRODUCTION = sample_service().environment("production")
ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
FAILED, GOOD = VerdictPhase.FAILED, VerdictPhase.SUCCESSFUL


def _health(*results: RuleResult) -> dict[str, dg.AssetCheckResult]:
    verdict = Verdict(FAILED, "as told", NOW, results)
    return {r.check_name or "": r for r in checks.health_results(PRODUCTION, verdict)}


def test_every_declared_check_of_health_gets_a_result() -> None:
    """Whatever a verdict holds, no result is missing: that would fail the step, and with it the rollback."""
    declared = {spec.name for spec in checks.health_specs(PRODUCTION, dg.AssetKey("health"))}
    assert set(_health()) == declared
    silent = replace(PRODUCTION, probe=None)
    specs = {spec.name for spec in checks.health_specs(silent, dg.AssetKey("health"))}
    given = {r.check_name for r in checks.health_results(silent, Verdict(FAILED, "", NOW))}
    assert specs == given == declared - {"preview"}


def test_nothing_measured_passes_nothing() -> None:
    """An empty verdict turns every check into a warning that says so."""
    results = _health()
    assert not any(r.passed for r in results.values())
    assert {(r.severity, r.description) for r in results.values()} == {(WARN, "not measured")}


@pytest.mark.parametrize(
    ("phase", "passed", "severity"),
    [
        (VerdictPhase.SUCCESSFUL, True, WARN),
        (VerdictPhase.FAILED, False, ERROR),
        (VerdictPhase.INCONCLUSIVE, False, WARN),
        (VerdictPhase.ERROR, False, WARN),
    ],
)
def test_a_rule_passes_only_when_it_was_measured_and_good(
    phase: VerdictPhase, passed: bool, severity: dg.AssetCheckSeverity
) -> None:
    """Could not look and not enough seen are neither a pass nor an error."""
    result = _health(RuleResult("target_5xx", phase, "told"))["target_5xx"]
    assert (result.passed, result.severity, result.description) == (passed, severity, "told")


def test_a_rule_in_dry_run_warns_and_does_not_condemn() -> None:
    """Measured and shown, not judged: never an error."""
    result = _health(RuleResult("target_5xx", FAILED, "told", dry_run=True))["target_5xx"]
    assert not result.passed and result.severity is WARN


def test_compared_metrics_are_checks_of_their_own_and_the_score_decides() -> None:
    """One check per comparison and side, and the score: a metric that is High warns, a failed score fails."""
    analysis = CanaryAnalysis((Comparison("time", "TargetResponseTime", "p90"),), "both")
    production = replace(PRODUCTION, compare=analysis)
    declared = {spec.name for spec in checks.health_specs(production, dg.AssetKey("health"))}
    assert {"time_vs_stable", "time_vs_previous", "canary"} <= declared
    high = result_of(compare(analysis.comparisons[0], "stable", *(_side(v) for v in (0.4, 0.2))))
    failed = score_of([high], analysis.score)
    verdict = Verdict(FAILED, "as told", NOW, (high, failed))
    given = {r.check_name: r for r in checks.health_results(production, verdict)}
    assert set(given) == declared
    assert (given["time_vs_stable"].passed, given["time_vs_stable"].severity) == (False, WARN)
    assert (given["canary"].passed, given["canary"].severity) == (False, ERROR)
    assert given["time_vs_previous"].description == given["alarms"].description == "not measured"


def test_comparisons_that_are_no_longer_written_are_not_taken_for_alarms() -> None:
    """A verdict from before the file was changed still fits the checks of now."""
    high = result_of(compare(Comparison("time", "X", "p90"), "stable", _side(0.4), _side(0.2)))
    assert _health(high, score_of([high], Score()))["alarms"].description == "not measured"


def _side(value: float) -> Measured:
    return Measured(at_each_minute([value] * 10))


def test_firing_alarms_are_one_check_and_old_ones_only_warn() -> None:
    """All firing alarms stand together; one that fired before this release had traffic is a warning."""
    fresh = RuleResult("web-5xx", FAILED, "ALARM: now")
    old = RuleResult("web-slow", FAILED, "ALARM: long ago", dry_run=True)
    both, only_old = _health(fresh, old)["alarms"], _health(old)["alarms"]
    assert not both.passed and both.severity is ERROR
    assert "web-5xx" in (both.description or "") and "web-slow" in (both.description or "")
    assert not only_old.passed and only_old.severity is WARN


def test_no_alarm_counts_as_quiet_only_when_metrics_were_read() -> None:
    """Alarms are read together with the rules: without any rule measured, nobody looked."""
    assert _health(RuleResult("target_5xx", GOOD, ""))["alarms"].passed
    assert not _health(RuleResult("targets", GOOD, ""))["alarms"].passed


def test_a_failed_launch_says_so_and_leaves_the_rest_unmeasured() -> None:
    """A release that never started was not measured by any rule."""
    results = _health(RuleResult("launch", FAILED, "exit code 1"))
    assert not results["launch"].passed and results["launch"].severity is ERROR
    assert {r.description for n, r in results.items() if n != "launch"} == {"not measured"}


def test_a_gate_without_a_result_did_not_pass() -> None:
    """A report that lacks a gate is no pass for it."""
    report = QualityReport((), ("unit was not run",))
    results = {r.check_name: r for r in checks.quality_results(sample_service(), report)}
    assert set(results) == {"lint", "unit", "quality_gate"}
    assert not any(r.passed for r in results.values())


@pytest.mark.parametrize(
    ("scan", "passed"),
    [
        (ScanReport({"LOW": 2}), True),
        (ScanReport({"HIGH": 1}, blocked="1 HIGH"), False),
        (ScanReport(status="FAILED"), False),
        (ScanReport(status="UNSUPPORTED_IMAGE"), False),
        (ScanReport(status="ACTIVE"), True),
    ],
)
def test_an_image_passes_only_a_scan_that_was_done(scan: ScanReport, passed: bool) -> None:
    """A scan that did not end says nothing good."""
    sha = sample_sha("a")
    pushed = replace(sample_pushed(sha), scan=scan)
    results = {r.check_name: r.passed for r in checks.image_results(sample_service(), pushed, sha)}
    assert results == {"image_scan": passed, "signature": True}


def test_an_image_of_another_commit_has_no_good_signature() -> None:
    """The label is looked at once more."""
    pushed: PushedImage = sample_pushed(sample_sha("a"))
    results = {r.check_name: r for r in checks.image_results(sample_service(), pushed, sample_sha("b"))}
    assert not results["signature"].passed


def test_a_refused_or_unfinished_restoration_is_not_restored() -> None:
    """`restored` passes only when the good release has the traffic again."""
    begun = Restoration("bad", "good", "because", NOW)
    ended = replace(begun, finished_at=NOW + timedelta(seconds=3))
    refused = replace(ended, refused="nothing good to return to")
    assert [checks.rollback_results(r)[0].passed for r in (begun, ended, refused)] == [False, True, False]


def test_drift_that_was_not_looked_for_is_not_in_order() -> None:
    """A kind without a finding is "not measured"; one that differs says what was expected and found."""
    report = DriftReport((Finding("terraform", True, "", ""), Finding("weights", False, "100", "90/10")))
    results = {r.check_name: r for r in checks.drift_results(PRODUCTION, report)}
    assert {n: r.passed for n, r in results.items()} == {"terraform": True, "ecs": False, "weights": False}
    assert results["weights"].description == "expected 100, found 90/10"
    assert results["ecs"].description == "not measured"
    assert {r.severity for r in results.values()} == {WARN}


def test_samples_are_drawn_as_a_line() -> None:
    """From zero to the largest value, with the first and the last as numbers."""
    samples = [Sample(NOW + timedelta(minutes=i), value) for i, value in enumerate((0.0, 5.0, 10.0))]
    assert verdicts.sparkline(samples) == "0 ▁▅█ 10"
    assert verdicts.sparkline([]) == ""
    long = verdicts.sparkline([Sample(samples[0].at, float(n)) for n in range(500)])
    assert long.startswith("476 ") and long.endswith("█ 499") and len(long) < 40
