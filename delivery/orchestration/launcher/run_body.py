"""The one place that touches what Dagster keeps to itself (pinned below 1.14 in setup.py).

`_execute_run_command_body` is all that `dagster api execute_run` does once arguments are parsed, and what
EcsRunLauncher and the others start in their containers. There is no public call for it: the public way is
that command, in a process of its own, whose start is what we save.
"""

from __future__ import annotations

import signal

# Modules that Dagster imports only when a run first needs them: here before the fork, once for all runs.
import dagster._core.execution.plan.execute_plan
import dagster._core.storage.event_log.sqlite
import dagster._core.storage.local_compute_log_manager
import dagster._core.storage.runs.sqlite
import dagster._core.storage.sqlite_storage  # noqa: F401
from dagster import DagsterInstance
from dagster._cli.api import _execute_run_command_body
from dagster._core.instance.ref import InstanceRef
from dagster._serdes import deserialize_value
from dagster._utils.interrupts import capture_interrupts

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


def opened(instance_ref: str) -> DagsterInstance:
    """The instance of that serialized reference; use it as a context manager."""
    return DagsterInstance.from_ref(deserialize_value(instance_ref, InstanceRef))


def execute(run_id: str, instance_ref: str) -> int:
    """The run, from its first event to its last; the exit code. Expects INTERRUPTS to be blocked, and
    takes them as Dagster does: a step sees DagsterExecutionInterruptedError."""
    with capture_interrupts(), opened(instance_ref) as instance:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
        return _execute_run_command_body(run_id, instance, lambda _: None, set_exit_code_on_failure=True)
