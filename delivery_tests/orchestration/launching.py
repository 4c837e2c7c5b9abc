"""Dagster with our run launcher, in a folder of its own, and jobs that say what happens to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import yaml
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.remote_origin import RemoteJobOrigin
from dagster._core.workspace.context import BaseWorkspaceRequestContext

from delivery.orchestration.launcher.run_launcher import WarmRunLauncher
from delivery.orchestration.launcher.worker import Worker

JOBS = """
import os
import time
from pathlib import Path

import dagster as dg

VERSION = "one"
HERE = Path(__file__).parent


@dg.op
def note():
    print("the step speaks")
    (HERE / "noted").write_text(f"{VERSION} {os.getppid()} {os.getsid(0) == os.getpid()}")


@dg.op
def wait():
    (HERE / "waiting").touch()
    try:
        while not (HERE / "enough").exists():
            time.sleep(0.02)
    except dg.DagsterExecutionInterruptedError:
        (HERE / "interrupted").touch()
        raise


@dg.job(executor_def=dg.in_process_executor)
def quick():
    note()


@dg.job(executor_def=dg.in_process_executor)
def slow():
    wait()


defs = dg.Definitions(jobs=[quick, slow])
"""


def write_home(folder: Path, preload: str) -> None:
    """`dagster.yaml` with our launcher and queue."""
    launcher = "delivery.orchestration.launcher"
    settings = {
        "telemetry": {"enabled": False},
        "run_launcher": {
            "module": f"{launcher}.run_launcher", "class": "WarmRunLauncher",
            "config": {"preload": [preload]},
        },
        "run_coordinator": {
            "module": f"{launcher}.queue", "class": "WarmQueue", "config": {"dequeue_interval_seconds": 1},
        },
        "run_monitoring": {"enabled": True},
    }  # fmt: skip
    (folder / "dagster.yaml").write_text(yaml.safe_dump(settings))


@dataclass
class Launching:
    """One instance and the module `module` in `folder`, which holds JOBS."""

    folder: Path
    module: str
    instance: dg.DagsterInstance

    @property
    def launcher(self) -> WarmRunLauncher:
        """The launcher under test, as Dagster made it from `dagster.yaml`."""
        launcher = self.instance.run_launcher
        assert isinstance(launcher, WarmRunLauncher)
        return launcher

    @property
    def source(self) -> Path:
        """The file of the jobs."""
        return self.folder / f"{self.module}.py"

    def launch(
        self, job: str, workspace: BaseWorkspaceRequestContext | None = None,
        origin: RemoteJobOrigin | None = None, tags: dict[str, str] | None = None,
    ) -> str:  # fmt: skip
        """Create a run of that job and launch it; its id."""
        pointer = ModuleCodePointer(self.module, "defs", str(self.folder))
        code = ReconstructableRepository(pointer).get_reconstructable_job(job)
        run = self.instance.create_run_for_job(
            code.get_definition(),
            job_code_origin=code.get_python_origin(),
            remote_job_origin=origin,
            tags=tags,
        )
        self.instance.launch_run(run.run_id, workspace)  # type: ignore[arg-type]
        return run.run_id

    def run(self, run_id: str) -> dg.DagsterRun:
        """That run now."""
        found = self.instance.get_run_by_id(run_id)
        assert found is not None
        return found

    def worker(self, run_id: str) -> Worker:
        """The process that works on it."""
        worker = Worker.of_run(run_id, self.run(run_id).tags)
        assert worker is not None
        return worker

    def told(self, run_id: str) -> str:
        """What the launcher wrote into the run's log."""
        events = self.instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
        return "\n".join(event.message for event in events)

    @property
    def noted(self) -> list[str]:
        """What the job `quick` saw: version, parent's pid, whether it leads a session."""
        return (self.folder / "noted").read_text().split()
