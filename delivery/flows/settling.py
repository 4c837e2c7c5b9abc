"""Before something new begins: what another worker left is brought to its end."""

from __future__ import annotations

from delivery.core.analysis import Verdict, VerdictPhase
from delivery.core.ledger import LedgerRecord
from delivery.core.returning import TRYING, stuck, try_again
from delivery.core.rollout import RolloutPhase, give_up
from delivery.core.standing import failing, handled, open_restoration
from delivery.core.wording import answers
from delivery.errors import RefusedError, UnavailableError
from delivery.flows.driving import take_over
from delivery.flows.health import judge
from delivery.flows.report import live
from delivery.flows.restoring import finish_open
from delivery.flows.session import Session
from delivery.flows.takeoff import take_off


def settle(session: Session, why: str) -> Verdict | None:
    """Bring what another deployer left in flight to its end: finish a restoration, give a rollout up.

    One that has all the traffic and was never judged is judged first, for what comes next may have to go back
    to it; returns that verdict. A paused rollout is left to the person it waits for: RefusedError.
    """
    return_again(session)
    refuse_paused(session.record)
    _end_in_flight(session, why)
    return _follow_up(session, why)


def refuse_unseen(verdict: Verdict | None) -> None:
    """UnavailableError if what serves could not be looked at: a new release may have to go back to it."""
    if verdict is not None and verdict.phase is VerdictPhase.ERROR:
        raise UnavailableError(
            "The deployment was not begun", f"what serves could not be judged: {verdict.reason}",
            "Rerun it when AWS answers again; `delivery rollback` needs no verdict to leave what serves.",
        )  # fmt: skip


def _end_in_flight(session: Session, why: str) -> None:
    rollout = session.record.in_flight
    if rollout is not None and rollout.kind == "deploy":
        session.op.progress(f"giving up the unfinished rollout of {rollout.release.id}: {why}")
        if rollout.phase is RolloutPhase.PROGRESSING:
            session.move(rollout, give_up(rollout, why, session.now()))
        take_over(session)
        refuse_paused(session.record)
    begun = open_restoration(session.record)
    if begun is not None:
        session.op.progress(f"finishing the rollback of {begun.bad} first")
        finish_open(session)


def _follow_up(session: Session, why: str) -> Verdict | None:
    """What the killed run of a rollout that succeeded did not do: its verdict, and what follows from it.

    A verdict that says neither is no reason to wait: the release is on record as never verified when the next
    rollout takes its place (`restoring.closed`).
    """
    op, environment, rollout = session.op, session.spec.name, session.record.rollout
    succeeded = rollout is not None and rollout.phase is RolloutPhase.SUCCEEDED
    if rollout is None or not succeeded or rollout.kind == "restore" or handled(session.record, rollout):
        return None
    release = rollout.release
    op.progress(f"{release.id} has the traffic and was never judged: {why} after its verdict")
    verdict = judge(op, environment, release.commit)
    if verdict.phase is VerdictPhase.SUCCESSFUL:
        live(op, environment, release.commit)
    bad = failing(session.refresh(), release)
    if bad is not None:
        take_off(session, bad)
    return verdict


def return_again(session: Session) -> bool:
    """Take up traffic that stands on its way back: whoever comes by tries again. Whether there was any."""
    rollout = session.record.in_flight
    if rollout is None or not stuck(rollout):
        return False
    session.op.progress(f"{session.spec.name}: {TRYING} of {rollout.release.id}")
    return session.move(rollout, try_again(rollout, session.now()))


def refuse_paused(record: LedgerRecord) -> None:
    """RefusedError while the rollout in the ledger waits for a person."""
    rollout = record.rollout
    if rollout is None or rollout.phase is not RolloutPhase.PAUSED:
        return
    raise RefusedError(
        f"The rollout of {rollout.release.id} in {record.environment} is paused",
        rollout.reason,
        f"Look, then {answers(record, rollout)}",
    )
