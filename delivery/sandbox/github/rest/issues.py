"""Routes of issues, their comments and labels; a pull request is an issue too.

Source: GitHub REST API, "REST API endpoints for issues" (https://docs.github.com/rest/issues),
"… for issue comments", "… for labels".
"""

from __future__ import annotations

import re
from typing import Any

from delivery.sandbox.github import pulls, shapes
from delivery.sandbox.github.call import Answer, Call, Routes
from delivery.sandbox.github.errors import invalid, not_found
from delivery.sandbox.github.issues import add, change, comment_shape, find, label_shape, shape
from delivery.sandbox.github.store import Entry


def listed(call: Call) -> Answer:
    """`GET …/issues?state=&labels=&creator=`, newest first."""
    wanted, labels = (
        call.query.get("state", "open"),
        set(filter(None, call.query.get("labels", "").split(","))),
    )
    found = [
        e
        for e in call.hub.store.all(call.full, "issue")[::-1]
        if wanted in ("all", e["state"])
        and labels <= set(e["labels"])
        and call.query.get("creator") in (None, e["user"])
    ]
    return call.listed(found, lambda entry: shape(call.hub, call.full, entry))


def create(call: Call) -> Answer:
    """`POST …/issues`."""
    about = {"title": call.text("title"), "body": call.body.get("body"), "labels": _names(call.body)}
    entry = add(call.hub, call.full, call.caller.login, about)
    shown = shape(call.hub, call.full, entry)
    call.hub.tell(call.full, "issues", call.caller.login, lambda: {"action": "opened", "issue": shown})
    return Answer(shown, 201)


def get(call: Call) -> dict[str, Any]:
    """`GET …/issues/{number}`."""
    return shape(call.hub, call.full, find(call.hub, call.full, call.path["number"]))


def update(call: Call) -> dict[str, Any]:
    """`PATCH …/issues/{number}`."""
    entry = find(call.hub, call.full, call.path["number"])
    changes: dict[str, Any] = {k: call.body[k] for k in ("title", "body", "assignees") if k in call.body}
    if "labels" in call.body:
        changes["labels"] = _names(call.body)
    state = call.body.get("state", entry["state"])
    if state not in ("open", "closed"):
        raise invalid("Issue", "state", code="invalid")
    if state != entry["state"] and "pull" not in entry:
        closing = state == "closed"
        changes |= {"state": state, "state_reason": call.body.get("state_reason") or "completed",
                    "closed_at": shapes.now() if closing else None,
                    "closed_by": call.caller.login if closing else None}  # fmt: skip
    return shape(call.hub, call.full, change(call.hub, call.full, entry, **changes))


def _names(body: Any) -> list[str]:
    """Labels as clients send them: a list, a list in `labels`, of names or of objects."""
    given = body.get("labels", []) if isinstance(body, dict) else body
    names = [label.get("name") if isinstance(label, dict) else label for label in given or []]
    if not all(isinstance(name, str) and name for name in names):
        raise invalid("Label", "name", code="invalid")
    return list(dict.fromkeys(map(str, names)))


def comments(call: Call) -> Answer:
    """`GET …/issues/{number}/comments`, oldest first."""
    number = str(find(call.hub, call.full, call.path["number"])["number"])
    found = call.hub.store.all(call.full, "comment", number)
    if since := call.query.get("since"):
        found = [entry for entry in found if entry["updated_at"] >= since]
    return call.listed(found, lambda entry: comment_shape(call.hub, call.full, entry))


def create_comment(call: Call) -> Answer:
    """`POST …/issues/{number}/comments`."""
    issue, body = find(call.hub, call.full, call.path["number"]), call.text("body")
    if not body.strip():
        raise invalid("IssueComment", "data", "Body cannot be blank", "unprocessable")
    moment = shapes.now()
    entry = {"issue": issue["number"], "body": body, "user": call.caller.login,
             "created_at": moment, "updated_at": moment}  # fmt: skip
    made = call.hub.store.add(call.full, "comment", entry, parent=str(issue["number"]))
    _tell(call, "created", made)
    return Answer(comment_shape(call.hub, call.full, made), 201)


def _comment(call: Call) -> Entry:
    found = call.hub.store.get(call.full, "comment", call.path["comment"])
    if found is None:
        raise not_found()
    return found


def get_comment(call: Call) -> dict[str, Any]:
    """`GET …/issues/comments/{id}`."""
    return comment_shape(call.hub, call.full, _comment(call))


def update_comment(call: Call) -> dict[str, Any]:
    """`PATCH …/issues/comments/{id}`."""
    before, changes = _comment(call), {"body": call.text("body"), "updated_at": shapes.now()}
    after = call.hub.store.change(call.full, "comment", before["id"], lambda known: {**known, **changes})
    if after is None:
        raise not_found()
    _tell(call, "edited", after, changes={"body": {"from": before["body"]}})
    return comment_shape(call.hub, call.full, after)


def delete_comment(call: Call) -> Answer:
    """`DELETE …/issues/comments/{id}`."""
    entry = _comment(call)
    call.hub.store.remove(call.full, "comment", entry["id"])
    _tell(call, "deleted", entry)
    return Answer(status=204)


