"""Which executor: the same delivery-shaped graph run by four of them, in turn, three rounds."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass

import dagster as dg
from dagster import DagsterEventType, DagsterInstance
from rich.table import Table

from delivery_tests.bench import executor_jobs

EXECUTORS = ("in_process", "asynchronous", "forkserver", "multiprocess")
STEPS = 12
ROUNDS = 3
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds of one run. `overhead`: what a step costs beside its own work, the longest path counted."""

    first_step: float
    total: float

    def overhead(self, work: float) -> float:
        """Per step, over all steps."""
        return (self.total - self.first_step - work) / STEPS


def measure(name: str) -> Figures:
    """Run the job once in an instance of its own."""
    with tempfile.TemporaryDirectory() as home, DagsterInstance.local_temp(home) as instance:
        job = dg.reconstructable(getattr(executor_jobs, name))
        begun = time.time()
        with dg.execute_job(job, instance=instance, run_config=QUIET) as result:
            total = time.time() - begun
            assert result.success, f"{name} did not run"
            run_id = result.run_id
        started = instance.get_records_for_run(run_id, of_type=DagsterEventType.STEP_START).records
        first = min(record.timestamp for record in started) - begun
    return Figures(first, total)


def run() -> Table:
    """The table of medians; `total` against in_process as a ratio of the same round."""
    seen: dict[str, list[Figures]] = defaultdict(list)
    for _ in range(ROUNDS):
        for name in EXECUTORS:
            seen[name].append(measure(name))
    table = Table(title=f"{STEPS} steps, three of them waiting {executor_jobs.WAIT:g} s independently")
    for column in ("executor", "call → first step", "overhead a step", "total", "of in_process"):
        table.add_column(column, justify="left" if column == "executor" else "right")
    for name in EXECUTORS:
        work = executor_jobs.WAIT * (3 if name == "in_process" else 1)
        first, overhead, total = (
            statistics.median(values)
            for values in (
                [f.first_step for f in seen[name]],
                [f.overhead(work) for f in seen[name]],
                [f.total for f in seen[name]],
            )
        )
        ratio = statistics.median(
            f.total / base.total for f, base in zip(seen[name], seen["in_process"], strict=True)
        )
        table.add_row(name, f"{first:.2f} s", f"{overhead * 1000:.0f} ms", f"{total:.1f} s", f"{ratio:.2f} x")
    return table
