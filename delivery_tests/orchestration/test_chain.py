"""A commit's run through the whole graph, on fakes: good, bad, undecided, blocked."""

from __future__ import annotations

from dataclasses import replace

import dagster as dg
import pytest

from delivery.core.build import GateStatus
from delivery.core.infra import ResourceChange
from delivery.core.ledger import Outcome
from delivery.core.service import DnsSpec
from delivery.flows import keys
from delivery_tests.fakes.samples import sample_service, sample_sha, with_environment
from delivery_tests.fakes.target import Behaviour
from delivery_tests.orchestration.support import House, checks, failed_steps, gated, made, quiet_staging

BAD = Behaviour(error_rate=0.5)
CHAIN = ("plan", "infrastructure", "deployment", "health", "dns", "live")
BUILD = {"web/source", "web/quality", "web/build", "web/image"}


def _chain(environment: str, stages: tuple[str, ...] = CHAIN) -> set[str]:
    return {f"web/{environment}/{stage}" for stage in stages}


def test_a_good_commit_goes_live_in_both_environments_in_one_run() -> None:
    """Every asset but rollback and incident materializes; all checks of health pass; the run is green."""
    house = House()
    result = house.deliver("a")
    assert result.success, failed_steps(result)
    assert made(result) == BUILD | _chain("staging") | _chain("production")
    sha = sample_sha("a")
    for environment in ("staging", "production"):
        live = house.world.record(environment).live
        assert live is not None and live.commit == sha
        evaluated = checks(result, f"web/{environment}/health")
        assert {n for n, c in evaluated.items() if not c.passed} == set()
    assert house.world.source.status(sha, "delivery") == "success"


def test_a_bad_canary_is_rolled_back_and_the_run_is_red() -> None:
    """Health fails red; rollback and incident materialize, dns and live do not; the cause is the error."""
    house = House((quiet_staging(sample_service()),))
    assert house.deliver("good").success
    bad = house.push("bad")
    house.world.behave(bad, BAD)
    result = house.run(bad)
    assert not result.success
    ended = ("plan", "infrastructure", "deployment", "health", "rollback", "incident")
    assert made(result) == BUILD | _chain("staging") | _chain("production", ended)
    evaluated = checks(result, "web/production/health")
    assert {n for n, c in evaluated.items() if not c.passed} == {"target_5xx"}
    assert evaluated["target_5xx"].severity is dg.AssetCheckSeverity.ERROR
    assert checks(result, "web/production/rollback")["restored"].passed
    assert list(failed_steps(result)) == ["web__production__incident"]
    assert "HTTPCode_Target_5XX_Count" in failed_steps(result)["web__production__incident"]
    record = house.world.record("production")
    assert record.live is not None and record.live.commit == sample_sha("good")
    assert any(r.release.commit == bad and r.outcome is Outcome.FAILED for r in record.releases)
    assert house.world.source.status(bad, "delivery/production") == "failure"


def test_health_that_could_not_be_looked_at_stops_the_run_and_restores_nothing() -> None:
    """Neither branch follows an undecided verdict: evidence is kept, the run is red and says so."""
    house = House()
    assert house.deliver("good").success
    house.world.at("production").metrics.error = "CloudWatch answers 500"
    sha = sample_sha("good")
    result = house.run(sha, "web_production_judgement")
    assert not result.success
    assert made(result) == {"web/production/health"}
    (told,) = failed_steps(result).values()
    assert "error" in told or "inconclusive" in told
    evaluated = checks(result, "web/production/health")
    assert not evaluated["target_5xx"].passed
    assert evaluated["target_5xx"].severity is dg.AssetCheckSeverity.WARN
    live = house.world.record("production").live
    assert live is not None and live.commit == sha


def test_a_failing_gate_stops_the_image_and_names_itself() -> None:
    """A blocking check: nothing is pushed, nothing deployed, and the check says which gate."""
    house = House()
    house.world.gates.fail("unit", "3 of 12 tests failed")
    result = house.deliver("a")
    assert not result.success
    assert "web/image" not in made(result) and "web/staging/deployment" not in made(result)
    evaluated = checks(result, "web/quality")
    assert {name for name, check in evaluated.items() if not check.passed} == {"unit", "quality_gate"}
    assert "3 of 12 tests failed" in (evaluated["unit"].description or "")
    assert house.world.wire.counts["registry.push"] == 0


def test_a_gate_that_could_not_judge_blocks_like_one_that_failed() -> None:
    """An error is never a pass."""
    house = House()
    house.world.gates.fail("lint", "no report", GateStatus.ERROR)
    result = house.deliver("a")
    assert not checks(result, "web/quality")["lint"].passed
    assert "web/image" not in made(result)


