"""After the story: drift is looked for by the real job, with real Terraform, and found when it is there."""

from __future__ import annotations

import time
from collections.abc import Callable

import boto3
import pytest

from delivery.cli.demo.story import PRODUCTION
from delivery_tests.e2e.conftest import Theatre

pytestmark = pytest.mark.e2e

_LAUNCH = """mutation($selector: JobOrPipelineSelector!) {
  launchRun(executionParams: {selector: $selector, mode: "default"}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_RUN = """query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"""
_CHECKS = """query($key: AssetKeyInput!, $name: String!) {
  assetCheckExecutions(assetKey: $key, checkName: $name, limit: 20) {
    runId evaluation { success description } } }"""
_KINDS = ("terraform", "ecs", "weights", "dns")


def _wait(done: Callable[[], bool], seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.5)


def _drifted(theatre: Theatre) -> dict[str, str]:
    """Run the drift job of production; the kinds of drift it found, with what it says of them."""
    selector = {
        "repositoryLocationName": "delivery", "repositoryName": "__repository__",
        "pipelineName": "web_production_drift",
    }  # fmt: skip
    launched = theatre.plane.query(_LAUNCH, {"selector": selector})["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run = launched["run"]["runId"]

    def status() -> str:
        return str(theatre.plane.query(_RUN, {"id": run})["runOrError"]["status"])

    _wait(lambda: status() in ("SUCCESS", "FAILURE", "CANCELED"))
    assert status() == "SUCCESS"
    key = {"path": ["web", PRODUCTION, "drift"]}
    found = {}
    for name in _KINDS:
        results = theatre.plane.query(_CHECKS, {"key": key, "name": name})["assetCheckExecutions"]
        mine = next(r["evaluation"] for r in results if r["runId"] == run)
        if not mine["success"]:
            found[name] = str(mine["description"])
    return found


def test_after_all_that_was_deployed_nothing_has_drifted(theatre: Theatre) -> None:
    """Moved weights, revisions and counts are ours, and no drift; Terraform agrees."""
    assert _drifted(theatre) == {}


def test_an_edit_behind_our_back_is_found(theatre: Theatre) -> None:
    """A health check changed in the console is drift of Terraform's, and nothing else is."""
    contract = theatre.stage.watcher.record(PRODUCTION).contract
    assert contract is not None
    client = boto3.client(
        "elbv2", endpoint_url=theatre.venue.sandbox.endpoints.aws, region_name="us-east-1",
        aws_access_key_id="sandbox", aws_secret_access_key="sandbox",
    )  # fmt: skip
    client.modify_target_group(TargetGroupArn=contract.target_groups["blue"], UnhealthyThresholdCount=7)
    assert _drifted(theatre).keys() == {"terraform"}
