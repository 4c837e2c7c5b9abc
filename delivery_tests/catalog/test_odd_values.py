"""Values that YAML knows and nobody means: infinity, durations beyond every calendar."""

from __future__ import annotations

from pathlib import Path

import pytest

from delivery.catalog.loader import problems
from delivery_tests.catalog.files import GOOD, changed, line_of, write

ENV = "environments.production"
BAKE = "bake: 10m } }"
THRESHOLD = "threshold: 5.0"


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (BAKE, "bake: 99999999999h } }", f"{ENV}.strategy.canary.bake"),
        (BAKE, f"bake: {'9' * 400}s }} }}", f"{ENV}.strategy.canary.bake"),
        ("soak: 10m", "soak: 8785h", f"{ENV}.after.soak"),
        (THRESHOLD, "threshold: .inf", f"{ENV}.health.rollback_triggers[0].threshold"),
        (THRESHOLD, "threshold: .nan", f"{ENV}.health.rollback_triggers[0].threshold"),
    ],
)
def test_it_is_refused_where_it_stands(old: str, new: str, field: str, tmp_path: Path) -> None:
    """A trigger that never fires is none, and a bake without end ended the run in the middle of it."""
    write(tmp_path, changed(old, new))
    found = problems(tmp_path)
    assert [problem.field for problem in found] == [field]
    assert found[0].line == line_of(GOOD, old)


def test_a_year_is_a_duration(tmp_path: Path) -> None:
    """The longest one that is believed."""
    write(tmp_path, changed("soak: 10m", "soak: 8784h"))
    assert not problems(tmp_path)
