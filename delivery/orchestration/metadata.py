"""What people see of a materialization: tables, links, times. Never a secret or a value of Terraform's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import dagster as dg

from delivery.core.build import BuiltImage, GateResult, PushedImage, QualityReport, SourceSnapshot
from delivery.core.drift import DriftReport
from delivery.core.infra import Infrastructure, PlanSummary, ResourceChange
from delivery.core.ledger import ReleaseRecord, Restoration
from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.service import EnvironmentSpec
from delivery.errors import DeliveryError

Metadata = dict[str, dg.MetadataValue]

#: Longer lists are cut, and say so: the UI is for looking, the artifact store has the whole.
MOST_ROWS = 100


def source(snapshot: SourceSnapshot) -> Metadata:
    """The commit."""
    commit = snapshot.commit
    shown: Metadata = {
        "commit": text(commit.sha),
        "subject": text(commit.subject),
        "author": text(commit.author),
        "committed": time(commit.committed_at),
        "tree": text(snapshot.tree),
        "changed files": dg.MetadataValue.md(_listing(snapshot.changed)),
    }
    return {**shown, "link": dg.MetadataValue.url(commit.url)} if commit.url else shown


def quality(report: QualityReport) -> Metadata:
    """The gates, one a row."""
    rows = [
        {"gate": g.name, "result": g.status.value, "why": g.reason, "seconds": f"{g.seconds:.1f}"}
        | {"numbers": ", ".join(f"{name} {value:g}" for name, value in g.numbers.items())}
        for g in report.gates
    ]
    return {
        "passed": dg.MetadataValue.bool(report.passed),
        "stopped by": text("; ".join(report.reasons) or "nothing"),
        "gates": table(rows, ("gate", "result", "why", "seconds", "numbers")),
        "seconds": dg.MetadataValue.float(max((g.seconds for g in report.gates), default=0.0)),
    }


def gate(result: GateResult) -> Metadata:
    """One gate's numbers and last words."""
    numbers = {name: dg.MetadataValue.float(float(value)) for name, value in result.numbers.items()}
    return {
        "seconds": dg.MetadataValue.float(result.seconds),
        **numbers,
        "output": dg.MetadataValue.md(code(result.output)),
    }


def build(built: BuiltImage) -> Metadata:
    """The local image."""
    return {
        "image": text(built.image_id),
        "tag": text(built.tag),
        "size (MB)": dg.MetadataValue.float(round(built.size / 1e6, 1)),
        "seconds": dg.MetadataValue.float(built.seconds),
        "reused": dg.MetadataValue.bool(built.reused),
    }


def image(pushed: PushedImage) -> Metadata:
    """The image in the registry."""
    labels = [{"label": name, "value": value} for name, value in sorted(pushed.labels.items())]
    found = [
        {"severity": severity, "findings": str(count)} for severity, count in pushed.scan.findings.items()
    ]
    return {
        "image": text(pushed.image.reference),
        "digest": text(pushed.image.digest),
        "tag": text(pushed.tag),
        "pushed": time(pushed.pushed_at),
        "reused": dg.MetadataValue.bool(pushed.reused),
        "scan": text(pushed.scan.blocked or pushed.scan.status.lower()),
        "findings": table(found, ("severity", "findings")),
        "labels": table(labels, ("label", "value")),
    }


def plan(summary: PlanSummary) -> Metadata:
    """Counts and addresses."""
    shown: Metadata = {
        "plan": text(summary.sentence()),
        "id": text(summary.plan_id),
        "stack": text(summary.stack),
        "planned": time(summary.created_at),
        "changes": dg.MetadataValue.int(len(summary.changes)),
    }
    if summary.changes:
        shown["what"] = _changes(summary.changes)
    if summary.drift:
        shown["changed outside"] = _changes(summary.drift)
    return shown


def infrastructure(result: Infrastructure) -> Metadata:
    """What was done, and where the service is to be found."""
    contract = result.contract
    return {
        "result": text(result.sentence),
        "applied": dg.MetadataValue.bool(result.applied),
        "cluster": text(contract.cluster),
        "slots": text(", ".join(f"{slot}: {name}" for slot, name in sorted(contract.services.items()))),
        "load balancer": dg.MetadataValue.url(f"http://{contract.load_balancer_dns}"),
        "tasks": text(f"{contract.min_capacity} to {contract.max_capacity}"),
        "template": text(contract.template),
    }


