"""A person's order as a Dagster run: carried out, signed, in the lineage, and red when it came to nothing."""

from __future__ import annotations

import dagster as dg
import pytest

from delivery.core.rollout import RolloutPhase
from delivery.core.strategy import Pause
from delivery.flows.steering import Order, Word
from delivery.orchestration.stage import key
from delivery.orchestration.steering import steering_config, steering_name, steering_tags
from delivery_tests.fakes.samples import sample_sha
from delivery_tests.orchestration.support import House, failed_steps


def order(house: House, word: Word, to: str | None = None) -> dg.ExecuteInProcessResult:
    """One run of that order in production."""
    given = Order(word, "ada", "customers complain", to)
    return house.defs.resolve_job_def(steering_name("web", "production")).execute_in_process(
        instance=house.instance, raise_on_error=False, run_config=steering_config("web", "production", given),
        tags=steering_tags("web", "production", given),
    )  # fmt: skip


def interrupted(name: str = "b") -> House:
    """`a` is live, the rollout of `b` stands somewhere in production and nobody drives it."""
    house = House()
    assert house.deliver("a").success
    sha = house.push(name)
    house.world.wire.kill(7, "after target.apply")
    assert not house.run(sha).success
    house.world.wire.heal()
    house.world.clock.advance(3600)
    rollout = house.world.record("production").in_flight
    assert rollout is not None and rollout.release.commit == sha
    return house


def test_a_rollback_is_in_the_lineage() -> None:
    """The release before is live, and the asset `rollback` of the commit taken off says who and why."""
    house = House()
    for name in "ab":
        assert house.deliver(name).success
    assert order(house, "rollback").success
    live = house.world.record("production").live
    assert live is not None and live.commit == sample_sha("a")
    found = house.instance.get_latest_materialization_event(key("web", "rollback", "production"))
    assert found is not None and found.asset_materialization is not None
    event = found.asset_materialization
    assert event.partition == sample_sha("b")
    assert event.metadata["by"].value == "ada" and event.metadata["why"].value == "customers complain"
    (run,) = house.instance.get_runs(dg.RunsFilter(tags={"delivery/command": "rollback"}))
    assert run.tags["delivery/by"] == "ada" and run.tags["delivery/reason"] == "customers complain"


@pytest.mark.parametrize("word", ["pause", "continue", "abort"])
def test_an_order_about_a_rollout_is_seen_at_its_deployment(word: Word) -> None:
    """Pause, continue, abort: an observation of the asset `deployment` of that commit, signed."""
    house = interrupted()
    if word == "continue":
        assert order(house, "pause").success
    assert order(house, word).success
    record = house.instance.fetch_observations(key("web", "deployment", "production"), limit=1).records[0]
    event = record.asset_observation
    assert event is not None and event.partition == sample_sha("b")
    assert event.metadata["command"].value == word and event.metadata["by"].value == "ada"


def test_an_abort_is_over_when_its_run_is() -> None:
    """Nobody drove the rollout any more: the run returns the traffic itself, read back."""
    house = interrupted()
    assert order(house, "abort").success
    rollout, seen = house.world.record("production").rollout, house.world.at("production").target.look()
    assert rollout is not None and rollout.phase is RolloutPhase.ABORTED
    assert seen.slot(rollout.candidate).weight == 0 and seen.slot(rollout.candidate).desired == 0


def test_an_order_that_comes_to_nothing_is_red() -> None:
    """Nothing in flight: the run fails and says so."""
    house = House()
    assert house.deliver("a").success
    result = order(house, "abort")
    assert not result.success
    assert any("has no unfinished rollout" in told for told in failed_steps(result).values())


def test_a_paused_rollout_stays_where_it_stands_and_is_driven() -> None:
    """The pause is a step of the rollout: the backstop's run waits there, and goes on when continued."""
    house = interrupted()
    assert order(house, "pause").success
    rollout = house.world.record("production").rollout
    assert rollout is not None and any(isinstance(step, Pause) for step in rollout.steps)
    assert rollout.reason.startswith("paused by person ada (run ") and "customers complain" in rollout.reason

    def go_on() -> None:
        assert order(house, "continue").success

    house.world.clock.at(7200, go_on)
    began = house.world.clock.now()
    (run,) = house.tick("backstop").run_requests or []
    assert house.run(sample_sha("b"), assets=run.asset_selection).success
    assert (house.world.clock.now() - began).total_seconds() > 7200
    live = house.world.record("production").live
    assert live is not None and live.commit == sample_sha("b")


def test_an_order_waits_for_no_build_and_no_judgement() -> None:
    """Its lock is its own, by its kind: an abort does not wait for a rollback either."""
    tags = [
        steering_tags("web", "production", Order(word, "ada", "x"))["delivery/lock"]
        for word in ("rollback", "abort")
    ]
    assert tags == ["web/production/rollback", "web/production/abort"]
