"""Fifty callers at once read and write over every service: nothing is lost, nothing is wrong, nothing hangs.

Amazon S3 user guide: "How to prevent object overwrites with conditional writes"; Amazon SQS developer guide:
"At-least-once delivery".
"""

from __future__ import annotations

from pathlib import Path

import pytest

from delivery.sandbox.github.repository import create_repository
from delivery_tests.conftest import RunningSandbox
from delivery_tests.foreign.cloning import clone, commit
from delivery_tests.foreign.conftest import Shell
from delivery_tests.foreign.crowd import BRIEFLY, Crowd
from delivery_tests.sandbox.stack import eventually

pytestmark = pytest.mark.sandbox


def test_fifty_callers_lose_nothing(sandbox: RunningSandbox, shell: Shell, tmp_path: Path) -> None:
    """No 5xx; counters exact, every message received, every commit there, every status as it was last set."""
    name = "acme/crowd"
    create_repository(sandbox.config.repositories, name)
    git = clone(sandbox, shell, tmp_path, name)
    pushed = [commit(git, tmp_path, "n", "first")]
    git("push", "-q", "origin", "main")

    def push(turn: int) -> None:
        sha = commit(git, tmp_path, "n", str(turn))
        git("push", "-q", "origin", "main")
        pushed.append(sha)

    crowd = Crowd(sandbox.endpoints, name)
    crowd.prepare()
    try:
        crowd.hammer(BRIEFLY, push)
        assert crowd.wrong == []
        counted = crowd.counters()
        assert counted == {key: crowd.done[key] for key in counted}
        eventually(lambda: crowd.drain_once() or crowd.sent - crowd.received, lambda left: not left, 40)
        assert git("ls-remote", "origin", "refs/heads/main").split()[0] == pushed[-1]
        assert git("rev-list", "--reverse", "origin/main").split() == pushed
    finally:
        crowd.close()