def test_a_plan_that_destroys_state_is_stopped_before_it_is_applied() -> None:
    """The plan policy blocks infrastructure and all that follows."""
    house = House()
    change = ResourceChange("module.data.aws_db_instance.main", "delete", stateful=True)
    house.world.planner.change(keys.state_key("web", "staging"), change)
    result = house.deliver("a")
    assert not result.success
    assert not checks(result, "web/staging/plan")["plan_policy"].passed
    assert "web/staging/infrastructure" not in made(result)
    assert house.world.wire.counts["planner.apply"] == 0


def test_dns_is_pointed_when_it_is_configured() -> None:
    """With a zone and a record, `dns` tells what the name points to; without, it says so and goes on."""
    spec = sample_service()
    named = replace(spec.environment("production"), dns=DnsSpec("example.test", "www"))
    house = House((with_environment(spec, named),))
    result = house.deliver("a")
    assert result.success, failed_steps(result)
    told = {
        e.asset_key.to_user_string(): e.step_materialization_data.materialization.metadata
        for e in result.get_asset_materialization_events()
        if e.asset_key is not None
    }
    assert told["web/staging/dns"]["result"].value == "no DNS configured"
    assert told["web/production/dns"]["points to"].value == "web-production.eu-central-1.elb.amazonaws.com"


def test_a_rerun_from_any_node_needs_nothing_of_the_run_before() -> None:
    """Assets hand over by artifacts and ledger: `health` alone can be judged again in a run of its own."""
    house = House()
    assert house.deliver("a").success
    keys_ = [dg.AssetKey(["web", "production", stage]) for stage in ("health", "dns", "live")]
    result = house.run(sample_sha("a"), assets=keys_)
    assert result.success, failed_steps(result)
    assert made(result) == _chain("production", ("health", "dns", "live"))


def test_live_is_refused_for_a_commit_whose_health_fails() -> None:
    """A person who materializes `live` by hand cannot make a bad release good."""
    house = House((quiet_staging(sample_service()),))
    assert house.deliver("good").success
    bad = house.push("bad")
    house.world.behave(bad, BAD)
    house.run(bad)
    result = house.run(bad, assets=[dg.AssetKey(["web", "production", "live"])])
    assert not result.success
    assert "was not recorded as live" in "".join(failed_steps(result).values())


def test_a_gated_environment_is_not_in_the_commits_run() -> None:
    """The commit's run ends in staging; the promotion's run takes the same digest to production."""
    house = House((gated(sample_service()),))
    sha = house.push("a")
    first = house.run(sha)
    assert first.success and made(first) == BUILD | _chain("staging")
    second = house.run(sha, "web_production_delivery")
    assert second.success, failed_steps(second)
    assert made(second) == _chain("production")
    staging, production = (house.world.record(e).live for e in ("staging", "production"))
    assert staging is not None and production is not None
    assert staging.image.digest == production.image.digest


def test_a_provider_that_is_unavailable_for_a_moment_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unavailable provider has the step tried again, and the run goes on."""
    monkeypatch.setattr("delivery.orchestration.operation.UNAVAILABLE_WAIT", 0.0)
    house = House()
    house.world.wire.fail("planner.plan")
    result = house.deliver("a")
    assert result.success, failed_steps(result)
    retried = {e.step_key for e in result.all_events if e.event_type_value == "STEP_RESTARTED"}
    assert retried == {"web__staging__plan"}


def test_a_provider_that_stays_unavailable_fails_the_run_with_its_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The patience has an end, and the error says who did not answer."""
    monkeypatch.setattr("delivery.orchestration.operation.UNAVAILABLE_WAIT", 0.0)
    house = House()
    house.world.wire.fail("planner.plan", times=10)
    result = house.deliver("a")
    assert not result.success
    assert "planner.plan failed" in failed_steps(result)["web__staging__plan"]
    assert house.world.wire.counts["planner.plan"] == 3


def test_drift_turns_a_check_red_and_not_the_run() -> None:
    """A change made outside is found, with severity WARN; nothing is changed back."""
    house = House()
    assert house.deliver("a").success
    key = keys.state_key("web", "production")
    house.world.planner.pending[key] = (ResourceChange("aws_lb.this", "update", ("idle_timeout",)),)
    result = house.defs.resolve_job_def("web_production_drift").execute_in_process(
        instance=house.instance, raise_on_error=False
    )
    assert result.success, failed_steps(result)
    evaluated = checks(result, "web/production/drift")
    assert {n for n, c in evaluated.items() if not c.passed} == {"terraform"}
    assert evaluated["terraform"].severity is dg.AssetCheckSeverity.WARN


def test_nothing_terraform_keeps_secret_is_in_the_metadata() -> None:
    """Metadata of plan and infrastructure holds counts, addresses and names, no role or account."""
    house = House()
    result = house.deliver("a")
    told = " ".join(
        str(value.value)
        for event in result.get_asset_materialization_events()
        for value in event.step_materialization_data.materialization.metadata.values()
    )
    assert "arn:aws" not in told
