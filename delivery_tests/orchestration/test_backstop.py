"""The backstop: finishes what nobody finishes, once, and waits for nobody who will not."""

from __future__ import annotations

import os

import dagster as dg
import pytest
from dagster._core.test_utils import freeze_time

from delivery.flows.steering import Order
from delivery.orchestration.launcher.worker import Worker
from delivery.orchestration.steering import steering_config
from delivery_tests.fakes.samples import sample_sha
from delivery_tests.fakes.target import Behaviour
from delivery_tests.orchestration.support import House

STARTED = dg.DagsterRunStatus.STARTED


def _killed(house: House, name: str) -> str:
    """A commit whose rollout in production was interrupted, its lock expired."""
    sha = house.push(name)
    house.world.wire.kill(4, "after target.apply")
    assert not house.run(sha).success
    assert house.world.record("production").in_flight is not None
    house.world.wire.heal()
    house.world.clock.advance(3600)
    return sha


def test_the_backstops_run_does_not_undo_an_abort() -> None:
    """A person gave the rollout up while that run waited in the queue: it finds it over, and is red."""
    house = House()
    house.deliver("a")
    sha = _killed(house, "b")
    (request,) = house.tick("backstop").run_requests or []
    order = steering_config("web", "production", Order("abort", "ada", "not today"))
    job = house.defs.resolve_job_def("web_production_steer")
    assert job.execute_in_process(instance=house.instance, run_config=order).success
    assert not house.run(sha, request.job_name, request.asset_selection, request.tags).success
    record = house.world.record("production")
    assert record.live is not None and record.live.commit == sample_sha("a")
    assert record.rollout is not None and "not today" in record.rollout.reason


def test_the_backstop_finishes_a_dead_rollout_from_where_it_stopped() -> None:
    """A run of the remaining stages, environments that follow included; then everything is live."""
    house = House()
    sha = _killed(house, "a")
    (run,) = house.tick("backstop").run_requests or []
    assert (run.job_name, run.partition_key) == ("web_delivery", sha)
    house.world.clock.advance(3600)
    (later,) = house.tick("backstop").run_requests or []
    assert later.run_key != run.run_key
    stages = {key.to_user_string() for key in run.asset_selection or []}
    assert "web/source" not in stages and "web/production/live" in stages
    result = house.run(sha, assets=run.asset_selection)
    assert result.success
    live = house.world.record("production").live
    assert live is not None and live.commit == sha


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.QUEUED, STARTED])
def test_the_backstop_waits_for_a_run_that_holds_the_lock(status: dg.DagsterRunStatus) -> None:
    """While a run for the same lock is queued or in progress nothing is started, and the reason is told."""
    house = House()
    _killed(house, "a")
    house.begin("web_delivery", status, delivery_lock="web/staging")
    result = house.tick("backstop")
    assert not result.run_requests and "is on its way" in (result.skip_message or "")


def _condemned(house: House) -> str:
    """A commit that was judged bad in staging, and whose run died before its rollback."""
    assert house.deliver("good").success
    bad = house.push("bad")
    house.world.behave(bad, Behaviour(error_rate=0.5))
    selection = [
        key
        for key in house.defs.resolve_asset_graph().get_all_asset_keys()
        if key.path[-1] not in ("rollback", "incident", "drift") and "production" not in key.path
    ]
    house.run(bad, assets=selection)
    house.world.clock.advance(3600)
    return bad


@pytest.mark.parametrize("job", ["web_delivery", "web_staging_judgement"])
@pytest.mark.parametrize("told", ["delivery_commit", "dagster_partition"])
def test_the_backstop_starts_no_second_rollback(job: str, told: str) -> None:
    """The run of the bad commit, or a judgement of its environment, is queued: it will do it."""
    house = House()
    bad = _condemned(house)
    lock = "web/staging" if job == "web_delivery" else "web/staging/judgement"
    house.begin(job, dg.DagsterRunStatus.QUEUED, delivery_lock=lock, **{told: bad})
    result = house.tick("backstop")
    assert not result.run_requests and "is on its way" in (result.skip_message or "")


def test_the_backstops_rollback_waits_for_no_other_commits_build() -> None:
    """A newer commit is being built: the bad one's traffic goes back now."""
    house = House()
    bad = _condemned(house)
    house.begin("web_delivery", STARTED, delivery_lock="web/staging", delivery_commit=sample_sha("newer"))
    house.begin("web_production_judgement", STARTED, delivery_lock="web/production/judgement")
    (run,) = house.tick("backstop").run_requests or []
    assert (run.job_name, run.partition_key) == ("web_staging_judgement", bad)
    assert run.tags["delivery/lock"] == "web/staging/judgement"


