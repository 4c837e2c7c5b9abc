"""The sandbox's GitHub: commits, comparisons, references, files, and answers that did not change.

Source: GitHub REST API, "REST API endpoints for commits", "… for branches", "… for Git references",
"… for repository contents", "Using pagination in the REST API", "Best practices for using the REST API"
(conditional requests).
"""

from __future__ import annotations

import base64
from typing import Any

import github
import pytest

from delivery_tests.sandbox.forge import BOB, Forge, Project


@pytest.fixture
def project(forge: Forge) -> Project:
    """An empty repository and a working copy."""
    return forge.project()


def encoded(text: str) -> str:
    """Content as the contents API takes it."""
    return base64.b64encode(text.encode()).decode()


def test_commits_come_in_pages(project: Project) -> None:
    """Newest first, 30 on a page unless asked; `Link` names the other pages, and following it finds all."""
    for number in range(5):
        project.commit(f"commit {number}")
    project.git("push", "--quiet", "origin", "main")
    first = project.call("GET", "/commits?per_page=2")
    assert [c["commit"]["message"] for c in first.json()] == ["commit 4", "commit 3"]
    links = first.links
    assert set(links) == {"next", "last"} and links["last"]["url"].endswith("per_page=2&page=3")
    last = project.call("GET", "/commits?per_page=2&page=3")
    assert [c["commit"]["message"] for c in last.json()] == ["commit 0"]
    assert set(last.links) == {"prev", "first"}
    assert "Link" not in project.call("GET", "/commits").headers
    hub = github.Github(auth=github.Auth.Token("ada-token"), base_url=project.forge.url, per_page=2)
    assert len(list(hub.get_repo(project.full).get_commits())) == 5


def test_commits_are_found_by_path_and_time(project: Project) -> None:
    """`path` keeps those that touched a file; `since` and `until` bound the committer's date."""
    project.push("one", {"a.py": "1"})
    second = project.push("two", {"b.py": "1"})
    assert [c["sha"] for c in project.get("/commits?path=b.py")] == [second]
    assert project.get("/commits?since=2999-01-01T00:00:00Z") == []
    assert len(project.get("/commits?until=2999-01-01T00:00:00Z&sha=main")) == 2
    assert project.call("GET", "/commits?sha=none").status_code == 404


def test_an_empty_repository_has_no_commits(project: Project) -> None:
    """409, not an empty list."""
    answer = project.call("GET", "/commits")
    assert (answer.status_code, answer.json()["message"]) == (409, "Git Repository is empty.")


def test_a_commit_shows_its_files(project: Project) -> None:
    """With counts, blob and patch; a renamed file names its old place."""
    project.push("one", {"a.py": "x\n" * 20, "gone.py": "another\n"})
    project.git("mv", "a.py", "b.py")
    project.git("rm", "--quiet", "gone.py")
    sha = project.push("two", {"new ü.py": "1\n2\n"})
    commit = project.get(f"/commits/{sha}")
    files = {f["filename"]: f for f in commit["files"]}
    assert files["b.py"]["status"] == "renamed" and files["b.py"]["previous_filename"] == "a.py"
    assert files["gone.py"]["status"] == "removed"
    assert (files["new ü.py"]["additions"], files["new ü.py"]["patch"]) == (2, "@@ -0,0 +1,2 @@\n+1\n+2")
    assert commit["stats"] == {"total": 3, "additions": 2, "deletions": 1}


def test_a_commit_is_found_by_branch_tag_and_short_sha(project: Project) -> None:
    """Whatever names it; the media type `…sha` answers with the sha alone; revision syntax is no name."""
    sha = project.push("one")
    project.git("tag", "v1")
    project.git("push", "--quiet", "origin", "v1", "HEAD:refs/heads/feature/x")
    for name in ("main", "v1", "heads/main", "feature/x", "feature%2Fx", sha[:8], sha):
        assert project.get(f"/commits/{name}")["sha"] == sha
    plain = project.call("GET", "/commits/main", Accept="application/vnd.github.sha")
    assert plain.text == sha
    for name in ("main~0", "main@%7B0%7D", ":/one", "none"):
        answer = project.call("GET", f"/commits/{name}")
        assert answer.status_code == 422 and answer.json()["message"].startswith("No commit found for SHA")


