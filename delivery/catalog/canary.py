"""What does not fit together in a canary analysis: with itself, with the strategy, with the triggers.

On plain data, as `catalog.relations`, which calls it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from delivery.catalog.models.health import RESERVED, trigger_name
from delivery.catalog.plain import mapping, written_seconds
from delivery.core.comparison import Comparison
from delivery.core.rollout import Limits
from delivery.core.strategy import BlueGreen, Canary, Linear, Rolling

Place = tuple[str | int, ...]
Finding = tuple[Place, str]


def findings(environment: Mapping[str, Any], place: Place) -> Iterator[Finding]:
    """Everything about `health.compare`, `baseline` and `score` of one environment."""
    health, strategy = mapping(environment.get("health")), mapping(environment.get("strategy"))
    here = (*place, "health")
    compare = health.get("compare")
    if not isinstance(compare, list):
        for unused in ("baseline", "score"):
            if health.get(unused) is not None and compare is None:
                yield (*here, unused), "says how to compare, and nothing is compared: add `compare`"
        return
    comparisons = [mapping(c) for c in compare]
    yield from _names(comparisons, health, (*here, "compare"))
    yield from _statistics(comparisons, (*here, "compare"))
    yield from _score(mapping(health.get("score")), (*here, "score"))
    if health.get("baseline", "stable") in ("stable", "both"):
        yield from _beside(strategy, (*here, "baseline" if "baseline" in health else "compare"))
        yield from _time(comparisons, strategy, mapping(environment.get("limits")), (*here, "compare"))
    if health.get("baseline") in ("previous", "both"):
        yield from _kept(comparisons, strategy, (*here, "compare"))


def _names(
    comparisons: Sequence[Mapping[str, Any]], health: Mapping[str, Any], place: Place
) -> Iterator[Finding]:
    """Each result has a name of its own: `<name>_vs_stable`, beside the triggers'."""
    listed = health.get("rollback_triggers")
    taken = {trigger_name(mapping(t)) for t in listed} if isinstance(listed, list) else set()
    seen: dict[str, int] = {}
    for index, comparison in enumerate(comparisons):
        name = trigger_name(comparison)
        if name in seen:
            yield (*place, index), f"is named {name!r} like comparison [{seen[name]}]: give it a `name`"
        if {f"{name}_vs_stable", f"{name}_vs_previous"} & {*taken, *RESERVED}:
            yield (*place, index), f"a rollback trigger is named like the result of {name!r}"
        seen.setdefault(name, index)


def _statistics(comparisons: Sequence[Mapping[str, Any]], place: Place) -> Iterator[Finding]:
    """A sum grows with the share of the traffic: only counts per request can be summed."""
    for index, comparison in enumerate(comparisons):
        metric, statistic = comparison.get("metric"), comparison.get("statistic")
        if not isinstance(metric, str) or statistic is None:
            continue
        here = (*place, index, "statistic")
        if Comparison("", metric, "").counted:
            if statistic != "Sum":
                yield here, f"{metric} is compared as a share of the requests, which takes its Sum"
        elif statistic in ("Sum", "SampleCount"):
            yield (
                here,
                f"{statistic} of {metric} grows with a slot's share of the traffic; compare p90 or Average",
            )


def _score(score: Mapping[str, Any], place: Place) -> Iterator[Finding]:
    marginal, passing = score.get("marginal", 75), score.get("pass", 95)
    if isinstance(marginal, int | float) and isinstance(passing, int | float) and marginal > passing:
        yield place, f"marginal ({marginal:g}) must not be above pass ({passing:g})"


def _beside(strategy: Mapping[str, Any], place: Place) -> Iterator[Finding]:
    """The stable release can only be measured at the same time where both have traffic at the same time."""
    hint = "compare with `baseline: previous`"
    if "rolling" in strategy:
        yield place, f"stable: a rolling update replaces the stable release, nothing serves beside it; {hint}"
    elif "blue_green" in strategy:
        yield place, f"stable: blue_green gives the candidate all traffic at once; {hint}, or choose canary"
    elif strategy and not _shares(strategy):
        yield place, f"stable: the only share is 100 %, nothing serves beside the candidate; {hint}"


def _time(
    comparisons: Sequence[Mapping[str, Any]],
    strategy: Mapping[str, Any],
    limits: Mapping[str, Any],
    place: Place,
) -> Iterator[Finding]:
    """The first share must last long enough for the samples, the time that is waited for data included."""
    shares = _shares(strategy)
    patience = written_seconds(limits.get("inconclusive_timeout", f"{Limits().inconclusive_timeout:g}s"))
    if not shares or shares[0] is None or patience is None:
        return
    for index, comparison in enumerate(comparisons):
        told, needed = _needed(comparison)
        if shares[0] + patience < needed:
            yield (
                (*place, index, "minimum_samples"),
                f"{told} take {needed:g} s, and the first share ends after "
                f"{shares[0]:g} s and {patience:g} s of waiting (inconclusive_timeout): it always pauses",
            )


def _kept(
    comparisons: Sequence[Mapping[str, Any]], strategy: Mapping[str, Any], place: Place
) -> Iterator[Finding]:
    """A release must be judged for long enough to leave the next one the samples it needs."""
    kind = next(iter(strategy), None)
    usual = {"rolling": Rolling().bake, "blue_green": BlueGreen().bake}.get(str(kind), Canary().bake)
    times = [*_shares(strategy), written_seconds(mapping(strategy.get(str(kind))).get("bake", f"{usual:g}s"))]
    if kind is None or None in times:
        return
    judged = sum(t for t in times if t is not None)
    for index, comparison in enumerate(comparisons):
        told, needed = _needed(comparison)
        if judged < needed:
            yield (
                (*place, index, "minimum_samples"),
                f"previous: {told} take {needed:g} s, and a release is judged for {judged:g} s only "
                "(shares and bake): none would leave enough for the next",
            )


def _needed(comparison: Mapping[str, Any]) -> tuple[str, float]:
    """How many samples in words, and the seconds they take; 0 when it is malformed.

    One period more than samples, for they begin at whole periods; of a count two, for its newest is not read.
    """
    per = written_seconds(comparison.get("per", "60s"))
    count = comparison.get("minimum_samples", Comparison("", "", "").minimum_samples)
    if per is None or not isinstance(count, int):
        return "", 0.0
    more = 2 if Comparison("", str(comparison.get("metric")), "").counted else 1
    return f"{count} samples of {per:g} s", (count + more) * per


def _shares(strategy: Mapping[str, Any]) -> list[float | None]:
    """How long each share below 100 % is analysed (None: malformed); empty where there is none."""
    if "linear" in strategy:
        linear = mapping(strategy["linear"])
        step, interval = (
            linear.get("step", Linear().step),
            written_seconds(linear.get("interval", f"{Linear().interval}s")),
        )
        return [interval] if isinstance(step, int) and step < 100 else []
    canary = mapping(strategy.get("canary"))
    usual = written_seconds(canary.get("analyze_for", f"{Canary().analyze_for}s"))
    steps = canary.get("steps", list(Canary().weights)) if "canary" in strategy else []
    found: list[float | None] = []
    for step in steps if isinstance(steps, list) else []:
        weight = mapping(step).get("weight", step)
        if isinstance(weight, int) and weight < 100:
            own = mapping(step).get("analyze_for")
            found.append(written_seconds(own) if own is not None else usual)
    return found
