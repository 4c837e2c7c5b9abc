"""The run launcher, with real processes: forked, found again, ended, and never with yesterday's code."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.monitoring.run_monitoring import monitor_started_run

from delivery.orchestration.launcher.queue import WarmQueue
from delivery.orchestration.launcher.worker import Worker
from delivery_tests.orchestration.launching import JOBS, Launching, write_home
from delivery_tests.sandbox.stack import eventually

#: A daemon in short: launches a run, tells which process is warm and which works, and waits to be killed.
DAEMON = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    import dagster as dg
    from delivery_tests.orchestration.launching import Launching

    folder, module = Path(sys.argv[1]), sys.argv[2]
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        here = Launching(folder, module, instance)
        run = here.launch("slow")
        print(here.launcher.warm_pid, run, flush=True)
        time.sleep(600)
    """
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Launching]:
    """An instance with our launcher; whatever a test leaves running ends with it."""
    module = f"jobs_{uuid4().hex}"
    (tmp_path / f"{module}.py").write_text(JOBS)
    write_home(tmp_path, module)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield Launching(tmp_path, module, instance)
        (tmp_path / "enough").touch()
        for run in instance.get_runs():
            worker = Worker.of_run(run.run_id, run.tags)
            if worker is not None:
                worker.send(signal.SIGKILL)


def _finished(here: Launching, run_id: str) -> dg.DagsterRun:
    return eventually(lambda: here.run(run_id), lambda run: run.is_finished)


def _waiting(here: Launching) -> str:
    """A run of `slow` that has come to its wait."""
    run_id = here.launch("slow")
    eventually((here.folder / "waiting").exists)
    return run_id


def test_runs_are_forked_from_one_warm_process(here: Launching) -> None:
    """Two runs succeed, each in a session of its own, children of the same process; their output is kept."""
    parents = set()
    for _ in range(2):
        run_id = here.launch("quick")
        assert _finished(here, run_id).status is dg.DagsterRunStatus.SUCCESS
        _, parent, leader = here.noted
        parents.add(int(parent))
        assert leader == "True" and here.worker(run_id).pid != here.launcher.warm_pid
        assert "default way" not in here.told(run_id)
    assert parents == {here.launcher.warm_pid}
    logs = list(here.folder.rglob("compute_logs/*.out"))
    assert len(logs) == 2 and all("the step speaks" in log.read_text() for log in logs)


def test_the_daemon_warms_the_launcher_when_it_makes_its_queue(here: Launching) -> None:
    """The first run need not wait for the imports: the process is there before any run is."""
    assert isinstance(here.instance.run_coordinator, WarmQueue)
    assert here.launcher.warm_pid is None
    assert here.instance.run_coordinator.dequeue_interval_seconds == 1
    warm = here.launcher.warm_pid
    assert warm is not None
    _finished(here, here.launch("quick"))
    assert here.launcher.warm_pid == warm


def test_changed_code_is_loaded_again(here: Launching) -> None:
    """What is on disk at the launch is what runs, and the run's log says that it waited, and why."""
    assert _finished(here, here.launch("quick")).is_success
    before = here.launcher.warm_pid
    here.source.write_text(JOBS.replace('VERSION = "one"', 'VERSION = "two"'))
    run_id = here.launch("quick")
    assert _finished(here, run_id).is_success
    assert here.noted[0] == "two"
    assert here.launcher.warm_pid != before
    assert f"{here.source} changed" in here.told(run_id)


def test_a_killed_worker_is_reported(here: Launching) -> None:
    """The run monitor sees the living worker as running; after `kill -9` its next look fails the run."""
    run_id = _waiting(here)
    _monitor(here, run_id)
    assert here.run(run_id).status is dg.DagsterRunStatus.STARTED
    worker = here.worker(run_id)
    worker.send(signal.SIGKILL)
    eventually(lambda: not worker.alive)
    _monitor(here, run_id)
    assert here.run(run_id).status is dg.DagsterRunStatus.FAILURE


def _monitor(here: Launching, run_id: str) -> None:
    record = here.instance.get_run_record_by_id(run_id)
    assert record is not None
    monitor_started_run(here.instance, None, record, logging.getLogger())  # type: ignore[arg-type]


