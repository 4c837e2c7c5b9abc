"""The sandbox's GitHub: pull requests, reviews, comments, labels.

Source: GitHub REST API, "REST API endpoints for pull requests", "… for pull request reviews",
"… for review requests", "… for issue comments", "… for labels".
"""

from __future__ import annotations

import github
import pytest

from delivery_tests.sandbox.forge import BOB, Forge, Project


@pytest.fixture
def project(forge: Forge) -> Project:
    """A repository with one commit on main and a branch `feature` with one more."""
    made = forge.project()
    made.push("one")
    made.feature()
    return made


def test_a_pull_request_has_two_ends_that_move(project: Project) -> None:
    """Head and base follow pushes; files and commits are what the head has since it left the base."""
    made = project.pull(body="why")
    assert (made["number"], made["state"], made["mergeable"], made["user"]["login"]) == (
        1,
        "open",
        True,
        "ada",
    )
    project.git("checkout", "--quiet", "feature")
    head = project.push("more", {"more.txt": "1\n"}, "feature")
    project.git("checkout", "--quiet", "main")
    base = project.push("two")
    found = project.get("/pulls/1")
    assert (found["head"]["sha"], found["base"]["sha"]) == (head, base)
    assert (found["commits"], found["changed_files"], found["additions"]) == (2, 2, 2)
    assert [f["filename"] for f in project.get("/pulls/1/files")] == ["feature.txt", "more.txt"]
    assert [c["commit"]["message"] for c in project.get("/pulls/1/commits")] == ["work on feature", "more"]


@pytest.mark.parametrize(
    ("head", "base", "error"),
    [
        ("feature", "main", {"code": "custom", "message": "A pull request already exists for acme:feature."}),
        ("same", "main", {"code": "custom", "message": "No commits between main and same"}),
        ("none", "main", {"code": "invalid", "field": "head"}),
        ("feature", "none", {"code": "invalid", "field": "base"}),
    ],
)
def test_what_is_no_pull_request_is_refused(
    project: Project, head: str, base: str, error: dict[str, str]
) -> None:
    """422 Validation Failed: it exists already, there is nothing to merge, there is no such branch."""
    project.git("push", "--quiet", "origin", "main:same")
    project.pull()
    answer = project.call("POST", "/pulls", {"title": "x", "head": head, "base": base})
    assert (answer.status_code, answer.json()["message"]) == (422, "Validation Failed")
    assert answer.json()["errors"] == [{"resource": "PullRequest", **error}]


def test_pull_requests_are_found_by_state_and_ends(project: Project) -> None:
    """Open ones unless asked; by head with its owner, by base; newest first."""
    project.feature("other")
    project.pull()
    project.pull("other")
    project.call("PATCH", "/pulls/1", {"state": "closed"})
    assert [p["number"] for p in project.get("/pulls")] == [2]
    assert [p["number"] for p in project.get("/pulls?state=all")] == [2, 1]
    assert [p["number"] for p in project.get("/pulls?state=all&head=acme:feature")] == [1]
    assert project.get("/pulls?base=none") == []


@pytest.mark.parametrize(("method", "parents"), [("merge", 2), ("squash", 1), ("rebase", 1)])
def test_a_pull_request_is_merged(project: Project, method: str, parents: int) -> None:
    """As a merge, one commit, or commit by commit; then it is closed, merged, and cannot be merged again."""
    project.pull()
    project.push("two")
    done = project.call("PUT", "/pulls/1/merge", {"merge_method": method}).json()
    assert done["merged"] is True
    tip = project.get("/commits/main")
    assert tip["sha"] == done["sha"] and len(tip["parents"]) == parents
    messages = {"merge": "Merge pull request #1 from acme/feature\n\nA change", "squash": "A change (#1)",
                "rebase": "work on feature"}  # fmt: skip
    assert tip["commit"]["message"] == messages[method]
    assert {e["path"] for e in project.get("/contents")} == {"app.py", "feature.txt"}
    found = project.get("/pulls/1")
    assert (found["merged"], found["state"], found["merge_commit_sha"]) == (True, "closed", done["sha"])
    assert project.call("GET", "/pulls/1/merge").status_code == 204
    again = project.call("PUT", "/pulls/1/merge", {})
    assert (again.status_code, again.json()["message"]) == (405, "Pull Request is not mergeable")


