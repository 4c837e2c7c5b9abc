"""The sandbox's GitHub, with clients nobody here wrote: git and PyGithub."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path
from typing import Any

import github
import pytest
import requests

from delivery.sandbox.github.repository import create_repository
from delivery_tests.conftest import RunningSandbox

pytestmark = pytest.mark.sandbox


class Copy:
    """A working copy of a repository of its own, pushed to with git over HTTP."""

    def __init__(self, sandbox: RunningSandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        self.full = f"acme/t{uuid.uuid4().hex[:8]}"
        create_repository(sandbox.config.repositories, self.full)
        self.git("clone", "--quiet", f"{sandbox.endpoints.github}/{self.full}.git", ".")
        self.git("checkout", "--quiet", "-b", "main")

    def git(self, *arguments: str) -> str:
        """Run git there."""
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.test"]
        identity += ["-c", "http.extraHeader=Authorization: Bearer ada-token"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.folder, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, subject: str, file: str = "app.py") -> str:
        """Write a file, commit, push; the new sha."""
        (self.folder / file).write_text(subject)
        self.git("add", "-A")
        self.git("commit", "--quiet", "-m", subject)
        self.git("push", "--quiet", "origin", "main")
        return self.git("rev-parse", "HEAD")

    @property
    def repo(self) -> Any:
        """PyGithub's view of it."""
        hub = github.Github(
            auth=github.Auth.Token("sandbox-token"), base_url=self.sandbox.endpoints.github, retry=None
        )
        return hub.get_repo(self.full)

    def get(self, path: str, **headers: str) -> requests.Response:
        """One plain REST request."""
        url = f"{self.sandbox.endpoints.github}/repos/{self.full}{path}"
        return requests.get(url, headers={"Authorization": "Bearer t", **headers}, timeout=10)


@pytest.fixture
def copy(sandbox: RunningSandbox, tmp_path: Path) -> Copy:
    """An empty repository and a working copy of it."""
    return Copy(sandbox, tmp_path)


def test_a_push_is_seen_by_the_commits_api(copy: Copy) -> None:
    """Commits come newest first, with author and message as pushed; files of a commit are told."""
    first, second = copy.commit("one"), copy.commit("two", "other.py")
    assert [c.sha for c in copy.repo.get_commits(sha="main")] == [second, first]
    commit = copy.repo.get_commit(second)
    assert (commit.commit.message, commit.commit.author.name) == ("two", "Ada")
    assert [f.filename for f in commit.files] == ["other.py"]
    assert copy.repo.get_branch("main").commit.sha == second


def test_an_unchanged_answer_is_304_and_free(copy: Copy) -> None:
    """The same ETag is 304 and costs nothing of the quota; a push changes it."""
    copy.commit("one")
    first = copy.get("/commits?sha=main")
    again = copy.get("/commits?sha=main", **{"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.headers["X-RateLimit-Remaining"] == first.headers["X-RateLimit-Remaining"]
    copy.commit("two")
    assert copy.get("/commits?sha=main", **{"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_statuses_are_combined_by_context(copy: Copy) -> None:
    """The newest status of each context counts; one failure makes the combination a failure."""
    sha = copy.commit("one")
    commit = copy.repo.get_commit(sha)
    commit.create_status("pending", context="delivery", description="building")
    assert commit.get_combined_status().state == "pending"
    commit.create_status("success", context="delivery")
    assert commit.get_combined_status().state == "success"
    commit.create_status("failure", context="other")
    assert commit.get_combined_status().state == "failure"


def test_deployments_have_statuses(copy: Copy) -> None:
    """A deployment is made for a ref and found by its environment; its statuses come newest first."""
    sha = copy.commit("one")
    made = copy.repo.create_deployment(sha, environment="staging", auto_merge=False, required_contexts=[])
    made.create_status("success", description="live")
    (found,) = copy.repo.get_deployments(environment="staging")
    assert (found.id, found.sha) == (made.id, sha)
    assert [s.state for s in found.get_statuses()] == ["success"]


def test_compare_tells_what_lies_between(copy: Copy) -> None:
    """Two dots apart: the commits ahead, and the files they changed."""
    first, second = copy.commit("one"), copy.commit("two")
    compared = copy.repo.compare(first, second)
    assert (compared.status, compared.ahead_by, [c.sha for c in compared.commits]) == ("ahead", 1, [second])


def test_a_force_push_makes_the_old_head_unknown_to_the_branch(copy: Copy) -> None:
    """After a force push the branch is the new history only."""
    copy.commit("one")
    lost = copy.commit("two")
    copy.git("reset", "--quiet", "--hard", "HEAD~1")
    (copy.folder / "app.py").write_text("other two")
    copy.git("commit", "--quiet", "-am", "other two")
    copy.git("push", "--quiet", "--force", "origin", "main")
    assert lost not in [c.sha for c in copy.repo.get_commits(sha="main")]


def test_refusals_have_githubs_shape(copy: Copy) -> None:
    """Unknown things are 404 with a message, writing without a token is 401, checks need an App."""
    sha = copy.commit("one")
    assert copy.get("/branches/none").status_code == 404
    assert "message" in copy.get("/commits/" + "0" * 40).json()
    url = f"{copy.sandbox.endpoints.github}/repos/{copy.full}"
    assert requests.post(f"{url}/statuses/{sha}", json={"state": "success"}, timeout=10).status_code == 401
    with pytest.raises(github.GithubException) as refused:
        copy.repo.create_check_run("lint", sha)
    assert refused.value.status == 403


def test_a_lost_answer_was_done_all_the_same(copy: Copy) -> None:
    """The connection is cut after the work: the client knows nothing, the status is there."""
    sha = copy.commit("one")
    copy.sandbox.control.fault("github", "POST /repos", kind="lost")
    url = f"{copy.sandbox.endpoints.github}/repos/{copy.full}/statuses/{sha}"
    with pytest.raises(requests.ConnectionError):
        requests.post(url, json={"state": "success"}, headers={"Authorization": "Bearer t"}, timeout=10)
    assert copy.get(f"/commits/{sha}/status").json()["total_count"] == 1


def test_a_lost_push_was_done_all_the_same(copy: Copy) -> None:
    """git says that the remote hung up, and the branch has moved."""
    copy.commit("one")
    copy.sandbox.control.fault("github", f"POST /{copy.full}.git/git-receive-pack", kind="lost")
    with pytest.raises(subprocess.CalledProcessError):
        copy.commit("two")
    assert copy.get("/commits/main").json()["commit"]["message"] == "two"


def test_a_hanging_call_was_not_done(copy: Copy) -> None:
    """Silence, then a closed connection, and nothing happened; a throttled one says when to come again."""
    sha = copy.commit("one")
    copy.sandbox.control.fault("github", "POST /repos", kind="hang", seconds=0.2)
    url = f"{copy.sandbox.endpoints.github}/repos/{copy.full}/statuses/{sha}"
    with pytest.raises(requests.ConnectionError):
        requests.post(url, json={"state": "success"}, headers={"Authorization": "Bearer t"}, timeout=10)
    assert copy.get(f"/commits/{sha}/status").json()["total_count"] == 0
    copy.sandbox.control.fault("github", "GET /repos", kind="throttle")
    throttled = copy.get("")
    assert (throttled.status_code, throttled.headers["Retry-After"]) == (403, "60")


def test_a_fault_is_answered_with_its_status(copy: Copy) -> None:
    """The next request fails as told; the one after it does not."""
    copy.commit("one")
    copy.sandbox.control.fault("github", "GET /repos", status=502)
    assert copy.get("").status_code == 502
    assert copy.get("").status_code == 200
