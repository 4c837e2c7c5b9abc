"""The commits sensor: partitions and runs in one tick, and nothing dropped silently."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import dagster as dg
import pytest

from delivery.core.release import Commit
from delivery.core.service import RepositorySpec
from delivery.flows import watch
from delivery_tests.fakes.samples import sample_service, sample_sha
from delivery_tests.fakes.source import FakeSource
from delivery_tests.fakes.wire import unavailable
from delivery_tests.orchestration.support import House, Tick

QUEUED, STARTED = dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED


def _cursor(result: Tick) -> dict[str, str]:
    return dict(json.loads(result.cursor or "{}"))


def _added(result: Tick) -> list[str]:
    requests = result.dynamic_partitions_requests or []
    return [k for r in requests if isinstance(r, dg.AddDynamicPartitionsRequest) for k in r.partition_keys]


class Sources(FakeSource):
    """A repository of its own for each service; `broken` ones cannot be reached."""

    def __init__(self, house: House) -> None:
        super().__init__(house.world.wire)
        self.of = {spec.repository.github: FakeSource(house.world.wire) for spec in house.services}
        self.broken: set[str] = set()

    def _of(self, repository: RepositorySpec) -> FakeSource:
        if repository.github in self.broken:
            raise unavailable(f"GitHub for {repository.github}")
        return self.of[repository.github]

    def head(self, repository: RepositorySpec) -> Commit:
        return self._of(repository).head(repository)

    def commits_since(
        self, repository: RepositorySpec, sha: str | None, limit: int = 50
    ) -> tuple[Commit, ...]:
        return self._of(repository).commits_since(repository, sha, limit)


def test_the_first_look_delivers_the_head() -> None:
    """Without a cursor the newest commit becomes a partition and a run, tagged with all it needs."""
    house = House()
    house.push("a")
    sha = house.push("b")
    result = house.tick("commits")
    (run,) = result.run_requests or []
    assert (run.run_key, run.job_name, run.partition_key) == (f"web:{sha}", "web_delivery", sha)
    assert run.tags["delivery/commit"] == sha
    assert (run.tags["delivery/service"], run.tags["delivery/lock"]) == ("web", "web/staging")
    assert _added(result) == [sha]
    assert _cursor(result) == {"web": sha}


def test_nothing_new_is_said_so() -> None:
    """A tick without a commit is skipped with a reason, and keeps its cursor."""
    house = House()
    sha = house.push("a")
    result = house.tick("commits", json.dumps({"web": sha}))
    assert not result.run_requests
    assert result.skip_message == "no new commits"
    assert _cursor(result) == {"web": sha}


def test_a_burst_runs_its_newest_commit_and_tells_the_others() -> None:
    """All commits of a burst become partitions; those superseded are observed, logged, and told to GitHub."""
    house = House()
    first = house.push("a")
    older, middle, newest = (house.push(name) for name in "bcd")
    result = house.tick("commits", json.dumps({"web": first}))
    assert [r.partition_key for r in result.run_requests or []] == [newest]
    assert _added(result) == [older, middle, newest]
    observed = {e.partition: e for e in result.asset_events}
    assert set(observed) == {older, middle}
    assert all(e.metadata["delivery/superseded_by"].value == newest for e in observed.values())
    assert house.world.source.status(older, "delivery") == "error"
    assert house.world.source.status(newest, "delivery") != "error"


def test_a_newer_commit_cancels_queued_runs_and_never_a_started_one() -> None:
    """The queued run of an older commit is cancelled and says by what; the started one goes on."""
    house = House()
    a, b = house.push("a"), house.push("b")
    started = house.begin("web_delivery", STARTED, delivery_commit=a)
    queued = house.begin("web_delivery", QUEUED, delivery_commit=b)
    newest = house.push("c")
    house.tick("commits", json.dumps({"web": b}))
    assert house.state(started).status is STARTED
    assert house.state(queued).status is dg.DagsterRunStatus.CANCELED
    assert house.state(queued).tags["delivery/superseded_by"] == newest
    assert house.world.source.status(b, "delivery") == "error"
    assert house.world.source.status(a, "delivery") == ""


def test_a_queued_run_of_another_job_is_left_alone() -> None:
    """A judgement that waits for its turn is not superseded by a commit."""
    house = House()
    a = house.push("a")
    judged = house.begin("web_production_judgement", QUEUED, delivery_commit=a)
    house.push("b")
    house.tick("commits", json.dumps({"web": a}))
    assert house.state(judged).status is QUEUED


def test_a_force_push_is_survived_and_told() -> None:
    """The last seen commit is gone: the head is delivered, and the tick's log says why."""
    house = House()
    old = house.push("a")
    house.world.source.force_push("x", "y")
    head = sample_sha("y")
    result = house.tick("commits", json.dumps({"web": old}))
    (run,) = result.run_requests or []
    assert run.partition_key == head
    assert run.run_key != f"web:{head}"
    assert _cursor(result) == {"web": head}


