"""Telling people: notices and commit statuses. Neither may fail a delivery, and neither fails silently."""

from __future__ import annotations

from collections.abc import Sequence

from delivery.errors import DeliveryError
from delivery.flows.operation import Operation
from delivery.ports import Notice

#: The status context of the commit's build; each environment has `delivery/<environment>`.
CONTEXT = "delivery"


def status(op: Operation, sha: str, state: str, text: str, environment: str = "") -> None:
    """Write a commit status (`pending|success|failure|error`), best effort."""
    context = f"{CONTEXT}/{environment}" if environment else CONTEXT
    try:
        op.world.source.set_status(op.service.repository, sha, context, state, text, op.url)
    except DeliveryError as error:
        op.progress(f"the status {context}={state} of {sha[:8]} could not be written: {error}")


def notice(op: Operation, kind: str, environment: str, title: str, body: str) -> None:
    """Send a notice to the environment's routes, or to all routes of the service, best effort."""
    routes = op.spec(environment).notify if environment else _all_routes(op)
    if not routes:
        return
    message = Notice(kind, op.service.name, environment, title, body, op.url)
    try:
        problems = op.world.notifier.send(routes, message)
    except DeliveryError as error:
        problems = (str(error),)
    for problem in problems:
        op.progress(f"the notice {kind!r} was not delivered everywhere: {problem}")


def _all_routes(op: Operation) -> Sequence[str]:
    return tuple(dict.fromkeys(route for e in op.service.environments for route in e.notify))
