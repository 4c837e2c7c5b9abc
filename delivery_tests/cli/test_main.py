"""The command itself: its help, and how errors are printed."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from delivery.cli import main as module
from delivery.cli.errors import is_ours, report
from delivery.cli.main import PARTS, main
from delivery.errors import ConfigurationError, ProviderError
from delivery.sandbox.config import SandboxError
from delivery_tests.cli.conftest import Run
from delivery_tests.fakes.world import FakeWorld


def test_help_imports_no_command() -> None:
    """`delivery --help` lists everything and loads neither Dagster nor boto3."""
    code = (
        "import sys\nfrom delivery.cli.main import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "assert not {'dagster', 'boto3', 'docker', 'moto'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert all(name in done.stdout for name in ("validate", "status", "bootstrap", "approve"))


@pytest.mark.parametrize("name", [n for n in PARTS if PARTS[n].exists])
def test_every_command_can_be_loaded(name: str) -> None:
    """What `--help` lists is there, and helps."""
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output


def test_a_part_that_is_not_installed_is_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command whose module is missing is neither listed nor found."""
    monkeypatch.setitem(PARTS, "missing", module.Part("delivery.nowhere.command", "command", "Nothing."))
    assert "missing" not in CliRunner().invoke(main, ["--help"]).output
    assert CliRunner().invoke(main, ["missing"]).exit_code == 2


def test_an_error_is_one_sentence_and_a_hint(run: Run) -> None:
    """What happened, why, and the next action; to stderr, with exit code 1."""
    result = run("status", "nope")
    assert result.exit_code == 1 and result.stdout == ""
    first, second = result.stderr.splitlines()
    assert first.startswith("Error: There is no service 'nope': the services in ")
    assert first.endswith(" are: web.") and second.startswith("Hint:  Correct the name")


def test_an_unknown_environment_names_those_there_are(run: Run) -> None:
    """A slip in an environment's name is answered with the names."""
    result = run("hold", "web", "prod", "--by", "ada", "--reason", "x")
    assert result.exit_code == 1
    assert "has no environment 'prod': its environments are: staging, production." in result.stderr


def test_a_failing_provider_is_exit_code_1(run: Run, world: FakeWorld) -> None:
    """Could not look is told as that."""
    world.wire.fail("ledger.load")
    result = run("status")
    assert result.exit_code == 1 and "the provider did not answer" in result.stderr


def test_a_fault_of_ours_keeps_its_traceback(run: Run, world: FakeWorld) -> None:
    """What nobody expected is not made pretty: the exception comes through."""
    world.wire.fail("ledger.load", error=ZeroDivisionError("a bug"))
    assert isinstance(run("status").exception, ZeroDivisionError)


def test_configuration_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    """The user's files get a code of their own; a list as reason keeps its lines."""
    assert report(ConfigurationError("x", "two problems:\n  a\n  b\n", "Correct them.")) == 2
    assert capsys.readouterr().err == "Error: x: two problems:\n  a\n  b\nHint:  Correct them.\n"
    assert report(ProviderError("x", "")) == 1


def test_the_sandbox_speaks_alike(capsys: pytest.CaptureFixture[str]) -> None:
    """The sandbox's own errors are printed the same way."""
    error = SandboxError("The sandbox cannot start", "port 4566 is taken", "Choose another.")
    assert is_ours(error) and report(error) == 1
    assert capsys.readouterr().err.startswith("Error: The sandbox cannot start: port 4566 is taken.")
