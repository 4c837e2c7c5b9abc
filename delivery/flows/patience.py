"""How long whom to wait for: a delivery lets a rollback end, a rollback lets a rollout in flight settle, a
judgement lets a rolling update end.

All are bounded, and whoever waits says so. What is left undone when the patience is over is in the ledger,
where the backstop finds it.
"""

from __future__ import annotations

from datetime import timedelta

from delivery.core.ledger import LedgerRecord
from delivery.core.rollout import Limits, Rollout, RolloutPhase
from delivery.core.service import EnvironmentSpec
from delivery.core.standing import going_back
from delivery.core.strategy import Analyze, Bake, CheckPreview, Pause, RunTask
from delivery.flows.operation import Operation
from delivery.flows.session import LOCK_SECONDS, Patience, patiently


def for_a_rollback(spec: EnvironmentSpec) -> Patience:
    """A newer commit's: a rollback, begun or about to begin, is waited for; another deployer is not.

    Of that one people are told at once who it is: its rollout may take hours.
    """

    def patience(record: LedgerRecord) -> float:
        return _going_back(spec.limits) + _task_ends(record) if going_back(record) else 0.0

    return patience


def for_a_rollout(spec: EnvironmentSpec) -> Patience:
    """A rollback's: the rollout in flight settles first, however it ends; its own analysis may end it."""

    def patience(record: LedgerRecord) -> float:
        rollout = _progressing(record)
        return _going_back(spec.limits) + (_longest(rollout) if rollout else 0.0)

    return patience


def to_give_up(spec: EnvironmentSpec) -> float:
    """Seconds within which a rollout that was told to give up is over, or paused for what hinders it.

    Its task before the switch is never broken off: that ends first.
    """
    return _going_back(spec.limits) + (spec.before.timeout if spec.before is not None else 0.0)


def until_updated(op: Operation, environment: str) -> LedgerRecord:
    """The ledger once no rolling update works in the slot that serves.

    It is waited for as long as it may take, and said for whom. One that is paused is not waited for: it waits
    for a person.
    """
    spec, clock, end = op.spec(environment), op.world.clock, None
    while True:
        record = patiently(op, spec, lambda: op.record(environment))
        rollout = record.in_flight
        moving = rollout is not None and rollout.in_place and rollout.phase is not RolloutPhase.PAUSED
        if rollout is None or not moving or (end is not None and clock.now() >= end):
            return record
        if end is None:
            longest = for_a_rollout(spec)(record)
            end = clock.now() + timedelta(seconds=longest)
            by = f" by {record.lock.holder}" if record.lock is not None else ""
            told = f"{op.service.name} {environment} is being updated in place to {rollout.release.id}{by}"
            op.progress(f"{told}, judging when that has ended, at most {longest:.0f} s from now")
        clock.sleep_until(clock.now() + timedelta(seconds=LOCK_SECONDS / 12))


def _progressing(record: LedgerRecord) -> Rollout | None:
    rollout = record.in_flight
    deploys = rollout is not None and rollout.kind == "deploy"
    return rollout if deploys and rollout and rollout.phase is RolloutPhase.PROGRESSING else None


def _task_ends(record: LedgerRecord) -> float:
    """Seconds that the one-off task of the rollout in flight may take before that can go back."""
    rollout = record.in_flight
    return rollout.step.timeout if rollout is not None and isinstance(rollout.step, RunTask) else 0.0


def _going_back(limits: Limits) -> float:
    """Two targets tried one after the other, and a holder that died on the way."""
    return 2 * (limits.launch_timeout + limits.shift_timeout) + LOCK_SECONDS


def _longest(rollout: Rollout) -> float:
    """All steps of a rollout, each as long as it may take before it passes, pauses or is given up."""
    limits, total = rollout.limits, 0.0
    for step in rollout.steps:
        match step:
            case Analyze(seconds=seconds) | Bake(seconds=seconds):
                total += seconds + limits.inconclusive_timeout
            case CheckPreview(seconds=seconds):
                total += seconds + limits.launch_timeout + limits.inconclusive_timeout
            case Pause(timeout=timeout):
                total += timeout
            case RunTask(timeout=timeout):
                total += timeout + limits.launch_timeout
            case _:
                total += limits.launch_timeout + limits.shift_timeout
    return total
