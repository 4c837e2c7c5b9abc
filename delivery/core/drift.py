"""Drift: what should be, against what is. Terraform's share is its own plan's; the rest is what we move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from delivery.core.infra import PlanSummary
from delivery.core.ledger import LedgerRecord
from delivery.core.release import Slot
from delivery.core.target import TargetState

Kind = Literal["terraform", "ecs", "weights", "dns"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One comparison of an environment. `ok` is false when the two differ, or could not be compared."""

    kind: Kind
    ok: bool
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class DriftReport:
    """All comparisons of one environment."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Nothing differs."""
        return all(f.ok for f in self.findings)

    def of(self, kind: Kind) -> tuple[Finding, ...]:
        """The findings of one kind."""
        return tuple(f for f in self.findings if f.kind == kind)


def of_plan(summary: PlanSummary) -> Finding:
    """Drift is what an ordinary plan wants to change.

    What it merely read back otherwise than the state has it (`summary.drift`: computed attributes, and what
    the code leaves to us) is counted in the telling, and is no drift: nothing would be changed for it.
    """
    changed = "; ".join(f"{c.action} {c.address}" for c in summary.changes)
    seen = f" ({len(summary.drift)} read back otherwise, as the code allows)" if summary.drift else ""
    return Finding("terraform", summary.empty, "No changes", (changed or "No changes") + seen)


def of_slots(record: LedgerRecord, seen: TargetState) -> Iterator[Finding]:
    """What runs and who gets the traffic, against the ledger; nothing to say while a rollout moves both."""
    if record.in_flight is not None:
        told = f"a rollout of {record.in_flight.release.id} is in flight"
        yield Finding("ecs", True, told, told)
        yield Finding("weights", True, told, told)
        return
    stable = seen.slot(seen.stable)
    expected = record.live.id if record.live else "nothing verified yet"
    running = f"{stable.release or 'nothing'} in {stable.slot}, {stable.healthy} of {stable.desired} healthy"
    fits = record.live is None or (stable.release == record.live.id and stable.serving)
    yield Finding("ecs", fits, expected, running)
    weights = f"blue {seen.blue.weight}, green {seen.green.weight}"
    whole = f"100 % on one slot ({Slot.BLUE} or {Slot.GREEN})"
    yield Finding("weights", stable.weight == 100, whole, weights)


def of_dns(expected: str, actual: str | None) -> Finding:
    """Names compare without case, the trailing dot and Route53's `dualstack.` prefix."""
    return Finding("dns", _name(expected) == _name(actual or ""), expected, actual or "no record")


def _name(host: str) -> str:
    return host.lower().rstrip(".").removeprefix("dualstack.")
