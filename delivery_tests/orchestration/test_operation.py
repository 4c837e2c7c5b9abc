"""From a Dagster run to a flow's operation: what its tags ask for."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from delivery.flows.operation import Operation
from delivery.orchestration.operation import operation, retries_since
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


def test_a_retry_says_since_when_its_run_is_at_it() -> None:
    """Since the first run of them; a run that a person began anew from a retry counts from itself."""
    instance = dg.DagsterInstance.ephemeral()

    def run(parent: dg.DagsterRun | None, retry: bool) -> dg.DagsterRun:
        ids = (parent.run_id, parent.root_run_id or parent.run_id) if parent else (None, None)
        tags = {"dagster/retry_number": "1"} if retry else {}
        return create_run_for_test(instance, parent_run_id=ids[0], root_run_id=ids[1], tags=tags)

    first = run(None, retry=False)
    second = run(run(first, retry=True), retry=True)
    anew = run(second, retry=False)
    after = run(anew, retry=True)

    def begun(one: dg.DagsterRun) -> datetime:
        record = instance.get_run_record_by_id(one.run_id)
        assert record is not None
        return record.create_timestamp

    assert retries_since(instance, first) is None and retries_since(instance, anew) is None
    assert retries_since(instance, second) == begun(first)
    assert retries_since(instance, after) == begun(anew) > begun(first)
    assert begun(first).tzinfo is not None


def _operation(tags: dict[str, str], root: str | None = None) -> Operation:
    run = SimpleNamespace(tags=tags, run_id="1" * 36, root_run_id=root)
    resources = SimpleNamespace(world=FakeWorld(), ui_url="http://localhost:3000")
    context: Any = SimpleNamespace(
        run=run, resources=resources, log=SimpleNamespace(info=print), instance=None
    )
    with operation(context, sample_service()) as op:
        return op
