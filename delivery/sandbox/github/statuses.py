"""Commit statuses, and what those of one commit come to.

Source: GitHub REST API, "REST API endpoints for commit statuses"
(https://docs.github.com/rest/commits/statuses).
"""

from __future__ import annotations

from typing import Any

from delivery.sandbox.github import shapes
from delivery.sandbox.github.hub import Hub
from delivery.sandbox.github.store import Entry

STATES = ("error", "failure", "pending", "success")
#: Characters of a description, and statuses of one commit and context.
LONGEST, MOST = 140, 1000


def newest(entries: list[Entry]) -> list[Entry]:
    """The last status of each context, in the order of their first."""
    return list({entry["context"]: entry for entry in entries}.values())


def verdict(states: set[str]) -> str:
    """What the states of all contexts come to: one failure fails; none at all is pending."""
    if states & {"error", "failure"}:
        return "failure"
    return "success" if states == {"success"} else "pending"


def shape(hub: Hub, full: str, sha: str, entry: Entry, creator: bool = True) -> dict[str, Any]:
    """A `status`; inside a combined one GitHub leaves the creator out."""
    who = shapes.user(hub.url, entry["creator"])
    made = {
        "url": f"{hub.url}/repos/{full}/statuses/{sha}", "avatar_url": who["avatar_url"], "id": entry["id"],
        "node_id": shapes.node_id("StatusContext", entry["id"]), "state": entry["state"],
        "description": entry["description"], "target_url": entry["target_url"], "context": entry["context"],
        "created_at": entry["created_at"], "updated_at": entry["updated_at"],
    }  # fmt: skip
    return {**made, "creator": who} if creator else {**made, "required": None}


def combined(hub: Hub, full: str, sha: str) -> dict[str, Any]:
    """State and newest statuses of a commit."""
    found = newest(hub.store.all(full, "status", sha))
    return {
        "state": verdict({entry["state"] for entry in found}),
        "statuses": [shape(hub, full, sha, entry, creator=False) for entry in found],
    }
