"""The alarms and promotions sensors, and when drift is not looked for."""

from __future__ import annotations

import dagster as dg

from delivery.orchestration.schedules import drift_cron, not_now
from delivery_tests.fakes.samples import sample_contract, sample_service, sample_sha
from delivery_tests.fakes.target import Behaviour
from delivery_tests.orchestration.support import House, gated

STARTED = dg.DagsterRunStatus.STARTED


def _alarm(house: House, kind: int = 1, environment: str = "production") -> str:
    """The name of an alarm of the slot that is live there."""
    slot = house.world.at(environment).target.look().stable
    return sample_contract("web", environment).alarm_names[slot][kind]


def test_a_firing_alarm_of_the_live_release_has_it_judged() -> None:
    """One run of the judgement, for the live commit; its key names the alarm and the moment it fired."""
    house = House()
    assert house.deliver("a").success
    sha, name = sample_sha("a"), _alarm(house)
    house.world.clock.advance(7200)
    since = house.world.clock.now()
    house.world.alarms.fire(name, since)
    (run,) = house.tick("alarms").run_requests or []
    assert (run.job_name, run.partition_key) == ("web_production_judgement", sha)
    assert name in (run.run_key or "") and since.isoformat() in (run.run_key or "")
    assert run.tags["delivery/lock"] == "web/production/judgement"


def test_an_alarm_is_judged_once_per_firing() -> None:
    """The same firing keeps its run key; a later one has another."""
    house = House()
    assert house.deliver("a").success
    name = _alarm(house)
    house.world.clock.advance(7200)
    house.world.alarms.fire(name, house.world.clock.now())
    keys = [(house.tick("alarms").run_requests or [])[0].run_key for _ in range(2)]
    house.world.clock.advance(7200)
    house.world.alarms.fire(name, house.world.clock.now())
    later = (house.tick("alarms").run_requests or [])[0].run_key
    assert keys[0] == keys[1] != later


def test_an_alarm_whose_judgement_came_to_nothing_is_judged_again() -> None:
    """AWS could not be asked when the alarm was judged: while it fires, another judgement is due."""
    house = House()
    assert house.deliver("a").success
    house.world.clock.advance(7200)
    house.world.alarms.fire(_alarm(house), house.world.clock.now())
    (first,) = house.tick("alarms").run_requests or []
    house.world.wire.fail("target.observe", times=1000)
    assert not house.run(sample_sha("a"), first.job_name or "").success
    house.world.wire.heal()
    house.world.clock.advance(300)
    (again,) = house.tick("alarms").run_requests or []
    assert again.run_key != first.run_key


def test_an_alarm_that_was_judged_bad_and_could_not_be_rolled_back_is_not_judged_twice() -> None:
    """There is nothing to return to: one incident, and not one every few minutes."""
    house = House()
    assert house.deliver("a").success
    house.world.clock.advance(7200)
    house.world.behave(sample_sha("a"), Behaviour(error_rate=0.5))
    house.world.alarms.fire(_alarm(house), house.world.clock.now())
    house.world.clock.advance(60)
    (first,) = house.tick("alarms").run_requests or []
    assert not house.run(sample_sha("a"), first.job_name or "").success
    assert house.world.record("production").restorations[-1].refused
    keys = set()
    for _ in range(3):
        house.world.clock.advance(600)
        keys |= {run.run_key for run in house.tick("alarms").run_requests or []}
    assert keys <= {first.run_key}


def test_an_alarm_beside_a_paused_rollout_is_told_once_and_starts_nothing() -> None:
    """What is live fires while the next release waits for a person: a notice with a link, and no run."""
    house = House()
    assert house.deliver("a").success
    house.world.at("production").metrics.dark = True
    assert not house.deliver("b").success
    house.world.alarms.fire(_alarm(house), house.world.clock.now(), "too many errors")
    for _ in range(3):
        assert not house.tick("alarms").run_requests
    told = [notice for _, notice in house.world.notifier.sent if notice.kind == "alarm"]
    assert len(told) == 1 and "too many errors" in told[0].body and told[0].url == "http://ui.test"


def test_two_alarms_of_one_release_have_it_judged_once() -> None:
    """A second alarm, or a tick while the judgement runs, starts nothing."""
    house = House()
    assert house.deliver("a").success
    house.world.clock.advance(7200)
    for kind in (0, 1):
        house.world.alarms.fire(_alarm(house, kind), house.world.clock.now())
    assert len(house.tick("alarms").run_requests or []) == 1
    house.begin("web_production_judgement", STARTED, delivery_commit=sample_sha("a"))
    result = house.tick("alarms")
    assert not result.run_requests and "being judged already" in (result.skip_message or "")


