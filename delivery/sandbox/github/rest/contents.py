"""Routes of files and archives.

Source: GitHub REST API, "REST API endpoints for repository contents"
(https://docs.github.com/rest/repos/contents).
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from delivery.sandbox.github import pushes, shapes
from delivery.sandbox.github.call import Answer, Call, Routes
from delivery.sandbox.github.errors import GitHubError, not_found, not_supplied
from delivery.sandbox.github.repository import NOBODY, Repository
from delivery.sandbox.github.writing import Author, Moved, blob, commit, move, tree_with

#: Bytes up to which a file's content is in the answer.
LARGEST = 1_000_000


def get(call: Call) -> Any:
    """`GET …/contents/{path}?ref=`: a file with its content, or what a folder holds."""
    repo, path = call.repo, call.path.get("path", "").strip("/")
    ref = call.query.get("ref") or repo.default_branch()
    sha = repo.find(ref)
    if sha is None:
        empty = repo.is_empty() and not call.query.get("ref")
        raise not_found("This repository is empty." if empty else f"No commit found for the ref {ref}")
    entries = _entries(repo, sha, path)
    if path and len(entries) == 1 and entries[0][2] == path and entries[0][0] != "040000":
        return _file(call, repo, entries[0], ref)
    inside = _entries(repo, sha, f"{path}/") if path else entries
    if not inside:
        raise not_found()
    return [_shape(call, entry, ref) for entry in inside]


def _entries(repo: Repository, sha: str, path: str) -> list[tuple[str, str, str, int]]:
    """Mode, sha, path and size of what a path names in a commit's tree."""
    out = repo.git("--literal-pathspecs", "ls-tree", "-z", "--long", sha, "--", *([path] if path else []))
    found = []
    for line in filter(None, out.split("\0")):
        about, name = line.split("\t", 1)
        mode, _, thing, size = about.split()
        found.append((mode, thing, name, int(size) if size.isdigit() else 0))
    return found


def _shape(call: Call, entry: tuple[str, str, str, int], ref: str) -> dict[str, Any]:
    """One entry of a folder, without content."""
    mode, sha, path, size = entry
    kind = {"040000": "dir", "120000": "symlink", "160000": "submodule"}.get(mode, "file")
    word = "tree" if kind == "dir" else "blob"
    url, page = f"{call.api}/contents/{path}?ref={ref}", f"{call.hub.url}/{call.full}/{word}/{ref}/{path}"
    git = f"{call.api}/git/{word}s/{sha}"
    return {
        "type": kind, "size": size, "name": path.rsplit("/", 1)[-1], "path": path, "sha": sha, "url": url,
        "git_url": git, "html_url": page,
        "download_url": f"{call.hub.url}/{call.full}/raw/{ref}/{path}" if kind == "file" else None,
        "_links": {"self": url, "git": git, "html": page},
    }  # fmt: skip


def _file(call: Call, repo: Repository, entry: tuple[str, str, str, int], ref: str) -> Any:
    content = repo.raw("cat-file", "blob", entry[1])
    if "raw" in call.accept:
        return Answer(raw=content, headers={"Content-Type": "application/vnd.github.raw+json; charset=utf-8"})
    made = _shape(call, entry, ref)
    if entry[3] > LARGEST:
        return {**made, "encoding": "none", "content": ""}
    if made["type"] == "symlink":
        made["target"] = content.decode(errors="replace")
    return {**made, "encoding": "base64", "content": base64.encodebytes(content).decode()}


def put(call: Call) -> Answer:
    """`PUT …/contents/{path}`: a commit with this one file; changing a file needs the sha it has."""
    message = call.text("message")
    try:
        content = base64.b64decode(call.text("content"), validate=False)
    except (binascii.Error, ValueError):
        raise GitHubError(422, "content is not valid Base64") from None
    branch, tip = _branch(call)
    known = _known(call, tip)
    if known and "sha" not in call.body:
        raise not_supplied("sha")
    if call.body.get("sha") and (known is None or known[1] != call.body["sha"]):
        raise GitHubError(409, f"{call.path['path']} does not match {call.body['sha']}")
    mode = known[0] if known else "100644"
    made = _committed(call, branch, tip, (mode, blob(call.repo, content)), message)
    entry = _entries(call.repo, made["sha"], call.path["path"])[0]
    return Answer({"content": _shape(call, entry, branch), "commit": made}, 200 if known else 201)


def delete(call: Call) -> Answer:
    """`DELETE …/contents/{path}`."""
    message, sha = call.text("message"), call.text("sha")
    branch, tip = _branch(call)
    known = _known(call, tip)
    if known is None:
        raise not_found()
    if known[1] != sha:
        raise GitHubError(409, f"{call.path['path']} does not match {sha}")
    return Answer({"content": None, "commit": _committed(call, branch, tip, None, message)})


def _branch(call: Call) -> tuple[str, str]:
    """The branch to write to and its tip, empty for the first commit of a repository."""
    repo = call.repo
    branch = call.body.get("branch") or repo.default_branch()
    tip = repo.branches().get(branch)
    if tip is None and not repo.is_empty():
        raise not_found(f"Branch {branch} not found")
    return branch, tip or ""


