"""Strategies as people live with them: a pause, the word that ends it, a bad migration, a slow candidate."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from delivery.cli.demo import edits
from delivery.cli.demo.story import Edit
from delivery.core.ledger import Outcome
from delivery.core.rollout import Rollout, RolloutPhase
from delivery_tests.e2e.moments import effects
from delivery_tests.e2e.street import PATIENCE, Street
from delivery_tests.e2e.town import DELIVERY, definition, town, until

pytestmark = pytest.mark.e2e

#: `shop` asks a person at half of the traffic and compares; `books` has equal shares. Both migrate first.
_PRODUCTION = {
    "shop": """\
    strategy:
      canary:
        steps: [{ weight: 50, pause: { timeout: 10m, then: stop } }, 100]
        analyze_for: 20s
        bake: 8s
    before: { run: python -m app.migrate, timeout: 2m, cpu: 256, memory: 512m }
    health:
      rollback_triggers:
        - { metric: HTTPCode_Target_5XX_Count, threshold: 2, per: 5s, for: 5s }
      compare:
        - { metric: TargetResponseTime, statistic: p90, per: 1s, tolerance: 20%, least: 0.02 }
    probe: { path: /, requests: 3 }
""",
    "books": """\
    strategy: { linear: { step: 50, interval: 8s, bake: 8s } }
    before: { run: python -m app.migrate, timeout: 2m, cpu: 256, memory: 512m }
    quick: known_good
    health:
      rollback_triggers:
        - { metric: HTTPCode_Target_5XX_Count, threshold: 2, per: 5s, for: 5s }
    probe: { path: /, requests: 3 }
""",
}
_MIGRATION = '"""The task before the switch."""\n\nprint("0001_orders ... ok")\n'
_BAD_MIGRATION = (
    '"""The task before the switch."""\n\nraise SystemExit("0002_totals: no such column: orders.total")\n'
)
_SLOW = '''"""A greeting, after a look at the warehouse."""

import time


def respond(path: str, query: dict[str, str]) -> dict[str, object] | None:
    """The answer to one request; None if there is no such page."""
    time.sleep(0.2)
    return {"service": "shop"} if path in ("/", "/checkout") else None


def checkout(items: int) -> dict[str, object]:
    """What that many items cost."""
    return {"items": items, "total": items * 5}
'''


@dataclass(frozen=True, slots=True)
class Told:
    """What a command in a terminal said, and how it ended."""

    code: int
    text: str


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """Both services, live with their first release, and users who ask for them."""
    with ExitStack() as stack:
        definitions = {name: definition(name, production) for name, production in _PRODUCTION.items()}
        found = stack.enter_context(town(tmp_path_factory.mktemp("strategies"), "strategies", definitions))
        plane = found.plane("one", stack)
        plane.start()
        street = Street(found, plane, stack)
        first = {name: street.push(name, _with(edits.good_v1(), _MIGRATION)) for name in _PRODUCTION}
        for name, sha in first.items():
            assert street.await_end(name, sha).outcome is Outcome.VERIFIED
            found.send_load(name, stack)
        yield street


def _with(edit: Edit, migration: str) -> Edit:
    return Edit(edit.subject, {**edit.files, "app/migrate.py": migration})


def _command(street: Street, *arguments: str) -> Told:
    """`delivery …`, as a person types it."""
    done = subprocess.run(
        [str(DELIVERY), *arguments], env={**street.plane.environment}, capture_output=True, text=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    return Told(done.returncode, done.stdout + done.stderr)


def _rollout(street: Street, service: str, sha: str) -> Rollout | None:
    rollout = street.town.ledger(service).rollout
    return rollout if rollout is not None and rollout.release.commit == sha else None


def _waits(street: Street, service: str, sha: str) -> bool:
    rollout = _rollout(street, service, sha)
    return rollout is not None and rollout.waiting


def test_a_person_lets_a_canary_go_on(street: Street) -> None:
    """It stops at half of the traffic until somebody says so, in a run of Dagster's; no request is lost."""
    at = datetime.now(UTC)
    sha = street.push("shop", edits.good_v2())
    until(lambda: _waits(street, "shop", sha), PATIENCE, "it asks a person")
    assert "waiting for a person" in " ".join(_command(street, "status", "shop").text.split())
    told = _command(street, "continue", "shop", "production", "--by", "ada", "--reason", "sums are right")
    assert told.code == 0, told.text
    assert street.await_end("shop", sha).outcome is Outcome.VERIFIED
    rollout = _rollout(street, "shop", sha)
    assert rollout is not None and any("ada" in line.message for line in rollout.history)
    assert effects(street.plane, street.town, "shop", at).shares == [50, 100]
    assert street.town.book["shop"].lost(at) == []