def test_an_unchanged_answer_is_304(project: Project) -> None:
    """ETag and Last-Modified come with every answer; sent back, they are 304 without a body, until a push."""
    project.push("one")
    first = project.call("GET", "/commits/main")
    for headers in (
        {"If_None_Match": first.headers["ETag"]},
        {"If_Modified_Since": first.headers["Last-Modified"]},
    ):
        again = project.call("GET", "/commits/main", **headers)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
    project.push("two")
    assert project.call("GET", "/commits/main", If_None_Match=first.headers["ETag"]).status_code == 200


def test_compare_says_where_two_commits_stand(project: Project) -> None:
    """identical, ahead, behind or diverged, with the merge base, the commits and files since then."""
    base = project.push("one")
    feature = project.feature()
    main = project.push("two")
    seen = {name: project.get(f"/compare/{name}") for name in (
        f"{base}...{base}", f"{base}...main", f"main...{base}", "main...feature",
    )}  # fmt: skip
    assert [c["status"] for c in seen.values()] == ["identical", "ahead", "behind", "diverged"]
    parted = seen["main...feature"]
    assert (parted["ahead_by"], parted["behind_by"], parted["merge_base_commit"]["sha"]) == (1, 1, base)
    assert [c["sha"] for c in parted["commits"]] == [feature]
    assert [f["filename"] for f in parted["files"]] == ["feature.txt"]
    assert parted["base_commit"]["sha"] == main


def test_compare_needs_a_common_ancestor(project: Project) -> None:
    """404 for what is unknown and for histories with nothing in common."""
    project.push("one")
    project.git("checkout", "--quiet", "--orphan", "other")
    project.push("unrelated", {"x": "1"}, branch="other")
    assert project.call("GET", "/compare/main...none").status_code == 404
    answer = project.call("GET", "/compare/main...other")
    assert (answer.status_code, answer.json()["message"]) == (
        404, "No common ancestor between main and other.",
    )  # fmt: skip


def test_compare_comes_in_pages(project: Project) -> None:
    """Oldest first; the files are on the first page alone, `total_commits` counts all."""
    base = project.push("base")
    shas = [project.commit(f"commit {n}") for n in range(5)]
    project.git("push", "--quiet", "origin", "main")
    pages = [project.get(f"/compare/{base}...main?per_page=2&page={n}") for n in (1, 2, 3)]
    assert [c["sha"] for page in pages for c in page["commits"]] == shas
    assert [len(page["files"]) for page in pages] == [1, 0, 0]
    assert {page["total_commits"] for page in pages} == {5}


def test_references_are_made_moved_and_deleted(project: Project) -> None:
    """Forward only unless forced; what exists, what is no commit and what is no reference is 422."""
    one = project.push("one")
    two = project.push("two")
    project.post("/git/refs", {"ref": "refs/heads/release/1", "sha": one})
    again = project.call("POST", "/git/refs", {"ref": "refs/heads/release/1", "sha": one})
    assert (again.status_code, again.json()["message"]) == (422, "Reference already exists")
    wrong = project.call("POST", "/git/refs", {"ref": "refs/heads/x", "sha": "0" * 40})
    assert (wrong.status_code, wrong.json()["message"]) == (422, "Object does not exist")
    path = "/git/refs/heads/release/1"
    assert project.call("PATCH", path, {"sha": two}).json()["object"]["sha"] == two
    back = project.call("PATCH", path, {"sha": one})
    assert (back.status_code, back.json()["message"]) == (422, "Update is not a fast forward")
    assert project.call("PATCH", path, {"sha": one, "force": True}).status_code == 200
    assert [r["ref"] for r in project.get("/git/matching-refs/heads/rel")] == ["refs/heads/release/1"]
    assert project.call("DELETE", path).status_code == 204
    assert project.call("DELETE", path).json()["message"] == "Reference does not exist"
    assert project.call("GET", "/git/ref/heads/release/1").status_code == 404


def test_files_are_written_over_the_api(project: Project) -> None:
    """New without a sha, changed only with the sha it has; every write is a commit on the branch."""
    made = project.call("PUT", "/contents/docs/a.md", {"message": "add", "content": encoded("one")})
    assert made.status_code == 201
    sha = made.json()["content"]["sha"]
    body = {"message": "change", "content": encoded("two")}
    missing = project.call("PUT", "/contents/docs/a.md", body)
    assert missing.status_code == 422 and "sha" in missing.json()["message"]
    stale = project.call("PUT", "/contents/docs/a.md", {**body, "sha": "1" * 40})
    assert stale.status_code == 409 and "does not match" in stale.json()["message"]
    assert project.call("PUT", "/contents/docs/a.md", {**body, "sha": sha}).status_code == 200
    found = project.get("/contents/docs/a.md")
    assert base64.b64decode(found["content"]) == b"two"
    assert [e["path"] for e in project.get("/contents/docs")] == ["docs/a.md"]
    gone = {"message": "remove", "sha": found["sha"]}
    assert project.call("DELETE", "/contents/docs/a.md", gone).status_code == 200
    assert project.call("GET", "/contents/docs/a.md").status_code == 404
    assert [c["commit"]["message"] for c in project.get("/commits")] == ["remove", "change", "add"]


