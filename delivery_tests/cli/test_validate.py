"""`delivery validate`."""

from __future__ import annotations

from pathlib import Path

from delivery.settings import Settings
from delivery_tests.catalog.files import changed, line_of, write
from delivery_tests.cli.conftest import Run


def test_what_is_fine_is_shown(run: Run) -> None:
    """Good files give a table on stdout and exit code 0."""
    result = run("validate")
    assert result.exit_code == 0, result.output
    assert "acme/web@main" in result.stdout and "staging: blue/green" in result.stdout
    assert "production, after staging (soak, approvals, windows): canary 10 %" in result.stdout
    assert result.stderr == "1 service, nothing wrong\n"


def test_every_problem_is_a_line(run: Run, settings: Settings) -> None:
    """Each problem is `file:line: field: message` on stdout, all at once, and the exit code is 2."""
    text = changed("branch: main", "brunch: main")
    file = write(settings.defs, text, "api")
    other = write(settings.defs, changed("minimum: 80", "minimum: 800"), "web")
    result = run("validate")
    assert result.exit_code == 2
    told = result.stdout.splitlines()
    assert any(
        line.startswith(f"{file}:{line_of(text, 'brunch')}: repository.brunch: is not known") for line in told
    )
    assert any(f"{other}:9: quality.coverage.minimum: must be less" in line for line in told)
    assert result.stderr == "2 problems in 2 files\n"


def test_another_folder(run: Run, tmp_path: Path) -> None:
    """`--defs` looks elsewhere; a folder without services says so."""
    empty = tmp_path / "elsewhere"
    empty.mkdir()
    assert "There is no service in" in run("validate", "--defs", str(empty)).stderr
    result = run("validate", "--defs", str(tmp_path / "nowhere"))
    assert result.exit_code == 2 and "is not a folder" in result.stderr


def test_a_command_on_a_bad_file_lists_the_problems(run: Run, settings: Settings) -> None:
    """Every other command refuses a bad installation with the same list and exit code 2."""
    write(settings.defs, changed("branch: main", "brunch: main"))
    result = run("status")
    assert result.exit_code == 2 and "repository.brunch: is not known here" in result.stderr
    assert "delivery validate" in result.stderr
