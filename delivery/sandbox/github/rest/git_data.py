"""Routes of git's own things: references, commits, trees, blobs, tags.

Source: GitHub REST API, "REST API endpoints for Git database" (https://docs.github.com/rest/git).
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from delivery.sandbox.github import pushes, shapes
from delivery.sandbox.github.call import Answer, Call, Routes
from delivery.sandbox.github.errors import GitHubError, empty, not_found
from delivery.sandbox.github.repository import NOBODY, NoSuchThing, is_ref_name
from delivery.sandbox.github.rest.contents import person
from delivery.sandbox.github.writing import Author, Moved, blob, commit, move, tree_with


def _ref(call: Call, ref: str, sha: str, kind: str) -> dict[str, Any]:
    """A `git-ref`."""
    return {
        "ref": ref, "node_id": shapes.node_id("Ref", ref), "url": f"{call.api}/git/{ref}",
        "object": {"sha": sha, "type": kind, "url": f"{call.api}/git/{kind}s/{sha}"},
    }  # fmt: skip


def get_ref(call: Call) -> dict[str, Any]:
    """`GET …/git/ref/{ref}`: exactly this one."""
    if call.repo.is_empty():
        raise empty()
    ref = f"refs/{call.path['ref']}"
    found = call.repo.refs(ref).get(ref) if is_ref_name(ref) else None
    if found is None:
        raise not_found()
    return _ref(call, ref, *found)


def matching(call: Call) -> Answer:
    """`GET …/git/matching-refs/{prefix}`: all that begin so."""
    prefix = f"refs/{call.path.get('ref', '')}"
    found = [item for item in call.repo.refs("refs").items() if item[0].startswith(prefix)]
    return call.listed(found, lambda item: _ref(call, item[0], *item[1]))


def create_ref(call: Call) -> Answer:
    """`POST …/git/refs`."""
    ref, sha = call.text("ref"), call.text("sha")
    if not ref.startswith("refs/") or ref.count("/") < 2 or not is_ref_name(ref):
        raise GitHubError(422, "Reference name must start with 'refs/' and have at least two slashes.")
    if call.repo.is_empty():
        raise empty()
    if call.repo.objects(sha)[0] is None:
        raise GitHubError(422, "Object does not exist")
    if ref in call.repo.refs(ref):
        raise GitHubError(422, "Reference already exists")
    _moved(call, ref, NOBODY, sha)
    return Answer(_ref(call, ref, sha, _kind(call, sha)), 201)


def update_ref(call: Call) -> dict[str, Any]:
    """`PATCH …/git/refs/{ref}`: forward, or anywhere by force."""
    ref, sha = f"refs/{call.path['ref']}", call.text("sha")
    old = _tip(call, ref)
    if call.repo.objects(sha)[0] is None:
        raise GitHubError(422, "Object does not exist")
    forward = not ref.startswith("refs/heads/") or call.repo.contains(sha, old)
    if not forward and not call.flag("force", False):
        raise GitHubError(422, "Update is not a fast forward")
    if not forward and ref in call.hub.protected(call.full):
        raise GitHubError(422, "Cannot force-push to this branch")
    _moved(call, ref, old, sha)
    return _ref(call, ref, sha, _kind(call, sha))


def delete_ref(call: Call) -> Answer:
    """`DELETE …/git/refs/{ref}`."""
    ref = f"refs/{call.path['ref']}"
    old = _tip(call, ref)
    if ref in call.hub.protected(call.full) or ref == f"refs/heads/{call.repo.default_branch()}":
        raise GitHubError(422, "Cannot delete this branch")
    _moved(call, ref, old, "")
    return Answer(status=204)


def _tip(call: Call, ref: str) -> str:
    found = call.repo.refs(ref).get(ref) if is_ref_name(ref) else None
    if found is None or ref.startswith("refs/pull/"):
        raise GitHubError(422, "Reference does not exist")
    return found[0]


def _kind(call: Call, sha: str) -> str:
    found = call.repo.objects(sha)[0]
    return found[1] if found else "commit"


def _moved(call: Call, ref: str, old: str, new: str) -> None:
    try:
        move(call.repo, ref, new, old)
    except Moved:
        raise GitHubError(409, "Reference cannot be updated") from None
    pushes.moved(call.hub, call.full, call.caller.login, [(old, new or NOBODY, ref)])


def get_commit(call: Call) -> dict[str, Any]:
    """`GET …/git/commits/{sha}`."""
    if _typed(call, "commit") is None:
        raise not_found()
    return _commit(call, call.path["sha"])


def _commit(call: Call, sha: str) -> dict[str, Any]:
    entry = call.repo.log(sha, 1)[0]
    made = shapes.git_commit(call.hub.url, call.full, entry)
    made.pop("comment_count")
    page = f"{call.hub.url}/{call.full}/commit"
    parents = [
        {"sha": p, "url": f"{call.api}/git/commits/{p}", "html_url": f"{page}/{p}"} for p in entry["parents"]
    ]
    return {**made, "sha": sha, "node_id": shapes.node_id("Commit", sha), "html_url": f"{page}/{sha}",
            "parents": parents}  # fmt: skip


def create_commit(call: Call) -> Answer:
    """`POST …/git/commits`."""
    repo, message, tree = call.repo, call.text("message"), call.text("tree")
    found = repo.objects(tree)[0]
    if found is None or found[1] != "tree":
        raise GitHubError(422, "Tree SHA does not exist")
    parents = call.body.get("parents", [])
    if any(o is None or o[1] != "commit" for o in (repo.objects(*parents) if parents else [])):
        raise GitHubError(422, "Parent SHA does not exist or is not a commit object")
    own = Author(call.caller.login, f"{call.caller.login}@users.noreply.github.com")
    author = person(call, "author") or own
    sha = commit(repo, found[0], parents, message, author, person(call, "committer") or author)
    return Answer(_commit(call, sha), 201)


def _typed(call: Call, kind: str) -> tuple[str, str, int] | None:
    name = call.path["sha"]
    found = call.repo.objects(name)[0] if is_ref_name(name) else None
    return found if found and found[1] == kind else None


def get_blob(call: Call) -> Any:
    """`GET …/git/blobs/{sha}`."""
    found = _typed(call, "blob")
    if found is None:
        raise not_found()
    content = call.repo.raw("cat-file", "blob", found[0])
    if "raw" in call.accept:
        return Answer(raw=content, headers={"Content-Type": "application/vnd.github.raw+json"})
    return {
        "sha": found[0], "node_id": shapes.node_id("Blob", found[0]), "size": found[2],
        "url": f"{call.api}/git/blobs/{found[0]}", "encoding": "base64",
        "content": base64.encodebytes(content).decode(),
    }  # fmt: skip


def create_blob(call: Call) -> Answer:
    """`POST …/git/blobs`."""
    content, encoding = call.text("content"), call.text("encoding", "utf-8")
    if encoding not in ("utf-8", "base64"):
        raise GitHubError(422, f"Invalid request.\n\n{encoding!r} is not a known encoding.")
    try:
        data = base64.b64decode(content) if encoding == "base64" else content.encode()
    except binascii.Error:
        raise GitHubError(422, "Invalid base64 content") from None
    sha = blob(call.repo, data)
    return Answer({"sha": sha, "url": f"{call.api}/git/blobs/{sha}"}, 201)


def get_tree(call: Call) -> dict[str, Any]:
    """`GET …/git/trees/{tree_sha}?recursive=`; a branch or commit stands for its tree."""
    repo, name = call.repo, call.path["sha"]
    if repo.is_empty():
        raise empty()
    found = _typed(call, "tree")
    commit_sha = None if found else repo.find(name)
    if found is None and commit_sha is None:
        raise not_found()
    return _tree(call, found[0] if found else repo.log(str(commit_sha), 1)[0]["tree"])


def _tree(call: Call, sha: str) -> dict[str, Any]:
    # GitHub: any value of the parameter means recursive, "false" too.
    recursive = ["-r", "-t"] if "recursive" in call.query else []
    entries = []
    for line in filter(None, call.repo.git("ls-tree", "-z", "--long", *recursive, sha).split("\0")):
        about, path = line.split("\t", 1)
        mode, kind, thing, size = about.split()
        sized: dict[str, Any] = {"size": int(size)} if size.isdigit() else {}
        url = {} if kind == "commit" else {"url": f"{call.api}/git/{kind}s/{thing}"}
        entries.append({"path": path, "mode": mode, "type": kind, "sha": thing, **sized, **url})
    return {"sha": sha, "url": f"{call.api}/git/trees/{sha}", "tree": entries, "truncated": False}


def _is_entry(entry: Any) -> bool:
    """Whether this can be an entry of a tree: texts throughout, and a path."""
    names = ("path", "mode", "type", "sha", "content")
    return (
        isinstance(entry, dict)
        and bool(entry.get("path"))
        and all(entry.get(name) is None or isinstance(entry[name], str) for name in names)
        and "\0" not in f"{entry['path']}{entry.get('mode')}{entry.get('sha')}"
    )


def create_tree(call: Call) -> Answer:
    """`POST …/git/trees`: on top of `base_tree`; an entry with sha null removes a path."""
    entries, base = call.body.get("tree"), call.body.get("base_tree") or ""
    if not isinstance(entries, list) or not all(_is_entry(entry) for entry in entries):
        raise GitHubError(422, "Invalid tree info")
    changes: dict[str, tuple[str, str] | None] = {}
    for entry in entries:
        if "content" in entry:
            entry["sha"] = blob(call.repo, str(entry["content"]).encode())
        sha = entry.get("sha")
        if sha is not None and call.repo.objects(str(sha))[0] is None and entry.get("type") != "commit":
            raise GitHubError(422, f"tree.sha {sha} is not a valid blob")
        changes[entry["path"]] = None if sha is None else (str(entry.get("mode", "100644")), sha)
    try:
        sha = tree_with(call.repo, base, changes)
    except NoSuchThing as error:
        raise GitHubError(422, f"Invalid tree info: {error}") from None
    return Answer(_tree(call, sha), 201)


def create_tag(call: Call) -> Answer:
    """`POST …/git/tags`: an annotated tag's object; a reference to it is made apart."""
    sha, kind, name = call.text("object"), call.text("type"), call.text("tag")
    if call.repo.objects(sha)[0] is None:
        raise GitHubError(422, "Could not verify object")
    own = Author(call.caller.login, f"{call.caller.login}@users.noreply.github.com")
    tagger = (person(call, "tagger") or own).environment("COMMITTER")
    when = tagger["GIT_COMMITTER_DATE"]
    who = f"{tagger['GIT_COMMITTER_NAME']} <{tagger['GIT_COMMITTER_EMAIL']}>"
    stamp = when if when.split(" ")[0].isdigit() else shapes.to_stamp(when)
    text = f"object {sha}\ntype {kind}\ntag {name}\ntagger {who} {stamp}\n\n{call.text('message')}\n"
    made = call.repo.git("mktag", data=text.encode()).strip()
    return Answer(_tag(call, made), 201)


