"""Routes of repositories, their collaborators, and the protection of branches.

Source: GitHub REST API, "REST API endpoints for repositories" (https://docs.github.com/rest/repos/repos),
"… for collaborators", "… for protected branches".
"""

from __future__ import annotations

import shutil
from typing import Any

from delivery.sandbox.github import pushes, shapes
from delivery.sandbox.github.call import Answer, Call, Routes
from delivery.sandbox.github.errors import GitHubError, invalid, not_found
from delivery.sandbox.github.hub import NAME
from delivery.sandbox.github.repository import EMPTY_TREE, NOBODY, create_repository
from delivery.sandbox.github.rest import commits
from delivery.sandbox.github.writing import Author, blob, commit, move, tree_with


def get(call: Call) -> dict[str, Any]:
    """`GET /repos/{owner}/{repo}`."""
    return call.hub.shape(call.full)


def create(call: Call) -> Answer:
    """`POST /user/repos` and `POST /orgs/{org}/repos`."""
    owner, name = call.path.get("org") or call.caller.login, call.text("name")
    full = f"{owner}/{name}"
    if not NAME.fullmatch(full):
        raise invalid("Repository", "name", code="invalid")
    if (call.hub.directory / f"{full}.git").exists():
        raise GitHubError(
            422, "Repository creation failed.",
            [{"resource": "Repository", "code": "custom", "field": "name",
              "message": "name already exists on this account"}],
        )  # fmt: skip
    create_repository(call.hub.directory, full)
    call.hub.register(
        full, private=call.flag("private", False), description=call.body.get("description"),
        owner_type="Organization" if call.path.get("org") else "User",
    )  # fmt: skip
    if call.flag("auto_init", False):
        _initial_commit(call, full, name)
    return Answer(call.hub.shape(full), 201)


def _initial_commit(call: Call, full: str, name: str) -> None:
    repo = call.hub.repository(full)
    repo.git("hash-object", "-t", "tree", "-w", "--stdin")
    tree = tree_with(repo, EMPTY_TREE, {"README.md": ("100644", blob(repo, f"# {name}\n".encode()))})
    author = Author(call.caller.login, f"{call.caller.login}@users.noreply.github.com")
    sha = commit(repo, tree, [], "Initial commit", author)
    move(repo, "refs/heads/main", sha, NOBODY)
    pushes.moved(call.hub, full, call.caller.login, [(NOBODY, sha, "refs/heads/main")])


def update(call: Call) -> dict[str, Any]:
    """`PATCH /repos/{owner}/{repo}`: description, privacy, default branch."""
    changes = {k: call.body[k] for k in ("description", "private") if k in call.body}
    branch = call.body.get("default_branch")
    if branch is not None:
        if branch not in call.repo.branches():
            message = f"The branch {branch} was not found. Please push that ref first."
            raise invalid("Repository", "default_branch", message, "invalid")
        call.repo.git("symbolic-ref", "HEAD", f"refs/heads/{branch}")
    call.hub.change(call.full, updated_at=shapes.now(), **changes)
    return call.hub.shape(call.full)


def delete(call: Call) -> Answer:
    """`DELETE /repos/{owner}/{repo}`."""
    call.hub.forget(call.full)
    shutil.rmtree(call.repo.path)
    return Answer(status=204)


def listed(call: Call) -> Answer:
    """`GET /user/repos`, `/users/{user}/repos`, `/orgs/{org}/repos`: those that the caller may see."""
    owner = call.path.get("org") or call.path.get("login") or "*"
    if owner == "*" and not call.caller.login:
        raise GitHubError(401, "Requires authentication")
    found = sorted(call.hub.directory.glob(f"{owner}/*.git") if "/" not in owner else [])
    names = [f"{path.parent.name}/{path.name.removesuffix('.git')}" for path in found]
    seen = [name for name in names if call.caller.login or not call.hub.is_private(name)]
    return call.listed(seen, call.hub.shape)


def collaborators(call: Call) -> list[dict[str, Any]]:
    """`GET …/collaborators`: the caller, who may do everything."""
    rights = {"admin": True, "maintain": True, "push": True, "triage": True, "pull": True}
    if not call.caller.login:
        raise GitHubError(401, "Requires authentication")
    return [{**call.user, "permissions": rights, "role_name": "admin"}]


def is_collaborator(call: Call) -> Answer:
    """`GET …/collaborators/{username}`."""
    return Answer(status=204)


def permission(call: Call) -> dict[str, Any]:
    """`GET …/collaborators/{username}/permission`: everybody with a token may write, so all are admins."""
    rights = {"admin": True, "maintain": True, "push": True, "triage": True, "pull": True}
    user = {**shapes.user(call.hub.url, call.path["login"]), "permissions": rights, "role_name": "admin"}
    return {"permission": "admin", "role_name": "admin", "user": user}


def protect(call: Call) -> dict[str, Any]:
    """`PUT …/branches/{branch}/protection`: no deletion, and no force pushes unless they are allowed."""
    branch = _branch(call)
    store = call.hub.store
    force = bool(call.body.get("allow_force_pushes"))
    with store.transaction():
        for known in store.all(call.full, "protection", branch):
            store.remove(call.full, "protection", known["id"])
        store.add(
            call.full, "protection", {"branch": branch, "allow_force_pushes": {"enabled": force}}, branch
        )
    return protection(call)


def protection(call: Call) -> dict[str, Any]:
    """`GET …/branches/{branch}/protection`."""
    branch = _branch(call)
    found = call.hub.store.all(call.full, "protection", branch)
    if not found:
        raise not_found("Branch not protected")
    url = f"{call.api}/branches/{branch}/protection"
    return {
        "url": url, "allow_force_pushes": found[0]["allow_force_pushes"],
        "allow_deletions": {"enabled": False},
        "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": True},
    }  # fmt: skip


def unprotect(call: Call) -> Answer:
    """`DELETE …/branches/{branch}/protection`."""
    found = call.hub.store.all(call.full, "protection", _branch(call))
    if not found:
        raise not_found("Branch not protected")
    call.hub.store.remove(call.full, "protection", found[0]["id"])
    return Answer(status=204)


def _branch(call: Call) -> str:
    branch = str(call.path["branch"])
    if branch not in call.repo.branches():
        raise not_found("Branch not found")
    return branch


_REPO = "/repos/{owner}/{repo}"
_PROTECTION = _REPO + "/branches/{branch:path}/protection"
ROUTES: Routes = [
    ("GET", _PROTECTION, protection),
    ("PUT", _PROTECTION, protect),
    ("DELETE", _PROTECTION, unprotect),
    *commits.BRANCH,
    ("GET", _REPO + "/collaborators", collaborators),
    ("GET", _REPO + "/collaborators/{login}", is_collaborator),
    ("GET", _REPO + "/collaborators/{login}/permission", permission),
    ("GET", _REPO, get),
    ("PATCH", _REPO, update),
    ("DELETE", _REPO, delete),
    ("POST", "/user/repos", create),
    ("POST", "/orgs/{org}/repos", create),
    ("GET", "/user/repos", listed),
    ("GET", "/users/{login}/repos", listed),
    ("GET", "/orgs/{org}/repos", listed),
]
