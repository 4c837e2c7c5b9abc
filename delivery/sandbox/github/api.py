"""GitHub's REST routes that the product uses, in GitHub's own shapes.

Source: GitHub REST API, version 2022-11-28: repositories, commits, statuses, deployments.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from delivery.sandbox.github.repository import NoSuchThing, Repository
from delivery.sandbox.github.store import Store


def now() -> str:
    """The moment in GitHub's format."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Api:
    """The routes over a folder of bare repositories."""

    def __init__(self, directory: Path, url: str) -> None:
        self._directory, self._url = directory, url

    def routes(self) -> list[Route]:
        """All of them."""
        repo = "/repos/{owner}/{name}"
        table: list[tuple[str, str, Any]] = [
            ("GET", "", self.repository),
            ("GET", "/branches", self.branches),
            ("GET", "/branches/{branch:path}", self.branch),
            ("GET", "/git/ref/heads/{branch:path}", self.ref),
            ("GET", "/commits", self.commits),
            ("GET", "/commits/{ref}/status", self.combined),
            ("GET", "/commits/{ref}/statuses", self.statuses),
            ("GET", "/commits/{ref}", self.commit),
            ("GET", "/compare/{base}...{head}", self.compare),
            ("POST", "/statuses/{ref}", self.create_status),
            ("GET", "/deployments", self.deployments),
            ("POST", "/deployments", self.create_deployment),
            ("GET", "/deployments/{number:int}", self.deployment),
            ("POST", "/deployments/{number:int}/statuses", self.create_deployment_status),
            ("GET", "/deployments/{number:int}/statuses", self.deployment_statuses),
            ("POST", "/check-runs", self.check_runs),
        ]
        return [Route(repo + path, handler, methods=[method]) for method, path, handler in table]

    def _open(self, request: Request) -> tuple[Repository, str, Store]:
        full = f"{request.path_params['owner']}/{request.path_params['name']}"
        path = self._directory / f"{full}.git"
        if not path.is_dir():
            raise NoSuchThing(full)
        return Repository(path), full, Store(path / "github.json")

    def repository(self, request: Request) -> Response:
        """`GET /repos/{owner}/{repo}`."""
        _, full, _ = self._open(request)
        owner, name = full.split("/")
        body = {
            "id": 1, "name": name, "full_name": full, "private": False, "default_branch": "main",
            "url": f"{self._url}/repos/{full}", "html_url": f"{self._url}/{full}",
            "clone_url": f"{self._url}/{full}.git",
            "owner": {"login": owner, "id": 1, "type": "Organization", "url": f"{self._url}/users/{owner}"},
        }  # fmt: skip
        return answered(request, body)

    def branches(self, request: Request) -> Response:
        """`GET …/branches`."""
        repo, full, _ = self._open(request)
        return answered(request, [self._branch(full, name, sha) for name, sha in repo.branches().items()])

    def branch(self, request: Request) -> Response:
        """`GET …/branches/{branch}`."""
        repo, full, _ = self._open(request)
        name = request.path_params["branch"]
        if name not in repo.branches():
            return missing("Branch not found")
        body = self._branch(full, name, repo.branches()[name])
        body["commit"] = self._commit(full, repo.log(name, 1)[0])
        return answered(request, body)

    def ref(self, request: Request) -> Response:
        """`GET …/git/ref/heads/{branch}`."""
        repo, full, _ = self._open(request)
        name = request.path_params["branch"]
        if name not in repo.branches():
            return missing()
        sha = repo.branches()[name]
        url = f"{self._url}/repos/{full}/git/refs/heads/{name}"
        target = {"sha": sha, "type": "commit", "url": f"{self._url}/repos/{full}/git/commits/{sha}"}
        return answered(request, {"ref": f"refs/heads/{name}", "url": url, "object": target})

    def commits(self, request: Request) -> Response:
        """`GET …/commits?sha=&path=&per_page=&page=`."""
        repo, full, _ = self._open(request)
        query = request.query_params
        size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
        if not repo.branches():
            return JSONResponse({"message": "Git Repository is empty."}, status_code=409)
        found = repo.log(query.get("sha") or "main", size, size * (page - 1), query.get("path", ""))
        return answered(request, [self._commit(full, c) for c in found])

    def commit(self, request: Request) -> Response:
        """`GET …/commits/{ref}`, with the files it changed."""
        repo, full, _ = self._open(request)
        found = repo.log(request.path_params["ref"], 1)[0]
        return answered(request, {**self._commit(full, found), "files": repo.files(found["sha"])})

    def compare(self, request: Request) -> Response:
        """`GET …/compare/{base}...{head}`, three dots: what `head` has since it left `base`."""
        repo, full, _ = self._open(request)
        base, head = (repo.resolve(request.path_params[k]) for k in ("base", "head"))
        ahead, behind = repo.log(head, 250, without=base), repo.log(base, 250, without=head)
        states = {(True, True): "diverged", (True, False): "ahead", (False, True): "behind"}
        return answered(request, {
            "status": states.get((bool(ahead), bool(behind)), "identical"),
            "ahead_by": len(ahead), "behind_by": len(behind), "total_commits": len(ahead),
            "base_commit": self._commit(full, repo.log(base, 1)[0]),
            "commits": [self._commit(full, c) for c in reversed(ahead)], "files": repo.changed(base, head),
        })  # fmt: skip

    async def create_status(self, request: Request) -> Response:
        """`POST …/statuses/{sha}`."""
        repo, _, store = self._open(request)
        body = await request.json()
        if body.get("state") not in ("error", "failure", "pending", "success"):
            return JSONResponse({"message": "Validation Failed"}, status_code=422)
        sha = repo.resolve(request.path_params["ref"])
        entry = {"context": "default", "description": None, "target_url": None, **body, "created_at": now()}
        return JSONResponse(store.add(f"statuses/{sha}", {**entry, "updated_at": now()}), status_code=201)

    def statuses(self, request: Request) -> Response:
        """`GET …/commits/{ref}/statuses`, newest first."""
        repo, _, store = self._open(request)
        return answered(request, store.all(f"statuses/{repo.resolve(request.path_params['ref'])}")[::-1])

    def combined(self, request: Request) -> Response:
        """`GET …/commits/{ref}/status`: the newest of each context, and what they come to."""
        repo, _, store = self._open(request)
        sha = repo.resolve(request.path_params["ref"])
        newest = {s["context"]: s for s in store.all(f"statuses/{sha}")}
        states = {s["state"] for s in newest.values()}
        state = (
            "failure" if states & {"failure", "error"} else "success" if states == {"success"} else "pending"
        )
        body = {"state": state, "sha": sha, "total_count": len(newest), "statuses": list(newest.values())}
        return answered(request, body)

    async def create_deployment(self, request: Request) -> Response:
        """`POST …/deployments`."""
        repo, full, store = self._open(request)
        body = await request.json()
        sha = repo.resolve(body["ref"])
        entry = {"environment": "production", **body, "sha": sha, "created_at": now(), "updated_at": now()}
        return JSONResponse(self._deployment(full, store.add("deployments", entry)), status_code=201)

    def deployments(self, request: Request) -> Response:
        """`GET …/deployments?sha=&environment=`, newest first."""
        _, full, store = self._open(request)
        wanted = {k: v for k, v in request.query_params.items() if k in ("sha", "environment", "ref")}
        found = [d for d in store.all("deployments") if wanted.items() <= d.items()]
        return answered(request, [self._deployment(full, d) for d in found[::-1]])

    def deployment(self, request: Request) -> Response:
        """`GET …/deployments/{id}`."""
        _, full, store = self._open(request)
        found = [d for d in store.all("deployments") if d["id"] == request.path_params["number"]]
        return answered(request, self._deployment(full, found[0])) if found else missing()

    async def create_deployment_status(self, request: Request) -> Response:
        """`POST …/deployments/{id}/statuses`."""
        _, _, store = self._open(request)
        entry = {**(await request.json()), "created_at": now(), "updated_at": now()}
        made = store.add(f"deployment_statuses/{request.path_params['number']}", entry)
        return JSONResponse(made, status_code=201)

    def deployment_statuses(self, request: Request) -> Response:
        """`GET …/deployments/{id}/statuses`, newest first."""
        _, _, store = self._open(request)
        return answered(request, store.all(f"deployment_statuses/{request.path_params['number']}")[::-1])

    def check_runs(self, request: Request) -> Response:
        """`POST …/check-runs`: refused as GitHub refuses a personal token."""
        message = "You must authenticate via a GitHub App."
        return JSONResponse({"message": message}, status_code=403)

    def _deployment(self, full: str, entry: dict[str, Any]) -> dict[str, Any]:
        url = f"{self._url}/repos/{full}/deployments/{entry['id']}"
        return {**entry, "url": url, "statuses_url": f"{url}/statuses"}

    def _branch(self, full: str, name: str, sha: str) -> dict[str, Any]:
        url = f"{self._url}/repos/{full}/commits/{sha}"
        return {"name": name, "commit": {"sha": sha, "url": url}, "protected": False}

    def _commit(self, full: str, commit: dict[str, Any]) -> dict[str, Any]:
        api, page = f"{self._url}/repos/{full}", f"{self._url}/{full}"
        sha = commit["sha"]
        inner = {
            "author": commit["author"], "committer": commit["committer"], "message": commit["message"],
            "tree": {"sha": commit["tree"], "url": f"{api}/git/trees/{commit['tree']}"},
            "url": f"{api}/git/commits/{sha}", "comment_count": 0,
        }  # fmt: skip
        parents = [{"sha": p, "url": f"{api}/commits/{p}"} for p in commit["parents"]]
        return {
            "sha": sha, "url": f"{api}/commits/{sha}", "html_url": f"{page}/commit/{sha}",
            "commit": inner, "author": None, "committer": None, "parents": parents,
        }  # fmt: skip


def answered(request: Request, body: Any) -> Response:
    """200 with an ETag, or 304 when the client has it."""
    text = json.dumps(body)
    etag = 'W/"' + hashlib.sha256(text.encode()).hexdigest() + '"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag})
    return Response(text, media_type="application/json", headers={"ETag": etag})


def missing(message: str = "Not Found") -> Response:
    """404 in GitHub's shape."""
    return JSONResponse(
        {"message": message, "documentation_url": "https://docs.github.com/rest"}, status_code=404
    )
