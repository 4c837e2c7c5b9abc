"""A kind of question with a scripted answer, and processes that read it."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from delivery.adapters.aws.session import Aws
from delivery.adapters.aws.shared import SharedReads
from delivery.adapters.aws.shared.store import Row
from delivery.errors import DeliveryError, NotFoundError

KEYS = {"AWS_ACCESS_KEY_ID": "ada", "AWS_SECRET_ACCESS_KEY": "lovelace"}


def aws_for(keys: Mapping[str, str] = KEYS) -> Aws:
    """A session nobody asks anything through."""
    return Aws("eu-central-1", "http://127.0.0.1:9", keys)


@dataclass
class Asked:
    """A kind that answers `value` to everything but what is `poison`; `calls` are the keys of each call."""

    value: Any = "fine"
    name: str = "asked"
    soonest: float = 2.0
    pressed: float = 10.0
    longest: float = 20.0
    size: int = 10
    rivals: tuple[str, ...] = ()
    poison: set[str] = field(default_factory=set)
    error: DeliveryError | None = None
    calls: list[list[str]] = field(default_factory=list)
    before: Callable[[], object] = lambda: None

    def choose(self, rows: list[Row], now: float) -> list[Row]:
        """The first of them."""
        return rows[: self.size]

    def ask(self, aws: Aws, specs: Mapping[str, str], now: float) -> dict[str, Any]:
        """One call."""
        self.calls.append(sorted(specs))
        self.before()
        if self.error is not None:
            raise self.error
        if self.poison & set(specs):
            raise NotFoundError("They could not be read", "one of them does not exist", "Look.")
        return dict.fromkeys(specs, self.value)


@dataclass
class Site:
    """One installation's folder at a settable time."""

    folder: Path
    moment: float = 1_000_000.0

    def reads(self, keys: Mapping[str, str] = KEYS) -> SharedReads:
        """What one more process would have."""
        return SharedReads(aws_for(keys), self.folder, lambda: self.moment, self.wait)

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.moment += seconds


class Counting(Asked):
    """Writes every call of any process to a file."""

    log: Path

    def ask(self, aws: Aws, specs: Mapping[str, str], now: float) -> dict[str, Any]:
        """One call, with one line in the file."""
        with self.log.open("a") as file:
            file.write(json.dumps(sorted(specs)) + "\n")
        return super().ask(aws, specs, now)


def in_process(work: Callable[..., object], *given: object) -> multiprocessing.process.BaseProcess:
    """A process of its own, started."""
    process = multiprocessing.get_context("fork").Process(target=work, args=given)
    process.start()
    return process
