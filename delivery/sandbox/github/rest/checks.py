"""Routes of check runs, which are for Apps alone.

Source: GitHub REST API, "REST API endpoints for check runs" (https://docs.github.com/rest/checks/runs):
"Write permission for the REST API to interact with checks is only available to GitHub Apps."
"""

from __future__ import annotations

from typing import Any

from delivery.sandbox.github import shapes
from delivery.sandbox.github.call import Answer, Call, Routes
from delivery.sandbox.github.errors import GitHubError, invalid, not_found, unknown_commit
from delivery.sandbox.github.store import Entry

STATUSES = ("queued", "in_progress", "completed", "waiting", "requested", "pending")
CONCLUSIONS = (
    "action_required", "cancelled", "failure", "neutral", "success", "skipped", "stale", "timed_out",
)  # fmt: skip


def _require_app(call: Call) -> None:
    """403 for a person's token, in the words for its kind."""
    if call.caller.token.startswith("github_pat_"):
        raise GitHubError(403, "Resource not accessible by personal access token", page="/checks/runs")
    if not call.caller.is_app:
        raise GitHubError(
            403, "You must authenticate via a GitHub App.", page="/checks/runs#create-a-check-run"
        )


def create(call: Call) -> Answer:
    """`POST …/check-runs`."""
    _require_app(call)
    name, ref = call.text("name"), call.text("head_sha")
    sha = call.repo.find(ref)
    if sha is None:
        raise unknown_commit(ref)
    entry: dict[str, Any] = {
        "name": name, "head_sha": sha, "status": "queued", "conclusion": None, "completed_at": None,
        "started_at": shapes.now(), "details_url": None, "external_id": "", "output": {},
    }  # fmt: skip
    made = call.hub.store.add(call.full, "check_run", {**entry, **_changes(call)}, parent=sha)
    return Answer(_shape(call, made), 201)


def update(call: Call) -> dict[str, Any]:
    """`PATCH …/check-runs/{id}`."""
    _require_app(call)
    changes = _changes(call)
    changed = call.hub.store.change(
        call.full, "check_run", call.path["number"], lambda known: {**known, **changes}
    )
    if changed is None:
        raise not_found()
    return _shape(call, changed)


def _changes(call: Call) -> dict[str, Any]:
    """What the body sets. A conclusion completes a run; a completed run needs one."""
    names = ("status", "conclusion", "started_at", "completed_at", "details_url", "external_id", "output")
    given = {name: call.body[name] for name in names if call.body.get(name) is not None}
    if given.get("status", "queued") not in STATUSES:
        raise invalid("CheckRun", "status", code="invalid")
    if given.get("status") == "completed" and "conclusion" not in given:
        raise invalid("CheckRun", "conclusion", code="missing_field")
    if "conclusion" in given:
        if given["conclusion"] not in CONCLUSIONS:
            raise invalid("CheckRun", "conclusion", code="invalid")
        given = {"completed_at": shapes.now(), **given, "status": "completed"}
    return given


def one(call: Call) -> dict[str, Any]:
    """`GET …/check-runs/{id}`."""
    found = call.hub.store.get(call.full, "check_run", call.path["number"])
    if found is None:
        raise not_found()
    return _shape(call, found)


def listed(call: Call) -> Answer:
    """`GET …/commits/{ref}/check-runs`: the newest of each name."""
    sha = call.repo.find(call.path["ref"])
    if sha is None:
        raise unknown_commit(call.path["ref"])
    found = call.hub.store.all(call.full, "check_run", sha)
    if call.query.get("filter", "latest") == "latest":
        found = list({entry["name"]: entry for entry in found}.values())
    for field in ("status", "name"):
        wanted = call.query.get("check_name" if field == "name" else field)
        found = [entry for entry in found if wanted in (None, entry[field])]
    page = call.listed(found, lambda entry: _shape(call, entry))
    return Answer({"total_count": len(found), "check_runs": page.body}, headers=page.headers)


def suites(call: Call) -> dict[str, Any]:
    """`GET …/commits/{ref}/check-suites`: nobody makes any here."""
    if call.repo.find(call.path["ref"]) is None:
        raise unknown_commit(call.path["ref"])
    return {"total_count": 0, "check_suites": []}


def create_suite(call: Call) -> None:
    """`POST …/check-suites`: made with the first run of an App, never by hand here."""
    _require_app(call)
    raise GitHubError(403, "Resource not accessible by integration")


def _shape(call: Call, entry: Entry) -> dict[str, Any]:
    """A `check-run`."""
    url = f"{call.api}/check-runs/{entry['id']}"
    output = {"title": None, "summary": None, "text": None, **entry["output"]}
    notes = len(output.pop("annotations", []))
    return {
        **entry, "node_id": shapes.node_id("CheckRun", entry["id"]), "url": url,
        "html_url": f"{call.hub.url}/{call.full}/runs/{entry['id']}", "app": None, "pull_requests": [],
        "check_suite": {"id": entry["id"]},
        "output": {**output, "annotations_count": notes, "annotations_url": f"{url}/annotations"},
    }  # fmt: skip


_REPO = "/repos/{owner}/{repo}"
ROUTES: Routes = [
    ("POST", _REPO + "/check-runs", create),
    ("PATCH", _REPO + "/check-runs/{number:int}", update),
    ("GET", _REPO + "/check-runs/{number:int}", one),
    ("POST", _REPO + "/check-suites", create_suite),
    ("GET", _REPO + "/commits/{ref:path}/check-runs", listed),
    ("GET", _REPO + "/commits/{ref:path}/check-suites", suites),
]
