"""How a step ends that does not succeed: red, with one sentence for people, and no stack trace.

An error of ours is an answer (what, why, what to do next), and where in our code it was raised says nothing
to an operator. The trace stays in the run's log, at level DEBUG.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping

import dagster as dg
from dagster._core.errors import DagsterUserCodeProcessError
from dagster_shared.error import SerializableErrorInfo

from delivery.errors import DeliveryError

Context = dg.AssetExecutionContext | dg.OpExecutionContext


class Ended(DagsterUserCodeProcessError, dg.Failure):
    """The failure of a step, as people read it.

    Dagster prints the stack of a plain `dg.Failure`. Of an error that came from another process it shows what
    that one has told of it, which here is the sentence alone.
    """

    def __init__(self, error: DeliveryError, metadata: Mapping[str, dg.MetadataValue] | None = None) -> None:
        told = SerializableErrorInfo(str(error), [], type(error).__name__)
        super().__init__(
            str(error), metadata=metadata, allow_retries=False, user_code_process_error_infos=[told]
        )


def ended(
    context: Context, error: DeliveryError, metadata: Mapping[str, dg.MetadataValue] | None = None
) -> Ended:
    """The end of this step by that error; whoever looks for a fault of ours finds its trace in the log."""
    context.log.debug("".join(traceback.format_exception(error)).rstrip())
    return Ended(error, metadata)
