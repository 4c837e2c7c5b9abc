"""What only shows when fields are seen together, found on plain data.

Plain data, so that these errors are told along with all others: a file with a wrong duration still
hears that its environments are in a circle. What is malformed is skipped here; the models refuse it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from delivery.catalog import canary, strategies
from delivery.catalog.models.base import REFERENCE
from delivery.catalog.models.health import METRICS, RESERVED, trigger_name
from delivery.catalog.plain import mapping, written_seconds

Place = tuple[str | int, ...]
Finding = tuple[Place, str]

#: Load balancer and target group names have 32 characters; `-green` is appended (infra/modules/service).
NAME_LIMIT = 26


class RelationError(ValueError):
    """Findings, each with its own place."""

    def __init__(self, found: tuple[Finding, ...]) -> None:
        super().__init__("; ".join(f"{dotted(place)}: {message}" for place, message in found))
        self.found = found


def dotted(place: Place) -> str:
    """`environments.production.strategy` or `rollback_triggers[2].for`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def findings(attributes: Any, name: str | None = None) -> Iterator[Finding]:
    """Everything that does not fit together in one service; `name` is checked with it when known."""
    service = mapping(attributes)
    yield from _templates(service, ())
    yield from _coverage(mapping(service.get("quality")))
    environments = mapping(service.get("environments"))
    yield from _order(environments)
    for environment, described in environments.items():
        if name is not None and isinstance(environment, str) and len(name) + len(environment) >= NAME_LIMIT:
            yield (
                ("environments", environment),
                f"the name {name}-{environment} is longer than {NAME_LIMIT} characters, "
                "and AWS limits the names made of it",
            )
        health = mapping(mapping(described).get("health"))
        triggers = health.get("rollback_triggers")
        if isinstance(triggers, list):
            yield from _triggers(triggers, ("environments", environment, "health", "rollback_triggers"))
        yield from canary.findings(mapping(described), ("environments", environment))
        yield from strategies.findings(mapping(described), ("environments", environment))


def _order(environments: Mapping[str, Any]) -> Iterator[Finding]:
    """`after` names an environment described before: that is the order in which a commit travels."""
    names = list(environments)
    upstream = {name: mapping(mapping(e).get("after")).get("environment") for name, e in environments.items()}
    for position, name in enumerate(names):
        before = upstream[name]
        place = ("environments", name, "after", "environment")
        if not isinstance(before, str):
            continue
        if before not in names:
            yield place, f"there is no environment {before!r}; described are {', '.join(map(str, names))}"
        elif circle := _circle(upstream, name):
            yield place, f"goes in a circle: {' after '.join(circle)}"
        elif names.index(before) > position:
            yield place, f"{before!r} is described later; write environments in the order they are reached"


def _circle(upstream: Mapping[str, Any], start: str) -> list[str]:
    walked, at = [start], upstream.get(start)
    while isinstance(at, str) and at in upstream and at not in walked:
        walked.append(at)
        at = upstream[at]
    return [*walked, start] if at == start else []


def _coverage(quality: Mapping[str, Any]) -> Iterator[Finding]:
    gates = mapping(quality.get("gates"))
    reports = any("coverage" in mapping(gate) for gate in gates.values())
    if quality.get("coverage") and gates and not reports:
        place = ("quality", "coverage")
        yield place, "no gate writes a coverage report: name it in the gate's `coverage`"


def _triggers(triggers: list[Any], place: Place) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for index, trigger in enumerate(map(mapping, triggers)):
        here = (*place, index)
        limits = [key for key in ("threshold", "below") if trigger.get(key) is not None]
        if len(limits) != 1:
            yield here, f"needs exactly one of threshold and below, and has {' and '.join(limits) or 'none'}"
        yield from _periods(trigger, here)
        name = trigger_name(trigger)
        if name in RESERVED:
            yield (*here, "name"), f"{name!r} is the name of a check that every release has"
        if name in seen:
            yield here, f"is named {name!r} like trigger [{seen[name]}]: give it a `name` of its own"
        seen.setdefault(name, index)


def _periods(trigger: Mapping[str, Any], place: Place) -> Iterator[Finding]:
    """A trigger counts whole periods."""
    usual = METRICS.get(str(trigger.get("metric")))
    per, duration = written_seconds(trigger.get("per", "60s")), written_seconds(trigger.get("for"))
    if not per:
        return
    if duration and (duration < per or duration % per):
        yield (*place, "for"), f"{duration:g} s is not a whole number of periods of {per:g} s (`per`)"
    elif trigger.get("for") is None and usual and usual.duration > per and usual.duration % per:
        yield (*place, "per"), f"does not divide the usual {usual.duration:g} s: say `for` as well"


def _templates(value: Any, place: Place) -> Iterator[Finding]:
    """Dagster's templates are not read, except a reference in `notify`, which the notifier resolves."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _templates(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _templates(item, (*place, index))
    elif isinstance(value, str) and "{{" in value:
        notify = len(place) == 4 and place[0] == "environments" and place[2] == "notify"
        if not (notify and REFERENCE.fullmatch(value)):
            yield place, "templates are not read here; only `notify` may hold a {{ env.NAME }}"
