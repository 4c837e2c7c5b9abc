"""The net catches these fish: the product with one thing broken breaks a promise within few histories.

A property test that finds nothing says nothing, unless it is known what it would have found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from delivery.core import advance, journal, moves, rollback
from delivery.core.analysis import Verdict, VerdictPhase
from delivery.core.ledger import LedgerRecord
from delivery.core.rollout import Decision, Rollout, give_up
from delivery.core.target import Drain, TargetState
from delivery.flows import deployable, driving, judgement, quarantine, report, watch
from delivery_tests.fakes import FakeTarget
from delivery_tests.flows.properties.generate import rolled
from delivery_tests.flows.properties.minimise import outcome, promise_of

#: The histories are always the same ones: the first so many of this seed.
SEED, ENOUGH = 1, 1500

Break = Callable[[pytest.MonkeyPatch], None]


def weights_not_read_back(patch: pytest.MonkeyPatch) -> None:
    """The old slot is drained without a look at the weights, by us and by the adapter."""

    def drained(rollout: Rollout, seen: TargetState, now: datetime) -> Decision:
        old = seen.slot(rollout.candidate.other)
        if old.desired == 0:
            return moves.succeed(rollout, seen, "all steps passed", now)
        return moves.act(rollout, seen, (Drain(old.slot),), "draining", now)

    def drain(target: FakeTarget, action: Drain) -> None:
        target._told[action.slot] = target._scaled_to_nothing(target._present(action.slot))

    def passed(rollout: Rollout, seen: TargetState, percent: int, now: datetime) -> Decision:
        return moves.go_on(replace(rollout, traffic_at=now), seen, None, f"{percent} % verified", now)

    patch.setattr(advance, "_finish", drained)
    patch.setattr(advance, "_set_weight", passed)
    patch.setattr(FakeTarget, "_drain", drain)


def lock_ignored(patch: pytest.MonkeyPatch) -> None:
    """Whoever asks for the lock gets it."""
    fence_ignored(patch)  # which alone would let one of them notice
    real = journal.acquire_lock

    def taken(record: LedgerRecord, holder: str, *rest: Any) -> LedgerRecord | None:
        return real(replace(record, lock=None), holder, *rest)

    patch.setattr(journal, "acquire_lock", taken)


def fence_ignored(patch: pytest.MonkeyPatch) -> None:
    """A late writer is not recognised by its fence."""

    real = journal.renew_lock

    def renewed(record: LedgerRecord, fence: int, now: datetime, ttl: float) -> LedgerRecord | None:
        return real(record, record.lock.fence, now, ttl) if record.lock else record

    patch.setattr(journal, "renew_lock", renewed)


def nobody_comes_after(patch: pytest.MonkeyPatch) -> None:
    """The backstop sees nothing that is left behind."""
    patch.setattr(watch, "_left_behind", lambda *rest: None)


def no_data_passes(patch: pytest.MonkeyPatch) -> None:
    """A verdict that nobody can give counts as a good one."""
    real = judgement.of_step

    def good(*arguments: Any, **rest: Any) -> Verdict | None:
        verdict = real(*arguments, **rest)
        if verdict is None or verdict.phase is not VerdictPhase.INCONCLUSIVE:
            return verdict
        return replace(verdict, phase=VerdictPhase.SUCCESSFUL)

    patch.setattr(judgement, "of_step", good)


def errors_condemn(patch: pytest.MonkeyPatch) -> None:
    """A look that failed counts as a failure of the release."""

    def condemned(rollout: Rollout, reason: str, now: datetime, what: str = "look") -> Decision:
        bad = replace(rollout, verdict=Verdict(VerdictPhase.FAILED, reason, now))
        return Decision(give_up(bad, reason, now), (), reason, now)

    patch.setattr(driving, "could_not_look", condemned)


def quarantine_ignored(patch: pytest.MonkeyPatch) -> None:
    """A refused digest is deployed again."""
    patch.setattr(quarantine, "refusal", lambda *rest: "")
    patch.setattr(deployable, "refusal", lambda *rest: "")


def rollback_rolled_back(patch: pytest.MonkeyPatch) -> None:
    """What came by a rollback is rolled back as well."""
    patch.setattr(rollback, "_was_restored", lambda *rest: False)


def effect_twice(patch: pytest.MonkeyPatch) -> None:
    """The task before the switch has another name for each who drives."""
    real: Any = vars(Rollout)["token"]

    def token(rollout: Rollout) -> str:
        name: str = real.fget(rollout)
        drivers = sum("taken over" in line.message for line in rollout.history)
        return f"{name}-{drivers}" if name else ""

    patch.setattr(Rollout, "token", property(token))


def outcome_not_told(patch: pytest.MonkeyPatch) -> None:
    """Nobody hears how it ended, and the backstop does not ask."""
    patch.setattr(report, "_tell", lambda *rest: None)
    patch.setattr(watch, "_untold", lambda *rest: None)


FISH: tuple[tuple[Break, str], ...] = (
    (weights_not_read_back, "1"),
    (lock_ignored, "2"),
    (nobody_comes_after, "3"),
    (no_data_passes, "4"),
    (errors_condemn, "4"),
    (quarantine_ignored, "quarantine"),
    (rollback_rolled_back, "way back"),
    (effect_twice, "once"),
    (outcome_not_told, "9"),
)


@pytest.mark.parametrize(("breaks", "promise"), FISH, ids=[fish.__name__ for fish, _ in FISH])
def test_the_net_catches(breaks: Break, promise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With this broken, a history breaks this very promise."""
    breaks(monkeypatch)
    for number in range(ENOUGH):
        broken = outcome(rolled(SEED, number))
        if broken and promise_of(broken) == promise:
            return
    pytest.fail(f"{ENOUGH} histories noticed nothing of it")
