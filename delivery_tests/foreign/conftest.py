"""What strangers get: the sandbox's environment, a home of their own, and a service to look at."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from delivery.adapters.terraform.command import plugin_arguments
from delivery_tests.conftest import RunningSandbox
from delivery_tests.sandbox.conftest import app_image as app_image  # the tests' program as an image
from delivery_tests.sandbox.stack import Stack

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Shell:
    """Runs programs in a folder with the sandbox's environment; a failure shows what the program said."""

    environment: dict[str, str]
    folder: Path

    def run(self, *command: str, given: str | None = None, accept: int = 0) -> str:
        """Its output, after it ended with the accepted code; with what it complained of, if that is not 0."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, input=given,
            stdin=subprocess.DEVNULL if given is None else None, check=False, timeout=240,
        )  # fmt: skip
        assert done.returncode == accept, (
            f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}"
        )
        return done.stdout + (done.stderr if accept else "")

    def aws(self, *arguments: str) -> Any:
        """One call of the AWS CLI; its JSON, or None when it says nothing."""
        told = self.run("aws", "--output", "json", *arguments)
        return json.loads(told) if told.strip() else None

    def refused(self, *arguments: str) -> str:
        """What the AWS CLI says when it is refused."""
        return self.run("aws", *arguments, accept=255)

    def together(self, *calls: tuple[str, ...]) -> None:
        """Calls of the AWS CLI side by side: its waiters sleep for 15 s between two looks."""
        with ThreadPoolExecutor(len(calls)) as pool:
            list(pool.map(lambda call: self.aws(*call), calls))


@dataclass(frozen=True)
class Stranger:
    """Terraform in a folder with a stack of its own, called `name`; `applied` is what its apply said."""

    run: Callable[..., str]
    applied: Future[str]
    name: str = "stranger"


@pytest.fixture(scope="session")
def stranger(shell: Shell, app_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stranger]:
    """Terraform, begun: its provider sleeps for a fixed minute while it makes a load balancer."""
    folder = tmp_path_factory.mktemp("terraform") / "infra"
    shutil.copytree(Path(__file__).with_name("infra"), folder)
    given = {"TF_VAR_name": Stranger.name, "TF_VAR_image": app_image}
    named = {**given, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "AWS_MAX_ATTEMPTS": "3"}
    there = replace(shell, environment={**shell.environment, **named}, folder=folder)

    def run(*arguments: str) -> str:
        return there.run("terraform", arguments[0], "-no-color", *arguments[1:])

    run("init", "-input=false", *plugin_arguments(shell.environment, ROOT / ".tools"))
    with ThreadPoolExecutor(1) as pool:
        yield Stranger(run, pool.submit(run, "apply", "-auto-approve", "-input=false"))


@pytest.fixture(autouse=True)
def _terraform_begins(request: pytest.FixtureRequest) -> None:
    """When Terraform's story is to be told, it begins with the first stranger and is looked at last."""
    if any("stranger" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("stranger")


@pytest.fixture(scope="session")
def shell(sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell whose home is empty: nobody's configuration or login is used or changed."""
    home = tmp_path_factory.mktemp("stranger")
    path = f"{ROOT / '.tools'}:{sandbox.environment['PATH']}"
    for program, source in (("aws", "make setup"), ("docker", "apt-get install docker.io"), ("curl", "apt")):
        assert shutil.which(program, path=path), f"{program} is missing: {source}"
    own = {"HOME": str(home), "DOCKER_CONFIG": str(home / ".docker"), "AWS_PAGER": "", "PATH": path}
    return Shell({**sandbox.environment, **own, "AWS_MAX_ATTEMPTS": "1"}, home)


@pytest.fixture(scope="module")
def shop(sandbox: RunningSandbox, app_image: str) -> Iterator[Stack]:
    """A load balancer with one slot, `blue`, which has all the traffic; no service yet."""
    made = Stack(sandbox, app_image)
    made.group("blue")
    made.route(blue=100)
    yield made
    made.close()
