"""The shape of the asset graph, against the design's drawing; and the rules its files keep."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

import delivery.orchestration
from delivery.core.service import PromotionSpec, ServiceSpec
from delivery.orchestration.tags import chain_of, chains, identifier
from delivery_tests.fakes.samples import sample_environment, sample_service
from delivery_tests.orchestration.support import House, gated

ROOM = Path(delivery.orchestration.__file__).parent
STAGES = (
    "source", "quality", "build", "image", "plan", "infrastructure", "deployment",
    "health", "dns", "live", "rollback", "incident", "drift",
)  # fmt: skip
BUILD_HALF = {
    "web/source": set(),
    "web/quality": {"web/source"},
    "web/build": {"web/source"},
    "web/image": {"web/quality", "web/build"},
}


def _environment(name: str, after: str) -> dict[str, set[str]]:
    here = f"web/{name}"
    return {
        f"{here}/plan": {after},
        f"{here}/infrastructure": {f"{here}/plan"},
        f"{here}/deployment": {"web/image", f"{here}/infrastructure"},
        f"{here}/health": {f"{here}/deployment"},
        f"{here}/dns": {f"{here}/health"},
        f"{here}/live": {f"{here}/dns"},
        f"{here}/rollback": {f"{here}/health"},
        f"{here}/incident": {f"{here}/rollback"},
        f"{here}/drift": set(),
    }


def _edges(house: House) -> dict[str, set[str]]:
    graph = house.defs.resolve_asset_graph()
    return {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    }


@pytest.mark.parametrize("spec", [sample_service(), gated(sample_service())], ids=["ungated", "gated"])
def test_the_graph_is_the_one_that_was_drawn(spec: ServiceSpec) -> None:
    """Every box and every arrow of the design, no more and no less, with and without a gate."""
    drawn = {
        **BUILD_HALF,
        **_environment("staging", after="web/source"),
        **_environment("production", after="web/staging/live"),
    }
    assert _edges(House((spec,))) == drawn


def test_every_asset_is_described_owned_and_grouped() -> None:
    """Kinds, owners, descriptions and groups are there for people to find their way."""
    house = House((replace(sample_service(), owners=("team:web", "ada@example.com")),))
    for spec in house.defs.resolve_all_asset_specs():
        where = spec.key.path[1] if len(spec.key.path) == 3 else "build"
        assert spec.description and spec.kinds, spec.key
        assert list(spec.owners) == ["team:web", "ada@example.com"], spec.key
        assert spec.group_name == f"web_{where}", spec.key
        assert (spec.partitions_def is None) == (spec.key.path[-1] == "drift"), spec.key


def test_checks_are_those_of_the_design_and_block_where_it_says() -> None:
    """Gates, scan, signature and plan policy block; health, restored and drift never do."""
    house = House()
    graph = house.defs.resolve_asset_graph()
    blocking: dict[str, set[str]] = {}
    others: dict[str, set[str]] = {}
    for key in graph.asset_check_keys:
        into = blocking if graph.get_check_spec(key).blocking else others
        into.setdefault(key.asset_key.to_user_string(), set()).add(key.name)
    rules = {"response_time", "target_5xx", "healthy_hosts", "targets", "preview", "launch", "alarms"}
    assert blocking == {
        "web/quality": {"lint", "unit", "quality_gate"},
        "web/image": {"image_scan", "signature"},
        "web/staging/plan": {"plan_policy"},
        "web/production/plan": {"plan_policy"},
    }
    assert others == {
        f"web/{name}/{stage}": names
        for name in ("staging", "production")
        for stage, names in (
            ("health", rules), ("rollback", {"restored"}), ("drift", {"terraform", "ecs", "weights"}),
        )
    }  # fmt: skip


def test_ungated_environments_share_the_commits_run_and_lock() -> None:
    """Without a gate there is one delivery job, and one lock for both environments."""
    (chain,) = chains(sample_service())
    assert (chain.job, chain.lock) == ("web_delivery", "web/staging")
    assert [e.name for e in chain.environments] == ["staging", "production"]


def test_a_gated_environment_has_a_job_and_a_lock_of_its_own() -> None:
    """A gate begins a new chain, which takes what follows without a gate along."""
    spec = gated(sample_service())
    after = sample_environment("eu", spec.environments[0].strategy, PromotionSpec("production"))
    commit, production = chains(replace(spec, environments=(*spec.environments, after)))
    assert [e.name for e in commit.environments] == ["staging"]
    assert [e.name for e in production.environments] == ["production", "eu"]
    assert (production.job, production.lock) == ("web_production_delivery", "web/production")


def test_deliveries_of_a_chain_take_turns_and_nothing_else_waits_for_them() -> None:
    """A late failure is judged while another commit is built: the ledger's lock is the real one.

    A person's order has its lock by its word, which comes with the run.
    """
    house = House((gated(sample_service()),))
    locks = {
        job.name: job.run_tags.get("delivery/lock")
        for job in house.defs.resolve_all_job_defs()
        if not job.name.startswith("__")
    }
    assert locks == {
        "web_delivery": "web/staging",
        "web_production_delivery": "web/production",
        "web_staging_judgement": "web/staging/judgement",
        "web_production_judgement": "web/production/judgement",
        "web_staging_drift": "web/staging/drift",
        "web_production_drift": "web/production/drift",
        "web_staging_steer": None,
        "web_production_steer": None,
    }


def test_jobs_run_in_one_process_and_are_repeated_only_when_their_worker_died() -> None:
    """In-process steps; run retries for lost workers alone, from where they stopped."""
    job = House().defs.resolve_job_def("web_delivery")
    assert job.executor_def.name == dg.in_process_executor.name
    assert job.run_tags["dagster/retry_on_asset_or_op_failure"] == "false"
    assert job.run_tags["dagster/retry_strategy"] == "FROM_FAILURE"
    assert int(job.run_tags["dagster/max_retries"]) > 0


def test_what_follows_in_a_chain_follows_from_the_right_environment() -> None:
    """Two environments side by side do not follow from each other."""
    spec = sample_service()
    other = sample_environment("qa", spec.environments[0].strategy)
    chain = chain_of(replace(spec, environments=(*spec.environments, other)), "staging")
    assert [e.name for e in chain.following("staging")] == ["production"]
    assert chain.following("qa") == ()


def test_names_are_made_safe_for_dagster() -> None:
    """Dashes and dots are allowed in a service's name and not in a job's."""
    assert identifier("web-api", "eu.west", "delivery") == "web_api_eu_west_delivery"
    House((sample_service("web-api"),)).defs.resolve_job_def("web_api_delivery")


@pytest.mark.parametrize("stage", STAGES)
def test_an_assets_body_is_short(stage: str) -> None:
    """The body of an asset has at most 20 lines: the work is in the flows."""
    tree = ast.parse((ROOM / f"{stage}.py").read_text())
    bodies = [
        node
        for factory in ast.walk(tree) if isinstance(factory, ast.FunctionDef)
        for node in factory.body if isinstance(node, ast.FunctionDef) and node.name == stage
    ]  # fmt: skip
    assert len(bodies) == 1
    (body,) = bodies
    assert body.end_lineno is not None and body.end_lineno - body.lineno < 20
