"""Pull requests: their two ends, which move with pushes, and whether they can be merged.

Source: GitHub REST API, "REST API endpoints for pull requests" (https://docs.github.com/rest/pulls/pulls).
"""

from __future__ import annotations

from typing import Any

from delivery.sandbox.github import issues, shapes, statuses
from delivery.sandbox.github.hub import Hub
from delivery.sandbox.github.repository import NOBODY, Repository
from delivery.sandbox.github.store import Entry
from delivery.sandbox.github.writing import Conflict, merged_tree, move


def ref_of(number: int) -> str:
    """The reference under which its head can be fetched, also when the branch is gone."""
    return f"refs/pull/{number}/head"


def opened(hub: Hub, full: str) -> list[Entry]:
    """The open ones of a repository."""
    return [e for e in hub.store.all(full, "issue") if "pull" in e and e["state"] == "open"]


def set_pull(hub: Hub, full: str, entry: Entry, pull: dict[str, Any], **changes: Any) -> Entry:
    """Set some of what only a pull request has, and other fields of it."""
    stamped = {"updated_at": shapes.now(), **changes}
    changed = hub.store.change(
        full, "issue", entry["id"], lambda known: {**known, **stamped, "pull": {**known["pull"], **pull}}
    )
    assert changed is not None, "issues are never deleted"
    return changed


def follow(hub: Hub, full: str, login: str, branch: str, new: str) -> None:
    """A branch has moved: pull requests from it and into it move along, are merged, or are closed."""
    repo = hub.repository(full)
    for entry in opened(hub, full):
        pull = entry["pull"]
        if pull["head"] == branch:
            _head_moved(hub, repo, full, login, entry, new)
        elif pull["base"] == branch and new == NOBODY:
            closed(hub, full, login, entry)
        elif pull["base"] == branch and repo.contains(new, pull["head_sha"]):
            merged(hub, full, login, entry, new)
        elif pull["base"] == branch:
            set_pull(hub, full, entry, {"base_sha": new})


def _head_moved(hub: Hub, repo: Repository, full: str, login: str, entry: Entry, new: str) -> None:
    if new == NOBODY:
        closed(hub, full, login, entry)
        return
    before = entry["pull"]["head_sha"]
    if before == new:
        return
    move(repo, ref_of(entry["number"]), new)
    entry = set_pull(hub, full, entry, {"head_sha": new})
    base = repo.find(f"refs/heads/{entry['pull']['base']}")
    if base is not None and repo.contains(base, new):
        closed(hub, full, login, entry)
        return
    tell(hub, full, login, "synchronize", entry, before=before, after=new)


def closed(hub: Hub, full: str, login: str, entry: Entry) -> Entry:
    """Close it unmerged."""
    entry = issues.change(hub, full, entry, state="closed", closed_at=shapes.now(), closed_by=login)
    tell(hub, full, login, "closed", entry)
    return entry


def merged(hub: Hub, full: str, login: str, entry: Entry, sha: str) -> Entry:
    """Its commits are in the base now: `sha` brought them there."""
    moment = shapes.now()
    pull = {"merged_at": moment, "merged_by": login, "merge_commit_sha": sha}
    entry = set_pull(hub, full, entry, pull, state="closed", closed_at=moment, closed_by=login)
    tell(hub, full, login, "closed", entry)
    return entry


def tell(hub: Hub, full: str, login: str, action: str, entry: Entry, **more: Any) -> None:
    """The event `pull_request`."""
    hub.tell(
        full, "pull_request", login,
        lambda: {
            "action": action, "number": entry["number"], **more,
            "pull_request": shape(hub, full, entry, True),
        },
    )  # fmt: skip


def mergeable(repo: Repository, entry: Entry) -> bool | None:
    """Whether git could merge it now; None once it is closed, for GitHub does not look any more."""
    if entry["state"] != "open":
        return None
    base = repo.find(f"refs/heads/{entry['pull']['base']}")
    if base is None:
        return False
    try:
        merged_tree(repo, base, entry["pull"]["head_sha"])
    except Conflict:
        return False
    return True


def _merge_state(hub: Hub, full: str, entry: Entry, can: bool | None) -> str:
    """GitHub's word for what a merge would meet."""
    if can is None:
        return "unknown"
    if not can:
        return "dirty"
    if entry["pull"]["draft"]:
        return "draft"
    state = statuses.combined(hub, full, entry["pull"]["head_sha"])
    return "clean" if state["state"] == "success" or not state["statuses"] else "unstable"


def _end(hub: Hub, full: str, branch: str, sha: str) -> dict[str, Any]:
    owner = full.split("/")[0]
    repo = hub.shape(full)
    return {"label": f"{owner}:{branch}", "ref": branch, "sha": sha, "user": repo["owner"], "repo": repo}


def shape(hub: Hub, full: str, entry: Entry, complete: bool = False) -> dict[str, Any]:
    """A `pull-request`, or one entry of a list of them."""
    api, page = f"{hub.url}/repos/{full}", f"{hub.url}/{full}/pull/{entry['number']}"
    url, issue = f"{api}/pulls/{entry['number']}", f"{api}/issues/{entry['number']}"
    pull = entry["pull"]
    links = {
        "self": url, "html": page, "issue": issue, "comments": f"{issue}/comments",
        "review_comments": f"{url}/comments", "review_comment": f"{api}/pulls/comments{{/number}}",
        "commits": f"{url}/commits", "statuses": f"{api}/statuses/{pull['head_sha']}",
    }  # fmt: skip
    made = {
        **issues.common(hub, full, entry), "node_id": shapes.node_id("PullRequest", entry["id"]), "url": url,
        "html_url": page, "diff_url": f"{page}.diff", "patch_url": f"{page}.patch", "issue_url": issue,
        "comments_url": links["comments"], "commits_url": links["commits"],
        "review_comments_url": links["review_comments"], "review_comment_url": links["review_comment"],
        "statuses_url": links["statuses"], "_links": {name: {"href": to} for name, to in links.items()},
        "merged_at": pull["merged_at"], "merge_commit_sha": pull["merge_commit_sha"], "draft": pull["draft"],
        "head": _end(hub, full, pull["head"], pull["head_sha"]),
        "base": _end(hub, full, pull["base"], pull["base_sha"]), "auto_merge": None, "requested_teams": [],
        "requested_reviewers": [shapes.user(hub.url, login) for login in pull["reviewers"]],
    }  # fmt: skip
    return {**made, **_details(hub, full, entry)} if complete else made


def _details(hub: Hub, full: str, entry: Entry) -> dict[str, Any]:
    """What only a single pull request shows, for it costs GitHub something."""
    repo, pull = hub.repository(full), entry["pull"]
    can = mergeable(repo, entry)
    start = repo.merge_base(pull["base_sha"], pull["head_sha"]) or pull["base_sha"]
    changed = repo.changes(start, pull["head_sha"])
    return {
        "merged": pull["merged_at"] is not None, "mergeable": can, "rebaseable": can,
        "mergeable_state": _merge_state(hub, full, entry, can),
        "merged_by": shapes.user(hub.url, pull["merged_by"]) if pull["merged_by"] else None,
        "comments": len(hub.store.all(full, "comment", str(entry["number"]))), "review_comments": 0,
        "maintainer_can_modify": False, "commits": repo.count(pull["head_sha"], without=pull["base_sha"]),
        "additions": sum(f["additions"] for f in changed), "deletions": sum(f["deletions"] for f in changed),
        "changed_files": len(changed),
    }  # fmt: skip
