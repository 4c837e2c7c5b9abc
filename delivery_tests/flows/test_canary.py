"""Canary analysis in the drive loop: the candidate against what serves beside it, and what served before."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.core.analysis import RuleResult, Verdict, VerdictPhase
from delivery.core.comparison import Baseline, CanaryAnalysis, Comparison, Label
from delivery.core.ledger import Outcome
from delivery.core.rollout import RolloutPhase
from delivery.core.service import EnvironmentSpec
from delivery.core.strategy import BlueGreen, Canary, CanaryStep, Pause, Rolling, Strategy
from delivery.errors import RefusedError
from delivery_tests.fakes import Behaviour, sample_environment, sample_sha
from delivery_tests.flows.journey import Ended, Journey

STEPS = Canary((10, 50, 100), analyze_for=20, bake=20)
TIME = Comparison("time", "TargetResponseTime", "Average", per=1)
ERRORS = Comparison("errors", "HTTPCode_Target_5XX_Count", "Sum", per=1)
#: Slower by 60 %, and three errors of a hundred: nothing a threshold would see.
SLOWER, WORSE = Behaviour(latency=0.08), Behaviour(error_rate=0.03)


def compared(
    baseline: Baseline = "stable", strategy: Strategy = STEPS, *more: Comparison, **changes: object
) -> EnvironmentSpec:
    """Production with response times and errors compared, second by second."""
    analysis = CanaryAnalysis((replace(TIME, **changes), replace(ERRORS, **changes), *more), baseline)  # type: ignore[arg-type]
    return replace(sample_environment("production", strategy), compare=analysis)


def second(environment: EnvironmentSpec, behaviour: Behaviour) -> tuple[Journey, Ended]:
    """A good release, then one that behaves so."""
    journey = Journey.start(environment)
    journey.deliver("a")
    journey.world.behave(sample_sha("b"), behaviour)
    return journey, journey.deliver("b")


def result(verdict: Verdict | None, name: str) -> RuleResult:
    """The result of that name."""
    assert verdict is not None
    return next(r for r in verdict.results if r.rule == name)


def shares(journey: Journey, ended: Ended) -> list[int]:
    """The shares the candidate was given."""
    slot = ended.rollout.candidate
    return [
        w if slot == "green" else 100 - w for at, w in journey.target.moved if at > ended.rollout.started_at
    ]


@pytest.mark.parametrize(("behaviour", "name"), [(SLOWER, "time_vs_stable"), (WORSE, "errors_vs_stable")])
def test_what_no_threshold_sees_is_found_at_the_first_share(behaviour: Behaviour, name: str) -> None:
    """Slower, or a few more errors, than the release beside it: failed at 10 %, with the evidence."""
    journey, ended = second(compared(critical=True), behaviour)
    assert ended.verdict.phase is VerdictPhase.FAILED and "critical" in ended.verdict.reason
    assert shares(journey, ended) == [10, 0]
    found = result(ended.verdict, name)
    assert found.compared is not None and found.compared.label is Label.HIGH
    assert len(found.compared.candidate.samples) > 0 and " against " in found.query
    assert journey.record.live is not None and journey.record.live.commit == sample_sha("a")


def test_a_release_like_the_one_before_goes_live_and_leaves_its_samples() -> None:
    """The comparison of the last shared step stands while the stable slot has no traffic any more."""
    journey, ended = second(compared(), Behaviour())
    assert ended.live is not None and ended.live.outcome is Outcome.VERIFIED
    assert result(ended.verdict, "canary").reason == "score 100, passes from 95"
    kept = result(ended.live.verdict, "time_vs_stable").compared
    assert kept is not None and kept.baseline_figure == kept.candidate_figure == 0.05
    assert shares(journey, ended) == [10, 50, 100]


def test_a_first_release_has_nothing_to_be_compared_with() -> None:
    """It is judged by the other rules; why nothing was compared is said."""
    journey = Journey.start(compared("both"))
    ended = journey.deliver("a")
    assert ended.live is not None
    told = result(ended.verdict, "canary")
    assert told.dry_run and told.reason == "not compared: nothing served before it"
    assert "nothing served before it" in result(ended.verdict, "time_vs_previous").reason


@pytest.mark.parametrize("strategy", [Rolling(bake=20), BlueGreen(bake=20), STEPS])
def test_the_previous_release_can_be_compared_with_in_every_strategy(strategy: Strategy) -> None:
    """Its samples were kept in the ledger when it was verified: the slower one fails, the same one passes."""
    environment = compared("previous", strategy, critical=True)
    _, ended = second(environment, SLOWER)
    assert ended.verdict.phase is VerdictPhase.FAILED
    assert "time_vs_previous: 0.08 against 0.05 of previous: High" in ended.verdict.reason
    _, good = second(environment, Behaviour())
    assert good.live is not None and result(good.verdict, "canary").phase is VerdictPhase.SUCCESSFUL


def test_a_load_that_makes_both_slow_condemns_nobody() -> None:
    """Compared at the same time, what slows both slots down is no fault of the candidate."""
    journey = Journey.start(compared(critical=True))
    journey.deliver("a")
    for name in ("a", "b"):
        journey.world.behave(sample_sha(name), SLOWER)
    assert journey.deliver("b").live is not None


def test_a_marginal_score_is_a_persons_to_decide() -> None:
    """Between the two limits: neither on nor back, but paused with the score told; a person goes on."""
    environment = compared("stable", STEPS, replace(TIME, name="p50"), replace(TIME, name="p90"))
    analysis = environment.compare
    assert analysis is not None
    first, *others = analysis.comparisons
    heavy = (replace(first, weight=0.5), *(replace(c, tolerance=1.0) for c in others))
    journey = Journey.start(replace(environment, compare=replace(analysis, comparisons=heavy)))
    journey.deliver("a")
    journey.world.behave(sample_sha("b"), SLOWER)
    commit = journey.push("b")
    with pytest.raises(RefusedError, match="marginal: score 86, passes from 95"):
        journey.deploy(commit.sha)
    rollout = journey.record.rollout
    assert rollout is not None and rollout.phase is RolloutPhase.PAUSED and rollout.weight == 10


def test_too_few_samples_are_waited_for_and_never_a_pass() -> None:
    """A step shorter than the samples take is held until they are there; if they never come, it pauses."""
    journey, ended = second(compared(minimum_samples=40), Behaviour())
    assert ended.live is not None
    at_10, at_50 = [at for at, w in journey.target.moved if at > ended.rollout.started_at][:2]
    assert (at_50 - at_10).total_seconds() >= 40
    with pytest.raises(RefusedError, match="not enough to compare with stable"):
        second(compared(minimum_samples=200), Behaviour())


def test_too_few_samples_kept_hold_nobody_up() -> None:
    """What was not kept of the previous release never comes: said, and judged by the other rules."""
    _, ended = second(compared("previous", Rolling(bake=4), minimum_samples=40), Behaviour())
    assert ended.live is not None
    assert "fewer than 40 samples kept of" in result(ended.verdict, "time_vs_previous").reason


def test_a_provider_that_does_not_answer_condemns_nobody() -> None:
    """Errors have a budget of their own: then the rollout pauses, and the release is not called bad."""
    journey = Journey.start(compared(critical=True))
    journey.deliver("a")
    commit = journey.push("b")
    metrics = journey.world.at().metrics
    journey.world.clock.at(20, lambda: setattr(metrics, "error", "Throttling"))
    with pytest.raises(RefusedError):
        journey.deploy(commit.sha)
    rollout = journey.record.rollout
    assert rollout is not None and rollout.phase is RolloutPhase.PAUSED and not rollout.condemned
    assert journey.record.quarantine == ()


def test_a_dry_run_comparison_is_shown_and_fails_nothing() -> None:
    """It is High, and the release goes live."""
    _, ended = second(compared(dry_run=True), SLOWER)
    assert ended.live is not None
    shown = result(ended.verdict, "time_vs_stable")
    assert shown.dry_run and shown.compared is not None and shown.compared.label is Label.HIGH


def test_what_gets_worse_while_a_person_is_asked_is_given_up() -> None:
    """In a pause the candidate is compared all the time."""
    steps = Canary((CanaryStep(10, pause=Pause(600, "continue")), 100), analyze_for=20, bake=20)
    journey = Journey.start(compared("stable", steps, critical=True))
    journey.deliver("a")
    journey.world.clock.at(100, lambda: journey.world.behave(sample_sha("b"), Behaviour(latency=0.2)))
    ended = journey.deliver("b")
    assert ended.verdict.phase is VerdictPhase.FAILED and shares(journey, ended) == [10, 0]


def test_one_look_is_one_read_however_much_is_compared() -> None:
    """Both slots, all rules, one request: the same number of reads with and without a comparison."""
    reads = []
    for environment in (sample_environment("production", STEPS), compared("both")):
        journey, _ = second(environment, Behaviour())
        looks = journey.world.wire.counts["target.observe"]
        assert journey.world.wire.counts["metrics.read"] <= looks
        reads.append(journey.world.wire.counts["metrics.read"])
    assert abs(reads[0] - reads[1]) <= 2


def test_a_rejudgement_of_what_serves_alone_says_that_nothing_was_compared() -> None:
    """The live release is measured afresh; the next one can still be compared with its kept samples."""
    journey, _ = second(compared("both"), Behaviour())
    journey.world.clock.advance(600)
    again = journey.rejudge(sample_sha("b"))
    assert again.verdict.phase is VerdictPhase.SUCCESSFUL
    assert "serves alone" in result(again.verdict, "time_vs_stable").reason
    journey.world.behave(sample_sha("c"), SLOWER)
    assert "time_vs_previous" in journey.deliver("c").verdict.reason
