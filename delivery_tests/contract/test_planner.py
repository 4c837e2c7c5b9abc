"""`Planner`: the plan that was reviewed is applied, or nothing is."""

from __future__ import annotations

import dataclasses
import json
import shlex
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.adapters.terraform import Terraform
from delivery.adapters.terraform.command import Command
from delivery.adapters.terraform.workspace import open_workspace
from delivery.core.service import TerraformSpec
from delivery.errors import (
    ConfigurationError,
    ConflictError,
    NotFoundError,
    PrerequisiteError,
    ProviderError,
    StalePlanError,
)
from delivery_tests.contract.planning import FakeStack, RealStack, Stack, applied, quiet

ADAPTER = pytest.param("adapter", marks=[pytest.mark.sandbox, pytest.mark.terraform])


@pytest.fixture(scope="module", params=["fake", ADAPTER])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """One stack for the module: every test begins with `applied(stack)`, whatever the one before it left."""
    if request.param == "fake":
        return FakeStack()
    return RealStack(request.getfixturevalue("sandbox"), tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module", params=["fake", ADAPTER])
def drifting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A stack whose resource is in AWS, where somebody else can change it."""
    if request.param == "fake":
        return FakeStack()
    return RealStack(request.getfixturevalue("sandbox"), tmp_path_factory.mktemp("drifting"), topic=True)


def test_a_stack_that_was_never_applied_has_no_outputs(stack: Stack) -> None:
    """Outputs before the first apply are NotFoundError; the first plan has something to create."""
    if isinstance(stack, RealStack):
        untouched = dataclasses.replace(stack.spec), f"other/{stack.key}"
    else:
        untouched = stack.spec, "terraform/web/other.tfstate"
    with pytest.raises(NotFoundError, match="no outputs"):
        stack.planner.outputs(*untouched)
    plan, _ = stack.planner.plan(*untouched, stack.variables, quiet)
    assert plan.counts == {"create": 1} and plan.sentence() == "1 to create"


def test_what_was_planned_is_applied_and_then_there_is_nothing_to_do(stack: Stack) -> None:
    """After the apply the outputs are there, and the next plan says `No changes`."""
    applied(stack)
    assert stack.planner.outputs(stack.spec, stack.key)
    plan, _ = stack.planner.plan(stack.spec, stack.key, stack.variables, quiet)
    assert plan.empty and plan.sentence() == "No changes"


def test_an_edit_is_one_update_and_names_what_changes(stack: Stack) -> None:
    """A plan tells addresses and attribute names."""
    applied(stack)
    stack.change()
    plan, file = stack.planner.plan(stack.spec, stack.key, stack.variables, quiet)
    (change,) = plan.changes
    assert (change.address, change.action) == (stack.address, "update")
    assert set(change.attributes) & {"display_name", "input"}
    stack.planner.apply(stack.spec, stack.key, plan, file, quiet)


def test_another_file_than_the_reviewed_one_is_refused(stack: Stack) -> None:
    """Bytes that are not the plan's are a StalePlanError, and nothing is applied."""
    applied(stack)
    stack.change()
    plan, _ = stack.planner.plan(stack.spec, stack.key, stack.variables, quiet)
    with pytest.raises(StalePlanError):
        stack.planner.apply(stack.spec, stack.key, plan, b"another plan", quiet)
    again, _ = stack.planner.plan(stack.spec, stack.key, stack.variables, quiet)
    assert not again.empty


def test_a_plan_of_an_older_state_is_refused(stack: Stack) -> None:
    """Somebody applied something since: StalePlanError, with `plan` as the next step."""
    applied(stack)
    stack.change()
    old, file = stack.planner.plan(stack.spec, stack.key, stack.variables, quiet)
    stack.change()
    applied(stack)
    with pytest.raises(StalePlanError) as refused:
        stack.planner.apply(stack.spec, stack.key, old, file, quiet)
    assert "plan" in refused.value.hint


def test_drift_is_found_and_nothing_is_changed(drifting: Stack) -> None:
    """What somebody changed by hand is told, as a change back and as drift; looking repairs nothing."""
    applied(drifting)
    drifting.drift()
    for _ in range(2):
        found = drifting.planner.drift(drifting.spec, drifting.key, drifting.variables, quiet)
        assert [c.address for c in found.changes] == [drifting.address]
        assert [c.address for c in found.drift] == [drifting.address]


# --- the real one only ---------------------------------------------------------


@pytest.fixture(scope="module")
def topic(sandbox: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealStack]:
    """A stack of its own, never applied."""
    from delivery_tests.conftest import RunningSandbox

    assert isinstance(sandbox, RunningSandbox)
    yield RealStack(sandbox, tmp_path_factory.mktemp("locked"))


@pytest.mark.sandbox
@pytest.mark.terraform
def test_a_held_lock_is_told_with_its_holder(topic: RealStack) -> None:
    """Who holds the state since when, and a command that frees it as it stands if that process is dead."""
    topic.lock()
    try:
        with pytest.raises(ConflictError) as refused:
            topic.planner.plan(topic.spec, topic.key, topic.variables, quiet)
        assert "ada@laptop" in refused.value.why
        command = refused.value.hint.split("`")[1]
        freed = subprocess.run(
            ["env", *shlex.split(command.replace("force-unlock", "force-unlock -force"))],
            env=topic.sandbox.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert freed.returncode == 0, freed.stderr
        assert topic.planner.plan(topic.spec, topic.key, topic.variables, quiet)
    finally:
        topic.unlock()


@pytest.mark.sandbox
@pytest.mark.terraform
def test_a_summary_holds_no_values(topic: RealStack) -> None:
    """Sensitive values are in the plan file, never in what is stored or shown of it."""
    plan, file = topic.planner.plan(topic.spec, topic.key, topic.variables, quiet)
    assert "hunter2" not in json.dumps(dataclasses.asdict(plan), default=str)
    assert file.startswith(b"PK")
    assert list(topic.planner.work.rglob("*.tfplan")) == []


@pytest.mark.sandbox
@pytest.mark.terraform
def test_a_broken_stack_is_told_in_terraforms_words(topic: RealStack, tmp_path: Path) -> None:
    """A mistake in the stack is a ProviderError with Terraform's own first sentence."""
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "main.tf").write_text('resource "terraform_data" "this" { nonsense = 1 }\n')
    planner = dataclasses.replace(topic.planner, root=tmp_path, work=tmp_path / "work")
    with pytest.raises(ProviderError, match="nonsense"):
        planner.plan(TerraformSpec("stack"), "broken", {}, quiet)


def test_the_token_for_github_is_not_given_to_terraform(tmp_path: Path) -> None:
    """Stacks, modules and providers are other people's code: the rest of the environment reaches them."""
    program = tmp_path / "printing"
    program.write_text("#!/bin/sh\nenv\n")
    program.chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "GITHUB_TOKEN": "hunter2", "AWS_REGION": "eu-west-1"}
    told = Command(str(program), environment).run(tmp_path, tmp_path / "data", ["version"]).out
    assert "hunter2" not in told and "AWS_REGION=eu-west-1" in told


