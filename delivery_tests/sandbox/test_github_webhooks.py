"""The sandbox's GitHub: webhooks.

Source: GitHub Docs, "Webhook events and payloads", "Validating webhook deliveries", "Redelivering webhooks",
"Handling failed webhook deliveries"; GitHub REST API, "REST API endpoints for repository webhooks".
"""

from __future__ import annotations

import hashlib
import hmac
import socket
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from delivery.sandbox.github.deliveries import encoded, headers_of, is_loopback
from delivery_tests.sandbox.forge import BOB, Forge, Inbox, Project, inbox
from delivery_tests.sandbox.stack import eventually

NOBODY = "0" * 40


@pytest.fixture
def project(forge: Forge) -> Project:
    """A repository with one commit on main."""
    made = forge.project()
    made.push("one")
    return made


@pytest.fixture
def mail() -> Iterator[Inbox]:
    """Where the deliveries arrive."""
    with inbox() as made:
        yield made


def hook(project: Project, url: str, *events: str, **config: str) -> Any:
    """A webhook of the repository."""
    told = {"url": url, "content_type": "json", "secret": "s3cret", **config}
    return project.post("/hooks", {"name": "web", "events": list(events) or ["*"], "config": told})


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://127.0.0.1:80/x", True), ("http://localhost/x", True), ("https://[::1]/x", True),
        ("http://127.9.9.9/x", True), ("http://example.com/", False), ("http://10.0.0.1/", False),
        ("file:///etc/passwd", False), ("http://localhost.example.com/", False), ("http://0.0.0.0/", False),
        ("http://127.0.0.1@example.com/", False),
    ],
)  # fmt: skip
def test_only_loopback_is_spoken_to(url: str, own: bool) -> None:
    """The sandbox calls nobody but this machine."""
    assert is_loopback(url) is own


def test_a_signature_is_of_the_exact_body() -> None:
    """HMAC of the bytes sent, with the secret; without a secret there is none; GitHub's own example."""
    told = {"id": 1, "config": {"content_type": "json", "secret": "It's a Secret to Everybody"}}
    body, kind = encoded(told, "Hello, World!")
    signed = headers_of(told, 1, "push", "guid", body, kind)["X-Hub-Signature-256"]
    assert signed == "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    plain = headers_of({"id": 1, "config": {}}, 1, "push", "guid", b"x", "t")
    assert not [name for name in plain if name.startswith("X-Hub")]


def test_a_new_hook_is_pinged(project: Project, mail: Inbox) -> None:
    """With zen and the hook itself, signed, under GitHub's headers; the secret is never shown again."""
    made = hook(project, mail.url, "push")
    (ping,) = mail.await_payloads("ping")
    assert ping["hook_id"] == made["id"] and ping["zen"]
    headers, body = mail.got[0]
    assert headers["X-Hub-Signature-256"] == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert uuid.UUID(headers["X-GitHub-Delivery"])
    assert headers["X-GitHub-Hook-ID"] == str(made["id"])
    assert headers["User-Agent"].startswith("GitHub-Hookshot/")
    assert made["config"]["secret"] == ping["hook"]["config"]["secret"] == "********"


def test_a_push_is_told_with_what_it_brought(project: Project, mail: Inbox) -> None:
    """before, after, ref, commits and head commit; a delivery comes when the repository has it already."""
    hook(project, mail.url, "push")
    before = project.git("rev-parse", "HEAD")
    project.commit("two", {"new.py": "1"})
    after = project.push("three")
    (push,) = mail.await_payloads("push")
    assert (push["before"], push["after"], push["ref"]) == (before, after, "refs/heads/main")
    assert (push["created"], push["deleted"], push["forced"]) == (False, False, False)
    assert [c["message"] for c in push["commits"]] == ["two", "three"]
    assert push["commits"][0]["added"] == ["new.py"] and push["head_commit"]["id"] == after
    assert (push["pusher"]["name"], push["sender"]["login"]) == ("ada", "ada")
    assert push["repository"]["full_name"] == project.full


