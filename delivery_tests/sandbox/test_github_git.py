"""The sandbox's GitHub, spoken to by git itself.

Source: Pro Git, "Smart HTTP"; GitHub Docs, "About remote repositories", "Managing a branch protection rule",
"Checking out pull requests locally".
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from delivery_tests.sandbox.forge import Forge, Project


@pytest.fixture
def project(forge: Forge) -> Project:
    """An empty repository and a working copy."""
    return forge.project()


def clone(project: Project, folder: Path, *options: str) -> Path:
    """Another developer's copy."""
    project.git("clone", "--quiet", *options, project.remote, str(folder))
    return folder


def test_a_clone_has_what_was_pushed(project: Project, tmp_path: Path) -> None:
    """What one developer pushes, another clones; a shallow clone has the newest commit alone."""
    project.push("one")
    sha = project.push("two")
    full, shallow = clone(project, tmp_path / "full"), clone(project, tmp_path / "shallow", "--depth=1")
    assert project.git("rev-parse", "HEAD", folder=full) == sha
    assert project.git("rev-list", "--count", "HEAD", folder=full) == "2"
    assert project.git("rev-list", "--count", "HEAD", folder=shallow) == "1"
    newer = project.push("three")
    project.git("fetch", "--quiet", folder=full)
    assert project.git("rev-parse", "origin/main", folder=full) == newer


def test_an_empty_repository_can_be_cloned(project: Project, tmp_path: Path) -> None:
    """A clone before the first push is empty and says so."""
    done = project.try_git("clone", project.remote, str(tmp_path / "empty"))
    assert done.returncode == 0 and "empty repository" in done.stderr


def test_whoever_reads_a_public_repository_needs_no_token(project: Project) -> None:
    """Without credentials one may fetch, and not push: 401 asks for them."""
    project.push("one")
    project.git("fetch", "--quiet", "origin", token="")
    project.commit("two")
    refused = project.try_git("push", "origin", "main", token="")
    assert refused.returncode != 0 and "could not read Username" in refused.stderr
    answer = requests.get(f"{project.remote}/info/refs?service=git-receive-pack", timeout=10)
    assert answer.status_code == 401 and answer.headers["WWW-Authenticate"] == 'Basic realm="GitHub"'


def test_credentials_in_the_url_are_enough(project: Project) -> None:
    """git sends them as Basic authentication once it was asked; the password is the token."""
    project.commit("one")
    url = project.remote.replace("http://", "http://ada:ada-token@")
    project.git("push", "--quiet", url, "main", token="")
    assert project.get("/branches")[0]["name"] == "main"


def test_a_bad_token_pushes_nothing(project: Project) -> None:
    """A token that GitHub does not know is refused, also for reading."""
    project.push("one")
    url = project.remote.replace("http://", "http://ada:bad-token@")
    for command in ("push", "fetch"):
        answer = project.try_git(command, url, "main", token="")
        # An anonymous fetch is allowed, and git shows its token only when it is asked for it.
        assert "Authentication failed" in answer.stderr if command == "push" else answer.returncode == 0
    told = requests.get(f"{project.remote}/info/refs", auth=("ada", "bad-token"), timeout=10)
    assert told.status_code == 401


def test_an_unknown_repository_is_not_found(forge: Forge, project: Project) -> None:
    """With a token 404, "Repository not found"; without one 401, as for a private repository."""
    url = f"{forge.url}/acme/none.git"
    refused = project.try_git("ls-remote", url)
    assert "not found" in refused.stderr
    answer = requests.get(f"{url}/info/refs?service=git-upload-pack", timeout=10)
    assert answer.status_code == 401


def test_a_private_repository_is_hidden_from_strangers(forge: Forge, project: Project) -> None:
    """Neither git nor the API tells an anonymous caller that it exists."""
    project.push("one")
    assert project.call("PATCH", "", {"private": True}).json()["visibility"] == "private"
    assert "could not read Username" in project.try_git("fetch", "origin", token="").stderr
    assert project.call("GET", "", token="").status_code == 404
    project.git("fetch", "--quiet", "origin")


def test_a_big_push_goes_through(project: Project, tmp_path: Path) -> None:
    """A pack far over git's buffer is sent in chunks, arrives whole, and is cloned whole."""
    content = os.urandom(12_000_000)
    project.push("big", {"big.bin": content})
    assert (clone(project, tmp_path / "copy") / "big.bin").read_bytes() == content


