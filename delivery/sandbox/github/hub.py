"""What all of GitHub's rooms share: the repositories, what is kept beside them, and the hooks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from delivery.sandbox.github import shapes
from delivery.sandbox.github.callers import Caller
from delivery.sandbox.github.deliveries import Deliveries
from delivery.sandbox.github.errors import not_found
from delivery.sandbox.github.repository import Repository
from delivery.sandbox.github.store import Store

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?/(?!\.{1,2}$)[A-Za-z0-9_.-]{1,100}")


class Hub:
    """A folder of bare repositories and what GitHub knows of them. `url` is where clients find it."""

    def __init__(self, directory: Path, url: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self.url = directory, url
        self.store = Store(directory / "github.sqlite")
        self._deliveries = Deliveries(self.store)

    def repository(self, full: str) -> Repository:
        """The repository `owner/name`; 404 when there is none."""
        path = self.directory / f"{full}.git"
        if not NAME.fullmatch(full) or not path.is_dir():
            raise not_found()
        return Repository(path)

    def about(self, full: str) -> dict[str, Any]:
        """What GitHub knows of it beside git. One that git alone made becomes known with the first look."""
        found = self.store.all(full, "repository")
        if found:
            return found[0]
        with self.store.transaction():
            return (self.store.all(full, "repository") or [self.register(full)])[0]

    def register(self, full: str, **more: Any) -> dict[str, Any]:
        """Know a repository from now on."""
        moment = shapes.now()
        times = {"created_at": moment, "updated_at": moment, "pushed_at": moment}
        return self.store.add(full, "repository", {"private": False, **times, **more})

    def change(self, full: str, **changes: Any) -> None:
        """Set some of what GitHub knows of it."""
        number = self.about(full)["id"]
        self.store.change(full, "repository", number, lambda known: {**known, **changes})

    def forget(self, full: str) -> None:
        """Know nothing of it any more."""
        self.store.forget(full)

    def is_private(self, full: str) -> bool:
        """Whether only those with a token may know of it."""
        return bool(self.about(full)["private"])

    def admit(self, full: str, caller: Caller) -> None:
        """Let the caller at this repository; 404 when it must not know that it exists."""
        self.repository(full)
        if not caller.login and self.is_private(full):
            raise not_found()

    def shape(self, full: str) -> dict[str, Any]:
        """The repository as GitHub shows it."""
        branch = self.repository(full).default_branch()
        return shapes.repository(self.url, full, self.about(full), branch)

    def protected(self, full: str) -> list[str]:
        """References that nobody may delete or push to by force."""
        return [
            f"refs/heads/{entry['branch']}"
            for entry in self.store.all(full, "protection")
            if not entry.get("allow_force_pushes", {}).get("enabled")
        ]

    def tell(self, full: str, event: str, login: str, payload: Callable[[], dict[str, Any]]) -> None:
        """Deliver an event to the hooks that want it; the payload is made only when there is one."""
        hooks = self._deliveries.wanted(full, event)
        if hooks:
            self._deliveries.send(full, hooks, event, self._full_payload(full, login, payload()))

    def tell_one(
        self, full: str, hook: dict[str, Any], event: str, login: str, payload: dict[str, Any]
    ) -> None:
        """Deliver an event to this hook, whatever it asked for: a ping, a test."""
        self._deliveries.send(full, [hook], event, self._full_payload(full, login, payload))

    def redeliver(self, full: str, hook: dict[str, Any], delivery: dict[str, Any]) -> None:
        """Send a delivery again, with the same id and the same body."""
        self._deliveries.again(full, hook, delivery)

    def _full_payload(self, full: str, login: str, payload: dict[str, Any]) -> dict[str, Any]:
        return {**payload, "repository": self.shape(full), "sender": shapes.user(self.url, login)}

    def close(self) -> None:
        """Give everything back."""
        self._deliveries.close()
        self.store.close()
