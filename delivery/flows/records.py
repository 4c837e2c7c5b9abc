"""Changes of the ledger that need no lock: conditional writes of pure changes."""

from __future__ import annotations

from functools import partial

from delivery.core.ledger import LedgerRecord
from delivery.errors import ConflictError, UnavailableError
from delivery.flows.operation import Operation
from delivery.flows.session import RACES, Change, patiently


def change_now(op: Operation, environment: str, pure: Change) -> LedgerRecord:
    """The same in one try, for a sensor, whose look is over after a minute; raises where others wait.

    A write whose answer got lost is found by reading once more.
    """
    ledger, name = op.world.ledger, op.service.name
    stored = ledger.load(name, environment)
    wanted = pure(stored.record)
    if wanted == stored.record:
        return wanted
    try:
        return ledger.store(wanted, stored.etag).record
    except UnavailableError:
        found = ledger.load(name, environment).record
        if pure(found) == found:
            return found
        raise


def change(op: Operation, environment: str, pure: Change) -> LedgerRecord:
    """Apply a pure change to the newest document, again on each lost race. It may be applied twice."""
    spec, ledger = op.spec(environment), op.world.ledger
    for _ in range(RACES):
        stored = patiently(op, spec, lambda: ledger.load(op.service.name, environment))
        wanted = pure(stored.record)
        if wanted == stored.record:
            return wanted
        try:
            return patiently(op, spec, partial(ledger.store, wanted, stored.etag)).record
        except ConflictError:
            continue
    raise ConflictError(
        f"The ledger of {op.service.name} {environment} was not written", "others keep writing it",
        "Try again later.",
    )  # fmt: skip
