"""Routes of commit statuses.

Source: GitHub REST API, "REST API endpoints for commit statuses"
(https://docs.github.com/rest/commits/statuses).
"""

from __future__ import annotations

from typing import Any

from delivery.sandbox.github import shapes
from delivery.sandbox.github.call import Answer, Call, Routes
from delivery.sandbox.github.errors import GitHubError, invalid, not_supplied, unknown_commit
from delivery.sandbox.github.statuses import LONGEST, MOST, STATES, newest, shape, verdict


def create(call: Call) -> Answer:
    """`POST …/statuses/{sha}`."""
    entry = _checked(call)
    sha = call.repo.find(call.path["sha"])
    if sha is None:
        raise unknown_commit(call.path["sha"])
    store, full = call.hub.store, call.full
    with store.transaction():
        same = [e for e in store.all(full, "status", sha) if e["context"] == entry["context"]]
        if len(same) >= MOST:
            message = "This SHA and context has reached the maximum number of statuses."
            raise invalid("Status", "base", message)
        made = store.add(full, "status", entry, parent=sha)
    shown = shape(call.hub, full, sha, made)
    call.hub.tell(full, "status", call.caller.login, lambda: _event(call, sha, shown))
    return Answer(shown, 201)


def _checked(call: Call) -> dict[str, Any]:
    """The status that the body describes; 422 where GitHub would not take it."""
    if "state" not in call.body:
        raise not_supplied("state")
    if call.body["state"] not in STATES:
        raise invalid("Status", "state", "state is not included in the list")
    description, target = call.body.get("description"), call.body.get("target_url")
    context = call.text("context", "default", "Status")
    if description is not None and len(call.text("description", resource="Status")) > LONGEST:
        message = f"description is too long (maximum is {LONGEST} characters)"
        raise invalid("Status", "description", message)
    if len(context) > 255:
        raise invalid("Status", "context", "context is too long (maximum is 255 characters)")
    if target is not None and not call.text("target_url", resource="Status").startswith(
        ("http://", "https://")
    ):
        message = "target_url must use http(s) scheme"
        raise GitHubError(422, "Validation Failed", [message])
    moment = shapes.now()
    return {
        "state": call.body["state"], "description": description, "target_url": target, "context": context,
        "creator": call.caller.login, "created_at": moment, "updated_at": moment,
    }  # fmt: skip


def _event(call: Call, sha: str, shown: dict[str, Any]) -> dict[str, Any]:
    repo, hub, full = call.repo, call.hub, call.full
    tips = repo.branches()
    holding = [name for name, tip in tips.items() if repo.contains(tip, sha)][:10]
    kept = ("id", "state", "description", "target_url", "context", "created_at", "updated_at", "avatar_url")
    return {
        **{name: shown[name] for name in kept}, "sha": sha, "name": full,
        "commit": shapes.commit(hub.url, full, repo.log(sha, 1)[0]),
        "branches": [
            {
                "name": name, "protected": False,
                "commit": {"sha": tips[name], "url": f"{call.api}/commits/{tips[name]}"},
            }
            for name in holding
        ],
    }  # fmt: skip


def listed(call: Call) -> Answer:
    """`GET …/commits/{ref}/statuses`, newest first."""
    sha = call.repo.resolve(call.path["ref"])
    entries = call.hub.store.all(call.full, "status", sha)[::-1]
    return call.listed(entries, lambda entry: shape(call.hub, call.full, sha, entry))


def combined(call: Call) -> Answer:
    """`GET …/commits/{ref}/status`: the newest of each context, and what they come to."""
    sha = call.repo.resolve(call.path["ref"])
    found = newest(call.hub.store.all(call.full, "status", sha))
    page, per = call.span()
    return Answer(
        {
            "state": verdict({entry["state"] for entry in found}), "sha": sha, "total_count": len(found),
            "statuses": [
                shape(call.hub, call.full, sha, entry, creator=False)
                for entry in found[per * (page - 1) : per * page]
            ],
            "repository": call.hub.shape(call.full), "commit_url": f"{call.api}/commits/{sha}",
            "url": f"{call.api}/commits/{sha}/status",
        },
        headers=call.links(len(found)),
    )  # fmt: skip


_REPO = "/repos/{owner}/{repo}"
ROUTES: Routes = [
    ("POST", _REPO + "/statuses/{sha:path}", create),
    ("GET", _REPO + "/commits/{ref:path}/status", combined),
    ("GET", _REPO + "/commits/{ref:path}/statuses", listed),
    ("GET", _REPO + "/statuses/{ref:path}", listed),
]