def test_a_person_stops_a_rollout_and_gives_it_up(street: Street) -> None:
    """The traffic is where it was, nothing is in quarantine, and no request was lost."""
    at = datetime.now(UTC)
    live = street.town.ledger("books").live
    sha = street.push("books", edits.poisonable())
    until(lambda: (r := _rollout(street, "books", sha)) and r.weight == 50, PATIENCE, "it has half of it")
    stopped = _command(street, "pause", "books", "production", "--by", "ada", "--reason", "a call came in")
    assert stopped.code == 0, stopped.text
    until(lambda: _waits(street, "books", sha), PATIENCE, "it stands")
    given_up = _command(street, "abort", "books", "production", "--by", "ada", "--reason", "not today")
    assert given_up.code == 0, given_up.text
    until(lambda: (r := _rollout(street, "books", sha)) and r.phase is RolloutPhase.ABORTED, PATIENCE, "over")
    record = street.town.ledger("books")
    assert record.live == live and record.quarantine == () and record.lock is None
    seen = street.town.observe("books")
    assert live is not None and seen.slot(seen.stable).release == live.id
    assert street.town.book["books"].lost(at) == []


def test_a_migration_that_fails_moves_no_traffic(street: Street) -> None:
    """Its exit code decides before anything is launched, and its last words are the cause people read."""
    at = datetime.now(UTC)
    live = street.town.ledger("books").live
    sha = street.push("books", _with(edits.good_v2(), _BAD_MIGRATION))
    ended = street.await_end("books", sha)
    assert ended.outcome is Outcome.FAILED and "no such column: orders.total" in ended.reason
    run = street.plane.runs("books", sha)[-1]
    assert run["status"] == "FAILURE" and "no such column" in " ".join(street.plane.said(run["runId"]))
    found = effects(street.plane, street.town, "books", at)
    assert (found.launched, found.shares) == (0, [])
    assert street.town.ledger("books").live == live
    assert street.town.book["books"].lost(at) == []


def test_a_slow_candidate_is_found_by_comparison(street: Street) -> None:
    """It answers everybody, much slower than what serves beside it: no limit says so, the canary does."""
    live = street.town.ledger("shop").live
    sha = street.push("shop", Edit("Ask the warehouse first", {edits.FILE: _SLOW}))
    ended = street.await_end("shop", sha)
    assert ended.outcome is Outcome.FAILED and "response_time_vs_stable" in ended.reason
    assert street.town.ledger("shop").live == live
    again = _command(street, "verdict", "shop", "production", sha, "--replay")
    assert again.code == 0 and "response_time_vs_stable" in again.text.replace("\n", ""), again.text


def test_a_person_goes_back_while_dagster_is_down(street: Street) -> None:
    """`--direct` needs no control plane; when it is back, nothing that was left is deployed again."""
    good = street.town.ledger("books").live
    sha = street.push("books", _with(edits.good_v1(), _MIGRATION))
    assert street.await_end("books", sha).outcome is Outcome.VERIFIED
    at = datetime.now(UTC)
    street.plane.stop()
    refused = _command(street, "rollback", "books", "production", "--by", "ada", "--reason", "wrong totals")
    assert refused.code != 0 and "--direct" in refused.text
    told = _command(
        street, "rollback", "books", "production", "--direct", "--by", "ada", "--reason", "wrong totals"
    )
    assert told.code == 0, told.text
    street.plane.start()
    record = street.town.ledger("books")
    assert good is not None and record.live is not None and record.live.id == good.id
    assert record.hold is not None and "wrong totals" in record.hold.reason
    assert street.town.book["books"].lost(at) == []
