"""Why a release was taken off, word for word, in every place where somebody looks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import dagster as dg
import pytest

from delivery.cli.status import cells
from delivery.core.service import ServiceSpec
from delivery.core.strategy import Rolling, RunTask, Strategy
from delivery_tests.fakes import Behaviour, sample_service
from delivery_tests.orchestration.support import House, checks, failed_steps

#: What ECS and the task's log say of each.
OOM = (
    "out of memory",
    "exit code 137",
    "OutOfMemoryError: Container killed due to memory usage",
    "no database",
)
EXIT = ("exit code 1", "Essential container in task exited", "Traceback", "RuntimeError: no database")


def service(strategy: Strategy | None = None, before: RunTask | None = None) -> ServiceSpec:
    """The sample with that in staging, and without production."""
    spec = sample_service()
    staging = spec.environment("staging")
    return replace(
        spec, environments=(replace(staging, strategy=strategy or staging.strategy, before=before),)
    )


def failed(house: House, behaviour: Behaviour) -> dg.ExecuteInProcessResult:
    """A good commit went live; the next one behaves so."""
    assert house.deliver("good").success
    bad = house.push("bad")
    house.world.behave(bad, behaviour)
    result = house.run(bad)
    assert not result.success
    return result


def shown(result: dg.ExecuteInProcessResult, asset: str) -> str:
    """All the metadata of the asset's materialization, as the UI has it."""
    (made,) = [
        event.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None and event.asset_key.to_user_string() == asset
    ]
    return " ".join(str(value.value) for value in made.metadata.values())


PLACES: dict[str, Callable[[House, dg.ExecuteInProcessResult], str]] = {
    "the run's error": lambda h, r: failed_steps(r)["web__staging__incident"],
    "the notice to people": lambda h, r: h.world.notifier.sent[-1][1].body,
    "`delivery status`": lambda h, r: cells(h.world.record("staging"), h.world.clock.now())[1],
    "incident in the UI": lambda h, r: shown(r, "web/staging/incident"),
    "rollback in the UI": lambda h, r: shown(r, "web/staging/rollback"),
    "health in the UI": lambda h, r: shown(r, "web/staging/health"),
    "deployment in the UI": lambda h, r: shown(r, "web/staging/deployment"),
}


def missing(house: House, result: dg.ExecuteInProcessResult, words: tuple[str, ...]) -> dict[str, list[str]]:
    """Place → the words that do not stand there."""
    found = {place: look(house, result) for place, look in PLACES.items()}
    lacks = {place: [word for word in words if word not in text] for place, text in found.items()}
    return {place: lacking for place, lacking in lacks.items() if lacking}


METRIC = ("HTTPCode_Target_5XX_Count", "> 10 per 10 s", "250 of 10", "samples")
CASES = {
    "out of memory": (service(), Behaviour(crash=True, out_of_memory=True), OOM),
    "put back by ECS itself": (service(Rolling(bake=20)), Behaviour(crash=True), EXIT),
    "the task before the switch": (
        service(before=RunTask(("migrate",))), Behaviour(task="out of memory"), OOM,
    ),
    "errors under traffic": (service(), Behaviour(error_rate=0.5), METRIC),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_cause_is_told_everywhere(case: str) -> None:
    """Exit code, memory, ECS's reason, last log lines; or the rule, its limit and what was measured."""
    spec, behaviour, words = CASES[case]
    house = House((spec,))
    result = failed(house, behaviour)
    assert missing(house, result, words) == {}


def test_a_rollback_says_from_where_to_where_and_why() -> None:
    """The asset's materialization, downstream of the failing health of the same run and commit."""
    house = House((service(),))
    result = failed(house, Behaviour(error_rate=0.5))
    (made,) = [
        event
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None and event.asset_key.to_user_string() == "web/staging/rollback"
    ]
    told = {name: value.value for name, value in made.materialization.metadata.items()}
    record = house.world.record("staging")
    bad = next(r.release for r in record.releases if r.release.commit == made.partition)
    assert record.live is not None and (told["from"], told["to"]) == (bad.id, record.live.id)
    assert "HTTPCode_Target_5XX_Count" in str(told["reason"]) and str(told["by"]).startswith("run ")
    assert not checks(result, "web/staging/health")["target_5xx"].passed