def test_a_late_failure_is_rolled_back_by_the_judgement_the_alarm_asks_for() -> None:
    """Hours after it went live the release fails; the alarm's run restores the one before and is red."""
    house = House()
    assert house.deliver("good").success
    assert house.deliver("late").success
    house.world.clock.advance(7200)
    house.world.behave(sample_sha("late"), Behaviour(error_rate=0.5))
    house.world.alarms.fire(_alarm(house), house.world.clock.now())
    house.world.clock.advance(60)
    (run,) = house.tick("alarms").run_requests or []
    result = house.run(run.partition_key or "", run.job_name or "")
    assert not result.success
    live = house.world.record("production").live
    assert live is not None and live.commit == sample_sha("good")
    assert not house.tick("alarms").run_requests


def test_a_judgement_waits_for_no_build() -> None:
    """Its lock is its own, on its job too (started by a person), and it is ahead of others in the queue."""
    house = House()
    delivery, judgement = (
        house.defs.resolve_job_def(name).run_tags for name in ("web_delivery", "web_production_judgement")
    )
    assert delivery["delivery/lock"] == "web/staging"
    assert judgement["delivery/lock"] == "web/production/judgement"
    assert int(judgement["dagster/priority"]) > int(delivery.get("dagster/priority", "0"))


def test_alarms_that_cannot_be_read_are_told_and_cost_nothing() -> None:
    """An unreachable CloudWatch is a skipped tick with its reason."""
    house = House()
    house.world.wire.fail("alarms.firing")
    assert "did not answer" in (house.tick("alarms").skip_message or "")


def test_a_promotion_waits_for_its_soak_and_says_so() -> None:
    """Not allowed yet: the reason and the moment stand in the tick; allowed: one run of the gated job."""
    house = House((gated(sample_service()),))
    assert house.deliver("a").success
    result = house.tick("promotions")
    assert not result.run_requests and "soaks in staging until" in (result.skip_message or "")
    house.world.clock.advance(601)
    (run,) = house.tick("promotions").run_requests or []
    assert (run.job_name, run.partition_key) == ("web_production_delivery", sample_sha("a"))
    assert run.tags["delivery/lock"] == "web/production"
    assert house.run(sample_sha("a"), run.job_name or "").success
    assert not house.tick("promotions").run_requests


def test_a_newer_promotion_takes_the_place_of_a_queued_one() -> None:
    """Production still works on something: the older promotion in the queue gives way, visibly."""
    house = House((gated(sample_service()),))
    assert house.deliver("a").success
    queued = dg.DagsterRunStatus.QUEUED
    old = house.begin("web_production_delivery", queued, delivery_commit=sample_sha("a"))
    assert house.deliver("b").success
    house.world.clock.advance(601)
    (run,) = house.tick("promotions").run_requests or []
    assert run.partition_key == sample_sha("b")
    assert house.state(old).status is dg.DagsterRunStatus.CANCELED
    assert house.state(old).tags["delivery/superseded_by"] == sample_sha("b")


def test_a_promotion_whose_run_failed_early_waits_for_a_person_and_says_so() -> None:
    """A refused plan is not planned again and again: the tick names the run to look at."""
    house = House((gated(sample_service()),))
    assert house.deliver("a").success
    house.world.clock.advance(601)
    failed = dg.DagsterRunStatus.FAILURE
    run = house.begin("web_production_delivery", failed, delivery_commit=sample_sha("a"))
    result = house.tick("promotions")
    assert not result.run_requests
    assert f"its run {run.run_id[:8]} is failure" in (result.skip_message or "")


def test_an_ungated_environment_is_not_promoted_by_the_sensor() -> None:
    """It is reached in the commit's own run."""
    house = House()
    assert house.deliver("a").success
    assert not house.tick("promotions").run_requests


def test_drift_is_looked_for_only_when_nothing_is_being_changed() -> None:
    """No infrastructure yet, a run in progress, an unreadable ledger: a reason each; else a run."""
    house = House()
    spec, production = house.spec, house.spec.environment("production")

    def reason() -> str:
        return not_now(house.instance, house.world, spec, production)

    assert reason() == "production has no infrastructure yet"
    assert house.deliver("a").success
    assert reason() == ""
    house.world.wire.fail("ledger.load")
    assert "did not answer" in reason()
    house.world.wire.heal()
    house.begin("web_production_judgement", STARTED, delivery_lock="web/production/judgement")
    assert reason() == "a run for web/production/judgement is changing things"
    house.begin("web_delivery", STARTED, delivery_lock="web/staging")
    assert reason() == "a run for web/staging is changing things"


def test_drift_schedules_are_spread_over_the_minutes() -> None:
    """Not every environment's plan starts in the same minute."""
    crons = {drift_cron(f"service{i}", "production") for i in range(50)}
    assert len(crons) == 10
