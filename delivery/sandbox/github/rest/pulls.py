"""Routes of pull requests.

Source: GitHub REST API, "REST API endpoints for pull requests" (https://docs.github.com/rest/pulls/pulls).
"""

from __future__ import annotations

from typing import Any

from delivery.sandbox.github import issues, pulls, pushes, shapes
from delivery.sandbox.github.call import Answer, Call, Routes
from delivery.sandbox.github.errors import GitHubError, custom, invalid, not_found, not_supplied
from delivery.sandbox.github.repository import Repository
from delivery.sandbox.github.store import Entry
from delivery.sandbox.github.writing import Author, Conflict, Moved, commit, merged_tree, move, replayed

#: Files and commits of a pull request that GitHub lists.
MOST_COMMITS = 250


def _find(call: Call) -> Entry:
    return issues.find(call.hub, call.full, call.path["number"], pull=True)


def _shape(call: Call, entry: Entry) -> dict[str, Any]:
    return pulls.shape(call.hub, call.full, entry, complete=True)


def create(call: Call) -> Answer:
    """`POST …/pulls`."""
    head, base = call.text("head"), call.text("base")
    title = call.text("title")
    owner, repo = call.full.split("/")[0], call.repo
    branch = head.removeprefix(f"{owner}:")
    tips = repo.branches()
    for field, name in (("head", branch), ("base", base)):
        if name not in tips:
            raise invalid("PullRequest", field, code="invalid")
    if repo.merge_base(tips[base], tips[branch]) is None:
        raise custom("PullRequest", f"The {branch} branch has no history in common with {base}")
    if not repo.count(tips[branch], without=tips[base]):
        raise custom("PullRequest", f"No commits between {base} and {branch}")
    about = {
        "head": branch, "base": base, "head_sha": tips[branch], "base_sha": tips[base],
        "draft": call.flag("draft", False), "reviewers": [], "merged_at": None, "merged_by": None,
        "merge_commit_sha": None,
    }  # fmt: skip
    with call.hub.store.transaction():
        if any(
            (e["pull"]["head"], e["pull"]["base"]) == (branch, base)
            for e in pulls.opened(call.hub, call.full)
        ):
            raise custom("PullRequest", f"A pull request already exists for {owner}:{branch}.")
        body = {"title": title, "body": call.body.get("body"), "pull": about}
        entry = issues.add(call.hub, call.full, call.caller.login, body)
    move(repo, pulls.ref_of(entry["number"]), tips[branch])
    pulls.tell(call.hub, call.full, call.caller.login, "opened", entry)
    return Answer(_shape(call, entry), 201)


def listed(call: Call) -> Answer:
    """`GET …/pulls?state=&head=&base=&sort=&direction=`."""
    state, query = call.query.get("state", "open"), call.query
    owner = call.full.split("/")[0]
    found = [
        e
        for e in call.hub.store.all(call.full, "issue")
        if "pull" in e
        and state in ("all", e["state"])
        and query.get("base") in (None, "", e["pull"]["base"])
        and query.get("head") in (None, "", f"{owner}:{e['pull']['head']}")
    ]
    sort = query.get("sort", "created")
    if sort == "updated":
        found.sort(key=lambda e: (e["updated_at"], e["number"]))
    descending = (
        query.get("direction", "desc" if sort == "created" or "sort" not in query else "asc") == "desc"
    )
    return call.listed(
        found[::-1] if descending else found, lambda entry: pulls.shape(call.hub, call.full, entry)
    )


def get(call: Call) -> Any:
    """`GET …/pulls/{number}`, or as a diff or patch."""
    entry = _find(call)
    span = f"{entry['pull']['base_sha']}...{entry['pull']['head_sha']}"
    for kind, command in (("diff", ("diff", span)), ("patch", ("format-patch", "--stdout", span))):
        if f"vnd.github.{kind}" in call.accept or f"vnd.github.v3.{kind}" in call.accept:
            media = {"Content-Type": f"application/vnd.github.{kind}; charset=utf-8"}
            return Answer(raw=call.repo.raw(*command), headers=media)
    return _shape(call, entry)


