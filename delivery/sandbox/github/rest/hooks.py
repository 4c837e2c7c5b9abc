"""Routes of webhooks and their deliveries.

Source: GitHub REST API, "REST API endpoints for repository webhooks"
(https://docs.github.com/rest/repos/webhooks). One thing is the sandbox's own: it calls loopback URLs only.
"""

from __future__ import annotations

import json
from typing import Any

from delivery.sandbox.github import pushes, shapes
from delivery.sandbox.github.call import Answer, Call, Routes
from delivery.sandbox.github.deliveries import is_loopback
from delivery.sandbox.github.errors import custom, invalid, not_found
from delivery.sandbox.github.repository import NOBODY
from delivery.sandbox.github.store import Entry

EVENTS = frozenset({
    "*", "check_run", "check_suite", "commit_comment", "create", "delete", "deployment", "deployment_status",
    "fork", "gollum", "issue_comment", "issues", "label", "member", "milestone", "page_build", "ping",
    "public", "pull_request", "pull_request_review", "pull_request_review_comment", "push", "release",
    "repository", "star", "status", "watch", "workflow_dispatch", "workflow_job", "workflow_run",
})  # fmt: skip
#: Hooks of one repository that may want the same event.
MOST = 20


def create(call: Call) -> Answer:
    """`POST …/hooks`; the first delivery is a ping."""
    if call.body.get("name", "web") != "web":
        raise invalid("Hook", "name", code="custom")
    config, events = _config(call, {}), _events(call, ["push"])
    store, moment = call.hub.store, shapes.now()
    with store.transaction():
        known = store.all(call.full, "hook")
        if any(h["config"]["url"] == config["url"] and set(h["events"]) == set(events) for h in known):
            raise custom("Hook", "Hook already exists on this repository")
        if any(sum(event in h["events"] for h in known) >= MOST for event in events):
            raise custom("Hook", f"The maximum number of hooks ({MOST}) for this event has been reached")
        last = {"code": None, "status": "unused", "message": None}
        entry = {"active": call.flag("active", True), "events": events, "config": config,
                 "created_at": moment, "updated_at": moment, "last_response": last}  # fmt: skip
        made = store.add(call.full, "hook", entry)
    _ping(call, made)
    return Answer(_shape(call, made), 201)


def _config(call: Call, known: dict[str, Any]) -> dict[str, Any]:
    """The body's config over what is known; 422 for a URL that is missing or leads elsewhere."""
    given = call.body.get("config", {})
    if not isinstance(given, dict):
        raise invalid("Hook", "config", code="invalid")
    config = {"content_type": "form", "insecure_ssl": "0", **known, **given}
    url = str(config.get("url") or "")
    if not url:
        raise invalid("Hook", "url", code="missing_field")
    if not is_loopback(url):
        raise custom("Hook", "url is not supported because it isn't reachable over the public Internet")
    if config["content_type"] not in ("json", "form"):
        raise invalid("Hook", "content_type", code="invalid")
    return {**config, "insecure_ssl": str(config["insecure_ssl"])}


def _events(call: Call, known: list[str]) -> list[str]:
    events = call.body.get("events", known)
    if not isinstance(events, list) or not events or not set(map(str, events)) <= EVENTS:
        raise invalid("Hook", "events", "is not included in the list")
    return sorted({str(event) for event in events})


def _shape(call: Call, hook: Entry) -> dict[str, Any]:
    """A `hook`; its secret is never shown again."""
    url = f"{call.api}/hooks/{hook['id']}"
    hidden = {"secret": "********"} if hook["config"].get("secret") else {}
    return {
        **hook, "type": "Repository", "name": "web", "config": {**hook["config"], **hidden}, "url": url,
        "test_url": f"{url}/test", "ping_url": f"{url}/pings", "deliveries_url": f"{url}/deliveries",
    }  # fmt: skip


def _ping(call: Call, hook: Entry) -> None:
    told = {"zen": "Approachable is better than simple.", "hook_id": hook["id"], "hook": _shape(call, hook)}
    call.hub.tell_one(call.full, hook, "ping", call.caller.login, told)


def _find(call: Call) -> Entry:
    _identified(call)
    found = call.hub.store.get(call.full, "hook", call.path["hook"])
    if found is None:
        raise not_found()
    return found


def _identified(call: Call) -> None:
    """Hooks are for those who may administer the repository; to anybody else there are none."""
    if not call.caller.login:
        raise not_found()


def listed(call: Call) -> Answer:
    """`GET …/hooks`."""
    _identified(call)
    return call.listed(call.hub.store.all(call.full, "hook"), lambda hook: _shape(call, hook))


