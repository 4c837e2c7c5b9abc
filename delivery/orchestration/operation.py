"""From a Dagster step to a flow's `Operation`, and what of a flow's errors Dagster is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from delivery.core.service import ServiceSpec
from delivery.errors import UnavailableError
from delivery.flows.operation import Operation
from delivery.orchestration.tags import DEAD
from delivery.ports import World

#: The resources every asset and sensor needs: the world behind its ports, and where people see the runs.
RESOURCES = frozenset({"world", "ui_url"})
#: A step whose provider is unavailable is tried again this often, after as many seconds.
UNAVAILABLE_RETRIES = 2
UNAVAILABLE_WAIT = 10.0
Context = dg.AssetExecutionContext | dg.OpExecutionContext


@contextmanager
def operation(context: Context, spec: ServiceSpec) -> Iterator[Operation]:
    """The operation of this step. An unavailable provider has the step tried again; all else fails it."""
    run = context.run
    world: World = context.resources.world
    try:
        yield Operation(
            world=world,
            service=spec,
            holder=holder_of(run),
            progress=context.log.info,
            run_id=run.run_id,
            url=f"{context.resources.ui_url}/runs/{run.run_id}",
            quick=run.tags.get("delivery/quick") == "true",
            dead=run.tags.get(DEAD, ""),
        )
    except UnavailableError as error:
        raise dg.RetryRequested(UNAVAILABLE_RETRIES, UNAVAILABLE_WAIT) from error


def holder_of(run: dg.DagsterRun) -> str:
    """Who a run is in the ledger.

    Named after the run's root, so that the retry of a killed run takes over its lock at once; the lock's
    fence stops the earlier self, should it still write.
    """
    return f"run {(run.root_run_id or run.run_id)[:8]}"