def test_the_backstop_ends_a_judgement_that_only_seems_to_be_on_its_way() -> None:
    """Its worker died while it held the deploy lock of a rollback: it is marked failed, then finished."""
    house = House()
    assert house.deliver("good").success
    assert house.deliver("late").success
    house.world.behave(sample_sha("late"), Behaviour(error_rate=0.5))
    house.world.clock.advance(60)
    house.world.wire.kill(2, "after target.apply")
    assert not house.run(sample_sha("late"), "web_production_judgement").success
    house.world.wire.heal()
    house.world.clock.advance(3600)
    killed = next(iter(house.instance.get_runs(dg.RunsFilter(job_name="web_production_judgement"))))
    ghost = house.begin(
        "web_production_judgement", STARTED, root=killed.run_id, delivery_lock="web/production/judgement"
    )
    assert "marked failed" in (house.tick("backstop").skip_message or "")
    assert house.state(ghost).status is dg.DagsterRunStatus.FAILURE
    (run,) = house.tick("backstop").run_requests or []
    assert run.job_name == "web_production_judgement"


def test_the_backstop_ends_a_run_that_only_seems_to_be_on_its_way() -> None:
    """Worker and code server died together: the run that held the expired lock is marked failed, and the
    next tick finishes its rollout."""
    house = House()
    sha = _killed(house, "a")
    (killed,) = house.instance.get_runs()
    ghost = house.begin("web_delivery", STARTED, root=killed.run_id, delivery_lock="web/staging")
    other = house.begin("web_production_drift", STARTED, delivery_lock="web/production/drift")
    first = house.tick("backstop")
    assert not first.run_requests and "marked failed" in (first.skip_message or "")
    assert house.state(ghost).status is dg.DagsterRunStatus.FAILURE
    assert house.state(other).status is STARTED
    (run,) = house.tick("backstop").run_requests or []
    assert run.partition_key == sha


def test_the_backstop_finds_a_failed_verdict_without_a_restoration() -> None:
    """The worker died between verdict and rollback: the judgement job restores the good release."""
    house = House()
    bad = _condemned(house)
    (run,) = house.tick("backstop").run_requests or []
    assert (run.job_name, run.partition_key) == ("web_staging_judgement", bad)
    result = house.run(bad, run.job_name or "")
    assert not result.success
    restoration = house.world.record("staging").restorations[-1]
    assert restoration.restored
    assert not house.tick("backstop").run_requests


def _held(house: House, name: str) -> tuple[str, dg.DagsterRun]:
    """A commit whose rollout in production was interrupted a moment ago: its lock is not expired."""
    sha = house.push(name)
    house.world.wire.kill(4, "after target.apply")
    assert not house.run(sha).success
    house.world.wire.heal()
    held, (run,) = house.world.record("production").lock, house.instance.get_runs()
    assert held is not None and held.expires_at > house.world.clock.now()
    return sha, run


def test_the_backstop_waits_for_no_lock_of_a_run_that_is_over() -> None:
    """Dagster knows that the holder is dead: its rollout is finished at once, under the lock it left."""
    house = House()
    sha, _ = _held(house, "a")
    (run,) = house.tick("backstop").run_requests or []
    held = house.world.record("production").lock
    assert held is not None and run.tags["delivery/dead_holder"] == held.holder
    began = house.world.clock.now()
    assert house.run(sha, assets=run.asset_selection, tags=run.tags).success
    rollout = house.world.record("production").rollout
    assert rollout is not None
    taken = next(line.at for line in rollout.history if line.message.startswith("taken over"))
    assert (taken - began).total_seconds() < 1


def test_the_backstop_waits_for_a_holder_that_will_be_repeated() -> None:
    """Dagster has decided to repeat the dead run and has not begun to."""
    house = House()
    _, killed = _held(house, "a")
    house.instance.add_run_tags(killed.run_id, {"dagster/will_retry": "true"})
    assert not house.tick("backstop").run_requests


def test_the_backstop_waits_for_a_holder_whose_process_works() -> None:
    """Its run is marked as failed, and its worker is there all the same."""
    house = House()
    _, killed = _held(house, "a")
    house.instance.add_run_tags(killed.run_id, Worker.of_process(os.getpid()).tag(killed.run_id))
    assert not house.tick("backstop").run_requests


def test_the_backstop_waits_for_a_holder_it_does_not_know() -> None:
    """A person, or another installation: only the end of the lock tells that it is gone."""
    house = House()
    _, killed = _held(house, "a")
    house.instance.delete_run(killed.run_id)
    assert not house.tick("backstop").run_requests
    house.world.clock.advance(61)
    assert house.tick("backstop").run_requests


def test_the_backstop_gives_what_keeps_failing_more_and_more_time() -> None:
    """Two runs failed at it by themselves: the third is not due at once, and the tick says when it is."""
    house = House()
    _killed(house, "a")
    for seconds in (20, 40):
        (asked,) = house.tick("backstop").run_requests or []
        tags = {name.replace("/", "_", 1): value for name, value in asked.tags.items()}
        with freeze_time(house.world.clock.now()):
            house.instance.report_run_failed(house.begin("web_delivery", STARTED, **tags), "no disk")
        house.world.clock.advance(seconds - 1)
        waits = house.tick("backstop")
        assert not waits.run_requests and "the next is due at" in (waits.skip_message or "")
        house.world.clock.advance(1)
    assert house.tick("backstop").run_requests
