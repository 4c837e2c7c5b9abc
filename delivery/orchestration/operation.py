"""From a Dagster step to a flow's `Operation`, and what of a flow's errors Dagster is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import dagster as dg

from delivery.core.service import ServiceSpec
from delivery.errors import DeliveryError, UnavailableError
from delivery.flows.operation import Operation
from delivery.orchestration.ending import Context, ended
from delivery.orchestration.tags import DEAD, FOUND
from delivery.ports import World

#: The resources every asset and sensor needs: the world behind its ports, and where people see the runs.
RESOURCES = frozenset({"world", "ui_url"})
#: A step whose provider is unavailable is tried again this often, after as many seconds.
UNAVAILABLE_RETRIES = 2
UNAVAILABLE_WAIT = 10.0
#: Of a run that Dagster began because another one was killed: which try it is.
RETRY = "dagster/retry_number"


@contextmanager
def operation(context: Context, spec: ServiceSpec) -> Iterator[Operation]:
    """The operation of this step. An unavailable provider has the step tried again; all else ends it."""
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
            retries_since=retries_since(context.instance, run),
        )
    except DeliveryError as error:
        if isinstance(error, UnavailableError) and context.retry_number < UNAVAILABLE_RETRIES:
            raise dg.RetryRequested(UNAVAILABLE_RETRIES, UNAVAILABLE_WAIT) from error
        raise ended(context, error) from None


def holder_of(run: dg.DagsterRun) -> str:
    """Who a run is in the ledger.

    Named after the run's root, so that the retry of a killed run takes over its lock at once; the lock's
    fence stops the earlier self, should it still write.
    """
    return f"run {(run.root_run_id or run.run_id)[:8]}"


def retries_since(instance: dg.DagsterInstance, run: dg.DagsterRun) -> datetime | None:
    """Since when its work is under way, if this run goes on with another's by itself; None: it is asked anew.

    A retry of a killed run: since that one began (Dagster numbers its own retries, and only those). A run of
    the backstop: since the ledger was read; it may have waited in the queue.
    """
    if FOUND in run.tags and (run.parent_run_id is None or RETRY in run.tags):
        return datetime.fromisoformat(run.tags[FOUND])
    if RETRY not in run.tags:
        return None
    first: dg.DagsterRun | None = run
    while first is not None and RETRY in first.tags:
        run, first = first, instance.get_run_by_id(first.parent_run_id) if first.parent_run_id else None
    record = instance.get_run_record_by_id((first or run).run_id)
    return record.create_timestamp if record is not None else None
