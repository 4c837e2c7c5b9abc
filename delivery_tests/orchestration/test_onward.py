"""A `continue` that comes as a Dagster run has the rollout driven at once, by the rest of its chain."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._core.events import DagsterEvent
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from delivery.core.rollout import RolloutPhase
from delivery.core.strategy import Canary, Rolling
from delivery.flows.steering import Order
from delivery.orchestration.steering import steering_config, steering_name, steering_tags
from delivery_tests.fakes import Behaviour, sample_environment, sample_service, with_environment
from delivery_tests.orchestration.support import House

ASKED = Order("continue", "ada", "looked at")
ORIGIN = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("delivery"), "__repository__")


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """An installation whose Dagster has a queue, and whose definitions a run worker loads from here."""
    with dg.DagsterInstance.ephemeral() as instance:
        queue = dg.QueuedRunCoordinator()
        queue.register_instance(instance)
        monkeypatch.setattr(instance, "_run_coordinator", queue)
        made = House(instance=instance)
        monkeypatch.setattr(sys.modules[__name__], _name(made), made.defs, raising=False)
        yield made


def paused(house: House, behaviour: Behaviour | None = None) -> str:
    """`a` is live; the rollout of `b` is paused in production, for its metrics could not be read."""
    assert house.deliver("a").success
    sha = house.push("b")
    metrics = house.world.at("production").metrics
    metrics.error = "Throttling"
    assert not house.run(sha).success
    metrics.error = ""
    house.world.behave(sha, behaviour or Behaviour())
    rollout = house.world.record("production").rollout
    assert rollout is not None and rollout.phase is RolloutPhase.PAUSED
    return sha


def _name(house: House) -> str:
    """Dagster remembers what it loaded by the name, so each test has its own."""
    return f"defs_{id(house)}_{id(house.defs)}"


def loaded(house: House, job: str) -> ReconstructableJob:
    """The job as a run worker loads it."""
    code = ReconstructableRepository(ModuleCodePointer(__name__, _name(house), None))
    return code.get_reconstructable_job(job)


def worked(house: House, run: dg.DagsterRun) -> bool:
    """What the daemon and a run worker do with it."""
    starting = DagsterEvent(dg.DagsterEventType.PIPELINE_STARTING.value, run.job_name)
    house.instance.report_dagster_event(starting, run.run_id)
    return execute_run(loaded(house, run.job_name), house.state(run), house.instance).success


def ordered(house: House) -> bool:
    """Ada's order, as the daemon has it carried out."""
    job = steering_name("web", "production")
    code = loaded(house, job)
    run = house.instance.create_run_for_job(
        code.get_definition(),
        run_config=steering_config("web", "production", ASKED),
        tags=steering_tags("web", "production", ASKED),
        remote_job_origin=RemoteJobOrigin(ORIGIN, job),
        job_code_origin=code.get_python_origin(),
    )
    return worked(house, run)


def queued(house: House) -> list[dg.DagsterRun]:
    return list(house.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])))


def test_the_rest_of_the_chain_runs_at_once(house: House) -> None:
    """No look of the backstop is waited for; deployment, health and live follow in a run of that commit."""
    sha = paused(house)
    assert ordered(house)
    (run,) = queued(house)
    rollout = house.world.record("production").rollout
    assert rollout is not None and rollout.history[-1].message.startswith("continued by person ada (run ")
    assert rollout.history[-1].message.endswith(": looked at")
    assert run.job_name == "web_delivery" and run.tags["dagster/partition"] == sha
    assert (run.tags["delivery/lock"], run.tags["delivery/commit"]) == ("web/staging", sha)
    assert run.tags["delivery/reason"].startswith("continued by a person, run ")
    assert run.tags["dagster/max_retries"] == "3"  # a killed worker's run goes on, as any other
    assert worked(house, run)
    live = house.world.record("production").live
    assert live is not None and live.commit == sha


def test_what_fails_on_the_way_makes_that_run_red(house: House) -> None:
    """It turned bad: taken off, in quarantine, and the run that went on with it failed."""
    sha = paused(house, Behaviour(error_rate=0.5))
    assert ordered(house)
    (run,) = queued(house)
    assert not worked(house, run)
    record = house.world.record("production")
    assert record.quarantine[0].commit == sha and record.restorations[-1].restored


def test_the_backstop_starts_no_second_one(house: House) -> None:
    """The queued run is on its way; and a second order changes nothing."""
    paused(house)
    assert ordered(house)
    assert not house.tick("backstop").run_requests
    assert not ordered(house)
    assert len(queued(house)) == 1


def test_a_driver_that_lives_is_not_doubled(house: House) -> None:
    """The rollout waits at its pause with its run alive: that one goes on."""
    paused(house)
    house.begin("web_delivery", dg.DagsterRunStatus.STARTED, delivery_lock="web/staging")
    assert ordered(house)
    assert queued(house) == []


def test_a_dead_rolling_update_is_finished_although_a_judgement_waits_for_it() -> None:
    """Any other rollout is left to the judgement on its way, whose rollback gives it up."""
    for strategy, count in ((Rolling(bake=4), 1), (Canary((10, 100), analyze_for=10, bake=4), 0)):
        house = House((with_environment(sample_service(), sample_environment("staging", strategy)),))
        assert house.deliver("a").success
        house.world.wire.kill(2, "after target.apply")
        assert not house.run(house.push("b")).success
        house.world.wire.heal()
        house.world.clock.advance(3600)
        house.begin(
            "web_staging_judgement", dg.DagsterRunStatus.STARTED, delivery_lock="web/staging/judgement"
        )
        assert len(house.tick("backstop").run_requests or []) == count


def test_without_a_daemon_the_backstop_does_it() -> None:
    """Run in process, from a test or a notebook: the order is carried out, and the backstop goes on."""
    house = House()
    paused(house)
    given = steering_config("web", "production", ASKED)
    job = house.defs.resolve_job_def(steering_name("web", "production"))
    assert job.execute_in_process(instance=house.instance, run_config=given).success
    assert len(house.tick("backstop").run_requests or []) == 1
