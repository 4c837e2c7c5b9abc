"""Rules, samples, verdicts: what is measured of a candidate and what follows from it.

`Failed` means measured, and bad. `Error` means could not look. They are never the same thing.
The judging itself is in `core.judging`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from delivery.core.comparison import Compared, Score
from delivery.core.sample import Sample as Sample
from delivery.core.sample import Series as Series


class VerdictPhase(StrEnum):
    """How a judgement ended (Argo Rollouts' words)."""

    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"


NoData = Literal["inconclusive", "fail", "zero"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rollback trigger: `metric` compared with `threshold`, in every period for `duration` seconds.

    comparison  ">" fails above the threshold, "<" fails below it; equal never fails
    per         the CloudWatch period in seconds; `duration / per` consecutive breaching samples fail
    no_data     what silence means: `inconclusive` (default), `fail`, or `zero`: CloudWatch sends no
                datapoint for an error count of zero, so silence is zero *if requests were counted*
    dry_run     measured and shown, but not judged
    """

    name: str
    metric: str
    statistic: str
    comparison: Literal[">", "<"]
    threshold: float
    per: float = 60.0
    duration: float = 60.0
    no_data: NoData = "inconclusive"
    dry_run: bool = False

    @property
    def datapoints(self) -> int:
        """Consecutive breaching samples that make it fail (at least 1)."""
        return max(1, -(-int(self.duration * 1000) // int(self.per * 1000)))

    def breaches(self, value: float) -> bool:
        """Whether one sample is on the wrong side of the threshold."""
        return value > self.threshold if self.comparison == ">" else value < self.threshold

    def describe(self) -> str:
        """The rule as people read it."""
        return (
            f"{self.statistic} {self.metric} {self.comparison} {self.threshold:g} "
            f"per {self.per:g} s for {self.duration:g} s"
        )


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One preview request: its status (0 = no answer) and time in seconds."""

    url: str
    status: int
    seconds: float
    error: str = ""

    @property
    def ok(self) -> bool:
        """Answered with a success."""
        return 200 <= self.status < 400


@dataclass(frozen=True, slots=True)
class Basis:
    """What a rule was judged on besides its samples, so that it can be judged again.

    `since`: a success needed a sample that reaches past this moment. `witness`: requests per period.
    """

    rule: Rule
    start: datetime | None = None
    now: datetime | None = None
    since: datetime | None = None
    requests: float | None = None
    witness: tuple[Sample, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class RuleResult:
    """How one rule came out, with the samples that made it so (enough to judge again later).

    part_of   the result that counts in its stead: a compared metric is a part of the score `canary`
    basis     of a threshold: what it was judged on, with the rule as it was then
    compared  of a compared metric: both sides' samples, with the comparison as it was then
    score     of the canary score: its limits as they were then
    """

    rule: str
    phase: VerdictPhase
    reason: str
    samples: tuple[Sample, ...] = ()
    limit: str = ""
    query: str = ""
    dry_run: bool = False
    part_of: str = ""
    basis: Basis | None = None
    compared: Compared | None = None
    score: Score | None = None

    @property
    def counts(self) -> bool:
        """Decides the verdict itself."""
        return not self.dry_run and not self.part_of


@dataclass(frozen=True, slots=True)
class Accepted:
    """A person's word for what nobody could tell: who, why, when, and what it was.

    `step` is the index of the rollout's step it holds for, `weight` the candidate's share there; `rules` were
    inconclusive then, `what` is the verdict they made.
    """

    by: str
    reason: str
    at: datetime
    step: int
    weight: int
    rules: tuple[str, ...]
    what: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of a release at one moment: phase, reason, evidence.

    `accepted`: what a person took upon himself on the way here (see `core.accepting`).
    """

    phase: VerdictPhase
    reason: str
    judged_at: datetime
    results: tuple[RuleResult, ...] = ()
    accepted: tuple[Accepted, ...] = ()

    @property
    def by_word(self) -> bool:
        """Successful by a person's word: not everything that counts was measured to be good."""
        good = VerdictPhase.SUCCESSFUL
        return self.phase is good and any(r.counts and r.phase is not good for r in self.results)


#: The three rollback triggers of the source design.
DEFAULT_RULES: tuple[Rule, ...] = (
    Rule("response_time", "TargetResponseTime", "Average", ">", 5.0, per=60, duration=300),
    Rule("target_5xx", "HTTPCode_Target_5XX_Count", "Sum", ">", 10, per=60, duration=60, no_data="zero"),
    Rule("healthy_hosts", "HealthyHostCount", "Minimum", "<", 1, per=60, duration=120, no_data="fail"),
)
