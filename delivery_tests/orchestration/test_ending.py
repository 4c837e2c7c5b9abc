"""Runs that do not get through: red where it ended, with one sentence, no stack trace, and the story."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from delivery.core.rollout import RolloutPhase
from delivery.flows.control import abort_rollout
from delivery.flows.operation import Operation
from delivery.orchestration.stage import key
from delivery_tests.fakes import sample_sha
from delivery_tests.orchestration.support import House, failed_steps, made

SKIPPED = ("health", "dns", "live", "rollback", "incident")


def failure(result: dg.ExecuteInProcessResult) -> tuple[Any, dict[str, Any]]:
    """The one failed step's error, and what is shown with it."""
    (event,) = [event for event in result.all_events if event.is_step_failure]
    data = event.step_failure_data
    shown = data.user_failure_data.metadata if data.user_failure_data else {}
    return data.error, {name: value.value for name, value in shown.items()}


def observed(house: House) -> dict[str, Any]:
    """What production's `deployment` was last seen to be."""
    record = house.instance.fetch_observations(key("web", "deployment", "production"), limit=1).records[0]
    assert record.asset_observation is not None and record.asset_observation.partition == sample_sha("b")
    return {name: value.value for name, value in record.asset_observation.metadata.items()}


def lines(table: Any, column: str) -> list[str]:
    return [str(row.data[column]) for row in table.records]


def given_up() -> tuple[House, dg.ExecuteInProcessResult]:
    """`a` is live; ada gives up the rollout of `b` at its first share in production."""
    house = House()
    assert house.deliver("a").success
    op = Operation(house.world, house.spec, "person ada", lambda _: None)

    def abort() -> None:
        rollout = house.world.record("production").in_flight
        if rollout is None or not rollout.weight:
            house.world.clock.at(1, abort)
        else:
            abort_rollout(op, "production", "customers complain")

    house.world.clock.at(1, abort)
    return house, house.deliver("b")


@pytest.fixture(scope="module")
def aborted() -> tuple[House, dg.ExecuteInProcessResult]:
    return given_up()


@pytest.fixture(scope="module")
def paused() -> tuple[House, dg.ExecuteInProcessResult]:
    """`a` is live; the rollout of `b` is paused in production, for its metrics could not be read."""
    house = House()
    assert house.deliver("a").success
    sha = house.push("b")
    house.world.at("production").metrics.error = "Throttling"
    return house, house.run(sha)


def test_a_rollout_given_up_ends_its_run_where_it_was_given_up(
    aborted: tuple[House, dg.ExecuteInProcessResult],
) -> None:
    """Red at `deployment`: who and why in one sentence, no stack trace; nothing after it is tried."""
    house, result = aborted
    assert not result.success and list(failed_steps(result)) == ["web__production__deployment"]
    assert not made(result) & {f"web/production/{stage}" for stage in (*SKIPPED, "deployment")}
    error, _ = failure(result)
    assert error.message.startswith("The rollout of ") and "in production was given up" in error.message
    assert "customers complain (person ada)" in error.message and error.cls_name == "RefusedError"
    assert (list(error.stack), error.cause, error.context) == ([], None, None)
    assert house.world.source.status(sample_sha("b"), "delivery/production") == "error"


def test_nobody_takes_up_what_was_given_up(aborted: tuple[House, dg.ExecuteInProcessResult]) -> None:
    """Neither the backstop nor Dagster tries again: the first release has the traffic, and keeps it."""
    house, result = aborted
    assert not house.tick("backstop").run_requests
    run = house.instance.get_run_by_id(result.run_id)
    assert run is not None and run.tags["dagster/retry_on_asset_or_op_failure"] == "false"
    record, seen = house.world.record("production"), house.world.at("production").target.look()
    assert record.live is not None and record.live.commit == sample_sha("a") and record.quarantine == ()
    assert seen.slot(seen.stable).release == record.live.id and seen.slot(seen.stable).weight == 100


def test_the_story_of_what_was_given_up_is_on_its_asset(
    aborted: tuple[House, dg.ExecuteInProcessResult],
) -> None:
    """The shares and the reasons, at the failed step and at `deployment`; nothing is asked any more."""
    house, result = aborted
    shown, (_, there) = observed(house), failure(result)
    assert "giving up: customers complain (person ada)" in lines(shown["story"], "what")
    assert "10 %" in lines(shown["story"], "share") and shown["ended"] == RolloutPhase.ABORTED.value
    assert there["story"] == shown["story"] and not {"continue", "abort"} & {*shown, *there}


def test_a_paused_rollout_says_in_the_ui_what_a_person_can_do(
    paused: tuple[House, dg.ExecuteInProcessResult],
) -> None:
    """Both commands with what they do, the story and the verdict's table; no stack trace."""
    house, result = paused
    error, there = failure(result)
    assert "is paused: could not look" in error.message and list(error.stack) == []
    shown = observed(house)
    assert shown["state"] == RolloutPhase.PAUSED.value
    for place in (there, shown):
        assert place["continue"].startswith("delivery continue web production   (looks again")
        assert place["abort"].startswith("delivery abort web production   (gives it up")
        assert any("paused" in line for line in lines(place["story"], "what"))
        assert "10 %" in lines(place["story"], "share")


def test_a_pause_for_an_undecided_verdict_shows_its_rules() -> None:
    """The table of the rules is there before `health` was ever reached."""
    house = House()
    assert house.deliver("a").success
    house.world.at("production").metrics.dark = True
    _, there = failure(house.deliver("b"))
    assert "accepts" in there["continue"]
    assert "Inconclusive" in lines(there["evidence"], "result")
    assert "Inconclusive" in observed(house)["verdict"]


def test_another_commit_is_shown_the_pause_in_its_way(
    paused: tuple[House, dg.ExecuteInProcessResult],
) -> None:
    """A newer commit is refused, and whoever looks at its run can answer."""
    house, _ = paused
    house.world.at("production").metrics.error = ""
    _, there = failure(house.deliver("c"))
    assert there["abort"].startswith("delivery abort web production") and there["story"]


def test_a_step_that_is_told_of_an_unavailable_provider_at_last_has_no_stack_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tried three times, then red with the provider's own sentence; the trace is in the log, at DEBUG."""
    monkeypatch.setattr("delivery.orchestration.operation.UNAVAILABLE_WAIT", 0.0)
    house = House()
    house.world.wire.fail("planner.plan", times=10)
    result = house.deliver("a")
    error, _ = failure(result)
    assert "planner.plan failed" in error.message and list(error.stack) == []
    logged = [entry for entry in house.instance.all_logs(result.run_id) if entry.level == 10]
    assert any("Traceback" in entry.user_message for entry in logged)