def update(call: Call) -> dict[str, Any]:
    """`PATCH …/pulls/{number}`: title, body, base, and whether it is open."""
    entry, hub, full, login = _find(call), call.hub, call.full, call.caller.login
    state = call.body.get("state", entry["state"])
    if state not in ("open", "closed"):
        raise invalid("PullRequest", "state", code="invalid")
    changes = {k: call.body[k] for k in ("title", "body") if k in call.body}
    if "base" in call.body:
        base = call.text("base")
        if base not in call.repo.branches():
            raise invalid("PullRequest", "base", code="invalid")
        entry = pulls.set_pull(hub, full, entry, {"base": base, "base_sha": call.repo.branches()[base]})
    if changes:
        entry = issues.change(hub, full, entry, **changes)
        pulls.tell(hub, full, login, "edited", entry, changes={})
    if state != entry["state"]:
        entry = pulls.closed(hub, full, login, entry) if state == "closed" else _reopened(call, entry)
    return _shape(call, entry)


def _reopened(call: Call, entry: Entry) -> Entry:
    pull = entry["pull"]
    tip = call.repo.branches().get(pull["head"])
    if pull["merged_at"] or tip is None:
        why = "merged" if pull["merged_at"] else f"the {pull['head']} branch was deleted"
        raise invalid(
            "PullRequest", "state", f"state cannot be changed. The pull request cannot be reopened: {why}."
        )
    move(call.repo, pulls.ref_of(entry["number"]), tip)
    entry = pulls.set_pull(
        call.hub, call.full, entry, {"head_sha": tip}, state="open", closed_at=None, closed_by=None
    )
    pulls.tell(call.hub, call.full, call.caller.login, "reopened", entry)
    return entry


def commits(call: Call) -> Answer:
    """`GET …/pulls/{number}/commits`, oldest first."""
    pull = _find(call)["pull"]
    found = call.repo.log(pull["head_sha"], MOST_COMMITS, without=_start(call.repo, pull))[::-1]
    return call.listed(found, lambda entry: shapes.commit(call.hub.url, call.full, entry))


def files(call: Call) -> Answer:
    """`GET …/pulls/{number}/files`."""
    pull = _find(call)["pull"]
    changed = call.repo.changes(_start(call.repo, pull), pull["head_sha"])
    return call.listed(shapes.files(call.hub.url, call.full, pull["head_sha"], changed))


def _start(repo: Repository, pull: dict[str, Any]) -> str:
    """Where the head left the base."""
    return repo.merge_base(pull["base_sha"], pull["head_sha"]) or str(pull["base_sha"])


def is_merged(call: Call) -> Answer:
    """`GET …/pulls/{number}/merge`: 204 if it was, else 404."""
    if _find(call)["pull"]["merged_at"] is None:
        raise not_found()
    return Answer(status=204)


def merge(call: Call) -> dict[str, Any]:
    """`PUT …/pulls/{number}/merge`."""
    entry, repo = _find(call), call.repo
    pull, method = entry["pull"], call.text("merge_method", "merge")
    if method not in ("merge", "squash", "rebase"):
        raise GitHubError(422, f"Invalid request.\n\n{method!r} is not a merge method.")
    if call.body.get("sha") not in (None, pull["head_sha"]):
        raise GitHubError(409, "Head branch was modified. Review and try the merge again.")
    if entry["state"] != "open" or pull["draft"]:
        why = "Pull Request is still a draft" if pull["draft"] else "Pull Request is not mergeable"
        raise GitHubError(405, why, page="/pulls/pulls#merge-a-pull-request")
    base = repo.resolve(f"refs/heads/{pull['base']}")
    try:
        sha = _merged(call, repo, entry, base, method)
    except Conflict:
        page = "/pulls/pulls#merge-a-pull-request"
        raise GitHubError(405, "Pull Request is not mergeable", page=page) from None
    ref = f"refs/heads/{pull['base']}"
    try:
        move(repo, ref, sha, base)
    except Moved:
        raise GitHubError(409, "Base branch was modified. Review and try the merge again.") from None
    login = call.caller.login
    if method == "rebase" or method == "squash":
        pulls.merged(call.hub, call.full, login, entry, sha)  # git cannot tell: the commits are others
    pushes.moved(call.hub, call.full, login, [(base, sha, ref)])
    return {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}


