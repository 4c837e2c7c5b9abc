"""Rollback: whichever of the five ways led here, one function, once per failing release."""

from __future__ import annotations

from delivery.core.ledger import LedgerRecord, Restoration
from delivery.core.standing import (
    Failing,
    failed_at,
    failing,
    open_restoration,
    owed,
    settled_since,
    subject,
)
from delivery.errors import NotFoundError, RefusedError
from delivery.flows import keys
from delivery.flows.operation import Operation
from delivery.flows.patience import for_a_rollout
from delivery.flows.restoring import finish_open
from delivery.flows.session import Session, lock
from delivery.flows.settling import refuse_paused, return_again, settle
from delivery.flows.takeoff import take_off, tell


def rollback(op: Operation, environment: str, sha: str) -> Restoration:
    """Take this commit's failing release off, or verify that its own rollout already did.

    Returns how that ended; `refused` says why nothing was moved. Once per failure: called again, also by
    another trigger at the same time, it returns what the first one did. A rollout in flight settles first:
    it is waited for, and what it left is what is acted on. RefusedError when the release was
    not judged bad, or a person has to look first.
    """
    record = op.record(environment)
    restoration = None
    if open_restoration(record) is None:
        restoration = _not_told_of(record, sha) or _done(record, _bad(op, record, sha))
    if restoration is None:
        with lock(op, environment, for_a_rollout(op.spec(environment))) as session:
            restoration = _under_lock(session, sha)
    op.world.artifacts.save(keys.of_environment(op.service.name, sha, environment, "rollback"), restoration)
    return restoration


def _under_lock(session: Session, sha: str) -> Restoration:
    op = session.op
    begun = open_restoration(session.record)
    if begun is not None:
        return_again(session)
        refuse_paused(session.record)
        entry = session.record.record_of(begun.bad)
        ended = finish_open(session)
        tell(session, ended)
        if entry is not None and entry.release.commit == sha:
            return ended
    bad = _bad(op, session.record, sha)
    done = _done(session.record, bad)
    if done is not None:
        return done
    _let_others_end(session, bad)
    return take_off(session, bad)


def _bad(op: Operation, record: LedgerRecord, sha: str) -> Failing:
    """The commit's failing release."""
    release = subject(record, sha)
    if release is None:
        raise NotFoundError(
            f"{sha[:8]} was never deployed to {record.environment}", "the ledger does not know it",
            "Nothing to roll back.",
        )  # fmt: skip
    bad = failing(record, release)
    if bad is None:
        raise RefusedError(
            f"{release.id} was not rolled back", "it was not judged bad",
            "Materialize `health` first: its verdict decides.",
        )  # fmt: skip
    return bad


def _not_told_of(record: LedgerRecord, sha: str) -> Restoration | None:
    """How the commit's last failure ended, if nobody heard of it before a person let the release try again:
    `incident` follows and tells. Nothing is left to roll back."""
    release = subject(record, sha)
    entry = owed(record, release) if release is not None else None
    return settled_since(record, entry.release.id, failed_at(entry)) if entry is not None else None


def _done(record: LedgerRecord, bad: Failing) -> Restoration | None:
    return settled_since(record, bad.release.id, bad.at)


def _let_others_end(session: Session, bad: Failing) -> None:
    """A rollout of another release that nobody drives any more is given up: what serves is failing."""
    rollout = session.record.in_flight
    if rollout is None:
        return
    if rollout.release.id == bad.release.id:
        refuse_paused(session.record)
    settle(session, f"the live release {bad.release.id} is failing")