def test_a_process_that_has_ended_is_not_alive() -> None:
    """Also when nobody has waited for it yet, and /proc still shows it."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        worker = Worker.of_process(process.pid)
        assert worker.alive and not Worker(worker.pid, worker.start - 1).alive
        process.kill()
        eventually(lambda: not worker.alive, seconds=5)


def test_a_terminated_run_can_clean_up(here: Launching) -> None:
    """The step sees DagsterExecutionInterruptedError, and the run ends as canceled."""
    run_id = _waiting(here)
    assert here.launcher.terminate(run_id)
    assert _finished(here, run_id).status is dg.DagsterRunStatus.CANCELED
    assert (here.folder / "interrupted").exists()
    assert not here.launcher.terminate(run_id)


def test_a_run_without_its_process_is_canceled_at_once(here: Launching) -> None:
    """Nobody waits three minutes for a process that is gone."""
    run_id = _waiting(here)
    worker = here.worker(run_id)
    worker.send(signal.SIGKILL)
    eventually(lambda: not worker.alive)
    assert here.launcher.terminate(run_id)
    assert here.run(run_id).status is dg.DagsterRunStatus.CANCELED


def test_a_killed_warm_process_is_replaced(here: Launching) -> None:
    """The next run is forked from a fresh one, and its log says so; the run before goes on."""
    first = _waiting(here)
    warm = here.launcher.warm_pid
    assert warm is not None
    os.kill(warm, signal.SIGKILL)
    second = here.launch("quick")
    assert _finished(here, second).is_success
    assert "is gone" in here.told(second) and here.launcher.warm_pid != warm
    (here.folder / "enough").touch()
    assert _finished(here, first).is_success


def test_a_dead_daemon_leaves_no_warm_process(here: Launching) -> None:
    """After `kill -9` of the daemon the warm process ends by itself; the run it forked goes on to its end."""
    daemon = subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(here.folder), here.module], stdout=subprocess.PIPE, text=True
    )
    try:
        assert daemon.stdout is not None
        with daemon.stdout as told:
            pid, run_id = told.readline().split()
        warm = Worker.of_process(int(pid))
        eventually((here.folder / "waiting").exists)
        assert warm.alive
    finally:
        daemon.kill()
        daemon.wait()
    eventually(lambda: not warm.alive)
    assert here.launcher.check_run_worker_health(here.run(run_id)).status.value == "RUNNING"
    (here.folder / "enough").touch()
    assert _finished(here, run_id).is_success


def test_a_worker_that_is_not_let_go_does_nothing(here: Launching, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the launcher fails between fork and start, the forked process ends: no run starts twice."""
    forked: list[Worker] = []

    def fails(run_id: str, tags: dict[str, str]) -> None:
        forked.append(Worker(*(int(part) for part in next(iter(tags.values())).split(":")[1:])))
        raise RuntimeError("database is locked")

    monkeypatch.setattr(here.instance, "add_run_tags", fails)
    with pytest.raises(RuntimeError):
        here.launch("quick")
    (worker,) = forked
    eventually(lambda: not worker.alive)
    (run,) = here.instance.get_runs()
    assert "Started process for run" not in here.told(run.run_id)
    assert here.launcher.warm_pid is None


def test_the_default_way_is_taken_and_told_when_nothing_can_be_warm(here: Launching) -> None:
    """A module that does not load: the run succeeds in a process of its code server, and its log says why."""
    write_home(here.folder, "no_such_module")
    target = ModuleTarget(here.module, None, str(here.folder), "here")
    with (
        dg.DagsterInstance.from_config(str(here.folder)) as instance,
        WorkspaceProcessContext(instance, target) as context,
    ):
        cold = Launching(here.folder, here.module, instance)
        workspace = context.create_request_context()
        (repository,) = workspace.get_code_location("here").get_repositories().values()
        origin = repository.get_full_job("quick").get_remote_origin()
        copied = Worker(1, 1).tag("the run before")
        run_id = cold.launch("quick", workspace, origin, copied)
        assert _finished(cold, run_id).is_success
        assert "the default way" in cold.told(run_id) and "no_such_module" in cold.told(run_id)
        # The tags of a run that is repeated name the process of the one before: it is not this run's.
        assert cold.launcher.check_run_worker_health(cold.run(run_id)).status.value == "RUNNING"
