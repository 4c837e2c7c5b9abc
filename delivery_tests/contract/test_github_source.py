"""Commits and their content from GitHub: what the fake has no counterpart of."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.core.service import RepositorySpec
from delivery.errors import (
    ConfigurationError,
    DeliveryError,
    NotFoundError,
    ProviderError,
    RefusedError,
    RewrittenError,
    UnavailableError,
)
from delivery_tests.conftest import free_ports
from delivery_tests.contract.repositories import NAME, TOKEN, Hub
from delivery_tests.fakes import sample_sha


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """The sandbox's GitHub with one empty repository."""
    made = Hub(tmp_path)
    yield made
    made.server.stop()


def test_only_commits_of_the_service_are_new(hub: Hub) -> None:
    """In a repository of several services, a commit that touches none of its paths is not its commit."""
    first = hub.push("one", services__web__app="1", services__api__app="1")
    hub.push("api only", services__api__app="2")
    web = hub.push("web", services__web__app="2")
    hub.push("api again", services__api__app="3")
    spec = RepositorySpec(NAME, paths=("services/web/",))
    assert [c.sha for c in hub.source.commits_since(spec, first)] == [web]


def test_the_tree_is_that_of_the_services_paths(hub: Hub) -> None:
    """A commit elsewhere leaves it as it is; one of the paths changes it; no content at all is an error."""
    one = hub.push("one", services__web__app="1", lib__x="1", other="1")
    two = hub.push("elsewhere", other="2")
    three = hub.push("in the library", lib__x="2")
    spec = RepositorySpec(NAME, paths=("services/web", "lib"))
    trees = [hub.source.snapshot(spec, sha).tree for sha in (one, two, three)]
    assert trees[0] == trees[1] != trees[2]
    assert hub.source.snapshot(spec, three).changed == ("lib/x",)
    with pytest.raises(NotFoundError, match="nothing of the service"):
        hub.source.snapshot(RepositorySpec(NAME, paths=("services/nope",)), one)


def test_a_merge_is_one_state_of_the_branch(hub: Hub) -> None:
    """What happened inside a merged branch never was on this one, and is not delivered."""
    first = hub.push("one", app="1")
    hub.git("checkout", "--quiet", "-b", "feature")
    hub.commit("inside", app="2")
    hub.commit("inside again", app="3")
    hub.git("checkout", "--quiet", "main")
    hub.git("merge", "--quiet", "--no-ff", "--message", "merged", "feature")
    hub.git("push", "--quiet", "origin", "main")
    found = hub.source.commits_since(hub.repository, first)
    assert [c.subject for c in found] == ["merged"]
    assert hub.source.snapshot(hub.repository, found[0].sha).changed == ("app",)


def test_a_status_is_written_and_cut(hub: Hub) -> None:
    """GitHub refuses descriptions over 140 characters: they are cut, visibly."""
    sha = hub.push("one")
    hub.source.set_status(hub.repository, sha, "delivery", "pending", "x" * 200, "http://127.0.0.1:3000/run")
    status = hub.statuses(sha)[0]
    assert (status["context"], status["state"]) == ("delivery", "pending")
    assert len(status["description"]) == 140 and status["description"].endswith("…")
    with pytest.raises(NotFoundError):
        hub.source.set_status(hub.repository, sample_sha("unknown"), "delivery", "pending", "text")


def test_an_unchanged_head_costs_no_quota(hub: Hub) -> None:
    """Polling is a conditional request, which GitHub does not count; a push is seen all the same."""
    hub.push("one")
    hub.source.head(hub.repository)
    before = hub.quota()
    for _ in range(5):
        hub.source.head(hub.repository)
    assert before - hub.quota() == 1  # the question itself
    second = hub.push("two")
    assert hub.source.head(hub.repository).sha == second


def test_a_short_outage_is_survived_and_a_long_one_told(hub: Hub) -> None:
    """Two answers of 502 are retried; a lasting 503 is unavailable."""
    sha = hub.push("one")
    hub.server.fail_next(2, 502)
    assert hub.source.head(hub.repository).sha == sha
    hub.server.fail_next(50, 503)
    with pytest.raises(UnavailableError):
        hub.another_machine("other").head(hub.repository)


def test_git_that_is_down_is_unavailable(hub: Hub) -> None:
    """The API answers, git does not: an error that may pass."""
    hub.push("one")
    sha = hub.push("two")
    dead = f"http://127.0.0.1:{free_ports(1)[0]}"
    source = type(hub.source)(hub.server.url, TOKEN, dead, hub.folder / "other")
    with pytest.raises(UnavailableError):
        source.snapshot(hub.repository, sha)


def test_a_refused_token_says_which_setting(hub: Hub) -> None:
    """Without a token GitHub takes no status; the hint names the variable."""
    sha = hub.push("one")
    with pytest.raises(ProviderError) as caught:
        hub.another_machine("other", token="").set_status(hub.repository, sha, "delivery", "pending", "text")
    assert "GITHUB_TOKEN" in caught.value.hint and not isinstance(caught.value, UnavailableError)


