"""The run launcher of `dagster.yaml`: forks every run from a warm process."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._serdes import ConfigurableClassData, serialize_value

from delivery.errors import DeliveryError, PrerequisiteError
from delivery.orchestration.launcher.warm import Stale, Warm
from delivery.orchestration.launcher.worker import Worker


class WarmRunLauncher(dg.DefaultRunLauncher):
    """Dagster's default launcher, but the process of a run is forked, which takes milliseconds.

    When that cannot be, the run starts the default way, and its log says why. Never runs code other than
    what is on disk at the launch. `preload`: the modules the warm process imports, definitions first.
    """

    def __init__(self, preload: Sequence[str] = (), inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._preload = tuple(preload)
        self._warm: Warm | None = None
        self._lock = threading.Lock()  # Dagster launches from several threads

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """The fields under `run_launcher: config:`."""
        return {"preload": dg.Field([str], description="Modules that the warm process imports.")}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """What Dagster makes of `dagster.yaml`."""
        return cls(inst_data=inst_data, **config_value)

    @property
    def warm_pid(self) -> int | None:
        """The warm process of this launcher; None when it has none now."""
        return self._warm.pid if self._warm else None

    def prepare(self) -> None:
        """Start the warm process and do not wait for it, so that the first run need not."""
        with self._lock:
            if self._warm is None and sys.platform == "linux":
                self._warm = self._started()

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run's process; raises what Dagster's own launcher raises."""
        run = context.dagster_run
        try:
            _refuse_foreign(run)
            with self._lock:
                self._fork(run)
        except (DeliveryError, OSError) as error:
            self._tell(run, f"This run starts the default way, in a new process: {error}")
            super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """Interrupt the run: its step sees DagsterExecutionInterruptedError. False when it is over."""
        run = self._instance.get_run_by_id(run_id)
        worker = Worker.of_run(run_id, run.tags) if run else None
        if run is None or run.is_finished or worker is None:
            return bool(super().terminate(run_id))
        self._instance.report_run_canceling(run)
        if not worker.send(signal.SIGTERM):
            self._instance.report_run_canceled(run, f"Its process (pid {worker.pid}) was gone already.")
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Dagster's run monitor asks for every run that is on its way."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the run's process lives. A run started the default way is watched by its code server."""
        worker = Worker.of_run(run.run_id, run.tags)
        if worker is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "watched by its code server")
        if worker.alive:
            return CheckRunHealthResult(WorkerStatus.RUNNING, run_worker_id=str(worker.pid))
        return CheckRunHealthResult(
            WorkerStatus.NOT_FOUND, f"its process (pid {worker.pid}) is gone", run_worker_id=str(worker.pid)
        )

    def dispose(self) -> None:
        """End the warm process; the runs it has forked go on."""
        with self._lock:
            self._drop()

    def _fork(self, run: dg.DagsterRun) -> None:
        """From the warm process that is there, or from a fresh one when that is of no use."""
        if self._warm is not None:
            try:
                self._launch(run, self._warm)
                return
            except Stale as stale:
                self._drop()
                self._tell(run, f"This run waits for a fresh process: {stale}")
        self._warm = self._started()
        self._launch(run, self._warm)

    def _launch(self, run: dg.DagsterRun, warm: Warm) -> None:
        try:
            worker = warm.fork(run.run_id)
            # Before it begins: whoever ends it, or asks whether it lives, finds it from its first moment.
            self._instance.add_run_tags(run.run_id, worker.tag(run.run_id))
            warm.go()
        except BaseException:
            self._drop()  # a worker that was not let go ends with it, so the run cannot start twice
            raise

    def _started(self) -> Warm:
        return Warm(self._preload, serialize_value(self._instance.get_ref()))

    def _drop(self) -> None:
        if self._warm is not None:
            self._warm.close()
            self._warm = None

    def _tell(self, run: dg.DagsterRun, text: str) -> None:
        self._instance.report_engine_event(text, run, cls=type(self))


def _refuse_foreign(run: dg.DagsterRun) -> None:
    """A location with a Python of its own has other packages than the warm process; forks need Linux."""
    why = "it needs Linux" if sys.platform != "linux" else ""
    origin = run.job_code_origin.repository_origin if run.job_code_origin else None
    if origin and origin.executable_path and _bin(origin.executable_path) != _bin(sys.executable):
        why = f"the code location has a Python of its own, {origin.executable_path}"
    if why:
        raise PrerequisiteError("the warm process is not used", why)


def _bin(executable: str) -> Path:
    return Path(executable).absolute().parent
