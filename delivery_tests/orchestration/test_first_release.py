"""A first release with a canary analysis: nothing to compare with is told once, and looks like no fault."""

from __future__ import annotations

from dataclasses import replace

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from delivery.core.comparison import CanaryAnalysis, Comparison
from delivery.orchestration.stage import key
from delivery_tests.fakes import sample_service, sample_sha, with_environment
from delivery_tests.orchestration.support import House, checks, failed_steps

HEALTH = key("web", "health", "production")
LATENCY = Comparison("latency", "TargetResponseTime", "p90", 10.0, minimum_samples=5)
WATCHED = Comparison("cpu", "CPUUtilization", "Average", 10.0, minimum_samples=5, dry_run=True)
RESULTS = {"latency_vs_stable", "canary"}


@pytest.fixture(scope="module")
def house() -> House:
    """Production compares its candidates; nothing was deployed yet."""
    spec = sample_service()
    compared = replace(spec.environment("production"), compare=CanaryAnalysis((LATENCY, WATCHED)))
    return House((with_environment(spec, compared),))


@pytest.fixture(scope="module")
def first(house: House) -> dg.ExecuteInProcessResult:
    result = house.deliver("a")
    assert result.success, failed_steps(result)
    return result


@pytest.fixture(scope="module")
def second(house: House, first: dg.ExecuteInProcessResult) -> dg.ExecuteInProcessResult:
    """The next release has something to be compared with."""
    result = house.deliver("b")
    assert first.success and result.success, failed_steps(result)
    return result


def test_nothing_to_compare_with_is_neither_a_pass_nor_a_warning(
    house: House, first: dg.ExecuteInProcessResult
) -> None:
    """Dagster has the checks of the comparisons as skipped; what did look has passed."""
    evaluated = checks(first, HEALTH.to_user_string())
    assert not RESULTS & set(evaluated)
    assert {name for name, check in evaluated.items() if not check.passed} <= {"cpu_vs_stable"}
    for name in RESULTS:
        check = dg.AssetCheckKey(HEALTH, name)
        (record,) = house.instance.event_log_storage.get_asset_check_execution_history(check, limit=10)
        # Planned in a run that is over: what Dagster calls skipped.
        assert record.status is AssetCheckExecutionRecordStatus.PLANNED


def test_why_nothing_was_compared_is_told_once(first: dg.ExecuteInProcessResult) -> None:
    """In the metadata of `health`, which keeps the rows of what was measured for the next release."""
    (made,) = [
        event.materialization
        for event in first.get_asset_materialization_events()
        if event.asset_key == HEALTH
    ]
    assert made.metadata["not compared"].value == "not compared: nothing served before it"
    assert made.metadata["verdict"].value == "Successful"


def test_the_next_release_has_a_result_of_each(second: dg.ExecuteInProcessResult) -> None:
    """Nothing is left out for good: the comparison and the score are checks again, and pass."""
    evaluated = checks(second, HEALTH.to_user_string())
    assert set(evaluated) >= RESULTS and all(evaluated[name].passed for name in RESULTS)


def test_a_metric_that_is_only_watched_keeps_its_check(
    house: House, second: dg.ExecuteInProcessResult
) -> None:
    """`dry_run` in the service's file is a wish of its author: it is shown whenever there was a baseline."""
    evaluated = checks(second, HEALTH.to_user_string())
    assert "cpu_vs_stable" in evaluated
    live = house.world.record("production").live
    assert live is not None and live.commit == sample_sha("b")