def test_many_references_make_a_gzipped_request(project: Project, tmp_path: Path) -> None:
    """A fetch that names many commits is compressed by git, and understood."""
    for number in range(40):
        project.commit(f"commit {number}")
        project.git("branch", f"b{number}")
    project.git("push", "--quiet", "origin", "--all")
    copy = clone(project, tmp_path / "copy")
    project.push("newer")
    project.git("fetch", "--quiet", "--all", folder=copy)
    assert len(project.get("/branches?per_page=100")) == 41


def test_tags_are_pushed_and_branches_deleted(project: Project) -> None:
    """Light and annotated tags stand for their commit; a deleted branch is gone."""
    sha = project.push("one")
    project.feature()
    project.git("tag", "light")
    project.git("tag", "-a", "v1", "-m", "the first")
    project.git("push", "--quiet", "origin", "--tags")
    assert {t["name"]: t["commit"]["sha"] for t in project.get("/tags")} == {"v1": sha, "light": sha}
    project.git("push", "--quiet", "origin", "--delete", "feature")
    assert [b["name"] for b in project.get("/branches")] == ["main"]


def test_the_default_branch_cannot_be_deleted(project: Project) -> None:
    """The remote refuses, and the branch stays."""
    project.push("one")
    refused = project.try_git("push", "origin", "--delete", "main")
    assert "remote rejected" in refused.stderr
    assert project.get("/branches/main")["name"] == "main"


def test_a_push_behind_the_remote_is_rejected(project: Project) -> None:
    """A push that would lose commits is a non-fast-forward; by force it replaces them."""
    project.push("one")
    lost = project.push("two")
    project.git("reset", "--quiet", "--hard", "HEAD~1")
    project.commit("other two", {"other.py": "2"})
    assert "non-fast-forward" in project.try_git("push", "origin", "main").stderr
    project.git("push", "--quiet", "--force", "origin", "main")
    assert lost not in [c["sha"] for c in project.get("/commits")]


def test_of_two_pushes_at_once_one_wins(project: Project, tmp_path: Path) -> None:
    """Several developers push to one branch at the same moment: one succeeds, the others hear of it."""
    project.push("one")
    folders = [clone(project, tmp_path / f"dev{n}") for n in range(4)]
    for folder in folders:
        (folder / "app.py").write_text(folder.name)
        project.git("commit", "--quiet", "-am", folder.name, folder=folder)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda f: project.try_git("push", "origin", "main", folder=f), folders))
    assert sorted(d.returncode == 0 for d in done) == [False, False, False, True]
    assert len(project.get("/commits")) == 2


def test_a_protected_branch_takes_no_force_push(project: Project) -> None:
    """GH006 and nothing moved; a fast-forward goes through; protection can be taken away again."""
    project.push("one")
    sha = project.push("two")
    assert project.call("PUT", "/branches/main/protection", {"enforce_admins": True}).status_code == 200
    assert project.get("/branches/main")["protected"] is True
    project.git("reset", "--quiet", "--hard", "HEAD~1")
    project.commit("other", {"other.py": "2"})
    refused = project.try_git("push", "--force", "origin", "main")
    assert "GH006" in refused.stderr and "Cannot force-push to this branch" in refused.stderr
    assert project.get("/branches/main")["commit"]["sha"] == sha
    assert project.call("DELETE", "/branches/main/protection").status_code == 204
    project.git("push", "--quiet", "--force", "origin", "main")


def test_a_pull_requests_head_can_be_fetched(project: Project) -> None:
    """refs/pull/N/head is its newest commit, also when the branch is gone; nobody can push to it."""
    project.push("one")
    sha = project.feature()
    project.pull()
    project.git("fetch", "--quiet", "origin", "pull/1/head")
    assert project.git("rev-parse", "FETCH_HEAD") == sha
    refused = project.try_git("push", "origin", "HEAD:refs/pull/1/head")
    assert "deny updating a hidden ref" in refused.stderr
    project.git("checkout", "--quiet", "feature")
    sha = project.push("more", {"more.txt": "1"}, "feature")
    project.git("push", "--quiet", "origin", "--delete", "feature")
    project.git("fetch", "--quiet", "origin", "pull/1/head")
    assert project.git("rev-parse", "FETCH_HEAD") == sha