def test_branches_come_go_and_are_forced(project: Project, mail: Inbox) -> None:
    """created, deleted and forced say so; a new branch tells only the commits that are new."""
    hook(project, mail.url, "push", "create", "delete")
    project.feature()
    project.git("checkout", "--quiet", "feature")
    project.git("commit", "--quiet", "--amend", "-m", "rewritten")
    project.git("push", "--quiet", "--force", "origin", "feature")
    project.git("push", "--quiet", "origin", "--delete", "feature")
    pushes = mail.await_payloads("push", 3)
    assert [(p["created"], p["forced"], p["deleted"]) for p in pushes] == [
        (True, False, False), (False, True, False), (False, False, True),
    ]  # fmt: skip
    assert pushes[0]["before"] == NOBODY and [c["message"] for c in pushes[0]["commits"]] == [
        "work on feature"
    ]
    assert pushes[2]["after"] == NOBODY and pushes[2]["head_commit"] is None
    assert mail.await_payloads("delete")[0]["ref"] == "feature"


def test_what_the_api_writes_is_told_too(project: Project, mail: Inbox) -> None:
    """A file written over the API is a push as well."""
    hook(project, mail.url, "push")
    project.call("PUT", "/contents/x.md", {"message": "by API", "content": "eA=="})
    assert mail.await_payloads("push")[0]["head_commit"]["message"] == "by API"


def test_a_pull_requests_life_is_told(project: Project, mail: Inbox) -> None:
    """opened, synchronize, closed, reopened, and closed as merged; comments and reviews of it."""
    hook(project, mail.url, "pull_request", "issue_comment", "pull_request_review")
    project.feature()
    project.pull()
    project.git("checkout", "--quiet", "feature")
    head = project.push("more", {"more": "1"}, "feature")
    for state in ("closed", "open"):
        project.call("PATCH", "/pulls/1", {"state": state})
    project.post("/issues/1/comments", {"body": "plan"})
    project.post("/pulls/1/reviews", {"event": "APPROVE"}, 200, token=BOB)
    project.call("PUT", "/pulls/1/merge", {})
    told = mail.await_payloads("pull_request", 5)
    assert [p["action"] for p in told] == ["opened", "synchronize", "closed", "reopened", "closed"]
    assert told[1]["after"] == head == told[1]["pull_request"]["head"]["sha"]
    assert [p["pull_request"]["merged"] for p in told] == [False, False, False, False, True]
    project.post("/issues/1/labels", {"labels": ["ready"]}, 200)
    assert mail.await_payloads("pull_request", 6)[5]["label"]["name"] == "ready"
    assert mail.await_payloads("issue_comment")[0]["comment"]["body"] == "plan"
    assert mail.await_payloads("pull_request_review")[0]["review"]["state"] == "approved"


def test_statuses_and_deployments_are_told(project: Project, mail: Inbox) -> None:
    """status, deployment and deployment_status, with what they are about."""
    hook(project, mail.url, "status", "deployment", "deployment_status")
    sha = project.git("rev-parse", "HEAD")
    project.post(f"/statuses/{sha}", {"state": "success", "context": "ci"})
    made = project.post("/deployments", {"ref": "main", "environment": "staging"})
    project.post(f"/deployments/{made['id']}/statuses", {"state": "in_progress"})
    (status,) = mail.await_payloads("status")
    assert (status["sha"], status["context"], status["branches"][0]["name"]) == (sha, "ci", "main")
    assert mail.await_payloads("deployment")[0]["deployment"]["id"] == made["id"]
    assert mail.await_payloads("deployment_status")[0]["deployment_status"]["state"] == "in_progress"


def test_a_hook_gets_only_what_it_asked_for(project: Project, mail: Inbox) -> None:
    """Other events and inactive hooks are silent."""
    made = hook(project, mail.url, "status")
    mail.await_payloads("ping")
    project.push("two")
    project.call("PATCH", f"/hooks/{made['id']}", {"active": False})
    project.post(f"/statuses/{project.git('rev-parse', 'HEAD')}", {"state": "success"})
    project.call("PATCH", f"/hooks/{made['id']}", {"active": True})
    project.post(f"/statuses/{project.git('rev-parse', 'HEAD')}", {"state": "failure"})
    assert [s["state"] for s in mail.await_payloads("status")] == ["failure"]
    assert mail.events("push") == []


