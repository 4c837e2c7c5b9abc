"""docs/strategies.md: what it shows can be written, and means what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from delivery.catalog.loader import load_services
from delivery.cli.main import main
from delivery.core.rollback import RollbackPolicy
from delivery.core.strategy import BlueGreen, Canary, Linear, Pause, Rolling, RunTask
from delivery_tests.catalog.files import GOOD, write

ROOT = Path(__file__).parents[2]
SNIPPETS = [
    part.split("```")[0] for part in (ROOT / "docs" / "strategies.md").read_text().split("```yaml\n")[1:]
]


def file_with(snippet: str, folder: Path) -> Path:
    """The good file with the snippet in its production environment."""
    attributes = yaml.safe_load(GOOD.replace("vars: infra/staging.tfvars, ", ""))
    production = attributes["attributes"]["environments"]["production"]
    production.update(yaml.safe_load(snippet))
    return write(folder, yaml.safe_dump(attributes, sort_keys=False))


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_every_example_is_valid(number: int, tmp_path: Path) -> None:
    """`delivery validate` has nothing to say against it."""
    file_with(SNIPPETS[number], tmp_path)
    answer = CliRunner(env={"DELIVERY_ROOT": str(ROOT)}).invoke(main, ["validate", "--defs", str(tmp_path)])
    assert answer.exit_code == 0, answer.output


def test_the_examples_mean_what_the_page_says(tmp_path: Path) -> None:
    """All four strategies, the pause, the task and the quick way."""
    found = []
    for number, snippet in enumerate(SNIPPETS):
        file_with(snippet, tmp_path / str(number))
        found.append(load_services(tmp_path / str(number))[0].environments[1])
    kinds = [type(e.strategy) for e in found]
    assert kinds == [Rolling, BlueGreen, Canary, Linear, BlueGreen, Canary, Canary, Rolling]
    rolling, _, canary, linear, asking, before, quick, cautious = found
    assert isinstance(canary.strategy, Canary) and canary.strategy.planned[1].pause == Pause(14400, "abort")
    assert isinstance(linear.strategy, Linear) and linear.strategy.weights == (20, 40, 60, 80, 100)
    assert isinstance(asking.strategy, BlueGreen) and asking.strategy.pause == Pause(3600, "stop")
    assert before.before == RunTask(("python", "-m", "app.migrate"), 600, 512, 2048)
    assert cautious.rollback == RollbackPolicy(6 * 3600, 2, 1800) and rolling.rollback == RollbackPolicy()
    assert (quick.quick, quick.before, rolling.strategy) == ("known_good", None, Rolling(120))
