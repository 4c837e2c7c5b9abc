"""From what users write to what core reads. Defaults are core's own."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from delivery.catalog.models.base import seconds
from delivery.catalog.models.environment import (
    BeforeModel,
    CanaryStepModel,
    EnvironmentModel,
    LimitsModel,
    PauseModel,
    ProbeModel,
    RollbackModel,
    StrategyModel,
)
from delivery.catalog.models.health import METRICS, ComparisonModel, HealthModel, TriggerModel, share
from delivery.catalog.models.quality import GateModel, QualityModel, megabytes
from delivery.catalog.models.service import ServiceModel
from delivery.catalog.models.source import TerraformModel
from delivery.core.analysis import DEFAULT_RULES, Rule
from delivery.core.comparison import CanaryAnalysis, Comparison, Score
from delivery.core.rollback import RollbackPolicy
from delivery.core.rollout import Limits
from delivery.core.service import (
    DnsSpec,
    EnvironmentSpec,
    GateSpec,
    ImageSpec,
    ProbeSpec,
    PromotionSpec,
    RepositorySpec,
    ServiceSpec,
    TerraformSpec,
)
from delivery.core.strategy import BlueGreen, Canary, CanaryStep, Linear, Pause, Rolling, RunTask, Strategy


def to_spec(model: ServiceModel, name: str) -> ServiceSpec:
    """The service of that name as core sees it."""
    image = model.image
    return ServiceSpec(
        name=name,
        repository=RepositorySpec(
            model.repository.github, model.repository.branch, tuple(model.repository.paths)
        ),
        gates=tuple(_gate(key, gate, model.quality) for key, gate in model.quality.gates.items()),
        coverage_minimum=model.quality.coverage.minimum if model.quality.coverage else None,
        image=ImageSpec(
            image.context, image.dockerfile, dict(image.build_args), image.repository, image.scan.fail_on
        ),
        registry=_terraform(model.registry) if model.registry else None,
        environments=tuple(_environment(key, each) for key, each in model.environments.items()),
        owners=tuple(model.owners),
        keep_partitions=model.keep_partitions,
    )


def _gate(name: str, gate: GateModel, quality: QualityModel) -> GateSpec:
    given: dict[str, Any] = _given(gate, timeout="timeout")
    if gate.memory:
        given["memory_mb"] = megabytes(gate.memory)
    return GateSpec(
        name=name,
        command=tuple(gate.run),
        image=gate.image or quality.image,
        junit=gate.junit,
        coverage=gate.coverage,
        sarif=gate.sarif,
        environment=dict(gate.environment),
        **given,
    )


def _terraform(model: TerraformModel) -> TerraformSpec:
    return TerraformSpec(
        model.stack, tuple(model.vars), model.backend, **_given(model, plan_max_age="plan_max_age")
    )


def _environment(name: str, model: EnvironmentModel) -> EnvironmentSpec:
    after = model.after
    return EnvironmentSpec(
        name=name,
        terraform=_terraform(model.terraform),
        strategy=_strategy(model.strategy),
        rules=_rules(model.health),
        probe=_probe(model.probe) if model.probe else None,
        limits=_limits(model.limits),
        dns=DnsSpec(model.dns.zone, model.dns.record) if model.dns else None,
        notify=tuple(model.notify),
        after=PromotionSpec(
            after.environment,
            approvals=after.approvals,
            windows=tuple(after.windows),
            **_given(after, soak="soak"),
        )
        if after
        else None,
        variables=dict(model.variables),
        compare=_analysis(model.health),
        before=_before(model.before) if model.before else None,
        quick=model.quick,
        rollback=_rollback(model.rollback) if model.rollback else RollbackPolicy(),
    )


def _rollback(model: RollbackModel) -> RollbackPolicy:
    given = _given(model, max_age="max_age")
    if model.flapping is not None:
        given |= _given(model.flapping, flapping_span="within")
        given |= {"flapping_count": model.flapping.count} if model.flapping.count is not None else {}
    return RollbackPolicy(**given)


def _before(model: BeforeModel) -> RunTask:
    memory = megabytes(model.memory) if model.memory else None
    return RunTask(tuple(model.run), cpu=model.cpu, memory=memory, **_given(model, timeout="timeout"))


def _strategy(model: StrategyModel) -> Strategy:
    if model.canary:
        steps: dict[str, Any] = {"steps": tuple(map(_step, model.canary.steps))} if model.canary.steps else {}
        return Canary(**steps, **_given(model.canary, analyze_for="analyze_for", bake="bake"))
    if model.linear:
        return Linear(model.linear.step, **_given(model.linear, interval="interval", bake="bake"))
    if model.blue_green:
        times = _given(model.blue_green, bake="bake", preview_for="preview_for")
        return BlueGreen(**times, pause=_pause(model.blue_green.pause))
    return Rolling(**_given(model.rolling, bake="bake")) if model.rolling else Rolling()


def _step(step: CanaryStepModel) -> int | CanaryStep:
    if step.analyze_for is None and step.pause is None:
        return step.weight
    return CanaryStep(step.weight, pause=_pause(step.pause), **_given(step, analyze_for="analyze_for"))


def _pause(model: PauseModel | None) -> Pause | None:
    if model is None:
        return None
    then: dict[str, Any] = {"then": model.then} if model.then else {}
    return Pause(**_given(model, timeout="timeout"), **then)


def _rules(health: HealthModel | None) -> tuple[Rule, ...]:
    triggers = health.rollback_triggers if health else None
    return tuple(map(_rule, triggers)) if triggers else DEFAULT_RULES


def _rule(trigger: TriggerModel) -> Rule:
    usual = METRICS[trigger.metric]
    per = seconds(trigger.per)
    above = trigger.threshold is not None
    return Rule(
        name=trigger.name or usual.name,
        metric=trigger.metric,
        statistic=trigger.statistic or usual.statistic,
        comparison=">" if above else "<",
        threshold=float(trigger.threshold if trigger.threshold is not None else trigger.below or 0),
        per=per,
        duration=seconds(trigger.for_) if trigger.for_ else max(per, usual.duration),
        no_data=trigger.no_data or usual.no_data,
        dry_run=trigger.dry_run,
    )


def _analysis(health: HealthModel | None) -> CanaryAnalysis | None:
    if health is None or health.compare is None:
        return None
    score = Score(health.score.pass_, health.score.marginal) if health.score else Score()
    return CanaryAnalysis(tuple(map(_comparison, health.compare)), health.baseline or "stable", score)


def _comparison(model: ComparisonModel) -> Comparison:
    usual = METRICS[model.metric]
    written = ("least", "direction", "weight", "minimum_samples")
    given = {name: getattr(model, name) for name in written if getattr(model, name) is not None}
    if model.tolerance is not None:
        given["tolerance"] = share(model.tolerance)
    return Comparison(
        name=model.name or usual.name,
        metric=model.metric,
        statistic=model.statistic or usual.statistic,
        per=seconds(model.per),
        critical=model.critical,
        dry_run=model.dry_run,
        **given,
    )


def _probe(model: ProbeModel) -> ProbeSpec:
    return ProbeSpec(model.path, model.requests, **_given(model, timeout="timeout"))


def _limits(model: LimitsModel) -> Limits:
    times = ("launch_timeout", "shift_timeout", "inconclusive_timeout", "tick")
    counts = {
        name: value
        for name in ("error_budget", "failed_tasks")
        if (value := getattr(model, name)) is not None
    }
    return Limits(**_given(model, **dict(zip(times, times, strict=True))), **counts)


def _given(model: BaseModel, **durations: str) -> dict[str, Any]:
    """The durations that were written, in seconds, by core's name for them."""
    written = {field: getattr(model, name) for field, name in durations.items()}
    return {field: seconds(text) for field, text in written.items() if text is not None}