def test_a_missing_terraform_is_a_prerequisite(tmp_path: Path) -> None:
    """The sentence names the program, the hint how to get it."""
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "main.tf").write_text("")
    planner = Terraform(tmp_path, tmp_path / "work", {"PATH": "/nowhere"})
    with pytest.raises(PrerequisiteError) as refused:
        planner.plan(TerraformSpec("stack"), "key", {}, quiet)
    assert "terraform" in refused.value.why and "make setup" in refused.value.hint


@pytest.mark.parametrize(
    "spec",
    [
        TerraformSpec("no/such/stack"),
        TerraformSpec("stack", vars=("none.tfvars",)),
        TerraformSpec("stack", backend="none.hcl"),
    ],
)
def test_a_path_that_does_not_exist_is_a_configuration_error(tmp_path: Path, spec: TerraformSpec) -> None:
    """A wrong stack, vars file or backend file is named before Terraform is started."""
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "main.tf").write_text("")
    with pytest.raises(ConfigurationError):
        Terraform(tmp_path, tmp_path / "work", {"PATH": "/nowhere"}).plan(spec, "key", {}, quiet)


def test_nobody_else_reads_the_workspace(tmp_path: Path) -> None:
    """Plans and local states hold secrets in plain text: their folder is closed, also one made before."""
    root, work = tmp_path / "project", tmp_path / "work"
    (root / "stack").mkdir(parents=True)
    (root / "stack" / "main.tf").write_text("")
    for _ in range(2):
        space = open_workspace(root, work, TerraformSpec("stack"), "some.tfstate", {})
        assert stat.S_IMODE(space.data.parent.stat().st_mode) == 0o700
        space.data.parent.chmod(0o755)