def test_a_commit_is_built_of_blob_and_tree(project: Project) -> None:
    """Git's own objects over the API: a tree on a base, a commit on it, a branch to it."""
    base = project.push("one", {"keep.py": "1", "drop.py": "1"})
    blob = project.post("/git/blobs", {"content": encoded("new"), "encoding": "base64"})
    entries = [
        {"path": "new.py", "mode": "100644", "type": "blob", "sha": blob["sha"]},
        {"path": "drop.py", "mode": "100644", "type": "blob", "sha": None},
    ]
    tree = project.post("/git/trees", {"base_tree": base, "tree": entries})
    commit = project.post("/git/commits", {"message": "by API", "tree": tree["sha"], "parents": [base]})
    project.call("PATCH", "/git/refs/heads/main", {"sha": commit["sha"]})
    seen = project.get("/git/trees/main?recursive=1")
    assert [entry["path"] for entry in seen["tree"]] == ["keep.py", "new.py"]


def test_an_archive_is_fetched_where_github_says(project: Project) -> None:
    """302 to the archive, which holds the commit's files under one folder."""
    project.push("one")
    answer = project.call("GET", "/tarball/main")
    assert answer.status_code == 302
    content = project.forge.call("GET", answer.headers["Location"].removeprefix(project.forge.url)).content
    assert content.startswith(b"\x1f\x8b")


def test_repositories_are_made_and_deleted(forge: Forge) -> None:
    """For oneself and for an organization; a name can be taken once; deleted is 404."""
    made = forge.call("POST", "/orgs/acme/repos", {"name": "made-here", "auto_init": True})
    assert (made.status_code, made.json()["full_name"]) == (201, "acme/made-here")
    again = forge.call("POST", "/orgs/acme/repos", {"name": "made-here"})
    assert again.status_code == 422 and again.json()["errors"][0]["field"] == "name"
    own = forge.call("POST", "/user/repos", {"name": "mine", "private": True}, token=BOB)
    assert (own.json()["full_name"], own.json()["owner"]["type"]) == ("bob/mine", "User")
    assert forge.call("DELETE", "/repos/acme/made-here").status_code == 204
    assert forge.call("GET", "/repos/acme/made-here").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "/repos/acme/none", None, 404, "Not Found"),
        ("GET", "/nothing/here", None, 404, "Not Found"),
        ("DELETE", "/rate_limit", None, 404, "Not Found"),
        ("POST", "/user/repos", "{", 400, "Problems parsing JSON"),
        ("POST", "/user/repos", "[1]", 400, "Body should be a JSON object"),
        ("POST", "/user/repos", {}, 422, 'Invalid request.\n\n"name" wasn\'t supplied.'),
    ],
)
def test_refusals_have_githubs_shape(
    forge: Forge, method: str, path: str, body: Any, status: int, message: str
) -> None:
    """A message, a page of the documentation and the status, in the body too."""
    answer = forge.call(method, path, body)
    told = answer.json()
    assert (answer.status_code, told["message"], told["status"]) == (status, message, str(status))
    assert told["documentation_url"].startswith("https://docs.github.com/rest")
    assert answer.headers["X-GitHub-Request-Id"]


def test_a_path_out_of_the_folder_is_no_repository(forge: Forge) -> None:
    """Nothing outside of the repositories can be named."""
    for path in ("/repos/../etc", "/repos/%2e%2e/%2e%2e", "/repos/acme/..%2f..%2fetc", "/repos/-x/y"):
        assert forge.call("GET", path).status_code == 404


def test_an_enterprise_clients_prefix_is_understood(project: Project) -> None:
    """A client that was told a host looks under /api/v3, and finds the same."""
    project.push("one")
    answer = project.forge.call("GET", f"/api/v3/repos/{project.full}/commits/main")
    assert answer.json()["sha"] == project.get("/commits/main")["sha"]