def test_a_failed_delivery_is_not_repeated_unless_asked(project: Project, mail: Inbox) -> None:
    """It is recorded with what came back; a redelivery has the same id and body, and a record of its own."""
    mail.status = 500
    made = hook(project, mail.url, "push")
    path = f"/hooks/{made['id']}/deliveries"
    (first,) = eventually(lambda: project.get(path), bool, 10)
    assert (first["status"], first["status_code"]) == ("Invalid HTTP Response: 500", 500)
    assert project.get(f"/hooks/{made['id']}")["last_response"]["code"] == 500
    mail.status = 200
    assert project.post(f"{path}/{first['id']}/attempts", status=202) == {}
    second, _ = eventually(lambda: project.get(path), lambda found: len(found) == 2, 10)
    assert (second["guid"], second["redelivery"], second["status"]) == (first["guid"], True, "OK")
    assert mail.got[0][1] == mail.got[1][1]
    detail = project.get(f"{path}/{second['id']}")
    assert detail["response"]["payload"] == "ok"
    assert detail["request"]["headers"]["X-GitHub-Delivery"] == first["guid"]


def test_nobody_listening_is_recorded(project: Project) -> None:
    """A refused connection is a failed delivery, and the push that caused it went well."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        made = hook(project, f"http://127.0.0.1:{taken.getsockname()[1]}/", "push")
        project.push("two")
        found = eventually(
            lambda: project.get(f"/hooks/{made['id']}/deliveries"), lambda seen: len(seen) == 2, 10
        )
    assert {d["status"] for d in found} == {"failed to connect to host"}


def test_a_slow_receiver_holds_up_nobody(project: Project, mail: Inbox) -> None:
    """Pushes go on while it thinks, and other hooks get their deliveries."""
    mail.hold.clear()
    hook(project, mail.url, "push")
    with inbox() as quick:
        hook(project, quick.url, "push")
        project.push("two")
        assert quick.await_payloads("push")
        assert mail.payloads("push") == []
        mail.hold.set()
    assert mail.await_payloads("push")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"config": {}}, "url"),
        ({"config": {"url": "http://127.0.0.1/", "content_type": "xml"}}, "content_type"),
        ({"config": {"url": "http://127.0.0.1/"}, "events": ["nothing"]}, "events"),
        ({"config": {"url": "http://127.0.0.1/"}, "name": "email"}, "name"),
    ],
)
def test_what_is_no_hook_is_refused(project: Project, body: Any, field: str) -> None:
    """422 Validation Failed with the field."""
    answer = project.call("POST", "/hooks", body)
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == field


def test_a_hook_to_elsewhere_is_refused(project: Project) -> None:
    """The sandbox takes loopback URLs alone, in GitHub's words for a URL it cannot reach."""
    answer = project.call("POST", "/hooks", {"config": {"url": "http://192.0.2.1/"}})
    assert answer.status_code == 422 and "reachable" in answer.json()["errors"][0]["message"]
    assert project.get("/hooks") == []


def test_hooks_are_listed_changed_and_deleted(project: Project, mail: Inbox) -> None:
    """The same URL with the same events once; a form has the JSON in `payload`; strangers see none."""
    made = hook(project, mail.url, "push", content_type="form")
    again = project.call("POST", "/hooks", {"events": ["push"], "config": {"url": mail.url}})
    assert again.json()["errors"][0]["message"] == "Hook already exists on this repository"
    mail_body = eventually(lambda: mail.got, bool, 10)[0][1]
    assert mail_body.startswith(b"payload=%7B")
    path = f"/hooks/{made['id']}"
    changed = project.call("PATCH", path, {"add_events": ["status"]}).json()
    assert changed["events"] == ["push", "status"]
    assert project.call("GET", "/hooks", token="").status_code == 404
    assert project.call("DELETE", path).status_code == 204
    assert project.get("/hooks") == []