def rollout(state: Rollout) -> Metadata:
    """The rollout's story."""
    end = state.history[-1].at if state.history else state.entered_at
    rows = [
        {"at": f"{line.at:%H:%M:%S}", "share": f"{line.weight} %", "what": line.message}
        for line in state.history
    ]
    return {
        "release": text(state.release.id),
        "state" if state.phase is RolloutPhase.PAUSED else "ended": text(state.phase.value),
        "reason": text(state.reason or "as planned"),
        "slot": text(state.candidate.value),
        "before": text(state.previous or "nothing"),
        **({"quick": text(state.quick)} if state.quick else {}),
        "started": time(state.started_at),
        "seconds": dg.MetadataValue.float((end - state.started_at).total_seconds()),
        "story": table(rows, ("at", "share", "what")),
    }


def dns(environment: EnvironmentSpec, target: str | None) -> Metadata:
    """Where the name points."""
    if environment.dns is None or target is None:
        return {"result": text("no DNS configured")}
    name = f"{environment.dns.record}.{environment.dns.zone}"
    return {"name": text(name), "points to": text(target), "result": text("in sync")}


def live(record: ReleaseRecord) -> Metadata:
    """The verified release."""
    return {
        "release": text(record.release.id),
        "commit": text(record.release.commit),
        "image": text(record.release.image.reference),
        "verified": time(record.at),
        "outcome": text(record.outcome.value),
    }


def restoration(done: Restoration) -> Metadata:
    """From where to where, why, and how long it took."""
    shown: Metadata = {
        "from": text(done.bad),
        "to": text(done.good or "nothing"),
        "reason": text(done.reason),
        "started": time(done.started_at),
        "by": text(done.by),
        "traffic returned by": text("the rollout itself" if done.reflex else "this step"),
    }
    if done.refused:
        shown["refused"] = text(done.refused)
    if done.finished_at is not None:
        shown["finished"] = time(done.finished_at)
        shown["seconds"] = dg.MetadataValue.float((done.finished_at - done.started_at).total_seconds())
    return shown


def incident(error: DeliveryError, url: str) -> Metadata:
    """What went wrong, why, and what to do next."""
    return {
        "what": text(error.what),
        "cause": text(error.why),
        "next": text(error.hint),
        "run": dg.MetadataValue.url(url),
    }


def drift(report: DriftReport) -> Metadata:
    """Expected against actual, one finding a row."""
    rows = [
        {"kind": f.kind, "result": "ok" if f.ok else "drift", "expected": f.expected, "actual": f.actual}
        for f in report.findings
    ]
    return {
        "drift": dg.MetadataValue.int(sum(not f.ok for f in report.findings)),
        "findings": table(rows, ("kind", "result", "expected", "actual")),
    }


def _changes(changes: Sequence[ResourceChange]) -> dg.MetadataValue:
    rows = [
        {"address": c.address, "action": c.action, "attributes": ", ".join(c.attributes), "why": c.reason}
        for c in changes
    ]
    return table(rows, ("address", "action", "attributes", "why"))


def table(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> dg.MetadataValue:
    """Rows of text; a long list keeps its newest rows and says how many are left out."""
    schema = dg.TableSchema([dg.TableColumn(name, "string") for name in columns])
    shown = [dg.TableRecord(dict(row)) for row in rows[-MOST_ROWS:]]
    if len(rows) > MOST_ROWS:
        more = f"… and {len(rows) - MOST_ROWS} before"
        shown.insert(0, dg.TableRecord({name: more if i == 0 else "" for i, name in enumerate(columns)}))
    return dg.MetadataValue.table(shown, schema)


def _listing(lines: Sequence[str]) -> str:
    more = [f"- … and {len(lines) - MOST_ROWS} more"] if len(lines) > MOST_ROWS else []
    return "\n".join([*(f"- `{line}`" for line in lines[:MOST_ROWS]), *more]) or "none"


def code(lines: Sequence[str]) -> str:
    """A block that no line of output can close from within."""
    return "\n".join(f"    {line}" for line in lines[-MOST_ROWS:]) or "nothing"


def text(value: str) -> dg.MetadataValue:
    """One line."""
    return dg.MetadataValue.text(value)


def time(moment: datetime) -> dg.MetadataValue:
    """A moment, shown in the reader's time zone."""
    return dg.MetadataValue.timestamp(moment)