def test_a_merge_needs_the_head_one_has_seen(project: Project) -> None:
    """409 for another sha; 405 for a conflict, which `mergeable` tells before."""
    project.pull()
    answer = project.call("PUT", "/pulls/1/merge", {"sha": "0" * 40})
    assert answer.status_code == 409 and "Head branch was modified" in answer.json()["message"]
    project.push("clash", {"feature.txt": "mine\n"})
    found = project.get("/pulls/1")
    assert (found["mergeable"], found["mergeable_state"]) == (False, "dirty")
    assert project.call("PUT", "/pulls/1/merge", {}).status_code == 405
    assert project.call("GET", "/pulls/1/merge").status_code == 404


def test_a_push_can_merge_or_close_it(project: Project) -> None:
    """Commits that reach the base by git count as merged; a deleted head closes it unmerged."""
    project.feature("other")
    project.pull()
    project.pull("other")
    project.git("merge", "--quiet", "--no-ff", "-m", "by hand", "feature")
    project.git("push", "--quiet", "origin", "main")
    assert project.get("/pulls/1")["merged"] is True
    project.git("push", "--quiet", "origin", "--delete", "other")
    found = project.get("/pulls/2")
    assert (found["state"], found["merged"]) == ("closed", False)
    refused = project.call("PATCH", "/pulls/2", {"state": "open"})
    assert refused.status_code == 422


def test_it_is_closed_and_reopened(project: Project) -> None:
    """Title and body change with it; a reopened one is where its branch is now."""
    project.pull()
    closed = project.call("PATCH", "/pulls/1", {"state": "closed", "title": "Other"}).json()
    assert (closed["state"], closed["title"], closed["merged"]) == ("closed", "Other", False)
    assert project.call("PUT", "/pulls/1/merge", {}).status_code == 405
    assert project.call("PATCH", "/pulls/1", {"state": "open"}).json()["state"] == "open"


def test_reviews_are_given_and_dismissed(project: Project) -> None:
    """By others than the author; a refusal needs words; who has reviewed is asked no more."""
    project.pull()
    own = project.call("POST", "/pulls/1/reviews", {"event": "APPROVE"})
    assert own.status_code == 422 and own.json()["errors"] == ["Can not approve your own pull request"]
    self_asked = project.call("POST", "/pulls/1/requested_reviewers", {"reviewers": ["ada"]})
    assert self_asked.json()["message"] == "Review cannot be requested from pull request author."
    project.post("/pulls/1/requested_reviewers", {"reviewers": ["bob", "eve"]})
    assert project.call("POST", "/pulls/1/reviews", {"event": "REQUEST_CHANGES"}, BOB).status_code == 422
    review = project.post("/pulls/1/reviews", {"event": "APPROVE"}, 200, token=BOB)
    assert (review["state"], review["user"]["login"]) == ("APPROVED", "bob")
    assert [u["login"] for u in project.get("/pulls/1/requested_reviewers")["users"]] == ["eve"]
    path = f"/pulls/1/reviews/{review['id']}/dismissals"
    assert project.call("PUT", path, {"message": "stale"}).json()["state"] == "DISMISSED"
    assert project.call("PUT", path, {"message": "again"}).status_code == 422


def test_a_pending_review_is_its_authors_alone(project: Project) -> None:
    """Without an event nobody else sees it, until it is submitted."""
    project.pull()
    pending = project.post("/pulls/1/reviews", {"body": "hm"}, 200, token=BOB)
    assert pending["state"] == "PENDING" and project.get("/pulls/1/reviews") == []
    path = f"/pulls/1/reviews/{pending['id']}/events"
    project.post(path, {"event": "COMMENT"}, 200, token=BOB)
    assert [r["state"] for r in project.get("/pulls/1/reviews")] == ["COMMENTED"]


def test_pygithub_works_with_a_pull_request(project: Project) -> None:
    """Comments, labels, statuses and a merge, by a client that nobody here wrote."""
    hub = github.Github(
        auth=github.Auth.Token("ada-token"), base_url=project.forge.url,
        seconds_between_requests=0, seconds_between_writes=0,
    )  # fmt: skip
    repo = hub.get_repo(project.full)
    pull = repo.create_pull(base="main", head="feature", title="T", body="B")
    comment = pull.create_issue_comment("plan")
    comment.edit("plan, again")
    assert [c.body for c in pull.get_issue_comments()] == ["plan, again"]
    comment.delete()
    assert pull.get_issue_comments().totalCount == 0
    pull.add_to_labels("bug", "ready")
    pull.remove_from_labels("bug")
    assert [label.name for label in pull.get_labels()] == ["ready"]
    list(pull.get_commits())[-1].create_status("failure", context="ci")
    assert repo.get_pull(1).mergeable_state == "unstable"
    assert pull.merge(merge_method="squash").merged
    assert repo.get_pull(1).is_merged()
    assert repo.get_issue(1).pull_request is not None
