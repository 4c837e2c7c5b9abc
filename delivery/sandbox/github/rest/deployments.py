"""Routes of deployments, their statuses and environments.

Source: GitHub REST API, "REST API endpoints for deployments"
(https://docs.github.com/rest/deployments/deployments), "… for deployment statuses", "… for environments".
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from delivery.sandbox.github import pushes, shapes
from delivery.sandbox.github.call import Answer, Call, Routes
from delivery.sandbox.github.errors import GitHubError, invalid, not_found, not_supplied
from delivery.sandbox.github.store import Entry
from delivery.sandbox.github.writing import Author, Conflict, commit, merged_tree, move

STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")
_TEXT = 140
_ACTIVE = "We cannot delete an active deployment unless it is the only deployment in a given repository."


def create(call: Call) -> Answer:
    """`POST …/deployments`: refused while the ref has statuses that are no success."""
    ref = call.text("ref", resource="Deployment")
    if len(call.body.get("description") or "") > _TEXT:
        message = f"description is too long (maximum is {_TEXT} characters)"
        raise invalid("Deployment", "description", message)
    sha = call.repo.find(ref)
    if sha is None:
        raise GitHubError(422, f"No ref found for: {ref}")
    if call.flag("auto_merge", True) and (merged := _auto_merged(call, ref, sha)):
        return merged
    _require_contexts(call, ref, sha)
    moment, environment = shapes.now(), call.text("environment", "production")
    entry = call.hub.store.add(
        call.full,
        "deployment",
        {
            "sha": sha, "ref": ref, "task": call.text("task", "deploy"),
            "payload": call.body.get("payload", {}), "description": call.body.get("description"),
            "original_environment": environment, "environment": environment, "creator": call.caller.login,
            "transient_environment": call.flag("transient_environment", False),
            "production_environment": call.flag("production_environment", environment == "production"),
            "created_at": moment, "updated_at": moment,
        },
    )  # fmt: skip
    _know_environment(call, environment)
    shown = shape(call, entry)
    told = {"action": "created", "deployment": shown, "workflow": None, "workflow_run": None}
    call.hub.tell(call.full, "deployment", call.caller.login, lambda: told)
    return Answer(shown, 201)


def _auto_merged(call: Call, ref: str, sha: str) -> Answer | None:
    """A branch behind the default branch gets that merged into it, instead of a deployment."""
    repo = call.repo
    default = repo.default_branch()
    main = repo.branches().get(default)
    if ref == default or main is None or ref not in repo.branches() or repo.contains(sha, main):
        return None
    try:
        tree = merged_tree(repo, sha, main)
    except Conflict:
        raise GitHubError(409, f"Conflict merging {default} into {ref}.") from None
    author = Author(call.caller.login, f"{call.caller.login}@users.noreply.github.com")
    new = commit(repo, tree, [sha, main], f"Merge branch '{default}' into {ref}", author)
    move(repo, f"refs/heads/{ref}", new, sha)
    pushes.moved(call.hub, call.full, call.caller.login, [(sha, new, f"refs/heads/{ref}")])
    return Answer({"message": f"Auto-merged {default} into {ref} on deployment."}, 202)


def _require_contexts(call: Call, ref: str, sha: str) -> None:
    """409 unless every required context is a success; required are those that exist, if nobody says which."""
    wanted = call.body.get("required_contexts")
    if wanted is not None and not isinstance(wanted, list):
        raise invalid("Deployment", "required_contexts", code="invalid")
    known = {e["context"]: e["state"] for e in call.hub.store.all(call.full, "status", sha)}
    states = known if wanted is None else {context: known.get(context, "pending") for context in wanted}
    if any(state != "success" for state in states.values()):
        contexts = [{"context": context, "state": state} for context, state in states.items()]
        error = {
            "contexts": contexts, "resource": "Deployment", "field": "required_contexts", "code": "invalid",
        }  # fmt: skip
        raise GitHubError(409, f"Conflict: Commit status checks failed for {ref}.", [error])


def _find(call: Call) -> Entry:
    found = call.hub.store.get(call.full, "deployment", call.path["number"])
    if found is None:
        raise not_found()
    return found


def shape(call: Call, entry: Entry) -> dict[str, Any]:
    """A `deployment`."""
    url = f"{call.api}/deployments/{entry['id']}"
    return {
        **entry, "node_id": shapes.node_id("Deployment", entry["id"]), "url": url,
        "statuses_url": f"{url}/statuses", "repository_url": call.api, "performed_via_github_app": None,
        "creator": shapes.user(call.hub.url, entry["creator"]),
    }  # fmt: skip


def listed(call: Call) -> Answer:
    """`GET …/deployments?sha=&ref=&task=&environment=`, newest first."""
    wanted = {
        k: v for k, v in call.query.items() if k in ("sha", "ref", "task", "environment") and v != "none"
    }
    found = [d for d in call.hub.store.all(call.full, "deployment") if wanted.items() <= _names(d).items()]
    return call.listed(found[::-1], lambda entry: shape(call, entry))


def _names(entry: Entry) -> dict[str, str]:
    return {k: entry[k] for k in ("sha", "ref", "task", "environment")}


def one(call: Call) -> dict[str, Any]:
    """`GET …/deployments/{id}`."""
    return shape(call, _find(call))


def delete(call: Call) -> Answer:
    """`DELETE …/deployments/{id}`: an active one only if it is the repository's last."""
    entry, store = _find(call), call.hub.store
    with store.transaction():
        alone = len(store.all(call.full, "deployment")) == 1
        if not alone and _state(call, entry) != "inactive":
            raise GitHubError(422, _ACTIVE)
        store.remove(call.full, "deployment", entry["id"])
    return Answer(status=204)


