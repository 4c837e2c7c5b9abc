"""What a person's word does to a step that nobody could judge, and what it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.core.accepting import (
    accept,
    by_word,
    concluded,
    undecided,
    what_abort_means,
    what_continue_means,
)
from delivery.core.analysis import RuleResult, Verdict, VerdictPhase
from delivery.core.rollout import Rollout, RolloutPhase, Transition
from delivery.core.strategy import Bake, Canary, SetWeight
from delivery.core.target import ShiftTraffic
from delivery_tests.core.states import ERROR, FAILED, GOOD, UNKNOWN, at, canary, started, step, until

UNSURE = VerdictPhase.INCONCLUSIVE
OTHER = Verdict(UNSURE, "targets: 1 of 2", at(0), (RuleResult("targets", UNSURE, "1 of 2"),))
SHORT = Canary((10, 100), analyze_for=20, bake=30)


def paused(index: int = 2, weight: int = 10) -> Rollout:
    """A rollout that nobody could judge at that step: entered at 0, paused a minute after its end."""
    rollout = until(started(SHORT), index, canary(weight), 0)
    asks = step(rollout, canary(weight), UNKNOWN, 200).rollout
    assert asks.phase is RolloutPhase.PAUSED and asks.undecided == ("rule",)
    return asks


def accepted(index: int = 2, weight: int = 10) -> Rollout:
    """… and ada's word for it, at 300."""
    return accept(paused(index, weight), "person ada", "the batch job explains it", at(300))


def test_a_word_passes_the_step_at_the_next_look() -> None:
    """No second analysis and no second pause; the story and the verdict say who, why and what."""
    went = step(accepted(), canary(10), UNKNOWN, 302).rollout
    assert went.step == SetWeight(100)
    assert went.history[-1].message.startswith("rule accepted at 10 % by person ada: the batch job explains")
    assert went.verdict is not None and went.verdict.phase is UNSURE
    (word,) = went.verdict.accepted
    assert (word.by, word.rules, word.what, word.weight) == ("person ada", ("rule",), "no data", 10)


@pytest.mark.parametrize("index", [2, 5])
def test_a_word_is_no_shield(index: int) -> None:
    """What is measured to be bad after the word condemns the release as ever; what cannot be asked waits."""
    weight = 10 if index == 2 else 100
    ended = step(accepted(index, weight), canary(weight), FAILED, 302)
    assert ended.rollout.condemned and ended.actions == (ShiftTraffic(ended.rollout.candidate, 0),)
    looks = step(accepted(index, weight), canary(weight), ERROR, 302).rollout
    assert (looks.index, looks.phase, looks.errors) == (index, RolloutPhase.PROGRESSING, 1)


def test_a_word_is_for_what_was_undecided_then() -> None:
    """Something else that nobody can tell is not accepted with it: it pauses and asks anew."""
    rollout = accepted()
    assert step(rollout, canary(10), OTHER, 302).rollout.index == rollout.index
    asks = step(rollout, canary(10), OTHER, 600).rollout
    assert asks.phase is RolloutPhase.PAUSED and asks.undecided == ("targets",)
    both = replace(OTHER, results=(*OTHER.results, *UNKNOWN.results))
    again = accept(asks, "person bob", "one host is being replaced", at(700))
    assert step(again, canary(10), both, 702).rollout.step == SetWeight(100)


def test_a_word_is_for_its_step() -> None:
    """The same doubt at the next step asks again."""
    later = until(step(accepted(), canary(10), UNKNOWN, 302).rollout, 4, canary(100), 400)
    assert step(later, canary(100), UNKNOWN, 600).rollout.phase is RolloutPhase.PAUSED


def test_no_verdict_is_nothing_to_accept() -> None:
    """Only an inconclusive verdict is undecided; nothing measured has a name too."""
    assert [undecided(v) for v in (None, GOOD, FAILED, ERROR)] == [()] * 4
    assert undecided(Verdict(UNSURE, "nothing was measured", at(0))) == ("nothing was measured",)
    watched = replace(UNKNOWN.results[0], dry_run=True)
    assert undecided(replace(OTHER, results=(*OTHER.results, watched))) == ("targets",)


def test_other_pauses_accept_nothing() -> None:
    """Errors and somebody else's hand on the traffic are looked at again after `continue`."""
    rollout = replace(until(started(SHORT), 2, canary(10), 0), errors=5)
    could_not = step(rollout, canary(10), ERROR, 30).rollout
    meddled = step(rollout, canary(40), GOOD, 30).rollout
    for stopped in (could_not, meddled):
        assert stopped.phase is RolloutPhase.PAUSED and stopped.undecided == ()
        assert what_continue_means(stopped) == "looks again, from where it stopped"


def test_an_accepted_bake_is_verified_by_that_word() -> None:
    """Successful, and marked; the rules keep what they were. Failed and Error are never made good."""
    asks = paused(5, 100)
    assert asks.step == Bake(30) and "verified by your word" in what_continue_means(asks)
    done = step(accepted(5, 100), canary(100), UNKNOWN, 302).rollout
    final = concluded(UNKNOWN, done)
    assert final.phase is VerdictPhase.SUCCESSFUL and final.by_word
    assert "not measured to be good: no data" in final.reason and "person ada" in final.reason
    assert concluded(OTHER, done).phase is UNSURE
    for verdict in (FAILED, ERROR):
        assert concluded(verdict, done).phase is verdict.phase
    measured = concluded(GOOD, done)
    assert measured.phase is VerdictPhase.SUCCESSFUL and not measured.by_word and measured.accepted


def test_a_word_for_an_early_step_makes_no_final_verdict_good() -> None:
    """The bake was measured; what is unknown afterwards was accepted by nobody."""
    went = step(accepted(), canary(10), UNKNOWN, 302).rollout
    baked = replace(went, verdict=GOOD)
    assert concluded(UNKNOWN, baked).phase is UNSURE
    assert by_word(UNKNOWN, (), ()).phase is UNSURE


def test_an_abort_says_where_the_traffic_goes() -> None:
    """Of a way back too: once its release has traffic, giving it up hands it to the one it was to leave."""
    forward = started(SHORT)
    assert what_abort_means(forward) == "gives it up, its traffic goes back"
    assert what_abort_means(replace(forward, returning=True)) == "ends it where it stands"
    back = replace(forward, kind="restore", previous="bad-1", history=())
    assert what_abort_means(back) == "gives it up, the traffic stays with bad-1"
    moved = replace(back, history=(Transition(at(1), 100, "100 % verified"),))
    assert what_abort_means(moved) == "gives all traffic back to bad-1"