def _tell(call: Call, action: str, entry: Entry, **more: Any) -> None:
    hub, full = call.hub, call.full
    hub.tell(
        full, "issue_comment", call.caller.login,
        lambda: {"action": action, **more, "comment": comment_shape(hub, full, entry),
                 "issue": shape(hub, full, find(hub, full, entry["issue"]))},
    )  # fmt: skip


def labels_of(call: Call) -> Answer:
    """`GET …/issues/{number}/labels`."""
    names = find(call.hub, call.full, call.path["number"])["labels"]
    return call.listed(names, lambda name: label_shape(call.hub, call.full, name))


def _set_labels(call: Call, names: list[str]) -> list[dict[str, Any]]:
    before = find(call.hub, call.full, call.path["number"])
    entry = change(call.hub, call.full, before, labels=list(dict.fromkeys(names)))
    for name in {*before["labels"]} ^ {*entry["labels"]}:
        _tell_label(call, "labeled" if name in entry["labels"] else "unlabeled", entry, name)
    return [label_shape(call.hub, call.full, name) for name in entry["labels"]]


def _tell_label(call: Call, action: str, entry: Entry, name: str) -> None:
    hub, full, login = call.hub, call.full, call.caller.login
    label = label_shape(hub, full, name)
    if "pull" in entry:
        pulls.tell(hub, full, login, action, entry, label=label)
        return
    hub.tell(
        full, "issues", login, lambda: {"action": action, "label": label, "issue": shape(hub, full, entry)}
    )


def add_labels(call: Call) -> list[dict[str, Any]]:
    """`POST …/issues/{number}/labels`; a name that is new becomes a label."""
    return _set_labels(call, [*find(call.hub, call.full, call.path["number"])["labels"], *_names(call.body)])


def set_labels(call: Call) -> list[dict[str, Any]]:
    """`PUT …/issues/{number}/labels`."""
    return _set_labels(call, _names(call.body))


def clear_labels(call: Call) -> Answer:
    """`DELETE …/issues/{number}/labels`."""
    _set_labels(call, [])
    return Answer(status=204)


def remove_label(call: Call) -> list[dict[str, Any]]:
    """`DELETE …/issues/{number}/labels/{name}`."""
    names = find(call.hub, call.full, call.path["number"])["labels"]
    if call.path["name"] not in names:
        raise not_found("Label does not exist")
    return _set_labels(call, [name for name in names if name != call.path["name"]])


def labels(call: Call) -> Answer:
    """`GET …/labels`."""
    found = call.hub.store.all(call.full, "label")
    return call.listed(found, lambda entry: label_shape(call.hub, call.full, entry["name"]))


def label(call: Call) -> dict[str, Any]:
    """`GET …/labels/{name}`."""
    return label_shape(call.hub, call.full, _label(call)["name"])


def _label(call: Call) -> Entry:
    for entry in call.hub.store.all(call.full, "label"):
        if entry["name"].lower() == call.path["name"].lower():
            return entry
    raise not_found()


def create_label(call: Call) -> Answer:
    """`POST …/labels`."""
    name, color = call.text("name"), call.text("color", "ededed")
    if not re.fullmatch(r"[0-9a-fA-F]{6}", color):
        raise invalid("Label", "color", code="invalid")
    with call.hub.store.transaction():
        if any(e["name"].lower() == name.lower() for e in call.hub.store.all(call.full, "label")):
            raise invalid("Label", "name", code="already_exists")
        about = {"name": name, "color": color, "description": call.body.get("description")}
        call.hub.store.add(call.full, "label", about)
    return Answer(label_shape(call.hub, call.full, name), 201)


def delete_label(call: Call) -> Answer:
    """`DELETE …/labels/{name}`."""
    call.hub.store.remove(call.full, "label", _label(call)["id"])
    return Answer(status=204)


_REPO = "/repos/{owner}/{repo}"
_ONE = _REPO + "/issues/{number:int}"
ROUTES: Routes = [
    ("GET", _REPO + "/issues", listed),
    ("POST", _REPO + "/issues", create),
    ("GET", _REPO + "/issues/comments/{comment:int}", get_comment),
    ("PATCH", _REPO + "/issues/comments/{comment:int}", update_comment),
    ("DELETE", _REPO + "/issues/comments/{comment:int}", delete_comment),
    ("GET", _ONE, get),
    ("PATCH", _ONE, update),
    ("GET", _ONE + "/comments", comments),
    ("POST", _ONE + "/comments", create_comment),
    ("GET", _ONE + "/labels", labels_of),
    ("POST", _ONE + "/labels", add_labels),
    ("PUT", _ONE + "/labels", set_labels),
    ("DELETE", _ONE + "/labels", clear_labels),
    ("DELETE", _ONE + "/labels/{name:path}", remove_label),
    ("GET", _REPO + "/labels", labels),
    ("POST", _REPO + "/labels", create_label),
    ("GET", _REPO + "/labels/{name:path}", label),
    ("DELETE", _REPO + "/labels/{name:path}", delete_label),
]
