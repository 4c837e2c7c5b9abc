"""From a Dagster run to a flow's operation: what its tags ask for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from delivery.orchestration.operation import operation
from delivery_tests.fakes import FakeWorld, sample_service


@pytest.mark.parametrize(
    ("tags", "quick"),
    [({}, False), ({"delivery/quick": "true"}, True), ({"delivery/quick": "false"}, False)],
)
def test_a_run_asks_for_the_quick_way_by_its_tag(tags: dict[str, str], quick: bool) -> None:
    """`delivery/quick: true`, and nothing else."""
    run = SimpleNamespace(tags=tags, run_id="1" * 36, root_run_id=None)
    resources = SimpleNamespace(world=FakeWorld(), ui_url="http://localhost:3000")
    context: Any = SimpleNamespace(run=run, resources=resources, log=SimpleNamespace(info=print))
    with operation(context, sample_service()) as op:
        assert op.quick is quick
