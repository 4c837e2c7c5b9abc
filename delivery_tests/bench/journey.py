"""Push → live beside a plain serial script, and where the time of a delivery goes."""

from __future__ import annotations

import os
import statistics
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dagster import DagsterEventType, DagsterInstance
from rich.table import Table

from delivery.cli.demo import edits
from delivery.cli.demo.report import Act
from delivery.cli.demo.setting import Venue
from delivery.cli.demo.story import PRODUCTION, STAGING, Stage
from delivery_tests.bench import serial
from delivery_tests.bench.theatre import small_change, theatre

ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Times:
    """One delivery, in seconds: until live by environment, and what Dagster itself took."""

    staging: float
    production: float
    requested: float
    first_step: float
    between_steps: float


def run() -> Table:
    """The table."""
    with theatre() as (venue, stage, _):
        deliver(stage, edits.good_v1())  # the first one fills caches; not counted
        stage.start_load()
        pairs = []
        for number in range(ROUNDS):
            at, sha = deliver(stage, small_change(number))
            pairs.append((_times(venue, stage, at, sha), serial.seconds(venue, stage)))
            _undo_serial(stage, number)
    return _journey(pairs)


def deliver(stage: Stage, edit: edits.Edit) -> tuple[datetime, str]:
    """Push and wait until its runs are over."""
    act = Act("bench")
    pushed, at = stage.push(edit)
    stage.wait_run(pushed.sha, act)
    if act.wrongs:
        raise SystemExit("; ".join(act.wrongs))
    return at, pushed.sha


def _undo_serial(stage: Stage, number: int) -> None:
    """The script changed the slot behind our back: one more delivery puts a known release there."""
    deliver(stage, small_change(100 + number))


def _times(venue: Venue, stage: Stage, at: datetime, sha: str) -> Times:
    live = {}
    for environment in (STAGING, PRODUCTION):
        record = stage.outcome(sha, environment)
        if record is None:
            raise SystemExit(f"{sha[:8]} did not get live in {environment}")
        live[environment] = (record.at - at).total_seconds()
    run = next(r for r in stage.watcher.ended(sha))
    home = str(Path(venue.folder) / "dagster")
    os.environ["DAGSTER_HOME"] = home  # its dagster.yaml asks for it
    with DagsterInstance.from_config(home) as instance:
        record_of = instance.get_run_record_by_id(run.run_id)
        assert record_of is not None
        created = record_of.create_timestamp.timestamp()
        starts = _stamps(instance, run.run_id, DagsterEventType.STEP_START)
        ends = _stamps(instance, run.run_id, DagsterEventType.STEP_SUCCESS)
    gaps = [start - end for end, start in zip(ends, starts[1:], strict=False)]
    return Times(
        live[STAGING], live[PRODUCTION], created - at.timestamp(), starts[0] - created,
        statistics.mean(gaps),
    )  # fmt: skip


def _stamps(instance: DagsterInstance, run_id: str, kind: DagsterEventType) -> list[float]:
    return sorted(r.timestamp for r in instance.get_records_for_run(run_id, of_type=kind).records)


def _journey(pairs: list[tuple[Times, float]]) -> Table:
    table = Table(title=f"push → live, {ROUNDS} rounds, median (minimum to maximum)")
    table.add_column("what")
    table.add_column("seconds", justify="right")
    ours = [t for t, _ in pairs]
    rows = [
        ("live in staging, judged healthy", [t.staging for t in ours]),
        ("… of it: push → run requested", [t.requested for t in ours]),
        ("… of it: request → first step", [t.first_step for t in ours]),
        ("… between two steps, mean", [t.between_steps for t in ours]),
        ("live in production behind a canary", [t.production for t in ours]),
        ("the plain serial script, to staging alone", [s for _, s in pairs]),
        ("ratio: live in staging / script", [t.staging / s for t, s in pairs]),
    ]
    for name, values in rows:
        table.add_row(name, f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})")
    return table
