"""GitHub's JSON for what appears everywhere: users, repositories, commits, files."""

from __future__ import annotations

import base64
import zlib
from datetime import UTC, datetime
from typing import Any

from delivery.sandbox.clock import CLOCK

#: What GitHub says of a signature that is not there.
UNSIGNED = {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}


def now() -> str:
    """The moment in GitHub's format."""
    return CLOCK.utcnow().strftime("%Y-%m-%dT%H:%M:%SZ")


def in_utc(moment: str) -> str:
    """A moment of git's (ISO 8601, any offset) in GitHub's format."""
    return datetime.fromisoformat(moment).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_stamp(stamp: str) -> str:
    """A moment of git's inner form, `<seconds> <offset>`, as ISO 8601."""
    return datetime.fromtimestamp(int(stamp.split(" ")[0]), UTC).isoformat()


def to_stamp(moment: str) -> str:
    """The other way round."""
    return f"{int(datetime.fromisoformat(moment).timestamp())} +0000"


def reactions(url: str) -> dict[str, Any]:
    """Nobody reacts to anything here."""
    kinds = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
    return {"url": f"{url}/reactions", "total_count": 0, **dict.fromkeys(kinds, 0)}


def node_id(kind: str, number: int | str) -> str:
    """An opaque id of the kind that GraphQL uses."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def user(url: str, login: str, kind: str = "User") -> dict[str, Any]:
    """A `simple-user`. Its number follows from its login, so nobody has to register it."""
    api, number = f"{url}/users/{login}", zlib.crc32(login.encode()) or 1
    return {
        "login": login, "id": number, "node_id": node_id(kind, number), "gravatar_id": "",
        "avatar_url": f"{url}/avatars/{number}", "url": api, "html_url": f"{url}/{login}",
        "followers_url": f"{api}/followers", "following_url": f"{api}/following{{/other_user}}",
        "gists_url": f"{api}/gists{{/gist_id}}", "starred_url": f"{api}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{api}/subscriptions", "organizations_url": f"{api}/orgs",
        "repos_url": f"{api}/repos", "events_url": f"{api}/events{{/privacy}}",
        "received_events_url": f"{api}/received_events", "type": kind, "user_view_type": "public",
        "site_admin": False,
    }  # fmt: skip


_LINKS = {
    "archive_url": "/{archive_format}{/ref}", "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}", "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}", "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}", "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}", "contributors_url": "/contributors",
    "deployments_url": "/deployments", "downloads_url": "/downloads", "events_url": "/events",
    "forks_url": "/forks", "git_commits_url": "/git/commits{/sha}", "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}", "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}", "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}", "keys_url": "/keys{/key_id}", "labels_url": "/labels{/name}",
    "languages_url": "/languages", "merges_url": "/merges", "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}", "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}", "stargazers_url": "/stargazers", "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers", "subscription_url": "/subscription", "tags_url": "/tags",
    "teams_url": "/teams", "trees_url": "/git/trees{/sha}",
}  # fmt: skip


def repository(url: str, full: str, about: dict[str, Any], default_branch: str) -> dict[str, Any]:
    """A `full-repository`."""
    owner, name = full.split("/")
    api, page = f"{url}/repos/{full}", f"{url}/{full}"
    return {
        "id": about["id"], "node_id": node_id("Repository", about["id"]), "name": name, "full_name": full,
        "owner": user(url, owner, about.get("owner_type", "Organization")), "private": about["private"],
        "visibility": "private" if about["private"] else "public", "html_url": page, "url": api,
        "description": about.get("description"), "fork": False, "homepage": None, "language": None,
        "default_branch": default_branch, "clone_url": f"{page}.git", "git_url": f"{page}.git",
        "ssh_url": f"{page}.git", "svn_url": page, "mirror_url": None, "topics": [], "license": None,
        "created_at": about["created_at"], "updated_at": about["updated_at"], "pushed_at": about["pushed_at"],
        "size": 0, "forks": 0, "forks_count": 0, "stargazers_count": 0, "watchers": 0, "watchers_count": 0,
        "subscribers_count": 0, "network_count": 0, "open_issues": 0, "open_issues_count": 0,
        "has_issues": True, "has_projects": False, "has_wiki": False, "has_pages": False,
        "has_downloads": False, "has_discussions": False, "has_pull_requests": True, "archived": False,
        "disabled": False, "is_template": False, "allow_forking": True, "allow_merge_commit": True,
        "allow_squash_merge": True, "allow_rebase_merge": True, "allow_auto_merge": False,
        "delete_branch_on_merge": False, "web_commit_signoff_required": False,
        "permissions": {"admin": True, "maintain": True, "push": True, "triage": True, "pull": True},
        **{name: api + path for name, path in _LINKS.items()},
    }  # fmt: skip


def git_commit(url: str, full: str, entry: dict[str, Any]) -> dict[str, Any]:
    """The `commit` inside a commit: what git itself knows of it."""
    api = f"{url}/repos/{full}"
    return {
        "author": {**entry["author"], "date": in_utc(entry["author"]["date"])},
        "committer": {**entry["committer"], "date": in_utc(entry["committer"]["date"])},
        "message": entry["message"],
        "tree": {"sha": entry["tree"], "url": f"{api}/git/trees/{entry['tree']}"},
        "url": f"{api}/git/commits/{entry['sha']}", "comment_count": 0,
        "verification": UNSIGNED,
    }  # fmt: skip


def commit(url: str, full: str, entry: dict[str, Any]) -> dict[str, Any]:
    """A `commit`. Its author has no account here, for no address was ever confirmed: null, as GitHub says."""
    api, page, sha = f"{url}/repos/{full}", f"{url}/{full}", entry["sha"]
    return {
        "sha": sha, "node_id": node_id("Commit", sha), "url": f"{api}/commits/{sha}",
        "html_url": f"{page}/commit/{sha}", "comments_url": f"{api}/commits/{sha}/comments",
        "commit": git_commit(url, full, entry), "author": None, "committer": None,
        "parents": [
            {"sha": p, "url": f"{api}/commits/{p}", "html_url": f"{page}/commit/{p}"}
            for p in entry["parents"]
        ],
    }  # fmt: skip


def files(url: str, full: str, sha: str, changed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The `diff-entry` of each changed file. A binary file has no patch."""
    return [
        {
            **{k: v for k, v in entry.items() if v is not None},
            "blob_url": f"{url}/{full}/blob/{sha}/{entry['filename']}",
            "raw_url": f"{url}/{full}/raw/{sha}/{entry['filename']}",
            "contents_url": f"{url}/repos/{full}/contents/{entry['filename']}?ref={sha}",
        }
        for entry in changed
    ]
