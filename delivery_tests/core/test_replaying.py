"""A verdict computed again from what was kept with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from delivery.adapters.aws.codec import decode, encode
from delivery.core.analysis import Rule, Sample, Series, Verdict, VerdictPhase
from delivery.core.comparing import compare
from delivery.core.comparison import CanaryAnalysis, Comparison, Measured, Score
from delivery.core.judging import judge_alarms, judge_rule, judge_targets, only_fresh, verdict_of
from delivery.core.release import Slot
from delivery.core.replaying import Rules, differences, recomputable, replay
from delivery.core.scoring import result_of, score_of
from delivery_tests.core.states import NEW, at, slot
from delivery_tests.seeded import at_each_minute

OK, FAIL, OPEN = VerdictPhase.SUCCESSFUL, VerdictPhase.FAILED, VerdictPhase.INCONCLUSIVE
LATENCY = Rule("latency", "TargetResponseTime", "Average", ">", 5, per=10, duration=30)
ERRORS = Rule("errors", "HTTPCode_Target_5XX_Count", "Sum", ">", 10, per=10, duration=10, no_data="zero")
HOSTS = Rule("hosts", "HealthyHostCount", "Minimum", "<", 1, per=10, duration=20, no_data="fail")
TIME = Comparison("time", "TargetResponseTime", "p90", critical=True)


USUAL = Score()


def kept(latency: float = 1, candidate: float = 0.2, score: Score = USUAL) -> Verdict:
    """A verdict of three rules, a comparison and its score, targets and an alarm; read back from JSON."""
    samples = tuple(Sample(at(10 * i), latency) for i in range(3))
    witness = tuple(Sample(at(10 * i), 50.0) for i in range(3))
    series = {
        LATENCY: Series("latency", samples, 150, "q", witness=witness),
        ERRORS: Series("errors", (), 150, "q", witness=witness),
        HOSTS: Series("hosts", (), 150, "q", witness=witness),
    }
    rules = [only_fresh(judge_rule(r, s, at(0), at(40)), r, at(5)) for r, s in series.items()]
    sides = [Measured(at_each_minute([value] * 10)) for value in (candidate, 0.2)]
    compared = result_of(compare(TIME, "stable", *sides), "q")
    seen = [judge_targets(slot(Slot.GREEN, NEW), 3), *judge_alarms({"a": "ALARM: x"}, ["a"])]
    verdict = verdict_of([*rules, compared, score_of([compared], score), *seen], at(40))
    return decode(encode(verdict), Verdict, "health.json")


@pytest.mark.parametrize(
    "verdict",
    [kept(), kept(latency=6), kept(candidate=0.4), kept(candidate=0.4, score=Score(100, 100))],
    ids=["inconclusive", "threshold", "comparison", "score"],
)
def test_with_the_rules_of_then_it_comes_to_the_same(verdict: Verdict) -> None:
    """Every result, the score and the verdict, to the word, from the JSON that was kept."""
    again = replay(verdict)
    assert again.verdict.phase is verdict.phase and differences(verdict, again.verdict) == ()
    assert sorted(r.reason for r in again.verdict.results) == sorted(r.reason for r in verdict.results)
    assert recomputable(verdict)


def test_a_tampered_sample_is_found() -> None:
    """Evidence that does not carry its verdict: replayed, it differs, and says where."""
    good = kept()
    first = good.results[0]
    higher = tuple(replace(s, value=9.0) for s in first.samples)
    false = replace(good, results=(replace(first, samples=higher), *good.results[1:]))
    again = replay(false)
    assert again.verdict.phase is FAIL
    assert differences(false, again.verdict) == ("latency", "verdict")


def test_todays_rules_may_say_otherwise() -> None:
    """A stricter limit today; a rule that is gone; a rule of which there is no evidence."""
    verdict = kept(latency=4)
    today = Rules(
        {"latency": replace(LATENCY, threshold=3), "errors": ERRORS, "cpu": replace(LATENCY, name="cpu")}
    )
    again = replay(verdict, today)
    assert again.verdict.phase is FAIL and set(again.dropped) == {"hosts", "time_vs_stable"}
    assert again.unseen == ("cpu",)
    looser = CanaryAnalysis((replace(TIME, tolerance=2.0),))
    slow = kept(candidate=0.4)
    same = {r.name: r for r in (LATENCY, ERRORS, HOSTS)}
    assert slow.phase is FAIL
    assert replay(slow, Rules(same, looser)).verdict.phase is OPEN


def test_what_was_seen_and_not_computed_stays_as_seen() -> None:
    """Targets and alarms were states, not numbers."""
    again = replay(kept())
    assert [r.reason for r in again.verdict.results if r.rule == "targets"] == ["2 of 2 targets healthy"]
    assert [r.dry_run for r in again.verdict.results if r.rule == "a"] == [True]


def test_a_verdict_from_before_evidence_was_kept_can_be_read_and_not_computed() -> None:
    """Old documents stay readable: without the newer fields, nothing is computed again."""
    old = Verdict(OK, "fine", at(0) + timedelta(0), (judge_targets(slot(Slot.GREEN, NEW), 3),))
    text = encode(old).decode()
    for field in ("basis", "compared", "score", "part_of"):
        lines = [line for line in text.splitlines() if f'"{field}"' not in line]
        text = "\n".join(lines)
    text = text.replace('"dry_run": false,', '"dry_run": false')
    assert decode(text.encode(), Verdict, "old") == old and not recomputable(old)
