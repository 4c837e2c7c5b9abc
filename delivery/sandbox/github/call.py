"""One REST request, as a route sees it, and what a route answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from delivery.sandbox.github import shapes
from delivery.sandbox.github.callers import Caller
from delivery.sandbox.github.errors import GitHubError, invalid, not_supplied
from delivery.sandbox.github.repository import Repository

if TYPE_CHECKING:
    from delivery.sandbox.github.hub import Hub

#: Entries of a page when nobody says how many, and at most.
PAGE, LARGEST = 30, 100


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route answers when it is not simply 200 with a body. `raw` goes out as it is."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None


Handler = Callable[["Call"], Any]
#: Method, path in Starlette's form, and the function that answers.
Routes = list[tuple[str, str, Handler]]


@dataclass(frozen=True, slots=True)
class Call:
    """A request after it was read and let in. `full` is `owner/repo`, empty outside a repository."""

    hub: Hub
    caller: Caller
    path: Mapping[str, Any]
    query: Mapping[str, str]
    body: Any = field(default_factory=dict)
    url_path: str = ""
    accept: str = ""

    @property
    def full(self) -> str:
        """Which repository."""
        return f"{self.path['owner']}/{self.path['repo']}"

    @property
    def repo(self) -> Repository:
        """Its git."""
        return self.hub.repository(self.full)

    @property
    def api(self) -> str:
        """The URL of this repository's API."""
        return f"{self.hub.url}/repos/{self.full}"

    @property
    def user(self) -> dict[str, Any]:
        """Who calls, as GitHub shows a user."""
        return shapes.user(self.hub.url, self.caller.login)

    def text(self, name: str, default: str | None = None, resource: str = "") -> str:
        """A text of the body; 422 when it is missing or no text."""
        value = self.body.get(name, default)
        if value is None:
            raise not_supplied(name)
        if not isinstance(value, str):
            if resource:
                raise invalid(resource, name, code="invalid")
            raise GitHubError(422, f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not a string.")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """A truth value of the body; 422 for anything else."""
        value = self.body.get(name, default)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise GitHubError(
                422, f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not a boolean."
            )
        return value

    def span(self, size: int = PAGE, largest: int = LARGEST) -> tuple[int, int]:
        """Which page, and how many entries it has; nonsense counts as nothing said, as on GitHub."""
        page, per = (_number(self.query.get(name, "")) for name in ("page", "per_page"))
        return max(1, page), min(largest, per) if per > 0 else size

    def listed(self, entries: list[Any], shape: Callable[[Any], Any] | None = None) -> Answer:
        """One page of a list, with the links to the others; only what is on it is shaped."""
        page, per = self.span()
        shown = entries[per * (page - 1) : per * page]
        return Answer([shape(e) for e in shown] if shape else shown, headers=self.links(len(entries)))

    def links(self, total: int, size: int = PAGE, largest: int = LARGEST) -> dict[str, str]:
        """The `Link` header of a list of `total` entries; none when one page holds it all."""
        page, per = self.span(size, largest)
        last = max(1, -(-total // per))
        wanted = {"prev": page - 1 if page > 1 else 0, "next": page + 1 if page < last else 0}
        wanted |= {"last": last if page < last else 0, "first": 1 if page > 1 else 0}
        url = self.hub.url + quote(self.url_path)
        links = [
            f'<{url}?{urlencode({**self.query, "page": number})}>; rel="{name}"'
            for name, number in wanted.items()
            if number
        ]
        return {"Link": ", ".join(links)} if links else {}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
