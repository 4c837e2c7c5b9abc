"""From a Dagster run to a flow's operation: what its tags ask for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from delivery.flows.operation import Operation
from delivery.orchestration.operation import operation
from delivery_tests.fakes import FakeWorld, sample_service


@pytest.mark.parametrize(
    ("tags", "quick"),
    [({}, False), ({"delivery/quick": "true"}, True), ({"delivery/quick": "false"}, False)],
)
def test_a_run_asks_for_the_quick_way_by_its_tag(tags: dict[str, str], quick: bool) -> None:
    """`delivery/quick: true`, and nothing else."""
    assert _operation(tags).quick is quick


@pytest.mark.parametrize(
    ("tags", "root", "holder", "who"),
    [
        ({}, None, "run 11111111", "run 11111111"),
        ({}, "2" * 36, "run 22222222", "run 11111111, which goes on for run 22222222"),
        ({"delivery/dead_holder": "run 3"}, None, "run 11111111", "run 11111111, which goes on for run 3"),
        (
            {"delivery/dead_holder": "run 3"},
            "2" * 36,
            "run 22222222",
            "run 11111111, which goes on for run 22222222",
        ),
    ],
)
def test_a_run_that_goes_on_for_another_names_both(
    tags: dict[str, str], root: str | None, holder: str, who: str
) -> None:
    """The lock stays with the first of them; people are told which run works, and whose work it is."""
    op = _operation(tags, root)
    assert (op.holder, op.who) == (holder, who)


def _operation(tags: dict[str, str], root: str | None = None) -> Operation:
    run = SimpleNamespace(tags=tags, run_id="1" * 36, root_run_id=root)
    resources = SimpleNamespace(world=FakeWorld(), ui_url="http://localhost:3000")
    context: Any = SimpleNamespace(run=run, resources=resources, log=SimpleNamespace(info=print))
    with operation(context, sample_service()) as op:
        return op
