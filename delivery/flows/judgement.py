"""What is measured of a release, put into one verdict. Only what the release itself served is counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from delivery.core.analysis import Rule, RuleResult, Verdict, VerdictPhase
from delivery.core.judging import (
    judge_alarms,
    judge_probes,
    judge_rule,
    judge_targets,
    only_fresh,
    verdict_of,
)
from delivery.core.ledger import LedgerRecord
from delivery.core.release import Slot
from delivery.core.rollout import Rollout, RolloutPhase
from delivery.core.sample import Reading, Series
from delivery.core.service import EnvironmentSpec
from delivery.core.strategy import Analyze, Bake, CheckPreview, Pause
from delivery.core.target import SlotState, TargetState
from delivery.flows import canary
from delivery.ports import EnvironmentPorts, FiringAlarm, World


def of_step(
    world: World,
    spec: EnvironmentSpec,
    ports: EnvironmentPorts,
    record: LedgerRecord,
    rollout: Rollout,
    seen: TargetState,
    now: datetime,
) -> Verdict | None:
    """The verdict on the candidate at the present step; None where the step is not judged.

    `record` has the samples kept of the release that served before.
    ProviderError when something could not be asked.
    """
    slot = seen.slot(rollout.candidate)
    ours = slot.release == rollout.release.id
    if rollout.kind == "restore" or rollout.phase is not RolloutPhase.PROGRESSING or not ours:
        return None
    match rollout.step:
        case CheckPreview():
            if not slot.serving:
                return None
            return verdict_of(
                [*_targets(spec, slot), *_probes(spec, ports, seen, slot.slot, candidate=True)], now
            )
        case Analyze(seconds=seconds) | Bake(seconds=seconds):
            over = now >= rollout.entered_at + timedelta(seconds=seconds)
            results = _rules_of_step(spec, ports, record, rollout, now, over)
        case Pause() if rollout.launched:
            results = _rules_of_pause(spec, ports, record, rollout, now)
        case _:
            return None
    since = rollout.traffic_at or rollout.entered_at
    also = [*_targets(spec, slot), *_probes(spec, ports, seen, slot.slot, candidate=True)]
    return verdict_of([*results, *also, *alarms(world, ports, slot.slot, since, now)], now)


def of_live(
    world: World,
    spec: EnvironmentSpec,
    ports: EnvironmentPorts,
    record: LedgerRecord,
    seen: TargetState,
    now: datetime,
) -> Verdict:
    """A fresh verdict on the slot that serves: every rule over its own newest span, targets, alarms."""
    slot = seen.slot(seen.stable)
    since = _alone_since(record)
    asked = [_newest(rule, slot.slot, since, now) for rule in spec.rules]
    results = _judged(spec.rules, asked, _read(ports, asked))
    results += canary.of_live(spec.compare)
    also = [*_targets(spec, slot), *_probes(spec, ports, seen, slot.slot)]
    return verdict_of([*results, *also, *alarms(world, ports, slot.slot, since, now)], now)


def of_targets(
    world: World,
    spec: EnvironmentSpec,
    ports: EnvironmentPorts,
    record: LedgerRecord,
    seen: TargetState,
    now: datetime,
) -> Verdict:
    """One more look at what serves, after the rollout: targets and alarms."""
    slot = seen.slot(seen.stable)
    fired = alarms(world, ports, slot.slot, judged_until(record), now)
    return verdict_of([*_targets(spec, slot), *fired], now)


def alarms(
    world: World, ports: EnvironmentPorts, slot: Slot, since: datetime | None, now: datetime
) -> tuple[RuleResult, ...]:
    """The slot's alarms; those that fire for what was before `since` are shown but not counted.

    That is one that began before it, and one whose datapoints still reach back before it: a slot without
    healthy targets is no fault of a release that is only being launched. It counts if it still fires then.
    An alarm that went back to OK between the two questions has no beginning we know of: it is not counted
    either, the metrics it watches are.
    """
    states = ports.metrics.alarms(slot)
    if not any(state.startswith("ALARM") for state in states.values()):
        return ()
    firing = {alarm.name: alarm for alarm in world.alarms.firing()}
    ignored = [n for n in states if n not in firing or _of_before(firing[n], since, now)]
    return judge_alarms(states, ignored)


def _of_before(alarm: FiringAlarm, since: datetime | None, now: datetime) -> bool:
    return since is not None and (alarm.since < since or now - alarm.span < since)


def judged_until(record: LedgerRecord) -> datetime | None:
    """Since when the release that serves has to answer for its alarms: its first traffic, as far as known.

    Of a release whose rollout is no longer in the ledger it is its last verdict: what fired then was judged.
    """
    rollout, live = record.rollout, record.live
    if rollout is not None and rollout.phase is RolloutPhase.SUCCEEDED and rollout.traffic_at is not None:
        return rollout.traffic_at
    entry = record.record_of(live.id) if live is not None else None
    if entry is None:
        return None
    return entry.verdict.judged_at if entry.verdict else entry.at


def _alone_since(record: LedgerRecord) -> datetime | None:
    """Since when the release that serves has its slot to itself.

    What a rolling update measured there, before it was given up, says nothing of the release that is back.
    """
    since, rollout = judged_until(record), record.rollout
    given_up = rollout is not None and rollout.in_place and rollout.phase is RolloutPhase.ABORTED
    if rollout is None or not given_up or rollout.launched_at is None or not rollout.history:
        return since
    back = rollout.history[-1].at
    return max(since, back) if since is not None else back


def _rules_of_step(
    spec: EnvironmentSpec,
    ports: EnvironmentPorts,
    record: LedgerRecord,
    rollout: Rollout,
    now: datetime,
    over: bool,
) -> list[RuleResult]:
    """The rules over this step, reaching back as far as a streak that began before it could; comparisons.

    Success needs a sample of this step. "No datapoint is zero" needs requests counted in this step: asked
    for it alone, when the step's time is over. All is asked at once.
    """
    rules, slot, entered = spec.rules, rollout.candidate, rollout.entered_at
    longest = timedelta(seconds=max((r.duration + r.per for r in rules), default=0.0))
    start = max(rollout.traffic_at or entered, entered - longest)
    whole = [_reading(rule, slot, start, now) for rule in rules]
    zero = [rule for rule in rules if rule.no_data == "zero" and over]
    alone = [_reading(rule, slot, entered, now) for rule in zero]
    told = _read(ports, [*whole, *alone, *canary.readings(spec.compare, rollout, now)])
    again = {r.rule: r for r in _judged(zero, alone, told[len(whole) :])}
    results = []
    for rule, result in zip(rules, _judged(rules, whole, told), strict=True):
        fresh = only_fresh(result, rule, entered)
        stale = fresh.phase is not result.phase
        results.append(again.get(rule.name, fresh) if stale else fresh)
    compared = told[len(whole) + len(alone) :]
    return [*results, *canary.results(spec.compare, record, rollout, compared, over)]


def _rules_of_pause(
    spec: EnvironmentSpec, ports: EnvironmentPorts, record: LedgerRecord, rollout: Rollout, now: datetime
) -> list[RuleResult]:
    """Every rule over its own newest span, however long the pause; none before there was traffic."""
    if rollout.traffic_at is None:
        return []
    asked = [_newest(rule, rollout.candidate, rollout.traffic_at, now) for rule in spec.rules]
    told = _read(ports, [*asked, *canary.readings(spec.compare, rollout, now)])
    compared = canary.results(spec.compare, record, rollout, told[len(asked) :], over=False)
    return [*_judged(spec.rules, asked, told), *compared]


def _newest(rule: Rule, slot: Slot, since: datetime | None, now: datetime) -> Reading:
    start = now - timedelta(seconds=rule.duration + 2 * rule.per)
    return _reading(rule, slot, max(start, since) if since else start, now)


def _reading(rule: Rule, slot: Slot, start: datetime, end: datetime) -> Reading:
    counted = rule.no_data == "zero"
    return Reading(rule.name, rule.metric, rule.statistic, rule.per, slot, start, end, counted)


def _read(ports: EnvironmentPorts, asked: Sequence[Reading]) -> tuple[Series, ...]:
    return ports.metrics.read(asked) if asked else ()


def _judged(rules: Sequence[Rule], asked: Sequence[Reading], told: Sequence[Series]) -> list[RuleResult]:
    """`told` begins with the answers to `asked`, one per rule."""
    return [
        judge_rule(rule, series, reading.start, reading.end)
        for rule, reading, series in zip(rules, asked, told, strict=False)
    ]


def _targets(spec: EnvironmentSpec, slot: SlotState) -> Iterable[RuleResult]:
    return (judge_targets(slot, spec.limits.failed_tasks),)


def _probes(
    spec: EnvironmentSpec, ports: EnvironmentPorts, seen: TargetState, slot: Slot, candidate: bool = False
) -> Iterable[RuleResult]:
    """Preview requests, if configured. A candidate that they do not reach is not known to be good."""
    if spec.probe is None:
        return ()
    if seen.preview is not slot:
        reason = f"the preview rule reaches {seen.preview}, not {slot}"
        return (RuleResult("preview", VerdictPhase.INCONCLUSIVE, reason),) if candidate else ()
    probes = ports.prober.probe(spec.probe.path, spec.probe.requests, spec.probe.timeout)
    if not probes:
        return (RuleResult("preview", VerdictPhase.INCONCLUSIVE, "no preview request was sent"),)
    return (judge_probes(probes),)
