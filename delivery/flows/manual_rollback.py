"""A person returns to a verified release: no verdict is needed, and none is given."""

from __future__ import annotations

from delivery.core.ledger import LedgerRecord, Outcome, Restoration
from delivery.core.release import Release
from delivery.core.rollback import RollbackChoice, goods_before
from delivery.errors import NotFoundError, RefusedError
from delivery.flows.operation import Operation
from delivery.flows.restoring import restore
from delivery.flows.session import lock
from delivery.flows.settling import refuse_paused, settle


def return_to(op: Operation, environment: str, to: str | None, reason: str) -> Restoration:
    """Take the live release off without judging it; a rollout in flight is given up first.

    RefusedError when there is nothing to leave or to return to, NotFoundError when `to` is none of those.
    """
    with lock(op, environment) as session:
        refuse_paused(session.record)
        _choose(session.record, to)  # a refusal touches nothing, not even a rollout in flight
        settle(session, reason)
        live, targets = _choose(session.record, to)
        begun = Restoration(live.id, "", reason, session.now(), by=op.holder)
        choice = RollbackChoice(targets, hold=f"rolled back by {op.holder}: {reason}")
        return restore(session, begun, choice, live, Outcome.RESTORED_AWAY)


def _choose(record: LedgerRecord, to: str | None) -> tuple[Release, tuple[Release, ...]]:
    """The release to leave, and where to return to, best first: `to` alone, if it is given."""
    what, live = f"{record.service}/{record.environment} was not rolled back", record.live
    if live is None:
        raise RefusedError(what, "nothing was ever verified here", "There is nothing to return to.")
    good = tuple(goods_before(record, live))
    known = ", ".join(release.id for release in good) or "none"
    fits = tuple(r for r in good if to is None or r.id == to or (len(to) >= 4 and r.commit.startswith(to)))
    if fits and (to is None or len(fits) == 1):
        return live, fits
    why = f"the verified releases before {live.id}, not quarantined, are: {known}"
    if to is None:
        raise RefusedError(what, why, "Deploy a good commit instead.")
    raise NotFoundError(what, f"{to} fits {len(fits)} of them: {why}", "Name one of these.")
