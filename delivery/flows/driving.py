"""The loop that carries a rollout: decide, write it down, do it, sleep until it is worth another look.

It can be killed anywhere. What it decided is in the ledger; what it did is seen at the next look; a successor
that enters here goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from delivery.core.advance import advance, could_not_look
from delivery.core.analysis import Verdict
from delivery.core.idling import LOCK_SECONDS, lock_for, only_waits
from delivery.core.pausing import unanswered
from delivery.core.rollout import Decision, Rollout, RolloutPhase, taken_over
from delivery.core.strategy import Pause
from delivery.core.target import Action, TargetState
from delivery.errors import ConflictError, DeliveryError
from delivery.flows import judgement, telling
from delivery.flows.idling import Calm, Lately, kept_calm, within
from delivery.flows.quarantine import unless_quarantined
from delivery.flows.session import Session


def take_over(session: Session) -> Rollout:
    """Drive the rollout that another worker left."""
    rollout = session.record.in_flight
    if rollout is not None and not rollout.phase.completed:
        onward = taken_over(rollout, session.op.who, session.now())
        told = f"taking over the rollout of {rollout.release.id} as {session.op.who}"
        session.op.progress(f"{session.spec.name}: {told}")
        asks = onward.phase is RolloutPhase.PROGRESSING and unanswered(onward)
        if session.move(rollout, onward) and asks:
            _ask(session, onward)  # whoever was killed may not have come to it
    return drive(session)


def drive(session: Session) -> Rollout:
    """Advance the rollout in the ledger until it needs nothing more: succeeded, aborted or paused."""
    calm: Calm | None = None
    while True:
        if calm is not None:
            session.look_again(within(calm, calm.rollout, session.now()))
        rollout = session.record.rollout
        if rollout is None:
            raise ConflictError(
                "The rollout was lost", "the ledger holds none any more", "Rerun the asset `deployment`."
            )
        if rollout.phase.completed:
            return rollout
        decision, calm = _decide(session, rollout, calm)
        decision = unless_quarantined(session.op, session.record, rollout, decision)
        session.lasts = lock_for(calm.quiet(session.now())) if calm else LOCK_SECONDS
        if not session.move(rollout, decision.rollout, acting=bool(decision.actions)):
            session.op.progress("the rollout was changed by somebody else, looking again")
            continue
        _tell(session, rollout, decision)
        decision = _do(session, rollout, decision)
        if rollout.phase is RolloutPhase.PROGRESSING and decision.rollout.condemned:
            _tell_return(session, decision.rollout)
        session.sleep_until(decision.wake_at)


@dataclass(frozen=True, slots=True)
class _Look:
    """What was decided, and from what; nothing was seen when it could not be asked."""

    decision: Decision
    asked: datetime
    seen: TargetState | None = None
    verdict: Verdict | None = None


def _decide(session: Session, rollout: Rollout, calm: Calm | None) -> tuple[Decision, Calm | None]:
    """One look, one judgement, one decision. Where the rollout only waits the look may be an old one; if it
    says anything else, it is not believed: a fresh one decides."""
    old = within(calm, rollout, session.now())
    if old > 0:
        look = _look(session, rollout, old)
        if only_waits(rollout, look.decision) and look.seen is not None:
            return look.decision, kept_calm(calm, rollout, look.seen, look.verdict, None)
    look = _look(session, rollout, 0.0)
    if look.seen is None:
        return look.decision, None
    return look.decision, kept_calm(calm, look.decision.rollout, look.seen, look.verdict, look.asked)


def _look(session: Session, rollout: Rollout, old: float) -> _Look:
    """What cannot be asked says nothing of the release."""
    op, asked = session.op, session.now()
    ports = Lately(session.ports, old) if old > 0 else session.ports
    try:
        seen = ports.target.observe(rollout.awaited, old)
        now = session.now()
        seen = replace(seen, age=seen.age + (now - asked).total_seconds())
        verdict = judgement.of_step(op.world, session.spec, ports, session.record, rollout, seen, now)
    except DeliveryError as error:
        return _Look(could_not_look(rollout, str(error), session.now()), asked)
    return _Look(advance(rollout, seen, verdict, now), asked, seen, verdict)


def _do(session: Session, before: Rollout, decision: Decision) -> Decision:
    """Do what was decided and written down. A failed action is looked at again, not forgotten."""
    if not session.safe and (decision.actions or decision.rollout.index > before.index):
        session.op.progress("the ledger answered late, looking again before anything is done")
        return _untried(session, decision)
    problem = _first_problem(session, decision.actions)
    if problem is None:
        return decision
    trouble = could_not_look(decision.rollout, str(problem), session.now(), what="act")
    if session.move(decision.rollout, trouble.rollout):
        _tell(session, decision.rollout, trouble)
    return trouble


def _untried(session: Session, decision: Decision) -> Decision:
    """What was not tried is not waited for: while the ledger took its time, nobody's patience ran out."""
    rollout = decision.rollout
    while not session.safe:
        onward = replace(rollout, entered_at=session.now())
        if not session.move(rollout, onward):
            break  # somebody else has changed it
        rollout = onward
    return replace(decision, rollout=rollout, actions=(), wake_at=session.now())


def _first_problem(session: Session, actions: Sequence[Action]) -> DeliveryError | None:
    target = session.ports.target
    for action in actions:
        try:
            target.apply(action)
        except DeliveryError as error:
            return error
    return None


def _tell(session: Session, before: Rollout, decision: Decision) -> None:
    """One line of progress for each new line of the story, and for each time we could not look."""
    after = decision.rollout
    lines = after.history[len(before.history) :]
    for line in lines:
        session.op.progress(f"{session.spec.name} {line.weight} %: {line.message}")
    if lines and after.waiting and after.phase is RolloutPhase.PROGRESSING and after.index != before.index:
        _ask(session, after)
    if after.errors > before.errors and not lines:
        session.op.progress(f"{session.spec.name}: {decision.reason}")


def _ask(session: Session, rollout: Rollout) -> None:
    """The rollout waits for a person: tell people what to answer, and what happens if nobody does."""
    op, name, pause = session.op, session.spec.name, rollout.step
    assert isinstance(pause, Pause)
    then = {"continue": "goes on", "abort": "is given up", "stop": "stops until somebody does"}[pause.then]
    end = rollout.entered_at + timedelta(seconds=pause.timeout)
    title = f"{op.service.name} {name}: {rollout.release.id} waits at {rollout.weight} % for a person"
    answers = " or ".join(f"`delivery {word} {op.service.name} {name}`" for word in ("continue", "abort"))
    body = f"Answer with {answers}. If nobody does by {end:%Y-%m-%d %H:%M} UTC, it {then}."
    op.progress(f"{title}. {body}")
    telling.notice(op, "waiting", name, title, body)


def _tell_return(session: Session, rollout: Rollout) -> None:
    """Tell people that the traffic goes back, once the order is given: no chat service delays it."""
    if rollout.previous is None or rollout.kind == "restore":
        return
    telling.notice(
        session.op,
        "rollback_started",
        session.spec.name,
        f"{session.op.service.name} {session.spec.name}: "
        f"{rollout.release.id} goes back to {rollout.previous}",
        rollout.reason,
    )
