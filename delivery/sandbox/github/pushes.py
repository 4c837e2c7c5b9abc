"""What follows when references have moved: the `push` event, and pull requests that move along.

Source: GitHub Docs, "Webhook events and payloads", `push`, `create`, `delete`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from delivery.sandbox.github import pulls, shapes
from delivery.sandbox.github.hub import Hub
from delivery.sandbox.github.repository import NOBODY, Repository

#: References that one push may move and still be told event by event; commits of one event.
MOST_REFS, MOST_COMMITS = 3, 2048
Move = tuple[str, str, str]


def moved(hub: Hub, full: str, login: str, moves: Sequence[Move]) -> None:
    """Tell everybody that these references (old sha, new sha, full name) have moved."""
    if not moves:
        return
    hub.change(full, pushed_at=shapes.now())
    for old, new, ref in moves:
        if len(moves) <= MOST_REFS:
            _told(hub, full, login, old, new, ref)
        if ref.startswith("refs/heads/"):
            pulls.follow(hub, full, login, ref.removeprefix("refs/heads/"), new)


def _told(hub: Hub, full: str, login: str, old: str, new: str, ref: str) -> None:
    repo = hub.repository(full)
    hub.tell(full, "push", login, lambda: payload(hub, repo, full, login, old, new, ref))
    if NOBODY in (old, new):
        kind = "branch" if ref.startswith("refs/heads/") else "tag"
        told: dict[str, Any] = {"ref": ref.split("/", 2)[-1], "ref_type": kind, "pusher_type": "user"}
        if old == NOBODY:
            told |= {"master_branch": repo.default_branch(), "description": None}
        hub.tell(full, "create" if old == NOBODY else "delete", login, lambda: told)


def payload(
    hub: Hub, repo: Repository, full: str, login: str, old: str, new: str, ref: str
) -> dict[str, Any]:
    """A `push` event without repository and sender."""
    created, deleted = old == NOBODY, new == NOBODY
    url = f"{hub.url}/{full}"
    fresh = [] if deleted else _fresh(repo, "" if created else old, new, ref)
    forced = not created and not deleted and not repo.contains(new, old)
    last = None if deleted else repo.log(new, 1)[0]
    span = f"commit/{new[:12]}" if created else f"compare/{old[:12]}...{new[:12]}"
    return {
        "ref": ref, "before": old, "after": new, "created": created, "deleted": deleted, "forced": forced,
        "base_ref": None, "compare": f"{url}/{span}",
        "commits": [_commit(repo, url, entry) for entry in fresh],
        "head_commit": _commit(repo, url, last) if last else None,
        "pusher": {"name": login, "email": f"{login}@users.noreply.github.com"},
    }  # fmt: skip


def _fresh(repo: Repository, old: str, new: str, ref: str) -> list[dict[str, Any]]:
    """The commits this push brought, oldest first; of a new branch, those that no other branch has."""
    if not ref.startswith("refs/heads/"):
        return []
    others = [] if old else [f"--exclude={ref.removeprefix('refs/heads/')}", "--not", "--branches", "--not"]
    return repo.log(new, MOST_COMMITS, without=old, more=["--reverse", *others])


def _commit(repo: Repository, url: str, entry: dict[str, Any]) -> dict[str, Any]:
    changed = repo.files(entry["sha"])
    names = {word: [f["filename"] for f in changed if f["status"] == word] for word in ("added", "removed")}
    rest = [f["filename"] for f in changed if f["status"] not in ("added", "removed")]
    people = {
        role: {**{k: v for k, v in entry[role].items() if k != "date"}, "username": None}
        for role in ("author", "committer")
    }
    return {
        "id": entry["sha"], "tree_id": entry["tree"], "distinct": True, "message": entry["message"],
        "timestamp": shapes.in_utc(entry["committer"]["date"]), "url": f"{url}/commit/{entry['sha']}",
        **people, **names, "modified": rest,
    }  # fmt: skip
