"""Commits and their content, in memory and from GitHub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from delivery.core.service import RepositorySpec
from delivery.errors import (
    NotFoundError,
    RewrittenError,
    UnavailableError,
)
from delivery.ports import Source
from delivery_tests.contract.repositories import NAME, Hub
from delivery_tests.fakes import FakeSource, Wire, sample_sha, unavailable


@dataclass
class Scene:
    """The port, what a developer does, and the provider's failure."""

    source: Source
    push: Callable[[str], str]
    force_push: Callable[[str], object]
    break_down: Callable[[], None]
    repository: RepositorySpec


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """The sandbox's GitHub with one empty repository."""
    made = Hub(tmp_path)
    yield made
    made.server.stop()


@pytest.fixture(params=["fake", "adapter"])
def scene(request: pytest.FixtureRequest) -> Scene:
    """An empty repository."""
    spec = RepositorySpec(NAME)
    if request.param == "fake":
        wire = Wire()
        fake = FakeSource(wire)

        def break_down() -> None:
            for call in ("source.head", "source.commits_since"):
                wire.fail(call, times=9, error=unavailable("source"))

        return Scene(fake, lambda name: fake.push(name).sha, fake.force_push, break_down, spec)
    hub: Hub = request.getfixturevalue("hub")
    return Scene(hub.source, hub.push, hub.force_push, hub.server.stop, spec)


def test_the_head_is_what_was_pushed_last(scene: Scene) -> None:
    """The head follows the branch, with its message and parents."""
    first = scene.push("one")
    assert scene.source.head(scene.repository).sha == first
    second = scene.push("two")
    head = scene.source.head(scene.repository)
    assert (head.sha, head.parents) == (second, (first,))
    assert head.committed_at.tzinfo is not None and "two" in head.subject


def test_an_empty_repository_has_no_head(scene: Scene) -> None:
    """Nothing pushed yet is not found, not an accident."""
    with pytest.raises(NotFoundError):
        scene.source.head(scene.repository)


def test_without_a_cursor_the_head_alone_is_new(scene: Scene) -> None:
    """The first look does not deliver the whole history."""
    scene.push("one")
    second = scene.push("two")
    found = scene.source.commits_since(scene.repository, None)
    assert [c.sha for c in found] == [second]


def test_commits_come_oldest_first_and_none_twice(scene: Scene) -> None:
    """After a cursor come the later commits in order; after the head, none."""
    shas = [scene.push(name) for name in ("one", "two", "three")]
    found = scene.source.commits_since(scene.repository, shas[0])
    assert [c.sha for c in found] == shas[1:]
    assert scene.source.commits_since(scene.repository, shas[2]) == ()


def test_of_many_commits_the_oldest_come_first(scene: Scene) -> None:
    """A limit cuts at the new end, so the next call goes on where this one ended."""
    shas = [scene.push(name) for name in ("one", "two", "three", "four")]
    found = scene.source.commits_since(scene.repository, shas[0], limit=2)
    assert [c.sha for c in found] == shas[1:3]


def test_a_force_push_is_told(scene: Scene) -> None:
    """A cursor that left the branch is not found, and the new head can be read."""
    old = scene.push("one")
    scene.source.commits_since(scene.repository, None)
    scene.force_push("rewritten")
    with pytest.raises(RewrittenError):
        scene.source.commits_since(scene.repository, old)
    assert scene.source.head(scene.repository).subject.endswith("rewritten")


def test_a_checkout_is_that_commit_and_goes_away(scene: Scene) -> None:
    """The folder has the files of the commit that was asked for, not of the head; afterwards it is gone."""
    old = scene.push("one")
    scene.push("two")
    with scene.source.checkout(scene.repository, old) as folder:
        assert any("one" in path.read_text() for path in folder.iterdir())
    assert not folder.exists()


def test_snapshots_tell_contents_apart(scene: Scene) -> None:
    """Other content, other tree; and the snapshot names its commit."""
    old, new = scene.push("one"), scene.push("two")
    first, second = (scene.source.snapshot(scene.repository, sha) for sha in (old, new))
    assert (first.commit.sha, second.commit.sha) == (old, new)
    assert first.tree != second.tree and second.commit.url.endswith(new[:8]) is False
    assert len(second.changed) == 1


def test_an_unknown_commit_is_not_found(scene: Scene) -> None:
    """A sha that was never pushed is not found, in every question."""
    scene.push("one")
    unknown = sample_sha("nobody pushed this")
    with pytest.raises(NotFoundError):
        scene.source.snapshot(scene.repository, unknown)
    with pytest.raises(NotFoundError), scene.source.checkout(scene.repository, unknown):
        pass
    with pytest.raises(NotFoundError):
        scene.source.commits_since(scene.repository, unknown)


def test_an_unreachable_provider_is_unavailable(scene: Scene) -> None:
    """Nobody answers: an error that may pass, never "no new commits"."""
    sha = scene.push("one")
    scene.break_down()
    with pytest.raises(UnavailableError):
        scene.source.head(scene.repository)
    with pytest.raises(UnavailableError):
        scene.source.commits_since(scene.repository, sha)
