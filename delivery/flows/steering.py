"""A person's order, from wherever it came (a Dagster run, or the terminal itself), carried out and told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from delivery.core.accepting import told as told_words
from delivery.core.ledger import Restoration
from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.standing import open_restoration
from delivery.errors import LockHeldError, RefusedError
from delivery.flows import control, telling
from delivery.flows.driving import take_over
from delivery.flows.manual_rollback import return_to
from delivery.flows.operation import Operation
from delivery.flows.patience import for_a_rollback
from delivery.flows.restoring import finish_open
from delivery.flows.session import lock
from delivery.flows.settling import refuse_paused

Word = Literal["rollback", "pause", "continue", "abort"]
WORDS: tuple[Word, ...] = get_args(Word)


@dataclass(frozen=True, slots=True)
class Order:
    """What a person asks for, who it is and why. `to` names the release a rollback goes to."""

    word: Word
    by: str
    reason: str
    to: str | None = None

    @property
    def holder(self) -> str:
        """Who that is in the ledger."""
        return f"person {self.by}"


@dataclass(frozen=True, slots=True)
class Done:
    """What became of it: the commit it was about, one sentence, and where rollout or restoration stand."""

    commit: str
    told: str
    rollout: Rollout | None = None
    restoration: Restoration | None = None


def steer(op: Operation, environment: str, order: Order, drive: bool = False) -> Done:
    """Carry out the order and tell everyone of the environment.

    A rollback and an abort are over when this returns: the traffic is where it belongs, read back. `drive`:
    there is no Dagster to drive a continued rollout, so this does. RefusedError when it came to nothing.
    """
    match order.word:
        case "rollback":
            done = _rollback(op, environment, order)
        case "pause":
            rollout = control.pause_rollout(op, environment, order.reason)
            told = _stops(op, rollout, order)
            done = _told(op, environment, "paused", rollout, told, order.reason)
        case "continue":
            rollout = control.continue_rollout(op, environment, order.reason)
            told = f"{rollout.release.id} continued by {order.by}{_accepted(rollout)}"
            done = _told(op, environment, "continued", rollout, told, order.reason)
            done = _drive(op, environment, done) if drive else done
        case "abort":
            rollout = control.abort_rollout(op, environment, order.reason)
            _refuse_standing(op, environment, rollout)
            told = _being_given_up(op, rollout, order)
            done = _give_back(
                op, environment, order, _told(op, environment, "aborted", rollout, told, order.reason)
            )
            done = _finish_way_back(op, environment, done) if drive else done
    return done


def _accepted(rollout: Rollout) -> str:
    """What was accepted with this order, if anything was."""
    word = rollout.accepted[-1] if rollout.accepted else None
    if word is None or not rollout.history or rollout.history[-1].message != told_words((word,)):
        return ""
    return f", who accepts what is not known of {', '.join(word.rules)} at {word.weight} %: {word.what}"


def _told(op: Operation, environment: str, kind: str, rollout: Rollout, told: str, why: str) -> Done:
    op.progress(f"{op.service.name}/{environment}: {told}")
    telling.notice(op, kind, environment, told, why)
    return Done(rollout.release.commit, told, rollout)


def _rollback(op: Operation, environment: str, order: Order) -> Done:
    ended = return_to(op, environment, order.to, order.reason)
    name = f"{op.service.name}/{environment}"
    if ended.refused:
        raise RefusedError(f"{name} was not rolled back", ended.refused, "Look with `delivery status`.")
    told = f"{ended.bad} was rolled back to {ended.good} by {order.by}"
    op.progress(f"{name}: {told}")
    telling.notice(op, "rolled_back", environment, told, order.reason)
    op.progress(f"deployments are held; `delivery unhold {op.service.name} {environment}` lets them go on")
    entry = op.record(environment).record_of(ended.bad)
    return Done(entry.release.commit if entry else "", told, restoration=ended)


def _stops(op: Operation, rollout: Rollout, order: Order) -> str:
    if rollout.stopped_by == op.holder:
        return f"{rollout.release.id} stops before its next share, says {order.by}"
    # The retry of a killed run: somebody has decided since.
    return f"{rollout.release.id} was paused by {order.by}; it is {rollout.phase.lower()} by now"


def _refuse_standing(op: Operation, environment: str, rollout: Rollout) -> None:
    """A killed run's retry finds it given up, and its traffic stuck on the way."""
    if rollout.phase is RolloutPhase.PAUSED:
        refuse_paused(op.record(environment))