def test_one_unreachable_repository_costs_the_others_nothing() -> None:
    """The broken service keeps its cursor and is told about; the other one's commit is delivered."""
    house = House((sample_service("web"), sample_service("api")))
    house.world.source = sources = Sources(house)
    web, api = sources.of["acme/web"].push("a").sha, sources.of["acme/api"].push("b").sha
    known = {"web": "0" * 40, "api": "0" * 40}
    sources.of["acme/api"].force_push("b")
    sources.broken = {"acme/web"}
    result = house.tick("commits", json.dumps(known))
    assert [(r.job_name, r.partition_key) for r in result.run_requests or []] == [("api_delivery", api)]
    assert _cursor(result) == {"web": "0" * 40, "api": api}
    sources.broken = {"acme/web", "acme/api"}
    silent = house.tick("commits", result.cursor)
    assert "did not answer" in (silent.skip_message or "")
    assert web


def test_an_unexpected_error_in_one_service_never_loses_the_cursors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of ours is told by its type and logged in full; the sensor does not raise."""
    house = House((sample_service("web"), sample_service("api")))
    house.world.source = sources = Sources(house)
    sha = sources.of["acme/api"].push("b").sha
    sources.of["acme/web"].push("a")
    honest = watch.new_commits

    def buggy(world, service, cursor):  # type: ignore[no-untyped-def]
        if service.name == "web":
            raise KeyError("a bug")
        return honest(world, service, cursor)

    monkeypatch.setattr(watch, "new_commits", buggy)
    result = house.tick("commits", json.dumps({"web": "0" * 40}))
    assert _cursor(result) == {"web": "0" * 40, "api": sha}
    assert [r.job_name for r in result.run_requests or []] == ["api_delivery"]


def test_a_cursor_that_is_not_ours_starts_anew() -> None:
    """Garbage in the cursor is not an error: every head is looked at again."""
    house = House()
    sha = house.push("a")
    assert _cursor(house.tick("commits", "not json")) == {"web": sha}


def test_the_service_asked_longest_ago_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the time of a tick is not enough for all, those left out come first in the next."""
    house = House((sample_service("web"), sample_service("api")))
    house.world.source = sources = Sources(house)
    for name in ("web", "api"):
        sources.of[f"acme/{name}"].push("a")
    asked: list[str] = []
    honest = watch.new_commits

    @contextmanager
    def one_a_tick() -> Iterator[None]:
        ticks = iter([0.0, 0.0, 100.0])
        with monkeypatch.context() as patch:
            patch.setattr("delivery.orchestration.sensors.commits.time.monotonic", lambda: next(ticks))
            yield

    def asking(world, service, cursor):  # type: ignore[no-untyped-def]
        asked.append(service.name)
        return honest(world, service, cursor)

    monkeypatch.setattr(watch, "new_commits", asking)
    cursor: str | None = None
    for _ in range(4):
        with one_a_tick():
            cursor = house.tick("commits", cursor).cursor
    assert asked == ["web", "api", "web", "api"]


def test_a_run_that_finishes_a_rollout_is_not_superseded() -> None:
    """A killed run's retry and the backstop's run stay queued: no rollout waits half way for a build."""
    house = House()
    a, b = house.push("a"), house.push("b")
    house.partition(a)
    dead = house.begin("web_delivery", dg.DagsterRunStatus.FAILURE, delivery_commit=a)
    retry = house.begin("web_delivery", QUEUED, root=dead.run_id, delivery_commit=a)
    finisher = house.begin("web_delivery", QUEUED, delivery_commit=a, delivery_reason="nobody drives it")
    house.push("c")
    assert [r.partition_key for r in house.tick("commits", json.dumps({"web": b})).run_requests or []] == [
        sample_sha("c")
    ]
    assert [house.state(run).status for run in (retry, finisher)] == [QUEUED, QUEUED]


def test_old_partitions_are_forgotten_except_what_is_live() -> None:
    """Beyond `keep_partitions` the oldest go; the live release's stays, however old."""
    house = House((replace(sample_service(), keep_partitions=2),))
    assert house.deliver("a").success
    names = ["b", "c"]
    for name in names:
        house.partition(house.push(name))
    newest = house.push("d")
    result = house.tick("commits", json.dumps({"web": sample_sha("c")}))
    deleted = [
        key
        for request in result.dynamic_partitions_requests or []
        if isinstance(request, dg.DeleteDynamicPartitionsRequest)
        for key in request.partition_keys
    ]
    assert _added(result) == [newest]
    assert sample_sha("a") not in deleted
    assert deleted == [sample_sha("b"), sample_sha("c")]