def _merged(call: Call, repo: Repository, entry: Entry, base: str, method: str) -> str:
    """The commit that a merge by this method puts on top of the base."""
    pull, login = entry["pull"], call.caller.login
    author = Author(login, f"{login}@users.noreply.github.com")
    committer = Author("GitHub", "noreply@github.com")
    if method == "rebase":
        return replayed(repo, base, pull["head_sha"], committer)
    owner, number = call.full.split("/")[0], entry["number"]
    titles = {
        "merge": f"Merge pull request #{number} from {owner}/{pull['head']}",
        "squash": f"{entry['title']} (#{number})",
    }  # fmt: skip
    texts = {"merge": entry["title"], "squash": ""}
    title = call.text("commit_title", titles[method])
    text = call.text("commit_message", texts[method])
    tree = merged_tree(repo, base, pull["head_sha"])
    parents = [base, pull["head_sha"]] if method == "merge" else [base]
    return commit(repo, tree, parents, f"{title}\n\n{text}".strip(), author, committer)


def update_branch(call: Call) -> Answer:
    """`PUT …/pulls/{number}/update-branch`: the base merged into the head."""
    entry, repo, login = _find(call), call.repo, call.caller.login
    pull = entry["pull"]
    expected = call.body.get("expected_head_sha")
    if expected not in (None, pull["head_sha"]):
        raise GitHubError(422, "expected head sha didn't match current head ref.", [])
    if entry["state"] != "open":
        raise GitHubError(422, "The pull request is not open.")
    base = repo.resolve(f"refs/heads/{pull['base']}")
    if repo.contains(pull["head_sha"], base):
        raise GitHubError(422, "There are no new commits on the base branch.")
    try:
        tree = merged_tree(repo, pull["head_sha"], base)
    except Conflict:
        raise GitHubError(422, "merge conflict between base and head") from None
    author = Author(login, f"{login}@users.noreply.github.com")
    message = f"Merge branch '{pull['base']}' into {pull['head']}"
    sha = commit(repo, tree, [pull["head_sha"], base], message, author)
    ref = f"refs/heads/{pull['head']}"
    move(repo, ref, sha, pull["head_sha"])
    pushes.moved(call.hub, call.full, login, [(pull["head_sha"], sha, ref)])
    return Answer(
        {"message": "Updating pull request branch.", "url": f"{call.api}/pulls/{entry['number']}"}, 202
    )


def request_reviewers(call: Call) -> Answer:
    """`POST …/pulls/{number}/requested_reviewers`: anybody but the author."""
    entry, wanted = _find(call), _reviewers(call)
    if entry["user"] in wanted:
        raise GitHubError(422, "Review cannot be requested from pull request author.")
    names = list(dict.fromkeys([*entry["pull"]["reviewers"], *wanted]))
    entry = pulls.set_pull(call.hub, call.full, entry, {"reviewers": names})
    for name in wanted:
        reviewer = shapes.user(call.hub.url, name)
        pulls.tell(
            call.hub, call.full, call.caller.login, "review_requested", entry, requested_reviewer=reviewer
        )
    return Answer(pulls.shape(call.hub, call.full, entry), 201)


def remove_reviewers(call: Call) -> dict[str, Any]:
    """`DELETE …/pulls/{number}/requested_reviewers`."""
    entry, gone = _find(call), _reviewers(call)
    names = [name for name in entry["pull"]["reviewers"] if name not in gone]
    entry = pulls.set_pull(call.hub, call.full, entry, {"reviewers": names})
    return pulls.shape(call.hub, call.full, entry)


def _reviewers(call: Call) -> list[str]:
    wanted = call.body.get("reviewers", [])
    if not isinstance(wanted, list) or not wanted:
        raise not_supplied("reviewers")
    return [str(name) for name in wanted]


def reviewers(call: Call) -> dict[str, Any]:
    """`GET …/pulls/{number}/requested_reviewers`."""
    names = _find(call)["pull"]["reviewers"]
    return {"users": [shapes.user(call.hub.url, name) for name in names], "teams": []}


_PULLS = "/repos/{owner}/{repo}/pulls"
_ONE = _PULLS + "/{number:int}"
ROUTES: Routes = [
    ("GET", _PULLS, listed),
    ("POST", _PULLS, create),
    ("GET", _ONE, get),
    ("PATCH", _ONE, update),
    ("GET", _ONE + "/commits", commits),
    ("GET", _ONE + "/files", files),
    ("GET", _ONE + "/merge", is_merged),
    ("PUT", _ONE + "/merge", merge),
    ("PUT", _ONE + "/update-branch", update_branch),
    ("GET", _ONE + "/requested_reviewers", reviewers),
    ("POST", _ONE + "/requested_reviewers", request_reviewers),
    ("DELETE", _ONE + "/requested_reviewers", remove_reviewers),
]
