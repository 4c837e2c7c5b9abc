"""The sandbox's GitHub: commit statuses and deployments.

Source: GitHub REST API, "REST API endpoints for commit statuses", "… for deployments",
"… for deployment statuses", "… for environments".
"""

from __future__ import annotations

from typing import Any

import pytest

from delivery_tests.sandbox.forge import Forge, Project


@pytest.fixture
def project(forge: Forge) -> Project:
    """A repository with one commit on main."""
    made = forge.project()
    made.push("one")
    return made


def deploy(project: Project, **more: Any) -> Any:
    """A deployment of main to staging, whatever its statuses."""
    return project.post("/deployments", {
        "ref": "main", "environment": "staging", "required_contexts": [], "auto_merge": False, **more,
    })  # fmt: skip


def states(project: Project, deployment: Any) -> list[str]:
    """The states of a deployment, newest first."""
    return [s["state"] for s in project.get(f"/deployments/{deployment['id']}/statuses")]


def test_the_newest_status_of_each_context_counts(project: Project) -> None:
    """None at all is pending; one error or failure fails; the history stays, newest first."""
    path = f"/statuses/{project.get('/commits/main')['sha']}"
    assert project.get("/commits/main/status")["state"] == "pending"
    for context, state, together in (
        ("ci", "pending", "pending"), ("ci", "success", "success"), ("lint", "error", "failure"),
        ("lint", "success", "success"), ("lint", "failure", "failure"),
    ):  # fmt: skip
        project.post(path, {"state": state, "context": context})
        assert project.get("/commits/main/status")["state"] == together
    combined = project.get("/commits/main/status")
    assert combined["total_count"] == 2
    assert [s["state"] for s in project.get("/commits/main/statuses")] == [
        "failure", "success", "error", "success", "pending",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"state": "good"}, "state", "state is not included in the list"),
        ({"state": "success", "description": "x" * 141}, "description",
         "description is too long (maximum is 140 characters)"),
        ({"state": "success", "context": "x" * 256}, "context",
         "context is too long (maximum is 255 characters)"),
    ],
)  # fmt: skip
def test_a_status_has_its_limits(project: Project, body: Any, field: str, message: str) -> None:
    """422 Validation Failed, with the field and what is wrong with it."""
    answer = project.call("POST", f"/statuses/{project.git('rev-parse', 'HEAD')}", body)
    assert (answer.status_code, answer.json()["message"]) == (422, "Validation Failed")
    assert answer.json()["errors"] == [
        {"resource": "Status", "code": "custom", "field": field, "message": message}
    ]


def test_a_status_is_of_a_commit(project: Project) -> None:
    """422 for a sha that was never pushed; 140 characters of any alphabet are few enough."""
    answer = project.call("POST", f"/statuses/{'0' * 40}", {"state": "success"})
    assert (answer.status_code, answer.json()["message"]) == (422, f"No commit found for SHA: {'0' * 40}")
    body = {"state": "success", "description": "ü" * 140}
    assert project.post(f"/statuses/{project.git('rev-parse', 'HEAD')}", body)["description"] == "ü" * 140


def test_a_success_makes_older_deployments_inactive(project: Project) -> None:
    """Those of the same environment that were a success; not others, not if told otherwise."""
    first, failed, other = deploy(project), deploy(project), deploy(project, environment="qa")
    for deployment, state in ((first, "success"), (failed, "failure"), (other, "success")):
        project.post(f"/deployments/{deployment['id']}/statuses", {"state": state})
    second = deploy(project)
    quiet = {"state": "success", "auto_inactive": False}
    project.post(f"/deployments/{second['id']}/statuses", quiet)
    assert states(project, first) == ["success"]
    third = deploy(project)
    project.post(f"/deployments/{third['id']}/statuses", {"state": "in_progress"})
    project.post(f"/deployments/{third['id']}/statuses", {"state": "success"})
    assert [states(project, d)[0] for d in (first, second, failed, other, third)] == [
        "inactive", "inactive", "failure", "success", "success",
    ]  # fmt: skip


@pytest.mark.parametrize("spared", [{"environment": "production"}, {"transient_environment": True}])
def test_production_and_transient_deployments_stay_active(project: Project, spared: Any) -> None:
    """Only non-transient, non-production environments are made inactive automatically."""
    first, second = deploy(project, **spared), deploy(project, **spared)
    for deployment in (first, second):
        project.post(f"/deployments/{deployment['id']}/statuses", {"state": "success"})
    assert states(project, first) == ["success"]


def test_a_deployment_waits_for_the_statuses_of_its_ref(project: Project) -> None:
    """Every context there is must be a success, or those that are named, or none."""
    path = f"/statuses/{project.git('rev-parse', 'HEAD')}"
    project.post(path, {"state": "pending", "context": "ci"})
    answer = project.call("POST", "/deployments", {"ref": "main"})
    assert answer.status_code == 409
    assert answer.json()["message"] == "Conflict: Commit status checks failed for main."
    assert answer.json()["errors"][0]["contexts"] == [{"context": "ci", "state": "pending"}]
    assert (
        project.call("POST", "/deployments", {"ref": "main", "required_contexts": ["x"]}).status_code == 409
    )
    project.post("/deployments", {"ref": "main", "required_contexts": []})
    project.post(path, {"state": "success", "context": "ci"})
    project.post("/deployments", {"ref": "main"})


def test_a_branch_behind_main_is_merged_first(project: Project) -> None:
    """202 and a merge instead of a deployment; the next try deploys; a conflict is 409."""
    project.feature("behind")
    project.feature("clashing", {"app.py": "theirs\n"})
    project.push("two")
    answer = project.call("POST", "/deployments", {"ref": "behind", "required_contexts": []})
    assert (answer.status_code, answer.json()["message"]) == (
        202, "Auto-merged main into behind on deployment.",
    )  # fmt: skip
    project.post("/deployments", {"ref": "behind", "required_contexts": []})
    clash = project.call("POST", "/deployments", {"ref": "clashing", "required_contexts": []})
    assert (clash.status_code, clash.json()["message"]) == (409, "Conflict merging main into clashing.")


def test_deployments_are_found_and_keep_what_they_were_told(project: Project) -> None:
    """Newest first; by sha, ref, task and environment; payload as it was given; unknown refs are 422."""
    made = deploy(project, task="migrate", payload={"slot": "blue"}, description="try")
    deploy(project, environment="qa")
    assert [d["id"] for d in project.get("/deployments?task=migrate&environment=staging&ref=main")] == [
        made["id"]
    ]
    found = project.get(f"/deployments/{made['id']}")
    assert (found["payload"], found["description"]) == ({"slot": "blue"}, "try")
    assert [d["environment"] for d in project.get("/deployments")] == ["qa", "staging"]
    answer = project.call("POST", "/deployments", {"ref": "none"})
    assert (answer.status_code, answer.json()["message"]) == (422, "No ref found for: none")
    assert {e["name"] for e in project.get("/environments")["environments"]} == {"qa", "staging"}


def test_only_inactive_deployments_can_be_deleted(project: Project) -> None:
    """Except the last one of a repository, which always can."""
    first, second = deploy(project), deploy(project)
    refused = project.call("DELETE", f"/deployments/{first['id']}")
    assert refused.status_code == 422 and "only deployment" in refused.json()["message"]
    project.post(f"/deployments/{first['id']}/statuses", {"state": "inactive"})
    assert project.call("DELETE", f"/deployments/{first['id']}").status_code == 204
    assert project.call("DELETE", f"/deployments/{second['id']}").status_code == 204
    assert project.call("GET", f"/deployments/{second['id']}").status_code == 404