def _known(call: Call, tip: str) -> tuple[str, str, str, int] | None:
    if not tip:
        return None
    found = [e for e in _entries(call.repo, tip, call.path["path"]) if e[2] == call.path["path"]]
    if found and found[0][0] == "040000":
        raise GitHubError(422, f"Path {call.path['path']} is a folder")
    return found[0] if found else None


def person(call: Call, role: str) -> Author | None:
    """The author or committer that the body names."""
    given = call.body.get(role)
    if not isinstance(given, dict):
        return None
    if not given.get("name") or not given.get("email"):
        raise not_supplied("email" if given.get("name") else "name")
    return Author(str(given["name"]), str(given["email"]), str(given.get("date") or ""))


def _committed(
    call: Call, branch: str, tip: str, file: tuple[str, str] | None, message: str
) -> dict[str, Any]:
    repo, login = call.repo, call.caller.login
    own = Author(login, f"{login}@users.noreply.github.com")
    committer = person(call, "committer") or own
    tree = tree_with(repo, tip, {call.path["path"]: file})
    parents = [tip] if tip else []
    sha = commit(repo, tree, parents, message, person(call, "author") or committer, committer)
    try:
        move(repo, f"refs/heads/{branch}", sha, tip or NOBODY)
    except Moved:
        raise GitHubError(409, f"is at {repo.find(branch)} but expected {tip}") from None
    pushes.moved(call.hub, call.full, login, [(tip or NOBODY, sha, f"refs/heads/{branch}")])
    entry = repo.log(sha, 1)[0]
    made = shapes.git_commit(call.hub.url, call.full, entry)
    page = f"{call.hub.url}/{call.full}/commit"
    parents_shown = [
        {"sha": p, "url": f"{call.api}/git/commits/{p}", "html_url": f"{page}/{p}"} for p in entry["parents"]
    ]
    return {
        **made, "sha": sha, "node_id": shapes.node_id("Commit", sha), "html_url": f"{page}/{sha}",
        "parents": parents_shown,
    }  # fmt: skip


def readme(call: Call) -> Any:
    """`GET …/readme`."""
    repo = call.repo
    ref = call.query.get("ref") or repo.default_branch()
    sha = repo.find(ref)
    for entry in _entries(repo, sha, "") if sha else []:
        if entry[2].lower().split(".")[0] == "readme":
            return _file(call, repo, entry, ref)
    raise not_found()


def archive(call: Call) -> Answer:
    """`GET …/tarball/{ref}` and `…/zipball/{ref}`: where it can be fetched."""
    ref = call.path.get("ref") or call.repo.default_branch()
    kind = "legacy.tar.gz" if f"{call.full}/tarball" in call.url_path else "legacy.zip"
    return Answer(status=302, headers={"Location": f"{call.hub.url}/{call.full}/{kind}/{ref}"})


def download(call: Call) -> Answer:
    """`GET /{owner}/{repo}/legacy.tar.gz/{ref}`, on GitHub at codeload.github.com: the archive itself."""
    kind = "zip" if f"{call.full}/legacy.zip/" in call.url_path else "tar.gz"
    sha = call.repo.find(call.path["ref"])
    if sha is None:
        raise not_found()
    name = f"{call.full.replace('/', '-')}-{sha[:7]}"
    content = call.repo.raw("archive", f"--format={kind}", f"--prefix={name}/", sha)
    media = "application/zip" if kind == "zip" else "application/x-gzip"
    disposition = f"attachment; filename={name}.{kind}"
    return Answer(raw=content, headers={"Content-Type": media, "Content-Disposition": disposition})


def raw_file(call: Call) -> Answer:
    """`GET /{owner}/{repo}/raw/{ref}/{path}`, a file's `download_url`; the ref may hold slashes."""
    parts = call.path["rest"].split("/")
    for number in range(1, len(parts)):
        sha = call.repo.find("/".join(parts[:number]))
        found = call.repo.objects(f"{sha}:{'/'.join(parts[number:])}")[0] if sha else None
        if found and found[1] == "blob":
            content = call.repo.raw("cat-file", "blob", found[0])
            return Answer(raw=content, headers={"Content-Type": "text/plain; charset=utf-8"})
    raise not_found()


_REPO = "/repos/{owner}/{repo}"
ROUTES: Routes = [
    ("GET", _REPO + "/contents", get),
    ("GET", _REPO + "/contents/{path:path}", get),
    ("PUT", _REPO + "/contents/{path:path}", put),
    ("DELETE", _REPO + "/contents/{path:path}", delete),
    ("GET", _REPO + "/readme", readme),
    ("GET", _REPO + "/tarball", archive),
    ("GET", _REPO + "/zipball", archive),
    ("GET", _REPO + "/tarball/{ref:path}", archive),
    ("GET", _REPO + "/zipball/{ref:path}", archive),
]
#: Files, which cost no quota, for on GitHub they come from other hosts.
FILES: Routes = [
    ("GET", "/{owner}/{repo}/legacy.tar.gz/{ref:path}", download),
    ("GET", "/{owner}/{repo}/legacy.zip/{ref:path}", download),
    ("GET", "/{owner}/{repo}/raw/{rest:path}", raw_file),
]
