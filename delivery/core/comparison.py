"""What is compared between a candidate and what served before it, and what came of it.

The words are those of Kayenta, Spinnaker's judge ("Canary analysis", https://spinnaker.io/docs/guides/user/
canary/): each metric is Pass, High, Low or Nodata; the passed ones' weights make a score of 0 to 100.
How it is computed is in `core.comparing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from delivery.core.sample import Sample


class Label(StrEnum):
    """How one metric of the candidate stands against the baseline."""

    PASS = "Pass"
    HIGH = "High"
    LOW = "Low"
    NODATA = "Nodata"


#: Which way is worse.
Direction = Literal["higher", "lower", "either"]
#: What the candidate is compared with: the slot that serves beside it at the same time, or the samples kept
#: of the release that served before it (its last steps, when it was verified).
Against = Literal["stable", "previous"]
Baseline = Literal["stable", "previous", "both"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric that is compared.

    tolerance         by which share of the baseline the candidate may be worse: 0.1 is 10 %
    least             … and by how much at least it must be worse to count, in the metric's unit (for an
                      error count: a share of the requests)
    weight            its part of the score
    critical          High or Low fails the release, whatever the score
    minimum_samples   periods with data that both sides must have; fewer is Nodata
    dry_run           compared and shown, but no part of the score
    """

    name: str
    metric: str
    statistic: str
    per: float = 60.0
    tolerance: float = 0.1
    direction: Direction = "higher"
    weight: float = 1.0
    critical: bool = False
    minimum_samples: int = 10
    least: float = 0.0
    dry_run: bool = False

    @property
    def counted(self) -> bool:
        """A count of events, which tells something only as a share of requests: the slots differ in those."""
        return self.metric.startswith("HTTPCode_") or self.metric == "TargetConnectionErrorCount"

    def describe(self, against: str) -> str:
        """The comparison as people read it."""
        worse = {"higher": "higher", "lower": "lower", "either": "different"}[self.direction]
        what = f"{self.metric} per request" if self.counted else f"{self.statistic} {self.metric}"
        least = f" and {self.least:g}" if self.least else ""
        return (
            f"{what} not more than {self.tolerance:.0%}{least} {worse} than {against}, "
            f"{self.minimum_samples} samples of {self.per:g} s"
        )


@dataclass(frozen=True, slots=True)
class Score:
    """The score (0 to 100) from which the candidate passes, and from which it is marginal; below it fails."""

    passing: float = 95.0
    marginal: float = 75.0


@dataclass(frozen=True, slots=True)
class CanaryAnalysis:
    """The canary analysis of one environment."""

    comparisons: tuple[Comparison, ...]
    baseline: Baseline = "stable"
    score: Score = Score()

    @property
    def sides(self) -> tuple[Against, ...]:
        """What there is to compare with."""
        return ("stable", "previous") if self.baseline == "both" else (self.baseline,)


@dataclass(frozen=True, slots=True)
class Measured:
    """One side: the metric's samples, and per period the requests counted (the witness of error counts)."""

    samples: tuple[Sample, ...] = ()
    requests: tuple[Sample, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """One metric's comparison with all that went into it, so that it can be computed again.

    `alpha` is the chance of a false alarm it was judged with; `p_value` what the test said. The figures are
    medians, or shares of the requests; None where there was no sample. `since`: a pass needed a sample of
    the candidate that reaches past this moment.
    """

    comparison: Comparison
    against: Against
    label: Label
    reason: str
    candidate: Measured
    baseline: Measured
    alpha: float
    since: datetime | None = None
    p_value: float | None = None
    candidate_figure: float | None = None
    baseline_figure: float | None = None

    @property
    def name(self) -> str:
        """The result's name."""
        return result_name(self.comparison, self.against)

    @property
    def figures(self) -> tuple[str, str]:
        """Both figures as people read them; empty where there was no sample."""
        counted = self.comparison.counted
        sides = (self.candidate_figure, self.baseline_figure)
        candidate, baseline = ("" if f is None else f"{f:.2%}" if counted else f"{f:.3g}" for f in sides)
        return candidate, baseline


def result_name(comparison: Comparison, against: str) -> str:
    """`response_time_vs_stable`."""
    return f"{comparison.name}_vs_{against}"