def _state(call: Call, entry: Entry) -> str:
    """The state of a deployment's newest status; pending before the first."""
    found = call.hub.store.all(call.full, "deployment_status", str(entry["id"]))
    return str(found[-1]["state"]) if found else "pending"


def create_status(call: Call) -> Answer:
    """`POST …/deployments/{id}/statuses`. A success makes older deployments of the environment inactive."""
    if "state" not in call.body:
        raise not_supplied("state")
    if call.body["state"] not in STATES:
        raise invalid("DeploymentStatus", "state", "state is not included in the list")
    if len(call.body.get("description") or "") > _TEXT:
        message = f"description is too long (maximum is {_TEXT} characters)"
        raise invalid("DeploymentStatus", "description", message)
    deployment, store = _find(call), call.hub.store
    environment = call.text("environment", deployment["environment"])
    target = call.body.get("log_url") or call.body.get("target_url") or ""
    with store.transaction():
        made = _add_status(call, deployment, {
            "state": call.body["state"], "description": call.body.get("description") or "",
            "environment": environment, "target_url": target, "log_url": target,
            "environment_url": call.body.get("environment_url") or "",
        })  # fmt: skip
        quieted = _inactive(call, deployment, environment) if _quiets(call) else []
    for other, status in [(deployment, made), *quieted]:
        _tell_status(call, other, status)
    return Answer(_status_shape(call, deployment, made), 201)


def _quiets(call: Call) -> bool:
    return call.body["state"] == "success" and call.flag("auto_inactive", True)


def _add_status(call: Call, deployment: Entry, about: dict[str, Any]) -> Entry:
    """Keep a status; the deployment changes with it."""
    moment = shapes.now()
    entry = {**about, "creator": call.caller.login, "created_at": moment, "updated_at": moment}
    made = call.hub.store.add(call.full, "deployment_status", entry, parent=str(deployment["id"]))
    changes = {"updated_at": moment, "environment": about["environment"]}
    call.hub.store.change(call.full, "deployment", deployment["id"], lambda known: {**known, **changes})
    _know_environment(call, about["environment"])
    return made


def _inactive(call: Call, deployment: Entry, environment: str) -> list[tuple[Entry, Entry]]:
    """Older successes of the environment, unless it is transient or a production one, become inactive."""
    older = [
        d
        for d in call.hub.store.all(call.full, "deployment")
        if d["id"] < deployment["id"]
        and d["environment"] == environment
        and not d["transient_environment"]
        and not d["production_environment"]
        and _state(call, d) == "success"
    ]
    about = {"state": "inactive", "description": "", "environment": environment, "target_url": "",
             "log_url": "", "environment_url": ""}  # fmt: skip
    return [(d, _add_status(call, d, about)) for d in older]


