"""The port `Source` on GitHub."""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, urlsplit

from github import Github
from github.Branch import Branch
from github.Commit import Commit as GitHubCommit

from delivery.adapters.git import Git, Mirror
from delivery.adapters.github.api import connect, translated
from delivery.core.build import SourceSnapshot
from delivery.core.release import Commit
from delivery.core.service import RepositorySpec
from delivery.errors import ConfigurationError, NotFoundError, RewrittenError

_SHA = re.compile(r"[0-9a-f]{40}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*/(?!\.{1,2}$)[A-Za-z0-9_.][A-Za-z0-9_.-]*")
#: What git forbids in a branch's name. Source: git-check-ref-format.
_NO_BRANCH = re.compile(r"^[-/]|[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|^\.|[./]$|\.lock(/|$)|^$")
#: GitHub's own limit of a status's description.
_STATUS_TEXT = 140


class GitHubSource:
    """Commits of GitHub repositories. Making it asks nobody.

    api_url      `https://api.github.com`, or an Enterprise server's `…/api/v3`
    git_url      `https://github.com`; repositories are `<git_url>/<owner>/<name>.git`
    work         where mirrors and checkouts are kept; may be deleted at any time
    environment  where proxy and CA settings for git are taken from
    """

    def __init__(
        self, api_url: str, token: str, git_url: str, work: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._api_url, self._token, self._git_url = api_url, token, git_url.rstrip("/")
        self._work, self._environment = Path(work), dict(environment or {})
        self._lock = threading.Lock()
        self._client: Github | None = None
        self._heads: dict[tuple[str, str], tuple[str, Commit]] = {}

    def __repr__(self) -> str:
        return f"GitHubSource({self._api_url!r})"

    def head(self, repository: RepositorySpec) -> Commit:
        """The branch's newest commit. An unchanged branch costs one conditional request, free of quota."""
        _check(repository)
        name, branch = repository.github, quote(repository.branch, safe="")
        what = f"The head of {name}@{repository.branch} could not be read"
        with self._lock, translated(what):
            etag, known = self._heads.get((name, branch), ("", None))
            headers, found = self._github.requester.requestJsonAndCheck(
                "GET", f"/repos/{name}/branches/{branch}", headers={"If-None-Match": etag} if etag else None
            )
            if not found and known is not None:  # 304
                return known
            commit = _commit(Branch(self._github.requester, headers, found).commit)
            self._heads[name, branch] = (str(headers.get("etag", "")), commit)
            return commit

    def commits_since(
        self, repository: RepositorySpec, sha: str | None, limit: int = 50
    ) -> tuple[Commit, ...]:
        """The states of the branch after `sha` that touch the service, oldest first; of many, the oldest.

        The rest comes with the next call, so nothing is dropped. RewrittenError when `sha` left the branch.
        """
        head = self.head(repository)
        if sha is None:
            return (head,)
        if head.sha == sha:
            return ()
        _check_sha(repository, sha)
        mirror, branch = self._mirror(repository), repository.branch
        if mirror.head(branch) != head.sha:
            mirror.fetch(branch)
        if not mirror.contains(branch, sha):
            raise RewrittenError(
                f"{sha[:12]} is no longer on {repository.github}@{branch}",
                "the branch was force-pushed",
                f"Go on from its head, {head.sha[:12]}.",
            )
        newest = mirror.head(branch)
        found = mirror.log(f"{sha}..{newest}", _paths(repository))
        return tuple(self._named(repository, commit) for commit in reversed(found))[:limit]

    def snapshot(self, repository: RepositorySpec, sha: str) -> SourceSnapshot:
        """The commit with the tree id of the service's paths and the files it changed."""
        mirror, paths = self._holding(repository, sha), _paths(repository)
        tree = mirror.tree(sha, paths)
        if not tree:
            raise NotFoundError(
                f"The commit {sha[:12]} has nothing of the service",
                f"none of {', '.join(paths)} is in it",
                "Check `repository.paths` in the service's defs.yaml.",
            )
        commit = self._named(repository, mirror.log(sha, limit=1)[0])
        return SourceSnapshot(commit, tree, mirror.changed(sha))

    @contextmanager
    def checkout(self, repository: RepositorySpec, sha: str) -> Iterator[Path]:
        """A temporary folder with that commit's files, for reading only, removed afterwards."""
        mirror = self._holding(repository, sha)
        folder = self._work / "checkouts"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=f"{sha[:12]}-") as made:
            mirror.unpack(sha, Path(made))
            yield Path(made)

    def set_status(
        self, repository: RepositorySpec, sha: str, context: str, state: str, text: str, url: str = ""
    ) -> None:
        """Write a commit status back; a long text is cut, for GitHub refuses it."""
        _check(repository)
        _check_sha(repository, sha)
        short = text if len(text) <= _STATUS_TEXT else f"{text[: _STATUS_TEXT - 1]}…"
        more = {"target_url": url} if url else {}
        with translated(f"The status of {sha[:12]} could not be written to {repository.github}"):
            commit = self._github.get_repo(repository.github).get_commit(sha)
            commit.create_status(state=state, context=context, description=short, **more)

    @property
    def _github(self) -> Github:
        if self._client is None:
            self._client = connect(self._api_url, self._token)
        return self._client

    def _holding(self, repository: RepositorySpec, sha: str) -> Mirror:
        """The mirror, once it has that commit."""
        _check(repository)
        _check_sha(repository, sha)
        mirror = self._mirror(repository)
        if not mirror.has(sha):
            mirror.fetch(repository.branch)
        if not mirror.has(sha):
            raise NotFoundError(
                f"There is no commit {sha[:12]} on {repository.github}@{repository.branch}",
                "the branch does not have it (any more)",
                "If the branch was force-pushed, deliver its new head.",
            )
        return mirror

    def _mirror(self, repository: RepositorySpec) -> Mirror:
        if urlsplit(self._git_url).scheme not in ("http", "https"):
            raise ConfigurationError(
                "The repository cannot be read",
                f"{self._git_url} is not an http(s) URL",
                "Set DELIVERY_GIT_URL.",
            )
        folder = self._work / "mirrors" / f"{repository.github}.git"
        return Mirror(Git(folder, self._token, self._environment), f"{self._git_url}/{repository.github}.git")

    def _named(self, repository: RepositorySpec, commit: Commit) -> Commit:
        return replace(commit, url=f"{self._git_url}/{repository.github}/commit/{commit.sha}")