def get_tag(call: Call) -> dict[str, Any]:
    """`GET …/git/tags/{sha}`."""
    if _typed(call, "tag") is None:
        raise not_found()
    return _tag(call, call.path["sha"])


def _tag(call: Call, sha: str) -> dict[str, Any]:
    head, _, message = call.repo.git("cat-file", "tag", sha).partition("\n\n")
    fields = dict(line.split(" ", 1) for line in head.splitlines())
    name, _, rest = fields["tagger"].partition(" <")
    email, _, stamp = rest.partition("> ")
    date = shapes.in_utc(shapes.from_stamp(stamp))
    kind, target = fields["type"], fields["object"]
    return {
        "sha": sha, "node_id": shapes.node_id("Tag", sha), "tag": fields["tag"], "message": message.strip(),
        "url": f"{call.api}/git/tags/{sha}", "tagger": {"name": name, "email": email, "date": date},
        "object": {"sha": target, "type": kind, "url": f"{call.api}/git/{kind}s/{target}"},
        "verification": shapes.UNSIGNED,
    }  # fmt: skip


_GIT = "/repos/{owner}/{repo}/git"
ROUTES: Routes = [
    ("GET", _GIT + "/ref/{ref:path}", get_ref),
    ("GET", _GIT + "/matching-refs", matching),
    ("GET", _GIT + "/matching-refs/{ref:path}", matching),
    ("GET", _GIT + "/refs", matching),
    ("GET", _GIT + "/refs/{ref:path}", get_ref),
    ("POST", _GIT + "/refs", create_ref),
    ("PATCH", _GIT + "/refs/{ref:path}", update_ref),
    ("DELETE", _GIT + "/refs/{ref:path}", delete_ref),
    ("POST", _GIT + "/commits", create_commit),
    ("GET", _GIT + "/commits/{sha}", get_commit),
    ("POST", _GIT + "/blobs", create_blob),
    ("GET", _GIT + "/blobs/{sha}", get_blob),
    ("POST", _GIT + "/trees", create_tree),
    ("GET", _GIT + "/trees/{sha:path}", get_tree),
    ("POST", _GIT + "/tags", create_tag),
    ("GET", _GIT + "/tags/{sha}", get_tag),
]
