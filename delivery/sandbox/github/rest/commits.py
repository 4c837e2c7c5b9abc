"""Routes of commits, branches, tags and comparisons.

Source: GitHub REST API, "REST API endpoints for commits" (https://docs.github.com/rest/commits/commits) and
"… for branches" (https://docs.github.com/rest/branches/branches).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from delivery.sandbox.github import shapes
from delivery.sandbox.github.call import Answer, Call, Routes
from delivery.sandbox.github.errors import GitHubError, empty, not_found, unknown_commit
from delivery.sandbox.github.pulls import shape as pull_shape
from delivery.sandbox.github.repository import Repository

#: Files a commit shows, and commits a comparison shows without paging.
MOST_FILES, MOST_COMPARED = 300, 250


def listed(call: Call) -> Answer:
    """`GET …/commits?sha=&path=&author=&since=&until=&per_page=&page=`, newest first."""
    repo, query = call.repo, call.query
    if repo.is_empty():
        raise empty()
    sha = repo.find(query.get("sha") or repo.default_branch())
    if sha is None:
        raise not_found()
    more = [f"--{name}={_moment(query[name], name)}" for name in ("since", "until") if query.get(name)]
    if author := query.get("author"):
        more += ["--fixed-strings", f"--author={author}"]
    page, per = call.span()
    path = query.get("path", "").strip("/")
    found = repo.log(sha, per, per * (page - 1), path, more=more)
    links = call.links(repo.count(sha, path, more=more))
    return Answer([shapes.commit(call.hub.url, call.full, entry) for entry in found], headers=links)


def _moment(text: str, name: str) -> str:
    try:
        # git's own form: what it takes for a human's date, it bounds by the present.
        return f"@{int(datetime.fromisoformat(text).timestamp())} +0000"
    except ValueError:
        raise GitHubError(422, f"Invalid request.\n\nFor '{name}', {text!r} is not a timestamp.") from None


def one(call: Call) -> Answer:
    """`GET …/commits/{ref}`, with the files it changed, or as a plain sha, a diff or a patch."""
    repo = call.repo
    if repo.is_empty():
        raise empty()
    sha = repo.find(call.path["ref"])
    if sha is None:
        raise unknown_commit(call.path["ref"])
    if plain := _as_text(call, repo, sha):
        return plain
    changed = repo.files(sha)
    entry = shapes.commit(call.hub.url, call.full, repo.log(sha, 1)[0])
    added, removed = (sum(f[what] for f in changed) for what in ("additions", "deletions"))
    shown = shapes.files(call.hub.url, call.full, sha, changed)
    page, per = call.span(MOST_FILES, MOST_FILES)
    stats = {"total": added + removed, "additions": added, "deletions": removed}
    body = {**entry, "stats": stats, "files": shown[per * (page - 1) : per * page]}
    return Answer(body, headers=call.links(len(shown), MOST_FILES, MOST_FILES))


def _as_text(call: Call, repo: Repository, sha: str) -> Answer | None:
    """What the media types `…sha`, `…diff` and `…patch` ask for."""
    kinds = {
        "sha": lambda: sha.encode(),
        "diff": lambda: repo.raw("diff-tree", "-p", "--root", "--no-commit-id", sha),
        "patch": lambda: repo.raw("format-patch", "-1", "--stdout", "--root", sha),
    }  # fmt: skip
    for kind, content in kinds.items():
        if f"vnd.github.{kind}" in call.accept or f"vnd.github.v3.{kind}" in call.accept:
            media = f"application/vnd.github.{kind}; charset=utf-8"
            return Answer(raw=content(), headers={"Content-Type": media})
    return None


def compare(call: Call) -> Answer:
    """`GET …/compare/{base}...{head}`: what `head` has since it left `base`."""
    repo, hub, full = call.repo, call.hub, call.full
    names = call.path["basehead"].split("...")
    if len(names) != 2:
        raise not_found()
    owner = full.split("/")[0]
    base, head = (repo.find(name.removeprefix(f"{owner}:")) for name in names)
    if base is None or head is None:
        raise not_found()
    start = repo.merge_base(base, head)
    if start is None:
        raise not_found(f"No common ancestor between {names[0]} and {names[1]}.")
    ahead, behind = repo.count(head, without=base), repo.count(base, without=head)
    page, per = call.span(MOST_COMPARED, MOST_COMPARED)
    found = repo.log(head, ahead or 1, without=base)[::-1][per * (page - 1) : per * page] if ahead else []
    words = {(True, True): "diverged", (True, False): "ahead", (False, True): "behind"}
    changed = repo.changes(start, head)[:MOST_FILES] if page == 1 else []
    url, web = f"{call.api}/compare/{names[0]}...{names[1]}", f"{hub.url}/{full}/compare"
    page_url = f"{web}/{names[0]}...{names[1]}"
    body = {
        "url": url, "html_url": page_url, "diff_url": f"{page_url}.diff", "patch_url": f"{page_url}.patch",
        "permalink_url": f"{web}/{owner}:{base[:7]}...{owner}:{head[:7]}",
        "base_commit": shapes.commit(hub.url, full, repo.log(base, 1)[0]),
        "merge_base_commit": shapes.commit(hub.url, full, repo.log(start, 1)[0]),
        "status": words.get((ahead > 0, behind > 0), "identical"), "ahead_by": ahead, "behind_by": behind,
        "total_commits": ahead, "commits": [shapes.commit(hub.url, full, entry) for entry in found],
        "files": shapes.files(hub.url, full, head, changed),
    }  # fmt: skip
    return Answer(body, headers=call.links(ahead, MOST_COMPARED, MOST_COMPARED))


def branches(call: Call) -> Answer:
    """`GET …/branches?protected=`."""
    protected = {e["branch"] for e in call.hub.store.all(call.full, "protection")}
    found = sorted(call.repo.branches().items())
    if wanted := call.query.get("protected"):
        found = [entry for entry in found if (entry[0] in protected) == (wanted == "true")]
    return call.listed(found, lambda entry: _branch(call, entry[0], entry[1], entry[0] in protected))


def branch(call: Call) -> dict[str, Any]:
    """`GET …/branches/{branch}`."""
    name, repo = call.path["branch"], call.repo
    sha = repo.branches().get(name)
    if sha is None:
        raise not_found("Branch not found")
    protected = name in {e["branch"] for e in call.hub.store.all(call.full, "protection")}
    made = _branch(call, name, sha, protected)
    url = f"{call.api}/branches/{name}"
    return {
        **made, "commit": shapes.commit(call.hub.url, call.full, repo.log(sha, 1)[0]),
        "_links": {"self": url, "html": f"{call.hub.url}/{call.full}/tree/{name}"},
    }  # fmt: skip


def _branch(call: Call, name: str, sha: str, protected: bool) -> dict[str, Any]:
    checks = {"enforcement_level": "off", "contexts": [], "checks": []}
    return {
        "name": name, "commit": {"sha": sha, "url": f"{call.api}/commits/{sha}"}, "protected": protected,
        "protection": {"enabled": protected, "required_status_checks": checks},
        "protection_url": f"{call.api}/branches/{name}/protection",
    }  # fmt: skip


def tags(call: Call) -> Answer:
    """`GET …/tags`, by the commit each stands for."""
    repo = call.repo
    names = sorted(repo.refs("refs/tags"), reverse=True)

    def shape(ref: str) -> dict[str, Any]:
        name, sha = ref.removeprefix("refs/tags/"), repo.resolve(ref)
        return {
            "name": name, "commit": {"sha": sha, "url": f"{call.api}/commits/{sha}"},
            "zipball_url": f"{call.api}/zipball/{ref}", "tarball_url": f"{call.api}/tarball/{ref}",
            "node_id": shapes.node_id("Ref", ref),
        }  # fmt: skip

    return call.listed(names, shape)


def pulls_of(call: Call) -> Answer:
    """`GET …/commits/{sha}/pulls`: the pull requests that bring a commit."""
    repo, sha = call.repo, call.repo.find(call.path["ref"])
    if sha is None:
        raise unknown_commit(call.path["ref"])
    found = [e for e in call.hub.store.all(call.full, "issue") if "pull" in e and _brings(repo, e, sha)]
    return call.listed(found, lambda entry: pull_shape(call.hub, call.full, entry))


def _brings(repo: Repository, entry: dict[str, Any], sha: str) -> bool:
    pull = entry["pull"]
    if entry["state"] == "closed":
        return bool(pull["merge_commit_sha"] == sha)
    return repo.contains(pull["head_sha"], sha) and not repo.contains(pull["base_sha"], sha)


def heads_at(call: Call) -> list[dict[str, Any]]:
    """`GET …/commits/{sha}/branches-where-head`."""
    found = [item for item in call.repo.branches().items() if item[1] == call.path["ref"]]
    return [
        {"name": name, "commit": {"sha": sha, "url": f"{call.api}/commits/{sha}"}, "protected": False}
        for name, sha in found
    ]


_REPO = "/repos/{owner}/{repo}"
ROUTES: Routes = [
    ("GET", _REPO + "/commits", listed),
    ("GET", _REPO + "/commits/{ref:path}/pulls", pulls_of),
    ("GET", _REPO + "/commits/{ref:path}/branches-where-head", heads_at),
    ("GET", _REPO + "/commits/{ref:path}", one),
    ("GET", _REPO + "/compare/{basehead:path}", compare),
    ("GET", _REPO + "/branches", branches),
    ("GET", _REPO + "/tags", tags),
]
#: After the routes of a branch's protection, which have longer paths.
BRANCH: Routes = [("GET", _REPO + "/branches/{branch:path}", branch)]