def _commit(found: GitHubCommit) -> Commit:
    return Commit(
        sha=found.sha,
        message=found.commit.message.strip(),
        author=found.commit.author.name,
        committed_at=found.commit.committer.date,
        parents=tuple(parent.sha for parent in found.parents),
        url=found.html_url,
    )


def _paths(repository: RepositorySpec) -> tuple[str, ...]:
    """The service's paths as git has them; none when one of them is the whole repository."""
    paths = tuple(path.strip("/").removeprefix("./") for path in repository.paths)
    return () if any(path in ("", ".") for path in paths) else paths


def _check(repository: RepositorySpec) -> None:
    """Names that git or a URL would read as something else stop here."""
    if not _NAME.fullmatch(repository.github):
        why = f"{repository.github!r} is not `owner/name`"
    elif _NO_BRANCH.search(repository.branch):
        why = f"{repository.branch!r} is not the name of a branch"
    else:
        return
    hint = "Correct `repository` in the service's defs.yaml."
    raise ConfigurationError("The repository cannot be read", why, hint)


def _check_sha(repository: RepositorySpec, sha: str) -> None:
    if not _SHA.fullmatch(sha):
        raise NotFoundError(
            f"There is no commit {sha!r} in {repository.github}",
            "it is not a full commit sha",
            "Name the commit by its 40 hexadecimal digits.",
        )
