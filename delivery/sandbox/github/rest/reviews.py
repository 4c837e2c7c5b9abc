"""Routes of pull request reviews.

Source: GitHub REST API, "REST API endpoints for pull request reviews"
(https://docs.github.com/rest/pulls/reviews).
"""

from __future__ import annotations

from typing import Any

from delivery.sandbox.github import issues, pulls, shapes
from delivery.sandbox.github.call import Answer, Call, Routes
from delivery.sandbox.github.errors import GitHubError, not_found
from delivery.sandbox.github.store import Entry

#: What a reviewer does, and the state the review has then.
STATES = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}


def _pull(call: Call) -> Entry:
    return issues.find(call.hub, call.full, call.path["number"], pull=True)


def _find(call: Call) -> tuple[Entry, Entry]:
    pull = _pull(call)
    for entry in call.hub.store.all(call.full, "review", str(pull["number"])):
        if entry["id"] == call.path["review"] and _seen(call, entry):
            return pull, entry
    raise not_found()


def _seen(call: Call, entry: Entry) -> bool:
    """A review that is not submitted yet is its author's alone."""
    return bool(entry["state"] != "PENDING" or entry["user"] == call.caller.login)


def listed(call: Call) -> Answer:
    """`GET …/pulls/{number}/reviews`, in the order they were submitted."""
    pull = _pull(call)
    found = [e for e in call.hub.store.all(call.full, "review", str(pull["number"])) if _seen(call, e)]
    return call.listed(found, lambda entry: _shape(call, entry))


def get(call: Call) -> dict[str, Any]:
    """`GET …/pulls/{number}/reviews/{id}`."""
    return _shape(call, _find(call)[1])


def create(call: Call) -> dict[str, Any]:
    """`POST …/pulls/{number}/reviews`; without an event it stays pending."""
    pull, event = _pull(call), call.body.get("event")
    sha = call.body.get("commit_id") or pull["pull"]["head_sha"]
    entry = {"issue": pull["number"], "user": call.caller.login, "body": call.body.get("body") or "",
             "commit_id": sha, "state": "PENDING", "submitted_at": None}  # fmt: skip
    if event:
        entry |= _submitted(call, pull, str(event), entry["body"])
    made = call.hub.store.add(call.full, "review", entry, parent=str(pull["number"]))
    if event:
        _after(call, pull, made)
    return _shape(call, made)


def submit(call: Call) -> dict[str, Any]:
    """`POST …/pulls/{number}/reviews/{id}/events`."""
    pull, entry = _find(call)
    if entry["state"] != "PENDING":
        raise GitHubError(422, "Unprocessable Entity", ["Can not submit a review that is not pending"])
    body = call.body.get("body") or entry["body"]
    changes = {"body": body, **_submitted(call, pull, call.text("event"), body)}
    return _changed(call, pull, entry, changes)


def _submitted(call: Call, pull: Entry, event: str, body: str) -> dict[str, Any]:
    """State and time of a submitted review. Nobody judges his own; a refusal needs words."""
    if event not in STATES:
        raise GitHubError(
            422, "Unprocessable Entity", [f"Variable $event was provided invalid value {event}"]
        )
    if pull["user"] == call.caller.login and event != "COMMENT":
        verb = "approve" if event == "APPROVE" else "request changes on"
        raise GitHubError(422, "Unprocessable Entity", [f"Can not {verb} your own pull request"])
    if event != "APPROVE" and not body.strip():
        raise GitHubError(422, "Unprocessable Entity", ["Body can't be blank"])
    return {"state": STATES[event], "submitted_at": shapes.now()}


def _after(call: Call, pull: Entry, entry: Entry) -> None:
    """Who has reviewed is asked no more; hooks hear of it."""
    names = [name for name in pull["pull"]["reviewers"] if name != call.caller.login]
    pull = pulls.set_pull(call.hub, call.full, pull, {"reviewers": names})
    _tell(call, "submitted", pull, entry)


def _tell(call: Call, action: str, pull: Entry, entry: Entry) -> None:
    call.hub.tell(
        call.full, "pull_request_review", call.caller.login,
        lambda: {"action": action, "review": {**_shape(call, entry), "state": entry["state"].lower()},
                 "pull_request": pulls.shape(call.hub, call.full, pull)},
    )  # fmt: skip


def dismiss(call: Call) -> dict[str, Any]:
    """`PUT …/pulls/{number}/reviews/{id}/dismissals`: an approval or a refusal counts no more."""
    pull, entry = _find(call)
    call.text("message")
    if entry["state"] not in ("APPROVED", "CHANGES_REQUESTED"):
        kind = entry["state"].lower()
        raise GitHubError(422, "Validation Failed", [f"Can not dismiss a {kind} pull request review"])
    return _changed(call, pull, entry, {"state": "DISMISSED"})


def update(call: Call) -> dict[str, Any]:
    """`PUT …/pulls/{number}/reviews/{id}`: another text."""
    _, entry = _find(call)
    changed = call.hub.store.change(
        call.full, "review", entry["id"], lambda known: {**known, "body": call.text("body")}
    )
    return _shape(call, changed or entry)


def _changed(call: Call, pull: Entry, entry: Entry, changes: dict[str, Any]) -> dict[str, Any]:
    changed = call.hub.store.change(call.full, "review", entry["id"], lambda known: {**known, **changes})
    assert changed is not None, "submitted reviews are never deleted"
    if changed["state"] == "DISMISSED":
        _tell(call, "dismissed", pull, changed)
    else:
        _after(call, pull, changed)
    return _shape(call, changed)


def delete(call: Call) -> dict[str, Any]:
    """`DELETE …/pulls/{number}/reviews/{id}`: only while it is pending."""
    _, entry = _find(call)
    if entry["state"] != "PENDING":
        raise GitHubError(422, "Unprocessable Entity", ["Can not delete a non-pending pull request review"])
    call.hub.store.remove(call.full, "review", entry["id"])
    return _shape(call, entry)


def comments(call: Call) -> Answer:
    """`GET …/pulls/{number}/comments`: remarks on lines, of which the sandbox keeps none."""
    _pull(call)
    return Answer([])


def _shape(call: Call, entry: Entry) -> dict[str, Any]:
    """A `pull-request-review`."""
    pull = f"{call.api}/pulls/{entry['issue']}"
    page = f"{call.hub.url}/{call.full}/pull/{entry['issue']}#pullrequestreview-{entry['id']}"
    made = {
        "id": entry["id"], "node_id": shapes.node_id("PullRequestReview", entry["id"]),
        "user": shapes.user(call.hub.url, entry["user"]), "body": entry["body"], "state": entry["state"],
        "html_url": page, "pull_request_url": pull, "author_association": "COLLABORATOR",
        "_links": {"html": {"href": page}, "pull_request": {"href": pull}}, "commit_id": entry["commit_id"],
    }  # fmt: skip
    return {**made, "submitted_at": entry["submitted_at"]} if entry["submitted_at"] else made


_REVIEWS = "/repos/{owner}/{repo}/pulls/{number:int}/reviews"
_ONE = _REVIEWS + "/{review:int}"
ROUTES: Routes = [
    ("GET", _REVIEWS, listed),
    ("POST", _REVIEWS, create),
    ("GET", _ONE, get),
    ("PUT", _ONE, update),
    ("DELETE", _ONE, delete),
    ("POST", _ONE + "/events", submit),
    ("PUT", _ONE + "/dismissals", dismiss),
    ("GET", "/repos/{owner}/{repo}/pulls/{number:int}/comments", comments),
]
