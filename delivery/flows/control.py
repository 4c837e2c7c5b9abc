"""What a person decides: stop, go on, give up, hold, lift, approve. Each is one conditional write."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from delivery.core import journal
from delivery.core.accepting import accept
from delivery.core.ledger import Hold, LedgerRecord
from delivery.core.pausing import PATIENCE, halt, let_go, unanswered
from delivery.core.rollout import (
    Rollout,
    RolloutPhase,
    Transition,
    end_where_it_stands,
    give_up,
    resume,
)
from delivery.errors import NotFoundError, RefusedError
from delivery.flows.operation import Operation
from delivery.flows.quarantine import refuse_quarantined
from delivery.flows.records import change


def continue_rollout(op: Operation, environment: str, reason: str = "looked at") -> Rollout:
    """Let a rollout that waits for a person go on; `deploy` or the backstop drives it.

    One that is paused because its verdict was inconclusive has that accepted, at this step (see
    `core.accepting`). Who and why are in its story. RefusedError if it does not wait for anybody.
    """
    line = f"continued by {op.holder}: {reason}"

    def resumed(record: LedgerRecord) -> LedgerRecord:
        if _carried_out(op, record):
            return record
        rollout, now = _in_flight(record), op.world.clock.now()
        if _has_just_said(rollout, line):
            return record  # the answer to our own write got lost
        return journal.put_rollout(record, _onward(_noted(rollout, line, now), op.holder, reason, now))

    refuse_quarantined(op, op.record(environment))
    return _rollout(change(op, environment, resumed))


def _onward(rollout: Rollout, by: str, reason: str, now: datetime) -> Rollout:
    """The rollout as that person lets it go on."""
    if rollout.phase is RolloutPhase.PAUSED:
        return accept(rollout, by, reason, now) if rollout.undecided else resume(rollout, now)
    early = let_go(rollout) if rollout.phase is RolloutPhase.PROGRESSING else None
    if early is not None:
        return early
    if rollout.phase is RolloutPhase.PROGRESSING and rollout.waiting:
        return replace(resume(rollout, now), reason="")
    what = f"The rollout of {rollout.release.id} was not continued"
    raise RefusedError(what, f"it is {rollout.phase.lower()}, not paused", "Nothing to do.")


def _noted(rollout: Rollout, line: str, now: datetime) -> Rollout:
    """The rollout with that line in its story."""
    weight = rollout.history[-1].weight if rollout.history else 0
    return replace(rollout, history=(*rollout.history, Transition(now, weight, line)))


def _has_just_said(rollout: Rollout, line: str) -> bool:
    goes = rollout.phase in (RolloutPhase.PROGRESSING, RolloutPhase.ABORTING)
    return goes and not unanswered(rollout) and any(told.message == line for told in rollout.history[-2:])


def pause_rollout(op: Operation, environment: str, reason: str, patience: float = PATIENCE) -> Rollout:
    """Stop a rollout where it stands until a person continues it or gives it up; it is judged meanwhile.

    After `patience` seconds without an answer nobody drives it any more: it is PAUSED, until somebody looks.
    RefusedError when it waits already, is on its way back, or has no step left: that is not stopped.
    """

    def halted(record: LedgerRecord) -> LedgerRecord:
        if _carried_out(op, record):
            return record
        rollout = _in_flight(record)
        ours = rollout.stopped_by == op.holder and rollout.reason.endswith(f": {reason}")
        if ours and rollout.phase is RolloutPhase.PROGRESSING:
            return record  # the answer to our own write got lost
        stopped = None
        if rollout.phase is RolloutPhase.PROGRESSING and rollout.kind == "deploy":
            stopped = halt(rollout, op.holder, reason, op.world.clock.now(), patience)
        if stopped is None:
            what = f"The rollout of {rollout.release.id} was not paused"
            raise RefusedError(what, _not_paused(rollout), "Look with `delivery status`.")
        return journal.put_rollout(record, stopped)

    return _rollout(change(op, environment, halted))


def _not_paused(rollout: Rollout) -> str:
    if rollout.kind == "restore":
        return "it is the way back to a verified release"
    if rollout.phase is not RolloutPhase.PROGRESSING:
        return f"it is {rollout.phase.lower()} already: {rollout.reason}"
    return "all its steps are passed"


def abort_rollout(op: Operation, environment: str, reason: str) -> Rollout:
    """Give an unfinished rollout up: its traffic is returned, nothing is said of its release.

    One that is paused because its traffic cannot be returned is ended where it stands: the next deployment
    or rollback starts from there.
    """

    def given_up(record: LedgerRecord) -> LedgerRecord:
        if _carried_out(op, record):
            return record
        rollout = _in_flight(record)
        if rollout.phase is RolloutPhase.ABORTING:
            return record
        why, now = f"{reason} ({op.holder})", op.world.clock.now()
        if rollout.phase is RolloutPhase.PAUSED and rollout.returning:
            return journal.put_rollout(record, end_where_it_stands(rollout, why, now))
        return journal.put_rollout(record, give_up(rollout, why, now))

    return _rollout(change(op, environment, given_up))


def hold(op: Operation, environment: str, reason: str) -> LedgerRecord:
    """Make deployments to this environment wait until the hold is lifted."""
    now = op.world.clock.now()
    return change(op, environment, lambda r: journal.impose_hold(r, Hold(reason, now, op.holder)))


def lift_hold(op: Operation, environment: str) -> LedgerRecord:
    """Let deployments to this environment go on."""
    return change(op, environment, journal.lift_hold)


def lift_quarantine(op: Operation, environment: str, digest: str, reason: str = "") -> LedgerRecord:
    """Allow a digest again, on record with who and why; NotFoundError if it is not in quarantine."""
    now = op.world.clock.now()

    def lifted(record: LedgerRecord) -> LedgerRecord:
        if record.quarantined(digest) is None:
            held = ", ".join(q.digest for q in record.quarantine) or "nothing"
            raise NotFoundError(f"{digest} is not in quarantine", f"{held} is", "Name one of these.")
        return journal.lift_quarantine(record, digest, op.holder, reason, now)

    lifted_record = change(op, environment, lifted)
    op.progress(f"{op.holder} lifted the quarantine of {digest} in {environment}")
    return lifted_record


def approve(op: Operation, environment: str, commit: str, by: str) -> LedgerRecord:
    """Record one person's approval of a commit for this environment."""
    now = op.world.clock.now()
    return change(op, environment, lambda r: journal.approve(r, commit, by, now))


