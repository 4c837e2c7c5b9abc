"""A person accepts what nobody could tell, in the flows: told, on record, and never silently good."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from delivery.adapters.aws.codec import decode, encode
from delivery.core.analysis import VerdictPhase
from delivery.core.comparison import CanaryAnalysis, Comparison
from delivery.core.ledger import LedgerRecord, Outcome
from delivery.core.replaying import differences, replay
from delivery.core.rollback import goods_before
from delivery.core.rollout import RolloutPhase
from delivery.core.strategy import BlueGreen, Canary, Strategy
from delivery.errors import RefusedError
from delivery.flows import quick
from delivery.flows.health import judge
from delivery.flows.report import live
from delivery.flows.steering import Order, steer
from delivery_tests.fakes import Behaviour, sample_environment, sample_sha
from delivery_tests.flows.journey import Ended, Journey

#: One of five preview requests fails: inconclusive by rule, however long one looks.
UNSURE = Behaviour(preview_error_rate=0.2)
TIME = Comparison("time", "TargetResponseTime", "Average", per=1)
ERRORS = Comparison("errors", "HTTPCode_Target_5XX_Count", "Sum", per=1)
SAY = Order("continue", "ada", "the batch job explains it")


def paused(strategy: Strategy, behaviour: Behaviour = UNSURE) -> tuple[Journey, str]:
    """`a` is live, `b` is paused because nobody can tell."""
    journey = Journey.start(sample_environment("production", strategy))
    return journey, stuck(journey, behaviour)


def stuck(journey: Journey, behaviour: Behaviour) -> str:
    journey.deliver("a")
    journey.world.behave(sample_sha("b"), behaviour)
    sha = journey.push("b").sha
    with pytest.raises(RefusedError, match="is paused: inconclusive"):
        journey.deploy(sha)
    return sha


def say(journey: Journey) -> None:
    """Ada continues it."""
    steer(journey.op("person ada"), "production", SAY)


def carried_on(journey: Journey, sha: str) -> Ended:
    """Continued as often as it asks, to its end."""
    for _ in range(9):
        say(journey)
        try:
            return journey.finish(sha, journey.deploy(sha))
        except RefusedError as asks:
            assert "is paused: inconclusive" in str(asks)
    raise AssertionError("it never ends")


def test_the_person_is_told_what_the_answer_means() -> None:
    """The notice of the pause and the error of the run say what `continue` accepts."""
    journey, sha = paused(BlueGreen(bake=10, preview_for=4))
    (notice,) = [n for _, n in journey.world.notifier.sent if n.kind == "paused"]
    assert "`delivery continue web production`" in notice.body and "accepts preview" in notice.body
    with pytest.raises(RefusedError, match="accepts preview"):
        journey.deploy(sha)


def test_a_word_lets_a_person_get_on() -> None:
    """Preview and bake accepted: live by a person's word, said in ledger, notice, story and evidence."""
    journey, sha = paused(BlueGreen(bake=10, preview_for=4))
    ended = carried_on(journey, sha)
    assert ended.live is not None and ended.live.outcome is Outcome.VERIFIED and ended.live.by_word
    assert ended.verdict.phase is VerdictPhase.SUCCESSFUL and len(ended.verdict.accepted) == 2
    assert "not measured to be good" in ended.live.reason
    last = journey.world.notifier.sent[-1][1]
    assert last.kind == "live" and "by a person's word" in last.title
    told = [n for _, n in journey.world.notifier.sent if n.kind == "continued"]
    assert "accepts what is not known of preview" in told[0].title and told[0].body == SAY.reason
    lines = [line.message for line in ended.rollout.history]
    assert "continued by person ada: the batch job explains it" in lines


def test_the_verdict_by_word_can_be_replayed() -> None:
    """Computed again it comes to the same, the word included."""
    journey, sha = paused(BlueGreen(bake=10, preview_for=4))
    verdict = carried_on(journey, sha).verdict
    assert differences(verdict, replay(verdict).verdict) == ()


def test_what_turns_bad_after_the_word_goes_back() -> None:
    """The word is said, then errors: condemned, in quarantine, and the traffic is back."""
    journey, sha = paused(Canary((10, 100), analyze_for=20, bake=20))
    say(journey)
    journey.world.behave(sha, Behaviour(error_rate=0.5, preview_error_rate=0.5))
    ended = journey.finish(sha, journey.deploy(sha))
    assert ended.rollout.condemned and journey.record.quarantine[0].commit == sha
    assert journey.target.look().slot(ended.rollout.candidate).weight == 0


def test_a_marginal_score_is_accepted_once() -> None:
    """At the share where it was measured; 100 % and the bake have no new comparison, so nobody asks again."""
    worse, *same = replace(TIME, weight=0.5), *(replace(TIME, name=n, tolerance=1.0) for n in ("p50", "p90"))
    environment = replace(
        sample_environment("production", Canary((10, 100), analyze_for=20, bake=20)),
        compare=CanaryAnalysis((worse, ERRORS, *same)),
    )
    journey = Journey.start(environment)
    journey.deliver("a")
    journey.world.behave(sample_sha("b"), Behaviour(latency=0.08))
    sha = journey.push("b").sha
    with pytest.raises(RefusedError, match="marginal: score 86"):
        journey.deploy(sha)
    say(journey)
    ended = journey.finish(sha, journey.deploy(sha))
    assert ended.live is not None and ended.live.by_word
    assert [word.rules for word in ended.verdict.accepted] == [("canary",)]
    assert "marginal" in ended.live.reason and "at 10 % by person ada" in ended.live.reason


def test_what_was_measured_good_is_the_safer_way_back() -> None:
    """Of two verified releases the measured one is gone back to, and only the measured one is known good."""
    journey, sha = paused(BlueGreen(bake=10, preview_for=4))
    carried_on(journey, sha)
    journey.deliver("c")
    record = journey.record
    assert record.live is not None
    names = [release.commit for release in goods_before(record, record.live)]
    assert names == [sample_sha("a"), sample_sha("b")]
    entry = next(r for r in record.releases if r.release.commit == sha)
    assert quick._known_good(journey.op(), record, entry.release)[1] == (
        "it was verified here by a person's word only"
    )


def test_a_measured_verdict_takes_the_place_of_the_word() -> None:
    """Judged again when all is well: verified by measurement, and told."""
    journey, sha = paused(BlueGreen(bake=10, preview_for=4))
    carried_on(journey, sha)
    journey.world.behave(sha, Behaviour())
    journey.world.clock.advance(600)
    record = journey.record
    assert record.rollout is not None
    stored = journey.world.ledger.peek("web", "production")
    journey.world.ledger.store(replace(stored.record, rollout=None), stored.etag)
    assert not judge(journey.op(), "production", sha).by_word
    entry = live(journey.op(), "production", sha)
    assert entry.outcome is Outcome.VERIFIED and not entry.by_word


def test_old_documents_ask_again() -> None:
    """A rollout paused before this was known has nothing named to accept: it is looked at again."""
    journey, _ = paused(BlueGreen(bake=10, preview_for=4))
    stored = journey.world.ledger.peek("web", "production")
    document = json.loads(encode(stored.record))
    for name in ("undecided", "accepted", "stopped_by"):
        del document["value"]["rollout"][name]
    del document["value"]["rollout"]["verdict"]["accepted"]
    journey.world.ledger.store(decode(json.dumps(document).encode(), LedgerRecord, "old"), stored.etag)
    say(journey)
    rollout = journey.record.rollout
    assert rollout is not None and rollout.accepted == () and rollout.phase is RolloutPhase.PROGRESSING
