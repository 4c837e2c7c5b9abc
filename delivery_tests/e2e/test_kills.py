"""Whatever is killed, and whenever: a delivery ends by itself, verified or rolled back, each effect once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from delivery.cli.demo import edits
from delivery.core.ledger import Outcome, ReleaseRecord
from delivery.core.strategy import Analyze, Bake
from delivery_tests.e2e import moments
from delivery_tests.e2e.moments import Effects, effects
from delivery_tests.e2e.street import PATIENCE, Street
from delivery_tests.e2e.town import definition, town, until
from delivery_tests.e2e.wire import Ambush

pytestmark = pytest.mark.e2e

SERVICES = ("calm", "sick")
_PRODUCTION = """\
    strategy: { canary: { steps: [10, 50, 100], analyze_for: 8s, bake: 8s } }
    health:
      rollback_triggers:
        - { metric: HTTPCode_Target_5XX_Count, threshold: 2, per: 5s, for: 5s }
    probe: { path: /, requests: 3 }
"""
DAEMON = "dagster._daemon run"


@dataclass
class Killed:
    """A delivery in which workers were killed."""

    sha: str
    at: datetime
    ambush: Ambush
    end: ReleaseRecord


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """Two services, live with their first release, and users who ask for them."""
    with ExitStack() as stack:
        definitions = {service: definition(service, _PRODUCTION) for service in SERVICES}
        found = stack.enter_context(town(tmp_path_factory.mktemp("kills"), "kills", definitions))
        plane = found.plane("one", stack)
        plane.start()
        street = Street(found, plane, stack)
        first = {service: street.push(service, edits.good_v1()) for service in SERVICES}
        for service, sha in first.items():
            assert street.await_end(service, sha).outcome is Outcome.VERIFIED
            found.send_load(service, stack)
        yield street


@pytest.fixture(scope="module")
def killed(street: Street) -> dict[str, Killed]:
    """A good commit and a bad one, side by side, whose workers are killed again and again."""
    at, wire = datetime.now(UTC), street.plane.wire
    laid = {
        "calm": wire.lay("calm", moments.canary_that_passes()),
        "sick": wire.lay("sick", moments.canary_that_fails()),
    }
    pushed = {
        "calm": street.push("calm", edits.good_v2()),
        "sick": street.push("sick", edits.bad()),
    }
    return {
        service: Killed(sha, at, laid[service], street.await_end(service, sha))
        for service, sha in pushed.items()
    }


@pytest.mark.parametrize("service", SERVICES)
def test_a_worker_dies_at_every_moment(killed: dict[str, Killed], service: str) -> None:
    """Each chosen moment came, and what was killed at it was the process of a run."""
    traps = killed[service].ambush.traps
    assert [trap.moment for trap in traps if trap.at is None] == []
    assert all("launcher.server" in trap.command for trap in traps), [trap.command for trap in traps]


def test_a_canary_killed_at_every_turn_is_verified(street: Street, killed: dict[str, Killed]) -> None:
    """Nobody helped: it is live with all of the traffic, the old slot is empty, its last run is green."""
    record, sha = street.town.ledger("calm"), killed["calm"].sha
    assert killed["calm"].end.outcome is Outcome.VERIFIED
    assert record.live is not None and record.live.commit == sha
    assert record.lock is None and record.hold is None
    seen = street.town.observe("calm")
    assert seen.slot(seen.stable).release == record.live.id and seen.slot(seen.stable).weight == 100
    assert seen.slot(seen.stable.other).desired == 0
    assert street.plane.runs("calm", sha)[-1]["status"] == "SUCCESS"


def test_a_failing_canary_killed_on_its_way_back_is_rolled_back(
    street: Street, killed: dict[str, Killed]
) -> None:
    """Nobody helped: the good release has all the traffic, the digest is refused, the last run is red."""
    record, sha = street.town.ledger("sick"), killed["sick"].sha
    assert killed["sick"].end.outcome is Outcome.FAILED
    assert record.live is not None and record.live.commit != sha
    assert [q.commit for q in record.quarantine] == [sha]
    (restoration,) = record.restorations
    assert restoration.restored and restoration.good == record.live.id
    seen = street.town.observe("sick")
    assert seen.slot(seen.stable).release == record.live.id and seen.slot(seen.stable).weight == 100
    last = street.plane.runs("sick", sha)[-1]
    assert last["status"] == "FAILURE" and "target_5xx" in " ".join(street.plane.said(last["runId"]))


@pytest.mark.parametrize(("service", "given"), [("calm", [10, 50, 100]), ("sick", [10, 0])])
def test_every_effect_happens_once(
    street: Street, killed: dict[str, Killed], service: str, given: list[int]
) -> None:
    """One revision, one launch, each share given once, one drain, however many deployers tried."""
    assert effects(street.plane, street.town, service, killed[service].at) == Effects(1, 1, given, 1)


def test_users_of_the_good_release_notice_nothing(street: Street, killed: dict[str, Killed]) -> None:
    """Seven deaths cost no request."""
    book, since = street.town.book["calm"], killed["calm"].at
    assert len(book.between(since)) > 500
    assert book.lost(since) == []


@pytest.mark.parametrize("service", SERVICES)
def test_dagster_tells_who_died_and_who_goes_on(
    street: Street, killed: dict[str, Killed], service: str
) -> None:
    """Each dead run is red and says so; the next one is its retry, or says what the backstop found."""
    runs, traps = street.plane.runs(service, killed[service].sha), killed[service].ambush.traps
    told = {run["runId"]: " ".join(street.plane.said(run["runId"])) for run in runs}
    dead = [run for run in runs if any(f"(pid {trap.pid}) is gone" in told[run["runId"]] for trap in traps)]
    assert len(dead) == len(traps) and all(run["status"] == "FAILURE" for run in dead)
    for run, successor in pairwise(runs):
        reason = successor["tags"].get("delivery/reason", "")
        assert successor["parentRunId"] == run["runId"] or "nobody" in reason, successor["tags"]


def test_code_servers_and_daemon_die_and_the_rollout_goes_on(street: Street) -> None:
    """The worker needs neither: `delivery up` has them again by itself, and the run ends green."""
    at, plane = datetime.now(UTC), street.plane
    sha = street.push("calm", edits.poisonable())
    until(lambda: _step(street, sha, Analyze), PATIENCE, "it is being analysed")
    servers = plane.processes("dagster api grpc") + plane.processes("code-server")
    assert servers
    for pid in servers:
        os.kill(pid, signal.SIGKILL)
    until(lambda: _step(street, sha, Bake), PATIENCE, "it bakes")
    until(lambda: plane.processes(DAEMON), PATIENCE, "there is a daemon")  # it may have gone with them
    daemons = plane.processes(DAEMON)
    for pid in daemons:
        os.kill(pid, signal.SIGKILL)
    assert street.await_end("calm", sha).outcome is Outcome.VERIFIED
    assert [r["status"] for r in plane.runs("calm", sha)] == ["SUCCESS"]
    assert street.town.book["calm"].lost(at) == []
    until(lambda: set(plane.processes(DAEMON)) - set(daemons), PATIENCE, "there is a daemon again")


def test_of_two_control_planes_one_acts(street: Street) -> None:
    """The other's run says who holds the lock, until when and where to look; the commit goes live once."""
    planes = (street.plane, street.town.plane("two", street.stack))
    planes[1].start()
    at = datetime.now(UTC)
    sha = street.push("calm", edits.good_v1())
    assert street.await_end("calm", sha, *planes).outcome is Outcome.VERIFIED
    runs = {plane.url: plane.runs("calm", sha) for plane in planes}
    assert sorted(run["status"] for found in runs.values() for run in found) == ["FAILURE", "SUCCESS"]
    acting, other = sorted(planes, key=lambda plane: runs[plane.url][-1]["status"], reverse=True)
    run = runs[acting.url][-1]["runId"]
    said = " ".join(other.said(runs[other.url][-1]["runId"]))
    assert f"run {run[:8]} holds it until" in said and f"see {acting.url}/runs/{run}" in said
    assert effects(acting, street.town, "calm", at) == Effects(1, 1, [10, 50, 100], 1)
    assert effects(other, street.town, "calm", at) == Effects(0, 0, [], 0)


def _step(street: Street, sha: str, kind: type[Analyze | Bake]) -> bool:
    rollout = street.town.ledger("calm").rollout
    return rollout is not None and rollout.release.commit == sha and isinstance(rollout.step, kind)
