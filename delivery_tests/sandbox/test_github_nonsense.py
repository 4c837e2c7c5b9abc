"""The sandbox's GitHub answers nonsense with a refusal.

Source: GitHub REST API, "Troubleshooting the REST API": 400 and 422 say what is wrong with a request. A 5xx
would be taken for an outage, and be tried again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from delivery.sandbox.github.fields import TYPES
from delivery.sandbox.github.rest import FILES, ROUTES
from delivery_tests.sandbox.forge import Forge, Project

#: What a client with a mistake may put where a value belongs.
NONSENSE: tuple[Any, ...] = (
    None,
    "",
    "x",
    "../../etc/passwd",
    -1,
    10**30,
    True,
    [],
    [[]],
    [None],
    {},
    {"x": []},
)


@pytest.fixture(scope="module")
def project(forge: Forge) -> Iterator[Project]:
    """A repository with everything in it."""
    made = forge.project()
    made.push("one")
    made.feature()
    made.pull()
    made.post("/deployments", {"ref": "main"})
    made.post("/hooks", {"config": {"url": "http://127.0.0.1:9/"}})
    forge.server.limits.set_limit(10**6, "ada")
    yield made
    forge.server.limits.set_limit(None, "ada")


def path_of(project: Project, template: str, value: str) -> str:
    """A route's path with values in it: the project's repository, and the same value for all else."""
    owner, repo = project.full.split("/")
    filled = template.replace("{owner}", owner).replace("{repo}", repo)
    filled = re.sub(r"\{\w+:int\}", "1", filled)
    return re.sub(r"\{\w+(:path)?\}", value, filled)


@pytest.mark.parametrize(
    "value", ["main", "none", "..", "-x", "%00", "%0a", "%ff", "a..b", "x%20y", "HEAD^{tree}"]
)
def test_no_name_in_a_path_breaks_it(project: Project, value: str) -> None:
    """Whatever stands where a name belongs, every route answers or refuses."""
    for method, template, _ in [*ROUTES, *FILES]:
        if method == "GET":
            answer = project.forge.call("GET", path_of(project, template, value))
            assert answer.status_code < 500, (template, value, answer.text)


@pytest.mark.parametrize("value", NONSENSE, ids=repr)
def test_no_value_in_a_body_breaks_it(project: Project, value: Any) -> None:
    """Whatever stands where a value belongs, every route answers or refuses."""
    body = dict.fromkeys(TYPES, value)
    needed = {"title": "T", "head": "feature", "base": "main", "ref": "main", "state": "success"}
    for method, template, _ in ROUTES:
        if method == "GET" or (method == "DELETE" and template == "/repos/{owner}/{repo}"):
            continue
        for told in (
            body,
            {**body, **needed},
            {"config": {"url": value, "secret": value}, "tree": [{"path": value}]},
        ):
            answer = project.forge.call(method, path_of(project, template, "main"), told)
            assert answer.status_code < 500, (method, template, told, answer.text)


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=x", "per_page=0", "per_page=1000", "page=99999999999"]
)
def test_no_page_breaks_it(project: Project, query: str) -> None:
    """A page that is no number counts as the first; one behind the last is empty."""
    for path in ("/commits", "/branches", "/pulls", "/deployments", "/compare/main...feature"):
        assert project.call("GET", f"{path}?{query}").status_code == 200
