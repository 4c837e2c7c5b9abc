"""Push → live beside a plain serial script; and where the time of a delivery and of a rollback goes."""

from __future__ import annotations

import os
import statistics
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dagster import DagsterEventType, DagsterInstance
from rich.console import Group
from rich.table import Table

from delivery.cli.demo import edits
from delivery.cli.demo.report import Act
from delivery.cli.demo.setting import Venue
from delivery.cli.demo.story import PRODUCTION, STAGING, Stage
from delivery.core.rollout import Rollout
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


def run() -> Group:
    """Both tables."""
    with theatre() as (venue, stage, _):
        _deliver(stage, edits.good_v1())  # the first one fills caches; not counted
        stage.start_load()
        pairs = []
        for number in range(ROUNDS):
            at, sha = _deliver(stage, small_change(number))
            pairs.append((_times(venue, stage, at, sha), serial.seconds(venue, stage)))
            _undo_serial(stage, number)
        rollback = _rollback(stage)
    return Group(_journey(pairs), _rollback_table(rollback))


def _deliver(stage: Stage, edit: edits.Edit) -> tuple[datetime, str]:
    """Push and wait until its runs are over."""
    act = Act("bench")
    pushed, at = stage.push(edit)
    stage.wait_run(pushed.sha, act)
    if act.wrongs:
        raise SystemExit("; ".join(act.wrongs))
    return at, pushed.sha


def _undo_serial(stage: Stage, number: int) -> None:
    """The script changed the slot behind our back: one more delivery puts a known release there."""
    _deliver(stage, small_change(100 + number))


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


@dataclass(frozen=True, slots=True)
class Rollback:
    """A bad canary's end. Seconds since the first bad answer a user got; the requests lost."""

    judged: float
    ordered_to_verified: float
    last_lost: float
    lost: int
    asked: int


def _rollback(stage: Stage) -> Rollback:
    at, _ = _deliver(stage, edits.bad())
    rollout = stage.watcher.record(PRODUCTION).rollout
    lost = stage.book.lost(at)
    if rollout is None or not lost:
        raise SystemExit("the bad release did no harm: nothing to measure")
    failed, back = _moments(rollout)
    first = lost[0].at
    return Rollback(
        (failed - first).total_seconds(), (back - failed).total_seconds(),
        (lost[-1].at - first).total_seconds(), len(lost), len(stage.book.between(at)),
    )  # fmt: skip


def _moments(rollout: Rollout) -> tuple[datetime, datetime]:
    """When the verdict fell, and when the traffic was read back as returned."""
    lines = iter(rollout.history)
    failed = next(line.at for line in lines if line.message.startswith("failed:"))
    return failed, next(line.at for line in lines if line.weight == 0)


def _rollback_table(found: Rollback) -> Table:
    table = Table(title="a bad canary under 80 requests/s")
    table.add_column("what")
    table.add_column("measured", justify="right")
    table.add_row("first bad answer → failing verdict", f"{found.judged:.1f} s")
    table.add_row("failing verdict → weight 0, read back", f"{found.ordered_to_verified:.1f} s")
    table.add_row("first → last failed request", f"{found.last_lost:.1f} s")
    table.add_row("failed requests", f"{found.lost} of {found.asked}")
    return table
