"""The checks of each stage, and how what a flow returns becomes their results.

A thing that was not measured is never a pass: its check fails with severity WARN and says "not measured".
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from delivery.core.analysis import RuleResult, Verdict, VerdictPhase
from delivery.core.build import GateResult, GateStatus, PushedImage, QualityReport
from delivery.core.comparison import result_name
from delivery.core.drift import DriftReport
from delivery.core.ledger import Restoration
from delivery.core.scoring import CANARY
from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.orchestration import metadata, verdicts
from delivery.orchestration.tags import identifier

#: What a judgement looks at besides the environment's rules.
TARGETS, PREVIEW, LAUNCH, ALARMS = "targets", "preview", "launch", "alarms"
NOT_MEASURED = "not measured"
DRIFT_KINDS = {
    "terraform": "What Terraform manages is as its code says.",
    "ecs": "The slots run the release that is live.",
    "weights": "The listener rule's weights are as the last deployment left them.",
    "dns": "The public name points to this environment.",
}


def quality_specs(spec: ServiceSpec, asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """One per gate, and `quality_gate` for the whole; all block."""
    gates = [_spec(gate.name, asset, f"Gate: {' '.join(gate.command)}", blocking=True) for gate in spec.gates]
    return [*gates, _spec("quality_gate", asset, "Nothing stops the image.", blocking=True)]


def quality_results(spec: ServiceSpec, report: QualityReport) -> list[dg.AssetCheckResult]:
    """A gate that gave no result did not pass."""
    by_name = {gate.name: gate for gate in report.gates}
    results = [_gate(gate.name, by_name.get(gate.name)) for gate in spec.gates]
    reasons = "; ".join(report.reasons) or "every gate passed"
    return [*results, _result("quality_gate", report.passed, reasons)]


def image_specs(asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The scan, and the signed word about where the image comes from; both block."""
    return [
        _spec("image_scan", asset, "No finding at or above the severity that blocks.", blocking=True),
        _spec("signature", asset, "Signed by our key, and labelled with this commit.", blocking=True),
    ]


def image_results(spec: ServiceSpec, pushed: PushedImage, sha: str) -> list[dg.AssetCheckResult]:
    """`flows.image` signs, or raises; the label is looked at here once more."""
    scan = pushed.scan
    done = scan.status in ("COMPLETE", "ACTIVE") or spec.image.fail_on == "none"
    found = ", ".join(f"{n} {severity.lower()}" for severity, n in scan.findings.items()) or "no findings"
    labelled = pushed.labels.get("org.opencontainers.image.revision", "")
    signed = f"signed; label names {labelled or 'no commit'}"
    told = scan.blocked or (
        f"{found}; blocks at {spec.image.fail_on}" if done else f"{NOT_MEASURED}: scan {scan.status}"
    )
    return [
        _result("image_scan", done and not scan.blocked, told),
        _result("signature", labelled == sha, signed),
    ]


