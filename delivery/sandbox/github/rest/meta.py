"""What belongs to no repository: who one is, and how many requests are left.

Source: GitHub REST API, "REST API endpoints for users", "… for rate limits", "… for meta data".
"""

from __future__ import annotations

from typing import Any

from delivery.sandbox.github import shapes
from delivery.sandbox.github.call import Answer, Call, Routes
from delivery.sandbox.github.errors import GitHubError, not_found


def root(call: Call) -> dict[str, Any]:
    """`GET /`: where things are."""
    names = {"current_user_url": "/user", "rate_limit_url": "/rate_limit",
             "repository_url": "/repos/{owner}/{repo}", "user_url": "/users/{user}"}  # fmt: skip
    return {name: call.hub.url + path for name, path in names.items()}


def me(call: Call) -> Answer:
    """`GET /user`."""
    if not call.caller.login:
        raise GitHubError(401, "Requires authentication")
    if call.caller.is_app:
        raise GitHubError(403, "Resource not accessible by integration")
    return Answer(_public(call, call.caller.login), headers={"X-OAuth-Scopes": "repo"})


def user(call: Call) -> dict[str, Any]:
    """`GET /users/{username}`. Everybody exists."""
    return _public(call, call.path["login"])


def _public(call: Call, login: str) -> dict[str, Any]:
    began = "2020-01-01T00:00:00Z"
    return {
        **shapes.user(call.hub.url, login), "name": login, "company": None, "blog": None, "location": None,
        "email": None, "hireable": None, "bio": None, "twitter_username": None, "public_repos": 0,
        "public_gists": 0, "followers": 0, "following": 0, "created_at": began, "updated_at": began,
    }  # fmt: skip


def organization(call: Call) -> dict[str, Any]:
    """`GET /orgs/{org}`: an organization is whoever owns a repository."""
    login = call.path["login"]
    if not (call.hub.directory / login).is_dir():
        raise not_found()
    api = f"{call.hub.url}/orgs/{login}"
    account = shapes.user(call.hub.url, login, "Organization")
    links = {f"{what}_url": f"{api}/{what}" for what in ("repos", "events", "hooks", "issues")}
    members = {f"{what}_url": f"{api}/{what}{{/member}}" for what in ("members", "public_members")}
    began = "2020-01-01T00:00:00Z"
    kept = {k: account[k] for k in ("login", "id", "node_id", "avatar_url", "html_url", "type")}
    return {
        **kept, "url": api, **links, **members, "description": None, "has_organization_projects": False,
        "has_repository_projects": False, "public_repos": 0, "public_gists": 0, "followers": 0,
        "following": 0, "created_at": began, "updated_at": began, "archived_at": None,
    }  # fmt: skip


ROUTES: Routes = [
    ("GET", "/", root),
    ("GET", "/user", me),
    ("GET", "/users/{login}", user),
    ("GET", "/orgs/{login}", organization),
]
