"""Infrastructure: exactly the reviewed plan, once, or nothing."""

from __future__ import annotations

import pytest

from delivery.core.infra import ResourceChange
from delivery.errors import NotFoundError, RefusedError, StalePlanError
from delivery.flows.keys import state_key
from delivery.flows.plan import infrastructure, plan, plan_problems, provision
from delivery_tests.fakes import sample_contract, sample_sha
from delivery_tests.flows.journey import Journey

SHA = sample_sha("a")
KEY = state_key("web", "production")


def test_the_reviewed_plan_is_applied_and_its_contract_recorded() -> None:
    """Plan, apply exactly that, hand over the contract; a rerun applies nothing again."""
    journey = Journey.start()
    summary = plan(journey.op(), "production", SHA)
    result = infrastructure(journey.op(), "production", SHA)
    assert result.applied and result.contract == sample_contract() == journey.record.contract
    assert journey.world.planner.applied == [summary.plan_id]
    assert infrastructure(journey.op(), "production", SHA) == result
    assert journey.world.planner.applied == [summary.plan_id]


def test_no_changes_skip_the_apply() -> None:
    """An empty plan is not applied; the contract is still read."""
    journey = Journey.start()
    provision(journey.op(), "production")
    plan(journey.op(), "production", SHA)
    result = infrastructure(journey.op(), "production", SHA)
    assert not result.applied and result.sentence == "No changes"
    assert len(journey.world.planner.applied) == 1


def test_a_plan_of_another_state_is_stale() -> None:
    """Somebody applied in between: the reviewed plan is not applied."""
    journey = Journey.start()
    plan(journey.op(), "production", SHA)
    journey.world.planner.touch(KEY)
    with pytest.raises(StalePlanError):
        infrastructure(journey.op(), "production", SHA)
    assert journey.record.contract is None


def test_an_old_plan_is_stale() -> None:
    """A review does not hold for ever."""
    journey = Journey.start()
    plan(journey.op(), "production", SHA)
    journey.world.clock.advance(3601)
    with pytest.raises(StalePlanError, match="older than the 60 min"):
        infrastructure(journey.op(), "production", SHA)


def test_destroying_what_holds_data_is_refused() -> None:
    """The policy names what would be lost, at the plan and again before the apply."""
    journey = Journey.start()
    lost = ResourceChange("aws_db_instance.main", "replace", stateful=True, reason="engine changed")
    journey.world.planner.change(KEY, lost, ResourceChange("aws_ecs_service.a", "delete"))
    summary = plan(journey.op(), "production", SHA)
    assert plan_problems(summary) == (
        "aws_db_instance.main holds data and would be replaced (engine changed)",
    )
    with pytest.raises(RefusedError, match=r"aws_db_instance\.main"):
        infrastructure(journey.op(), "production", SHA)
    with pytest.raises(RefusedError):
        provision(journey.op(), "production")
    assert journey.world.planner.applied == []


def test_without_a_plan_there_is_nothing_to_apply() -> None:
    """`infrastructure` materialized alone says what it needs."""
    with pytest.raises(NotFoundError):
        infrastructure(Journey.start().op(), "production", SHA)
