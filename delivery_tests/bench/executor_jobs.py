"""The graph that the executors are measured with: the shape of a delivery, with waits in place of work.

`source → quality, build, plan` side by side, then eight assets in a row.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import dagster as dg
from dagster_async_executor import async_executor

WAIT = 2.0  # seconds that each of the three independent stages takes
ROW = ("image", "infrastructure", "deployment", "health", "dns", "live", "note", "end")


def _sync(name: str, deps: list[str], wait: float) -> dg.AssetsDefinition:
    @dg.asset(name=name, deps=deps)
    def stage() -> None:
        time.sleep(wait)

    return stage


def _async(name: str, deps: list[str], wait: float) -> dg.AssetsDefinition:
    @dg.asset(name=name, deps=deps)
    async def stage() -> None:
        await asyncio.sleep(wait)

    return stage


def _graph(make: Callable[[str, list[str], float], dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    assets = [make("source", [], 0.0)]
    assets += [make(name, ["source"], WAIT) for name in ("quality", "build", "plan")]
    before = ["quality", "build", "plan"]
    for name in ROW:
        assets.append(make(name, before, 0.0))
        before = [name]
    return assets


def _job(
    executor: dg.ExecutorDefinition, make: Callable[[str, list[str], float], dg.AssetsDefinition]
) -> dg.JobDefinition:
    defs = dg.Definitions(assets=_graph(make), jobs=[dg.define_asset_job("delivery")], executor=executor)
    return defs.resolve_job_def("delivery")


def in_process() -> dg.JobDefinition:
    """All steps in the run's process, one after the other."""
    return _job(dg.in_process_executor, _sync)


def multiprocess() -> dg.JobDefinition:
    """A process per step, spawned."""
    return _job(dg.multiprocess_executor, _sync)


def forkserver() -> dg.JobDefinition:
    """A process per step, forked from one that has imported Dagster."""
    config = {"start_method": {"forkserver": {"preload_modules": ["dagster", __name__]}}}
    return _job(dg.multiprocess_executor.configured(config), _sync)


def asynchronous() -> dg.JobDefinition:
    """`dagster-async-executor`: async assets side by side in one process."""
    return _job(async_executor, _async)
