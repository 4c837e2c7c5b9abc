"""How often the canary analysis is wrong: false alarms and missed shifts, on seeded series.

Each trial is one canary: 50 samples a side, looked at after every sample from the tenth on as a rollout does,
with the small `ALPHA_BEFORE`, and once with `ALPHA` at the end. A canary is failed by any of these looks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from rich.table import Table

from delivery.core.comparing import ALPHA, ALPHA_BEFORE, compare
from delivery.core.comparison import Comparison, Label, Measured
from delivery_tests.seeded import errors, times

SEED, SAMPLES, TRIALS = 20_261_124, 50, 400
TIME = Comparison("response_time", "TargetResponseTime", "p90")
ERRORS = Comparison("target_5xx", "HTTPCode_Target_5XX_Count", "Sum")

Sides = Callable[[Random], tuple[Measured, Measured]]


@dataclass(frozen=True)
class Case:
    """A kind of canary: how it is compared, its series, and how often it may or must be failed."""

    name: str
    comparison: Comparison
    sides: Sides
    most: float = 1.0
    least: float = 0.0

    @property
    def bound(self) -> str:
        """As the table says it."""
        return f"≤ {self.most:.0%}" if self.most < 1 else f"≥ {self.least:.0%}" if self.least else "shown"


def _times(shift: float, noise: float = 0.1) -> Sides:
    return lambda r: (times(r, SAMPLES, 0.2 * shift, noise), times(r, SAMPLES, 0.2, noise))


def _errors(candidate: float, stable: float, burst: float = 0.0) -> Sides:
    """The canary has a tenth of the traffic: 60 of 600 requests a minute."""
    return lambda r: (errors(r, SAMPLES, candidate, 60, burst), errors(r, SAMPLES, stable, 540, burst))


CASES = (
    Case("times alike, 10 % noise", TIME, _times(1.0), most=0.02),
    Case("times alike, 30 % noise", TIME, _times(1.0, 0.3), most=0.02),
    Case("times 10 % up (the tolerance), 10 % noise", TIME, _times(1.1), most=0.02),
    Case("times 30 % up, 10 % noise", TIME, _times(1.3), least=0.95),
    Case("times 30 % up, 15 % noise", TIME, _times(1.3, 0.15), least=0.95),
    Case("times 30 % up, 20 % noise", TIME, _times(1.3, 0.2)),
    Case("times 30 % up, 30 % noise", TIME, _times(1.3, 0.3)),
    Case("times 30 % up, 10 % noise, tolerance 20 %", replace(TIME, tolerance=0.2), _times(1.3)),
    Case("errors alike, 0.5 %", ERRORS, _errors(0.005, 0.005), most=0.02),
    Case("errors alike, 2 % in bursts", ERRORS, _errors(0.02, 0.02, 1.0), most=0.02),
    Case("no errors on either side", ERRORS, _errors(0, 0), most=0.02),
    Case("errors 0.5 % → 2.5 %", ERRORS, _errors(0.025, 0.005), least=0.95),
    Case("errors 0 → 2 %", ERRORS, _errors(0.02, 0), least=0.95),
    Case("errors 2 % → 4 %", ERRORS, _errors(0.04, 0.02)),
)


def failed(case: Case, random: Random) -> bool:
    """Whether one canary is failed, at any look."""
    candidate, baseline = case.sides(random)
    for seen in range(case.comparison.minimum_samples, SAMPLES + 1):
        alpha = ALPHA if seen == SAMPLES else ALPHA_BEFORE
        label = compare(
            case.comparison, "stable", _first(candidate, seen), _first(baseline, seen), alpha
        ).label
        if label in (Label.HIGH, Label.LOW):
            return True
    return False


def rate(case: Case, trials: int = TRIALS, seed: int = SEED) -> float:
    """The share of canaries that are failed."""
    random = Random(f"{seed} {case.name}")
    return sum(failed(case, random) for _ in range(trials)) / trials


def run() -> Table:
    """The table."""
    title = f"Canary analysis: {TRIALS} canaries each, {SAMPLES} samples, looked at after each sample"
    table = Table("Canary", "Failed", "Bound", "Kept", title=title, title_justify="left")
    for case in CASES:
        found = rate(case)
        kept = "" if case.bound == "shown" else "yes" if case.least <= found <= case.most else "NO"
        table.add_row(case.name, f"{found:.1%}", case.bound, kept)
    return table


def _first(measured: Measured, count: int) -> Measured:
    """What had been published after so many minutes."""
    requests = measured.requests[:count]
    if not requests:
        return Measured(measured.samples[:count])
    return Measured(tuple(s for s in measured.samples if s.at <= requests[-1].at), requests)
