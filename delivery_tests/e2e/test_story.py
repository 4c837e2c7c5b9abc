"""A commit travels to live traffic, and a bad one comes back: the demo's acts, one test each, in order."""

from __future__ import annotations

import docker
import pytest

from delivery.cli.demo import edits
from delivery.cli.demo.report import Act
from delivery.cli.demo.story import PRODUCTION, STAGING, bad_commit, canary, good_commit, late_failure
from delivery.core.ledger import Outcome
from delivery_tests.e2e.conftest import Theatre

pytestmark = pytest.mark.e2e

_CHECKS = """query($key: AssetKeyInput!, $name: String!) {
  assetCheckExecutions(assetKey: $key, checkName: $name, limit: 5) {
    runId evaluation { success severity } } }"""


def _as_it_should(act: Act) -> None:
    assert act.wrongs == [], f"{act.title}: {act.wrongs} ({act.facts})"


def _checks(theatre: Theatre, path: list[str], name: str) -> list[bool]:
    """The last results of one check, newest first."""
    found = theatre.plane.query(_CHECKS, {"key": {"path": path}, "name": name})["assetCheckExecutions"]
    return [e["evaluation"]["success"] for e in found if e["evaluation"]]


def test_act_1_a_first_commit_goes_live(theatre: Theatre) -> None:
    """A first commit is checked, built, planned and goes live in staging, then in production."""
    _as_it_should(good_commit(theatre.stage, edits.good_v1()))
    assert _checks(theatre, ["web", "quality"], "quality_gate") == [True]
    assert _checks(theatre, ["web", "image"], "signature") == [True]


def test_act_2_a_canary_takes_10_50_100_percent_under_load(theatre: Theatre) -> None:
    """A second commit takes 10, 50, then 100 % of real requests, and none is lost."""
    act = canary(theatre.stage, edits.poisonable())
    _as_it_should(act)
    assert {"measured at 10 %", "measured at 50 %"} <= act.facts.keys()


def test_the_same_digest_runs_in_both_environments(theatre: Theatre) -> None:
    """What was verified in staging is, digest for digest, what is live in production."""
    live = [theatre.stage.watcher.record(e).live for e in (STAGING, PRODUCTION)]
    assert live[0] is not None and live[1] is not None
    assert live[0].image == live[1].image


def test_act_3_a_bad_commit_comes_back(theatre: Theatre) -> None:
    """A commit that fails real users in the canary gives its traffic back, and its run is red."""
    _as_it_should(bad_commit(theatre.stage, edits.bad()))
    assert _checks(theatre, ["web", PRODUCTION, "health"], "target_5xx")[:1] == [False]
    assert _checks(theatre, ["web", PRODUCTION, "rollback"], "restored")[:1] == [True]


def test_act_4_a_late_failure_is_taken_back(theatre: Theatre) -> None:
    """A release that fails long after it was verified is rolled back by its alarm, to the last good one."""
    _as_it_should(late_failure(theatre.stage, edits.POISON))
    record = theatre.stage.watcher.record(PRODUCTION)
    assert record.live is not None
    good = record.record_of(record.live.id)
    assert good is not None and good.outcome is Outcome.VERIFIED


def test_no_gate_container_is_left(theatre: Theatre) -> None:
    """Every gate's container of this story was removed."""
    found = docker.from_env().containers.list(all=True, filters={"label": "delivery.gate"})
    begun = theatre.since.isoformat()
    assert [c.attrs["Created"] for c in found if c.attrs["Created"] >= begun[:19]] == []