def one(call: Call) -> dict[str, Any]:
    """`GET …/hooks/{id}`."""
    return _shape(call, _find(call))


def update(call: Call) -> dict[str, Any]:
    """`PATCH …/hooks/{id}`."""
    hook = _find(call)
    config = _config(call, {} if "config" in call.body else hook["config"])
    events = _events(call, hook["events"])
    events = sorted({*events, *call.body.get("add_events", [])} - set(call.body.get("remove_events", [])))
    changes = {"config": config, "events": events, "active": call.flag("active", hook["active"]),
               "updated_at": shapes.now()}  # fmt: skip
    changed = call.hub.store.change(call.full, "hook", hook["id"], lambda known: {**known, **changes})
    return _shape(call, changed or hook)


def delete(call: Call) -> Answer:
    """`DELETE …/hooks/{id}`."""
    call.hub.store.remove(call.full, "hook", _find(call)["id"])
    return Answer(status=204)


def ping(call: Call) -> Answer:
    """`POST …/hooks/{id}/pings`."""
    _ping(call, _find(call))
    return Answer(status=204)


def test(call: Call) -> Answer:
    """`POST …/hooks/{id}/tests`: the latest push once more, if the hook wants pushes."""
    hook, repo = _find(call), call.repo
    tip = repo.branches().get(repo.default_branch())
    if tip and {"push", "*"} & set(hook["events"]):
        before = (repo.log(tip, 1)[0]["parents"] or [NOBODY])[0]
        ref = f"refs/heads/{repo.default_branch()}"
        told = pushes.payload(call.hub, repo, call.full, call.caller.login, before, tip, ref)
        call.hub.tell_one(call.full, hook, "push", call.caller.login, told)
    return Answer(status=204)


def deliveries(call: Call) -> Answer:
    """`GET …/hooks/{id}/deliveries?per_page=&cursor=&status=`, newest first, paged by cursor."""
    found = call.hub.store.all(call.full, "delivery", str(_find(call)["id"]))[::-1]
    if wanted := call.query.get("status"):
        found = [d for d in found if (d["status"] == "OK") == (wanted == "success")]
    if (cursor := call.query.get("cursor", "")).isdigit():
        found = [d for d in found if d["id"] <= int(cursor)]
    _, per = call.span()
    headers = {}
    if len(found) > per:
        following = f"{call.hub.url}{call.url_path}?per_page={per}&cursor={found[per]['id']}"
        headers["Link"] = f'<{following}>; rel="next"'
    return Answer([_delivery(call, entry) for entry in found[:per]], headers=headers)


def _delivery(call: Call, entry: Entry) -> dict[str, Any]:
    """A `hook-delivery-item`."""
    kept = ("id", "guid", "delivered_at", "redelivery", "duration", "status", "status_code", "event",
            "action", "installation_id", "repository_id")  # fmt: skip
    return {**{name: entry[name] for name in kept}, "throttled_at": None}


def delivery(call: Call) -> dict[str, Any]:
    """`GET …/hooks/{id}/deliveries/{delivery_id}`: with what was sent and what came back."""
    entry = _found_delivery(call)
    sent = {"headers": entry["request_headers"], "payload": json.loads(entry["text"])}
    return {**_delivery(call, entry), "url": entry["url"], "request": sent, "response": entry["response"]}


def redeliver(call: Call) -> Answer:
    """`POST …/hooks/{id}/deliveries/{delivery_id}/attempts`: what GitHub never does by itself."""
    call.hub.redeliver(call.full, _find(call), _found_delivery(call))
    return Answer({}, 202)


def _found_delivery(call: Call) -> Entry:
    hook = _find(call)
    for entry in call.hub.store.all(call.full, "delivery", str(hook["id"])):
        if entry["id"] == call.path["delivery"]:
            return entry
    raise not_found()


_HOOKS = "/repos/{owner}/{repo}/hooks"
_ONE = _HOOKS + "/{hook:int}"
ROUTES: Routes = [
    ("GET", _HOOKS, listed),
    ("POST", _HOOKS, create),
    ("GET", _ONE, one),
    ("PATCH", _ONE, update),
    ("DELETE", _ONE, delete),
    ("POST", _ONE + "/pings", ping),
    ("POST", _ONE + "/tests", test),
    ("GET", _ONE + "/deliveries", deliveries),
    ("GET", _ONE + "/deliveries/{delivery:int}", delivery),
    ("POST", _ONE + "/deliveries/{delivery:int}/attempts", redeliver),
]