def _tell_status(call: Call, deployment: Entry, status: Entry) -> None:
    fresh = call.hub.store.get(call.full, "deployment", deployment["id"]) or deployment
    told = {
        "action": "created", "deployment_status": _status_shape(call, deployment, status),
        "deployment": shape(call, fresh), "check_run": None, "workflow": None, "workflow_run": None,
    }  # fmt: skip
    call.hub.tell(call.full, "deployment_status", call.caller.login, lambda: told)


def _status_shape(call: Call, deployment: Entry, entry: Entry) -> dict[str, Any]:
    """A `deployment-status`."""
    url = f"{call.api}/deployments/{deployment['id']}"
    return {
        **entry, "node_id": shapes.node_id("DeploymentStatus", entry["id"]),
        "url": f"{url}/statuses/{entry['id']}", "deployment_url": url, "repository_url": call.api,
        "performed_via_github_app": None, "creator": shapes.user(call.hub.url, entry["creator"]),
    }  # fmt: skip


def list_statuses(call: Call) -> Answer:
    """`GET …/deployments/{id}/statuses`, newest first."""
    deployment = _find(call)
    found = call.hub.store.all(call.full, "deployment_status", str(deployment["id"]))[::-1]
    return call.listed(found, lambda entry: _status_shape(call, deployment, entry))


def one_status(call: Call) -> dict[str, Any]:
    """`GET …/deployments/{id}/statuses/{status_id}`."""
    deployment = _find(call)
    found = call.hub.store.all(call.full, "deployment_status", str(deployment["id"]))
    for entry in found:
        if entry["id"] == call.path["status"]:
            return _status_shape(call, deployment, entry)
    raise not_found()


def _know_environment(call: Call, name: str) -> Entry:
    """An environment exists from its first deployment on."""
    store, moment = call.hub.store, shapes.now()
    with store.transaction():
        known = [e for e in store.all(call.full, "environment") if e["name"] == name]
        times = {"created_at": moment, "updated_at": moment}
        return known[0] if known else store.add(call.full, "environment", {"name": name, **times})


def _environment(call: Call, entry: Entry) -> dict[str, Any]:
    """An `environment`."""
    return {
        **entry, "node_id": shapes.node_id("Environment", entry["id"]), "protection_rules": [],
        "url": f"{call.api}/environments/{quote(entry['name'], safe='')}",
        "html_url": f"{call.hub.url}/{call.full}/deployments/{quote(entry['name'], safe='')}",
        "deployment_branch_policy": None,
    }  # fmt: skip


def environments(call: Call) -> Answer:
    """`GET …/environments`."""
    found = call.hub.store.all(call.full, "environment")
    page = call.listed(found, lambda entry: _environment(call, entry))
    return Answer({"total_count": len(found), "environments": page.body}, headers=page.headers)


def environment(call: Call) -> dict[str, Any]:
    """`GET …/environments/{name}`."""
    for entry in call.hub.store.all(call.full, "environment"):
        if entry["name"] == call.path["name"]:
            return _environment(call, entry)
    raise not_found()


def put_environment(call: Call) -> dict[str, Any]:
    """`PUT …/environments/{name}`."""
    return _environment(call, _know_environment(call, call.path["name"]))


_REPO = "/repos/{owner}/{repo}"
_ONE = _REPO + "/deployments/{number:int}"
ROUTES: Routes = [
    ("GET", _REPO + "/deployments", listed),
    ("POST", _REPO + "/deployments", create),
    ("GET", _ONE, one),
    ("DELETE", _ONE, delete),
    ("GET", _ONE + "/statuses", list_statuses),
    ("POST", _ONE + "/statuses", create_status),
    ("GET", _ONE + "/statuses/{status:int}", one_status),
    ("GET", _REPO + "/environments", environments),
    ("GET", _REPO + "/environments/{name:path}", environment),
    ("PUT", _REPO + "/environments/{name:path}", put_environment),
]
