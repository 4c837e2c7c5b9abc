"""What a person decides: each command is one change of the ledger, made on what is there now."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from click.shell_completion import ShellComplete

from delivery.cli.main import main
from delivery.core import journal
from delivery.core.ledger import Hold, LedgerRecord, Outcome, Quarantine, ReleaseRecord
from delivery.errors import ConflictError
from delivery_tests.catalog.files import changed, write
from delivery_tests.cli.conftest import Run
from delivery_tests.cli.test_status import store
from delivery_tests.fakes.samples import sample_release, sample_sha
from delivery_tests.fakes.world import FakeWorld

WHO = ("--by", "ada")
WHY = ("--reason", "the shop is closed")


class Terminal:
    """Somebody sits before it; `looked` says whether anybody cared."""

    looked = False

    def isatty(self) -> bool:
        """Yes."""
        self.looked = True
        return True


def verified(world: FakeWorld, *names: str) -> None:
    """These commits were verified in staging."""
    record = LedgerRecord("web", "staging")
    for name in names:
        release = sample_release(name, environment="staging")
        record = journal.record_outcome(record, ReleaseRecord(release, Outcome.VERIFIED, world.clock.now()))
    store(world, record)


def test_an_approval_is_written_and_told(run: Run, world: FakeWorld) -> None:
    """An abbreviated commit is found among those verified upstream; the environment's people are told."""
    verified(world, "a", "b")
    result = run("approve", "web", "production", sample_sha("a")[:8], *WHO)
    assert result.exit_code == 0, result.output
    assert [(c, by) for c, by, _ in world.record().approvals] == [(sample_sha("a"), "ada")]
    assert f"{sample_sha('a')[:8]} approved by ada: 1 of 1" in result.stderr
    ((routes, notice),) = world.notifier.sent
    assert routes == ("sns://topic", "{{ env.SLACK_ROUTE }}") and notice.kind == "approved"


def test_an_approval_of_nothing_known(run: Run, world: FakeWorld) -> None:
    """A beginning that fits nothing is refused with what there is; a full sha is taken as it is."""
    verified(world, "a")
    result = run("approve", "web", "production", "fffffff", *WHO)
    assert (
        result.exit_code == 1
        and f"fits 0 of the releases in staging, which are: {sample_sha('a')[:12]}" in (result.stderr)
    )
    assert world.record().approvals == ()
    assert run("approve", "web", "production", sample_sha("later"), *WHO).exit_code == 0


def test_an_environment_that_asks_for_no_approval(run: Run) -> None:
    """An approval that nothing waits for is refused, not stored."""
    result = run("approve", "web", "staging", sample_sha("a"), *WHO)
    assert result.exit_code == 1 and "asks for no approval" in result.stderr


def test_hold_and_unhold(run: Run, world: FakeWorld) -> None:
    """A hold stands with its reason until a person lifts it, and the first one stays."""
    assert run("hold", "web", "production", *WHO, *WHY).exit_code == 0
    assert world.record().hold == Hold("the shop is closed", world.clock.now(), "person ada")
    again = run("hold", "web", "production", "--by", "bob", "--reason", "y")
    assert again.exit_code == 1 and "by person ada: the shop is closed" in again.stderr
    lifted = run("unhold", "web", "production", "--by", "bob", "--reason", "open again")
    assert lifted.exit_code == 0 and world.record().hold is None
    assert world.notifier.kinds() == ["held", "unheld"]
    assert "it was held by person ada: the shop is closed" in world.notifier.sent[1][1].body
    assert "are not held" in run("unhold", "web", "production", *WHO, *WHY).stderr


def test_a_quarantine_ends_by_a_person(run: Run, world: FakeWorld) -> None:
    """A digest is found by its beginning and allowed again; an unknown one names those there are."""
    release = sample_release("bad")
    entry = Quarantine(release.image.digest, release.commit, "500", "run 1", world.clock.now())
    store(world, journal.impose_quarantine(LedgerRecord("web", "production"), entry))
    wrong = run("unquarantine", "web", "production", "sha256:beef", *WHO, *WHY)
    assert wrong.exit_code == 1 and release.image.digest in wrong.stderr
    assert world.record().quarantine == (entry,)
    done = run("unquarantine", "web", "production", release.image.digest[7:20], *WHO, *WHY)
    assert done.exit_code == 0 and world.record().quarantine == ()


def test_who_loses_the_race_looks_again(run: Run, world: FakeWorld) -> None:
    """Somebody else's write between our look and ours is not lost, and ours is made after it."""
    conflict = ConflictError("not written", "it changed meanwhile")
    world.wire.fail("ledger.store", times=3, error=conflict)
    assert run("hold", "web", "production", *WHO, *WHY).exit_code == 0
    assert world.record().hold is not None and world.wire.counts["ledger.load"] == 4


def test_a_race_that_never_ends_is_told(run: Run, world: FakeWorld) -> None:
    """After several attempts the conflict is an error, and nobody is told of a change."""
    world.wire.fail("ledger.store", times=100, error=ConflictError("not written", "it changed meanwhile"))
    result = run("hold", "web", "production", *WHO, *WHY)
    assert result.exit_code == 1 and "others keep writing it" in result.stderr
    assert world.notifier.sent == []


def test_a_route_that_fails_is_told(run: Run, world: FakeWorld) -> None:
    """The change stands although not everyone could be told, and that is said."""
    world.notifier.problems = ("slack: 404",)
    result = run("hold", "web", "production", *WHO, *WHY)
    assert result.exit_code == 0 and "was not delivered everywhere: slack: 404" in result.stderr


@pytest.mark.parametrize("missing", ["--by", "--reason"])
def test_a_decision_has_a_name_and_a_reason(run: Run, missing: str) -> None:
    """Nothing is decided anonymously or without a reason."""
    given = [*WHO, *WHY]
    at = given.index(missing)
    result = run("unquarantine", "web", "production", "sha256:1", *given[:at], *given[at + 2 :])
    assert result.exit_code == 2 and missing in result.stderr


def test_in_a_terminal_the_reason_is_asked_for(
    run: Run, world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a hint works as it stands: `delivery hold web production`."""
    monkeypatch.setattr("delivery.cli.operate.sys", SimpleNamespace(stdin=Terminal()))
    result = run("hold", "web", "production", typed="the shop is closed\n")
    assert result.exit_code == 0, result.output
    held = world.record().hold
    assert held is not None and held.reason == "the shop is closed"


def test_completion_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """TAB behind a command that wants a reason."""
    terminal = Terminal()
    monkeypatch.setattr("delivery.cli.operate.sys", SimpleNamespace(stdin=terminal))
    shell = ShellComplete(main, {}, "delivery", "_DELIVERY_COMPLETE")
    assert "--reason" in [one.value for one in shell.get_completions(["hold", "web", "production"], "--")]
    assert not terminal.looked


def test_a_bad_file_stops_a_decision(run: Run, world: FakeWorld, settings) -> None:  # type: ignore[no-untyped-def]
    """No change of the ledger on the word of a file that cannot be read."""
    write(settings.defs, changed("branch: main", "brunch: main"))
    assert run("hold", "web", "production", *WHO, *WHY).exit_code == 2 and world.ledger.writes == 0