def plan_specs(asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The policy on plans; it blocks."""
    return [_spec("plan_policy", asset, "Nothing that holds state is destroyed or replaced.", blocking=True)]


def plan_results(problems: Sequence[str]) -> list[dg.AssetCheckResult]:
    """Every problem of a plan is a refusal."""
    return [_result("plan_policy", not problems, "; ".join(problems) or "no objection")]


def health_specs(environment: EnvironmentSpec, asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """One per rule, and what else a judgement looks at. None blocks: the rollback must follow."""
    rules = [_spec(rule.name, asset, rule.describe()) for rule in environment.rules]
    rules += [_spec(name, asset, told) for name, told in _compared(environment).items()]
    preview = [_spec(PREVIEW, asset, "The preview requests are answered.")] if environment.probe else []
    return [
        *rules,
        *preview,
        _spec(TARGETS, asset, "The load balancer finds the targets healthy."),
        _spec(LAUNCH, asset, "The release starts and stays up."),
        _spec(ALARMS, asset, "No CloudWatch alarm of the slot fires."),
    ]


def health_results(environment: EnvironmentSpec, verdict: Verdict) -> list[dg.AssetCheckResult]:
    """One result per spec of `health_specs`, from what the verdict says was measured.

    Where there was nothing to compare with, a comparison has none: Dagster shows its check as skipped, which
    is neither a pass nor a warning. `verdicts.verdict` says why, once.
    """
    named = [*(rule.name for rule in environment.rules), *_compared(environment)]
    own = {*named, TARGETS, PREVIEW, LAUNCH}
    measured = {r.rule: r for r in verdict.results if r.rule in own}
    alarms = [r for r in verdict.results if r.rule not in own and not r.part_of and r.score is None]
    left_out = {name for name, result in measured.items() if verdicts.without_baseline(result)}
    results = [_rule(name, measured.get(name)) for name in named if name not in left_out]
    # A release that was judged on anything else had been launched; alarms are read together with the rules.
    looked = any(rule.name in measured for rule in environment.rules)
    launched = RuleResult(LAUNCH, VerdictPhase.SUCCESSFUL, "launched") if set(measured) - {LAUNCH} else None
    quiet = RuleResult(ALARMS, VerdictPhase.SUCCESSFUL, "none fires") if looked else None
    preview = [_rule(PREVIEW, measured.get(PREVIEW))] if environment.probe else []
    return [
        *results,
        *preview,
        _rule(TARGETS, measured.get(TARGETS)),
        _rule(LAUNCH, measured.get(LAUNCH, launched)),
        _alarms(alarms) if alarms else _rule(ALARMS, quiet),
    ]


def _compared(environment: EnvironmentSpec) -> dict[str, str]:
    """The checks of a canary analysis: each comparison, and the score, which alone decides."""
    analysis = environment.compare
    if analysis is None:
        return {}
    pairs = [(c, against) for c in analysis.comparisons for against in analysis.sides]
    score = f"The compared metrics' score: passes from {analysis.score.passing:g} of 100."
    return {**{result_name(c, against): c.describe(against) for c, against in pairs}, CANARY: score}


def rollback_specs(asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """Whether the good release has the traffic again. Does not block: the incident must follow."""
    return [_spec("restored", asset, "The good release has all traffic, read back.")]


def rollback_results(restoration: Restoration) -> list[dg.AssetCheckResult]:
    """Refused or unfinished is not restored."""
    told = restoration.refused or (
        f"restored to {restoration.good}" if restoration.restored else "the restoration has not ended"
    )
    return [_result("restored", restoration.restored, told)]


def drift_specs(environment: EnvironmentSpec, asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """One per kind of drift; DNS only where there is a name."""
    kinds = [kind for kind in DRIFT_KINDS if kind != "dns" or environment.dns]
    return [_spec(kind, asset, DRIFT_KINDS[kind]) for kind in kinds]


def drift_results(environment: EnvironmentSpec, report: DriftReport) -> list[dg.AssetCheckResult]:
    """Drift warns; it never fails a run."""
    results = []
    for kind in (k for k in DRIFT_KINDS if k != "dns" or environment.dns):
        findings = [f for f in report.findings if f.kind == kind]
        wrong = [f"expected {f.expected}, found {f.actual}" for f in findings if not f.ok]
        told = "; ".join(wrong) or ("as expected" if findings else NOT_MEASURED)
        results.append(_result(kind, bool(findings) and not wrong, told, dg.AssetCheckSeverity.WARN))
    return results


def _gate(name: str, gate: GateResult | None) -> dg.AssetCheckResult:
    if gate is None:
        return _result(name, False, NOT_MEASURED)
    passed = gate.status is GateStatus.PASSED
    return _result(name, passed, f"{gate.status.value}: {gate.reason}", metadata_=metadata.gate(gate))


def _rule(name: str, result: RuleResult | None) -> dg.AssetCheckResult:
    """Failing is an error; not measured, not enough seen, could not look: a warning, and still not a pass."""
    if result is None:
        return _result(name, False, NOT_MEASURED, dg.AssetCheckSeverity.WARN)
    failed = result.phase is VerdictPhase.FAILED and result.counts
    severity = dg.AssetCheckSeverity.ERROR if failed else dg.AssetCheckSeverity.WARN
    passed = result.phase is VerdictPhase.SUCCESSFUL
    return _result(name, passed, result.reason, severity, verdicts.rule(result))


def _alarms(results: Sequence[RuleResult]) -> dg.AssetCheckResult:
    firing = "; ".join(f"{r.rule}: {r.reason}" for r in results)
    counted = any(not r.dry_run for r in results)
    severity = dg.AssetCheckSeverity.ERROR if counted else dg.AssetCheckSeverity.WARN
    return _result(ALARMS, False, firing, severity)


def _spec(name: str, asset: dg.AssetKey, description: str, blocking: bool = False) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(identifier(name), asset=asset, description=description, blocking=blocking)


def _result(
    name: str,
    passed: bool,
    told: str,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    metadata_: dict[str, dg.MetadataValue] | None = None,
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=passed,
        check_name=identifier(name),
        severity=severity,
        description=told,
        metadata=metadata_ or {},
    )