def test_an_unknown_repository_or_branch_is_not_found(hub: Hub) -> None:
    """Both say what to correct."""
    sha = hub.push("one")
    for spec in (RepositorySpec("acme/nope"), RepositorySpec(NAME, "nope")):
        with pytest.raises(NotFoundError, match="could not be read"):
            hub.source.head(spec)
        with pytest.raises(NotFoundError) as gone:
            hub.source.commits_since(spec, sha)
        assert not isinstance(gone.value, RewrittenError)  # what is gone was not force-pushed
        with pytest.raises(NotFoundError):
            hub.another_machine("other").snapshot(spec, sha)


def test_a_commit_force_pushed_away_is_not_found_elsewhere(hub: Hub) -> None:
    """A machine that never saw it does not get it: only branches are fetched, never a bare sha."""
    old = hub.push("one")
    hub.force_push("rewritten")
    with pytest.raises(NotFoundError, match="does not have it"):
        hub.another_machine("other").snapshot(hub.repository, old)


@pytest.mark.parametrize("branch", ["x$(touch${IFS}pwned)", "a;id", "feature/ü&&id", "a`id`", "a|id"])
def test_legal_but_hostile_branch_names_are_only_names(
    hub: Hub, branch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of a branch's name is ever run."""
    monkeypatch.chdir(tmp_path)
    first = hub.push("one", branch=branch)
    second = hub.push("two", branch=branch)
    spec = RepositorySpec(NAME, branch)
    assert hub.source.head(spec).sha == second
    assert [c.sha for c in hub.source.commits_since(spec, first)] == [second]
    assert not list(tmp_path.rglob("pwned*"))


@pytest.mark.parametrize(
    "branch", ["--upload-pack=touch pwned", "-x", "a..b", "a:refs/heads/b", "a b", "", "x.lock", "a\nb", "*"]
)
def test_what_is_no_branch_is_refused(hub: Hub, branch: str) -> None:
    """A name that git would read as something else never reaches it."""
    with pytest.raises(ConfigurationError):
        hub.source.head(RepositorySpec(NAME, branch))


@pytest.mark.parametrize("name", ["acme/..", "../x", "acme", "--x/y", "acme/web/../../etc", "a/b?x=1"])
def test_what_is_no_repository_is_refused(hub: Hub, name: str) -> None:
    """A name that would lead elsewhere, in a URL or a folder, is refused."""
    with pytest.raises(ConfigurationError):
        hub.source.snapshot(RepositorySpec(name), sample_sha("a"))


@pytest.mark.parametrize("sha", ["HEAD", "main", "--output=pwned", "a" * 39, "A" * 40, "", "a" * 40 + "\n"])
def test_only_full_shas_are_commits(hub: Hub, sha: str) -> None:
    """Branches, options and short shas are not taken for a commit."""
    hub.push("one")
    for ask in (
        lambda: hub.source.snapshot(hub.repository, sha),
        lambda: hub.source.commits_since(hub.repository, sha),
        lambda: hub.source.set_status(hub.repository, sha, "delivery", "pending", "text"),
    ):
        with pytest.raises(NotFoundError):
            ask()


def test_a_link_out_of_the_folder_is_refused(hub: Hub) -> None:
    """A commit cannot make us read or write outside of its checkout."""
    hub.link("passwords", "/etc/passwd")
    sha = hub.push("a link")
    with pytest.raises(RefusedError, match="not unpacked"), hub.source.checkout(hub.repository, sha):
        pass
    assert list((hub.folder / "machine" / "checkouts").iterdir()) == []


def test_a_damaged_mirror_is_fetched_anew(hub: Hub) -> None:
    """What a killed process leaves - a lock, a torn object - costs one fetch, nothing else."""
    sha = hub.push("one")
    hub.source.snapshot(hub.repository, sha)
    mirror = hub.folder / "machine" / "mirrors" / f"{NAME}.git"
    for ref in (mirror / "refs" / "mirror").iterdir():
        ref.with_name(f"{ref.name}.lock").touch()
    second = hub.push("two")
    assert hub.source.snapshot(hub.repository, second).commit.sha == second
    for file in (mirror / "objects").rglob("*"):
        if file.is_file():
            file.chmod(0o644)
            file.write_bytes(b"")
    third = hub.push("three")
    assert hub.source.snapshot(hub.repository, third).commit.sha == third


def test_nobody_else_reads_the_mirror(hub: Hub) -> None:
    """Private code is not left open to other users of the machine."""
    hub.source.snapshot(hub.repository, hub.push("one"))
    mirror = hub.folder / "machine" / "mirrors" / f"{NAME}.git"
    assert stat.S_IMODE(mirror.parent.stat().st_mode) == 0o700


def test_the_token_is_nowhere_but_in_gits_environment(hub: Hub) -> None:
    """Not in an argument, not in the mirror's files, not in an error, not in a printed source."""
    hub.source.snapshot(hub.repository, hub.push("one"))
    mirror = hub.source._mirror(hub.repository)
    assert TOKEN not in repr(hub.source) + repr(mirror) + " ".join(mirror.git.command(["fetch", mirror.url]))
    for file in (hub.folder / "machine").rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes()
    hub.server.stop()
    with pytest.raises(DeliveryError) as caught:
        hub.source.snapshot(hub.repository, sample_sha("x"))
    assert TOKEN not in str(caught.value)
