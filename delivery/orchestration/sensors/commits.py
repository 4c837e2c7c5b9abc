"""`commits`: new commits of all services become partitions and runs, in one tick.

The cursor is JSON, `{service: last seen sha}`, the service asked longest ago first. A sensor that raises
loses its cursor, so whatever one service's repository does is told in the tick and the others go on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg

from delivery.core.service import ServiceSpec
from delivery.errors import DeliveryError
from delivery.flows import watch
from delivery.flows.watch import CommitsFound
from delivery.orchestration import partitions
from delivery.orchestration.jobs import Job
from delivery.orchestration.operation import RESOURCES
from delivery.orchestration.sensors import EVERY_LOOK
from delivery.orchestration.sensors.runs import active, supersede
from delivery.orchestration.stage import key
from delivery.orchestration.tags import COMMIT, SERVICE, SUPERSEDED_BY, chains, commit_job, run_tags
from delivery.ports import World

#: Seconds after which no further service is asked in this tick (Dagster ends a tick after 60).
BUDGET = 40.0
DESCRIPTION = """Asks every service's repository for new commits.

Each becomes a partition; the newest gets a run, those before it are told to be superseded."""


def commits_sensor(
    services: Sequence[ServiceSpec], jobs: Sequence[Job], interval: int = EVERY_LOOK
) -> dg.SensorDefinition:
    """The one commit sensor of an installation."""

    @dg.sensor(
        name="commits", jobs=list(jobs), minimum_interval_seconds=interval, description=DESCRIPTION,
        default_status=dg.DefaultSensorStatus.RUNNING, required_resource_keys=set(RESOURCES),
    )  # fmt: skip
    def commits(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return _Tick(context).over(services)

    return commits


def read_cursor(text: str | None) -> dict[str, str]:
    """The last seen commit by service; empty when there is no cursor or it is not ours."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return {str(k): v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}


def in_turn(services: Iterable[ServiceSpec], cursor: Mapping[str, str]) -> list[ServiceSpec]:
    """Services never asked first, then the one asked longest ago."""
    order = {name: position for position, name in enumerate(cursor)}
    return sorted(services, key=lambda spec: order.get(spec.name, -1))


@dataclass
class _Tick:
    """One evaluation: what it found so far."""

    context: dg.SensorEvaluationContext
    runs: list[dg.RunRequest] = field(default_factory=list)
    changes: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = field(
        default_factory=list
    )
    events: list[dg.AssetObservation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def world(self) -> World:
        world: World = self.context.resources.world
        return world

    def over(self, services: Sequence[ServiceSpec]) -> dg.SensorResult:
        """Ask each service in turn, as long as there is time."""
        cursor, deadline = read_cursor(self.context.cursor), time.monotonic() + BUDGET
        waiting = in_turn(services, cursor)
        while waiting and time.monotonic() < deadline:
            spec = waiting.pop(0)
            self._ask(spec, cursor)
        if waiting:
            self._tell(f"no time left to ask {', '.join(s.name for s in waiting)}; they come first next time")
        return dg.SensorResult(
            run_requests=self.runs,
            skip_reason=None if self.runs else "; ".join(self.notes) or "no new commits",
            cursor=json.dumps(cursor),
            dynamic_partitions_requests=self.changes,
            asset_events=self.events,
        )

    def _ask(self, spec: ServiceSpec, cursor: dict[str, str]) -> None:
        """One service; what goes wrong with it stays with it."""
        last = cursor.pop(spec.name, None)
        seen = last
        try:
            found = watch.new_commits(self.world, spec, last)
            self._take(spec, found, last)
            seen = found.cursor
        except DeliveryError as error:
            self._tell(f"{spec.name}: {error}")
        except Exception as error:  # a raise would cost every service its cursor
            self.context.log.exception(f"{spec.name}: unexpected")
            self.notes.append(f"{spec.name}: unexpected {type(error).__name__}, see the tick's log")
        if seen is not None:
            cursor[spec.name] = seen

    def _take(self, spec: ServiceSpec, found: CommitsFound, last: str | None) -> None:
        """Partitions for all its commits, a run for the newest, a word about the others."""
        if found.note:
            self._tell(f"{spec.name}: {found.note}")
        if not found.commits:
            return
        *older, newest = (commit.sha for commit in found.commits)
        chain = chains(spec)[0]
        # After a force push the branch may come back to a commit seen before: that is a run of its own.
        run_key = f"{spec.name}:{newest}" + (f":after:{last}" if found.note and last else "")
        tags = {**run_tags(spec.name, chain.first, chain.lock), COMMIT: newest}
        self.runs.append(dg.RunRequest(run_key=run_key, job_name=chain.job, partition_key=newest, tags=tags))
        self._partition(spec, [*older, newest])
        for sha in older:
            self._superseded(spec, sha, newest)
        for sha in supersede(self.context.instance, commit_job(spec.name), newest):
            self._superseded(spec, sha, newest)

    def _partition(self, spec: ServiceSpec, shas: Sequence[str]) -> None:
        known = self.context.instance.get_dynamic_partitions(partitions.commits_of(spec.name).name or "")
        self.changes.append(partitions.added(spec.name, shas))
        if len({*known, *shas}) > spec.keep_partitions:
            pruned = partitions.pruned(spec, known, shas, self._needed(spec))
            self.changes += [pruned] if pruned else []

    def _needed(self, spec: ServiceSpec) -> set[str]:
        """Commits whose partition must stay: their run is not over, or they are live somewhere."""
        running = {run.tags.get(COMMIT, "") for run in active(self.context.instance, {SERVICE: spec.name})}
        records = (self.world.ledger.load(spec.name, e.name).record for e in spec.environments)
        return running | {record.live.commit for record in records if record.live is not None}

    def _superseded(self, spec: ServiceSpec, sha: str, newest: str) -> None:
        """Nothing is dropped silently: asset, commit status and the tick's log say what became of it."""
        told = f"superseded by {newest[:8]} before it was delivered"
        self._tell(f"{spec.name}: {sha[:8]} is {told}")
        self.events.append(
            dg.AssetObservation(
                key(spec.name, "source"), partition=sha, description=told, metadata={SUPERSEDED_BY: newest}
            )
        )
        try:
            # Not "success": it was never delivered.
            self.world.source.set_status(spec.repository, sha, "delivery", "error", told)
        except DeliveryError as error:
            self._tell(f"{spec.name}: {error}")

    def _tell(self, text: str) -> None:
        self.context.log.info(text)
        self.notes.append(text)
