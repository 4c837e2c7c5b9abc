"""Issues, which pull requests are too: one row of numbers for both.

Source: GitHub REST API, "REST API endpoints for issues".
"""

from __future__ import annotations

from typing import Any

from delivery.sandbox.github import shapes
from delivery.sandbox.github.errors import not_found
from delivery.sandbox.github.hub import Hub
from delivery.sandbox.github.store import Entry


def find(hub: Hub, full: str, number: int, pull: bool = False) -> Entry:
    """The issue of this number, or the pull request; 404 when there is none."""
    found = hub.store.all(full, "issue", str(number))
    if not found or (pull and "pull" not in found[0]):
        raise not_found()
    return found[0]


def add(hub: Hub, full: str, login: str, body: dict[str, Any]) -> Entry:
    """A new one, with the next number."""
    moment = shapes.now()
    with hub.store.transaction():
        number = len(hub.store.all(full, "issue")) + 1
        entry = {
            "number": number, "user": login, "state": "open", "state_reason": None, "locked": False,
            "labels": [], "assignees": [], "created_at": moment, "updated_at": moment, "closed_at": None,
            "closed_by": None, **body,
        }  # fmt: skip
        return hub.store.add(full, "issue", entry, parent=str(number))


def change(hub: Hub, full: str, entry: Entry, **changes: Any) -> Entry:
    """Set some of its fields; it as it is then."""
    stamped = {"updated_at": shapes.now(), **changes}
    changed = hub.store.change(full, "issue", entry["id"], lambda known: {**known, **stamped})
    if changed is None:
        raise not_found()
    return changed


def label_shape(hub: Hub, full: str, name: str) -> dict[str, Any]:
    """A label; one that nobody described is GitHub's grey."""
    known = next((e for e in hub.store.all(full, "label") if e["name"].lower() == name.lower()), None)
    if known is None:
        known = hub.store.add(full, "label", {"name": name, "color": "ededed", "description": None})
    return {
        "id": known["id"], "node_id": shapes.node_id("Label", known["id"]), "name": known["name"],
        "url": f"{hub.url}/repos/{full}/labels/{known['name']}", "color": known["color"], "default": False,
        "description": known["description"], "archived_at": None, "archived_by": None,
    }  # fmt: skip


def common(hub: Hub, full: str, entry: Entry) -> dict[str, Any]:
    """What an issue and a pull request show alike."""
    people = [shapes.user(hub.url, login) for login in entry["assignees"]]
    return {
        "id": entry["id"], "number": entry["number"], "title": entry["title"], "body": entry.get("body"),
        "user": shapes.user(hub.url, entry["user"]), "state": entry["state"], "locked": entry["locked"],
        "active_lock_reason": None, "labels": [label_shape(hub, full, name) for name in entry["labels"]],
        "assignee": people[0] if people else None, "assignees": people, "milestone": None,
        "created_at": entry["created_at"], "updated_at": entry["updated_at"],
        "closed_at": entry["closed_at"], "author_association": "OWNER",
    }  # fmt: skip


def shape(hub: Hub, full: str, entry: Entry) -> dict[str, Any]:
    """An `issue`."""
    api = f"{hub.url}/repos/{full}"
    url, kind = f"{api}/issues/{entry['number']}", "pull" if "pull" in entry else "issues"
    page = f"{hub.url}/{full}/{kind}/{entry['number']}"
    closer = entry["closed_by"]
    made = {
        **common(hub, full, entry), "node_id": shapes.node_id("Issue", entry["id"]), "url": url,
        "repository_url": api, "labels_url": f"{url}/labels{{/name}}", "comments_url": f"{url}/comments",
        "events_url": f"{url}/events", "html_url": page, "timeline_url": f"{url}/timeline",
        "comments": len(hub.store.all(full, "comment", str(entry["number"]))),
        "state_reason": entry["state_reason"],
        "closed_by": shapes.user(hub.url, closer) if closer else None, "performed_via_github_app": None,
        "reactions": shapes.reactions(url),
    }  # fmt: skip
    if "pull" in entry:
        pull = f"{api}/pulls/{entry['number']}"
        made["pull_request"] = {
            "url": pull, "html_url": page, "diff_url": f"{page}.diff", "patch_url": f"{page}.patch",
            "merged_at": entry["pull"]["merged_at"],
        }  # fmt: skip
        made["draft"] = entry["pull"]["draft"]
    return made


def comment_shape(hub: Hub, full: str, entry: Entry) -> dict[str, Any]:
    """An `issue-comment`."""
    api, number = f"{hub.url}/repos/{full}", entry["issue"]
    url = f"{api}/issues/comments/{entry['id']}"
    return {
        "id": entry["id"], "node_id": shapes.node_id("IssueComment", entry["id"]),
        "url": url, "issue_url": f"{api}/issues/{number}", "reactions": shapes.reactions(url),
        "html_url": f"{hub.url}/{full}/issues/{number}#issuecomment-{entry['id']}", "body": entry["body"],
        "user": shapes.user(hub.url, entry["user"]), "created_at": entry["created_at"],
        "updated_at": entry["updated_at"], "author_association": "OWNER", "performed_via_github_app": None,
    }  # fmt: skip
