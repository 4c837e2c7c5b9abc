"""Values with everything in them, for stores that must give back what they were given."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from delivery.core.analysis import RuleResult, Sample, Verdict, VerdictPhase
from delivery.core.ledger import (
    Hold,
    LedgerRecord,
    Lock,
    Outcome,
    Quarantine,
    ReleaseRecord,
    Restoration,
)
from delivery.core.release import Slot
from delivery.core.rollout import Limits, Rollout, RolloutPhase, Transition
from delivery.core.strategy import Analyze, Bake, CheckPreview, SetWeight, UpdateInPlace
from delivery.core.target import Drain, Launch, ShiftTraffic
from delivery_tests.fakes import EPOCH, sample_contract, sample_release

LATER = EPOCH + timedelta(microseconds=123_456)


def full_verdict() -> Verdict:
    """A verdict with one result of each phase."""
    results = tuple(
        RuleResult(f"rule-{phase}", phase, "why", (Sample(EPOCH, 0.25), Sample(LATER, 3)), "limit", "query")
        for phase in VerdictPhase
    )
    return Verdict(VerdictPhase.FAILED, "5xx: 12 of 10", LATER, results)


def full_rollout() -> Rollout:
    """A rollout with every kind of step and action."""
    release = sample_release("b")
    return Rollout(
        release=release,
        steps=(CheckPreview(3), SetWeight(10), Analyze(5.5), SetWeight(100), Bake(7), UpdateInPlace()),
        candidate=Slot.GREEN,
        started_at=EPOCH,
        entered_at=LATER,
        previous=sample_release("a").id,
        index=2,
        phase=RolloutPhase.ABORTING,
        reason="bad",
        errors=1,
        verdict=full_verdict(),
        pending=(Launch(Slot.GREEN, release, 2), ShiftTraffic(Slot.GREEN, 10), Drain(Slot.BLUE)),
        limits=Limits(tick=0.5),
        history=(Transition(EPOCH, 0, "launching"), Transition(LATER, 10, "10 % · “verified”")),
        launched_at=EPOCH,
        served_at=LATER,
    )


def full_record(service: str = "web", environment: str = "production") -> LedgerRecord:
    """A ledger document with every field set."""
    good, bad = sample_release("a"), sample_release("b")
    return LedgerRecord(
        service=service,
        environment=environment,
        contract=replace(sample_contract(service, environment), extra={"deploy_role_arn": None}),
        rollout=full_rollout(),
        live=good,
        releases=(
            ReleaseRecord(good, Outcome.VERIFIED, EPOCH, run_id="r1", verdict=full_verdict()),
            ReleaseRecord(bad, Outcome.FAILED, LATER, "bad"),
        ),
        quarantine=(Quarantine(bad.image.digest, bad.commit, "bad", "run r2", LATER),),
        restorations=(Restoration(bad.id, good.id, "bad", EPOCH, LATER, "run r2", reflex=True),),
        lock=Lock("run r2", EPOCH, LATER, 7),
        fence=7,
        hold=Hold("flapping", LATER),
        approvals=((good.commit, "ada", EPOCH.isoformat()),),
    )