def _being_given_up(op: Operation, rollout: Rollout, order: Order) -> str:
    """What an abort has done so far: the order is written down, and the way back takes its time."""
    if rollout.phase is not RolloutPhase.ABORTING:
        return f"{rollout.release.id} was ended by {order.by}: {rollout.reason}"
    if not control.gave_up(op.holder, rollout):
        return f"{rollout.release.id} goes back already: {rollout.reason}"
    return f"{rollout.release.id} was told to give up by {order.by}: its traffic goes back"


def _give_back(op: Operation, environment: str, order: Order, done: Done) -> Done:
    """See the aborted rollout to its end, driven by its run or by this, and say how it ended."""
    rollout = done.rollout
    if rollout is None or rollout.kind == "restore" or rollout.phase.completed:
        return done
    try:
        with lock(op, environment, for_a_rollback(op.spec(environment))) as session:
            left = session.record.in_flight
            if left is not None and left.kind == "deploy" and left.phase is RolloutPhase.ABORTING:
                take_over(session)
            refuse_paused(session.record)
            ended = session.record.rollout
    except LockHeldError:
        ended = op.record(environment).rollout
        if ended is not None and ended.phase is RolloutPhase.ABORTING:
            raise
    if ended is None or (ended.release, ended.started_at) != (rollout.release, rollout.started_at):
        return done  # the next one has taken its place already
    told = _given_up(op, ended, order)
    op.progress(f"{op.service.name}/{environment}: {told}")
    return Done(done.commit, told, ended)


def _finish_way_back(op: Operation, environment: str, done: Done) -> Done:
    """See a way back that was given up to its end; who drives it already goes on with it."""
    rollout = done.rollout
    if rollout is None or rollout.kind == "deploy" or rollout.phase is not RolloutPhase.ABORTING:
        return done
    try:
        with lock(op, environment, for_a_rollback(op.spec(environment))) as session:
            if open_restoration(session.record) is not None:
                finish_open(session)
            return Done(done.commit, done.told, session.record.rollout)
    except LockHeldError as held:
        op.progress(f"{held.why}: it goes on with it")
        return done


def _given_up(op: Operation, rollout: Rollout, order: Order) -> str:
    """How it ended, by whose word, and who has the traffic. Its own share is the one that was read back last.

    RefusedError when it got through all the same.
    """
    name = rollout.release.id
    if rollout.phase is RolloutPhase.SUCCEEDED:
        why = rollout.reason or "it has got through already"
        raise RefusedError(f"{name} was not given up", why, "To leave it, use `delivery rollback`.")
    nowhere = rollout.in_place or rollout.history[-1].weight  # no share of it went anywhere
    back = f"all its traffic is back with {rollout.previous}"
    if not any(line.weight for line in rollout.history):
        back = "it had no traffic"
    if control.gave_up(op.holder, rollout):
        took = (op.world.clock.now() - rollout.entered_at).total_seconds()
        told = f"{name} was given up by {order.by}, after {took:.0f} s"
        return f"{told}: {rollout.reason if nowhere else back}"
    told = f"{name} {'had failed' if rollout.condemned else 'went back'} already"
    return f"{told}: {rollout.cause or rollout.reason}{'' if nowhere else f'; {back}'}"


def _drive(op: Operation, environment: str, done: Done) -> Done:
    """Carry a continued rollout to its end; who drives it already goes on with it."""
    try:
        with lock(op, environment) as session:
            ended = take_over(session)
            refuse_paused(session.record)
    except LockHeldError as held:
        op.progress(f"{held.why}: it goes on with it")
        return done
    if ended.phase is not RolloutPhase.SUCCEEDED:
        raise RefusedError(
            f"{ended.release.id} did not get through", ended.reason, "Look with `delivery status`."
        )
    op.progress("its health is recorded, and it is made live, when Dagster is back")
    return Done(done.commit, done.told, ended)
