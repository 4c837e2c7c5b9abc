"""git and PyGithub: a change is pushed on a branch, proposed, judged, deployed, and merged by pushing.

GitHub REST API documentation: "Pull requests", "Commit statuses", "Deployments".
"""

from __future__ import annotations

import uuid
from pathlib import Path

import github
import pytest

from delivery.sandbox.github.repository import create_repository
from delivery_tests.conftest import RunningSandbox
from delivery_tests.foreign.cloning import clone, commit
from delivery_tests.foreign.conftest import Shell

pytestmark = pytest.mark.sandbox


def test_a_change_goes_its_way(sandbox: RunningSandbox, shell: Shell, tmp_path: Path) -> None:
    """Clone, branch, push, pull request, comment, status, deployment: each sees what the one before did."""
    name = f"acme/f{uuid.uuid4().hex[:8]}"
    create_repository(sandbox.config.repositories, name)
    git = clone(sandbox, shell, tmp_path, name)
    first = commit(git, tmp_path, "README.md", "# shop\n")
    git("push", "-q", "origin", "main")
    git("checkout", "-q", "-b", "greeting")
    second = commit(git, tmp_path, "app.py", "print('hello')\n")
    git("push", "-q", "origin", "greeting")

    repo = _hub(sandbox).get_repo(name)
    pull = repo.create_pull(base="main", head="greeting", title="A greeting", body="It says hello.")
    assert (pull.state, pull.head.sha, pull.base.ref) == ("open", second, "main")
    assert [f.filename for f in pull.get_files()] == ["app.py"]
    pull.create_issue_comment("Looks good.")
    assert [c.body for c in pull.get_issue_comments()] == ["Looks good."]
    assert [c.sha for c in repo.compare(first, second).commits] == [second]

    judged = repo.get_commit(second)
    judged.create_status("pending", context="ci", description="running")
    judged.create_status("success", context="ci", description="green")
    assert judged.get_combined_status().state == "success"

    made = repo.create_deployment(second, environment="staging", auto_merge=False, required_contexts=[])
    made.create_status("in_progress")
    made.create_status("success", environment_url="http://127.0.0.1/")
    assert [s.state for s in made.get_statuses()] == ["success", "in_progress"]

    git("checkout", "-q", "main")
    git("merge", "-q", "--no-ff", "-m", "Merge the greeting", "greeting")
    git("push", "-q", "origin", "main")
    assert repo.get_branch("main").commit.sha == git("rev-parse", "HEAD")


def test_a_push_that_would_lose_a_commit_is_refused(
    sandbox: RunningSandbox, shell: Shell, tmp_path: Path
) -> None:
    """git's own check: the second of two clones must fetch first; with --force it may."""
    name = f"acme/f{uuid.uuid4().hex[:8]}"
    create_repository(sandbox.config.repositories, name)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = clone(sandbox, shell, tmp_path / "one", name)
    commit(one, tmp_path / "one", "a", "1")
    one("push", "-q", "origin", "main")
    two = clone(sandbox, shell, tmp_path / "two", name)
    commit(one, tmp_path / "one", "a", "2")
    one("push", "-q", "origin", "main")
    commit(two, tmp_path / "two", "a", "3")
    with pytest.raises(AssertionError, match="fetch first"):
        two("push", "origin", "HEAD:main")
    two("push", "-q", "--force", "origin", "HEAD:main")
    assert _hub(sandbox).get_repo(name).get_branch("main").commit.sha == two("rev-parse", "HEAD")


def test_what_is_wrong_is_told_in_githubs_words(sandbox: RunningSandbox) -> None:
    """PyGithub raises its own classes: an unknown repository, a status of an unknown commit, a bad state."""
    hub = _hub(sandbox)
    with pytest.raises(github.UnknownObjectException):
        hub.get_repo("acme/nobody")
    name = f"acme/f{uuid.uuid4().hex[:8]}"
    create_repository(sandbox.config.repositories, name)
    with pytest.raises(github.GithubException) as unknown:
        hub.get_repo(name).get_commit("0" * 40)
    assert unknown.value.status in (404, 409, 422)  # 409 while the repository is empty


def _hub(sandbox: RunningSandbox) -> github.Github:
    token = github.Auth.Token("sandbox-token")
    return github.Github(auth=token, base_url=sandbox.endpoints.github, retry=None)