def gave_up(holder: str, rollout: Rollout) -> bool:
    """Whether this holder gave the rollout up, as its story says."""
    words, by = ("giving up: ", "ended where it stands"), f"({holder})"
    return any(line.message.startswith(words) and by in line.message for line in rollout.history)


def _carried_out(op: Operation, record: LedgerRecord) -> bool:
    """Whether a killed run's retry finds its order carried out. A word is given once: what others decided
    since then stays. RefusedError when the rollout that was meant has made room for another one."""
    rollout = record.rollout
    if op.retries_since is None or rollout is None:
        return False
    if any(op.holder in line.message for line in rollout.history):
        return True  # it names the first of its runs, so the line is this order's
    if rollout.started_at > op.retries_since:
        raise RefusedError(
            f"Nothing was done to the rollout of {rollout.release.id}",
            "it began after the order was given: the rollout you meant has ended",
            "Look with `delivery status`; if this one is meant as well, say so again.",
        )
    return False


def _rollout(record: LedgerRecord) -> Rollout:
    assert record.rollout is not None  # the change has refused otherwise
    return record.rollout


def _in_flight(record: LedgerRecord) -> Rollout:
    if record.in_flight is None:
        raise NotFoundError(
            f"{record.service} {record.environment} has no unfinished rollout", "nothing is on its way",
            "Look at the asset `deployment`.",
        )  # fmt: skip
    return record.in_flight
