"""Calls counted: many environments that bake side by side, real flows and adapters in virtual time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from delivery.core.release import Slot
from delivery.core.rollout import RolloutPhase
from delivery.core.strategy import BlueGreen, Canary
from delivery.flows import control
from delivery_tests.bench.calls import turn_bad
from delivery_tests.bench.fleet import ENVIRONMENT, Fleet
from delivery_tests.fakes import sample_contract

BAKE = BlueGreen(bake=7200)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Eight environments in the bake since some minutes; the first three are left alone by all tests."""
    found = Fleet(tmp_path_factory.mktemp("fleet"), 8, BAKE)
    found.start()
    found.hub.advance(200)
    return found


def test_many_bakes_ask_no_more_than_the_budget(fleet: Fleet) -> None:
    """Two minutes of eight bakes: what can be asked together is, and the rest shares the budget."""
    counts = fleet.counted(0, 120)
    assert counts["cloudwatch.get_metric_data"] <= 2 * 60 / 1.5
    assert counts["cloudwatch.describe_alarms"] <= 2 * 60 / 3.5
    assert counts["s3.list_objects_v2"] <= 2 * 60 / 2.5
    assert 3 <= counts["s3.put_object"] <= 8 * 2
    assert sum(counts.values()) <= 120 * 3.4 + 30


def test_every_environment_is_looked_at_in_its_turn(fleet: Fleet) -> None:
    """What AWS tells of one environment at a time is asked of all of them within half a minute."""
    asked: set[str] = set()

    def note(name: str, given: dict[str, Any]) -> None:
        asked.add(str(given.get("TargetGroupArn") or given.get("cluster")))

    fleet.aws.on_call = note
    fleet.hub.advance(30)
    for service in fleet.services[:3]:
        contract = sample_contract(service.name, ENVIRONMENT)
        assert {contract.cluster, contract.target_groups[Slot.GREEN]} <= asked


def test_a_release_that_turns_bad_is_found_among_many(fleet: Fleet) -> None:
    """From the moment CloudWatch shows it to weight 0 it takes no more than five seconds."""
    assert turn_bad(fleet, 7) <= 5.0
    assert [fleet.weight(number) for number in range(3)] == [100, 100, 100]


def test_a_persons_abort_is_seen_within_seconds(fleet: Fleet) -> None:
    """A rollout that only waits finds what somebody else wrote in the ledger, long before its lock is due."""
    journey, _ = fleet.members[3]
    control.abort_rollout(journey.op("person ada"), ENVIRONMENT, "no time")
    fleet.hub.advance(8)
    assert fleet.weight(3) == 0


def test_somebody_who_moves_the_traffic_is_seen_within_a_minute(fleet: Fleet) -> None:
    """The listener rules are looked at again, and the rollout pauses with what it found."""
    contract = fleet.members[5][0].record.contract
    assert contract is not None
    rule = fleet.aws.rules[contract.production_rule_arn]
    for target, weight in zip(rule["Actions"][0]["ForwardConfig"]["TargetGroups"], (60, 40), strict=True):
        target["Weight"] = weight
    fleet.hub.advance(60)
    rollout = fleet.members[5][0].record.rollout
    assert rollout is not None and rollout.phase is RolloutPhase.PAUSED
    assert "somebody else moved the traffic" in rollout.reason


def test_sensors_read_only_what_changed(fleet: Fleet) -> None:
    """The sensors list the ledgers, and read those that were written since."""
    fleet.watch()
    fleet.hub.advance(10)
    counts = fleet.counted(0, 60)
    assert counts["s3.get_object"] <= counts["s3.put_object"] + 12


def test_sensors_that_find_nothing_new_only_list(tmp_path: Path) -> None:
    """When all is delivered a minute of the sensors is a listing and a question for alarms at each look."""
    fleet = Fleet(tmp_path, 5, BlueGreen(bake=0))
    fleet.start()
    fleet.hub.advance(300)
    fleet.watch()
    counts = fleet.counted(60, 60)
    assert set(counts) == {"s3.list_objects_v2", "cloudwatch.describe_alarms"}
    assert sum(counts.values()) <= 30


def test_a_canary_ends_verified_and_nothing_old_decides(tmp_path: Path) -> None:
    """Every shift is written down, done, and read back by a look of its own."""
    fleet = Fleet(tmp_path, 1, Canary((10, 50, 100), analyze_for=60, bake=60))
    told: list[str] = []
    fleet.aws.on_call = lambda name, given: told.append(name)
    fleet.start()
    fleet.hub.advance(1800)
    (ended,) = fleet.rollouts
    assert ended.phase is RolloutPhase.SUCCEEDED
    shifts = [n for n, name in enumerate(told) if name == "elbv2.modify_rule"]
    assert len(shifts) == 3
    for number in shifts:
        assert "elbv2.describe_rules" in told[number + 1 : number + 6]
        assert "s3.put_object" in told[number - 8 : number]
