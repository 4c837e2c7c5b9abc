"""`delivery bootstrap`: what is missing is made, in order; what is there is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from delivery.core.infra import ResourceChange
from delivery.errors import NotFoundError, PrerequisiteError
from delivery.settings import Settings
from delivery_tests.catalog.files import GOOD
from delivery_tests.cli.conftest import BUCKET, Run
from delivery_tests.fakes.world import FakeWorld

STATES = {
    "bootstrap",
    "terraform/dns/example.com.tfstate",
    "terraform/web/registry.tfstate",
    "terraform/web/staging.tfstate",
    "terraform/web/production.tfstate",
}


@pytest.fixture
def bare(world: FakeWorld) -> FakeWorld:
    """An account with nothing in it: no bucket, no zone."""
    world.wire.fail("artifacts.exists", error=PrerequisiteError("no bucket", "it does not exist"))
    world.wire.fail("dns.current", error=NotFoundError("no zone", "Route 53 has none"))
    return world


def test_everything_is_made(run: Run, bare: FakeWorld) -> None:
    """Bucket and key come first, then zone and registry, then the environments, each line with its name."""
    result = run("bootstrap", "--dns")
    assert result.exit_code == 0, result.output
    assert set(bare.planner.serials) == STATES and all(n == 1 for n in bare.planner.serials.values())
    told = result.stderr
    assert told.index("bootstrap │ applied") < told.index("web/registry │ applied")
    assert told.index("zone example.com │ applied") < told.index("web/staging │ ready")
    assert told.index("web/registry │ applied") < told.index("web/production │ ready")
    assert told.splitlines()[-1] == "everything is there"
    assert bare.record("staging").contract is not None and bare.record().contract is not None


def test_running_it_again_changes_nothing(run: Run, bare: FakeWorld) -> None:
    """The second run finds no changes anywhere and applies nothing."""
    assert run("bootstrap", "--dns").exit_code == 0
    applied = list(bare.planner.applied)
    result = run("bootstrap", "--dns")
    assert result.exit_code == 0, result.output
    assert bare.planner.applied == applied
    assert "bootstrap │ No changes" in result.stderr and "zone example.com │ there already" in result.stderr


def test_only_what_was_asked_for(run: Run, bare: FakeWorld) -> None:
    """Zones are made with --dns alone, environments unless told otherwise."""
    assert run("bootstrap", "--no-environments").exit_code == 0
    assert set(bare.planner.serials) == {"bootstrap", "terraform/web/registry.tfstate"}


def test_a_bucket_that_somebody_else_made(run: Run, world: FakeWorld) -> None:
    """It is used as it is, and said so; without its key there is no going on."""
    result = run("bootstrap", "--no-environments")
    assert result.exit_code == 0, result.output
    assert f"the bucket {BUCKET} was not made from this folder: left as it is" in result.stderr
    assert "bootstrap" not in world.planner.serials
    world.wire.fail("signer.sign", error=NotFoundError("not signed", "KMS has no such key"))
    failed = run("bootstrap", "--no-environments")
    assert failed.exit_code == 1
    assert "the signing key is not: alias/delivery-signing: KMS has no such key." in failed.stderr


def test_a_plan_that_destroys_is_refused(run: Run, world: FakeWorld) -> None:
    """Nothing that holds data is destroyed by setting up."""
    repository = ResourceChange("aws_ecr_repository.this", "delete", stateful=True)
    world.planner.change("terraform/web/registry.tfstate", repository)
    result = run("bootstrap")
    assert result.exit_code == 1
    assert "aws_ecr_repository.this holds data and would be deleted" in result.stderr
    assert world.planner.applied == [] and "web/staging" not in result.stderr


def test_one_environment_that_fails(run: Run, bare: FakeWorld) -> None:
    """The others are finished, every failure is told, and the exit code is 1."""
    state = "terraform/web/staging.tfstate"
    bare.planner.change(state, ResourceChange("aws_lb.this", "replace", stateful=True))
    result = run("bootstrap")
    assert result.exit_code == 1
    assert "web/staging │ failed: " in result.stderr and "web/production │ ready" in result.stderr
    assert "everything is there" not in result.stderr


def test_variables(run: Run, bare: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """--var reaches the stacks; one that no stack has, or no assignment, is refused before anything."""
    seen: dict[str, dict[str, object]] = {}
    plan = bare.planner.plan
    monkeypatch.setattr(
        bare.planner, "plan", lambda s, k, v, p: (seen.update({k: dict(v)}), plan(s, k, v, p))[1]
    )
    result = run("bootstrap", "--var", "tls_only=false", "--var", "force_destroy=true", "--no-environments")
    assert result.exit_code == 0, result.output
    assert seen["bootstrap"] == {
        "state_bucket": BUCKET,
        "signing_key_alias": "alias/delivery-signing",
        "tls_only": "false",
        "force_destroy": "true",
    }
    assert seen["terraform/web/registry.tfstate"]["service"] == "web"
    calls = len(bare.wire.calls)
    for bad, why in (("tls_onyl=false", "no stack has them"), ("tls_only", "not of the form NAME=VALUE")):
        refused = run("bootstrap", "--var", bad)
        assert refused.exit_code == 2 and why in refused.stderr
    assert len(bare.wire.calls) == calls


def test_a_state_that_would_go_elsewhere(run: Run, world: FakeWorld, settings: Settings) -> None:
    """A backend file that names another bucket than DELIVERY_BUCKET is refused before anything."""
    shared = Path("infra/environments/shared/backend.hcl")
    (settings.root / shared).write_text('bucket = "another"\nregion = "us-east-1"\n')
    result = run("bootstrap")
    assert result.exit_code == 2
    assert f"DELIVERY_BUCKET is {BUCKET}, but {shared} names another." in result.stderr
    assert world.wire.calls == []


def test_the_good_file_is_what_these_tests_think() -> None:
    """The tests above count on one zone and two environments."""
    assert GOOD.count("zone:") == 1 and GOOD.count("strategy:") == 2
