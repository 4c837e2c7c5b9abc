"""Looks that are shared: who asks, what is believed, and what happens when something breaks."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from delivery.adapters.aws.shared import SharedReads
from delivery.adapters.aws.shared.store import LEASE
from delivery.errors import DeliveryError, NotFoundError, UnavailableError
from delivery_tests.adapters.shared.support import KEYS, Asked, Counting, Site, aws_for, in_process

DOWN = UnavailableError("AWS could not be asked", "it does not answer", "Try again later.")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An installation without any file yet."""
    return Site(tmp_path / "work")


def test_the_second_worker_is_told_what_the_first_one_asked(site: Site) -> None:
    """One call serves two workers, and each is told when AWS was asked."""
    kind, began = Asked(), site.moment
    first = site.reads().read(kind, {"a": ""}, 20.0)
    site.wait(1.0)
    second = site.reads().read(kind, {"a": ""}, 20.0)
    assert kind.calls == [["a"]]
    assert first == second and second["a"].asked == began


def test_one_call_asks_for_everybody(site: Site) -> None:
    """Who asks again asks for what the others are interested in as well."""
    kind, one, other = Asked(), site.reads(), site.reads()
    one.read(kind, {"a": ""}, 20.0)
    other.read(kind, {"b": ""}, 20.0)
    site.wait(3.0)
    one.read(kind, {"a": ""}, 20.0)
    assert kind.calls[-1] == ["a", "b"]
    assert other.read(kind, {"b": ""}, 20.0)["b"].asked == site.moment


def test_interest_that_nobody_renews_is_forgotten(site: Site) -> None:
    """A worker that ended is not asked for any more."""
    kind, one = Asked(), site.reads()
    site.reads().read(kind, {"gone": ""}, 20.0)
    for _ in range(10):
        site.wait(4.0)
        one.read(kind, {"a": ""}, 20.0)
    assert kind.calls[-1] == ["a"]


def test_an_answer_from_before_is_not_served_after_an_action(site: Site) -> None:
    """`within` reaches back to the last fresh look: what was asked before it is asked again."""
    kind, reads = Asked("before"), site.reads()
    reads.read(kind, {"a": ""}, 20.0)
    site.wait(1.0)  # here somebody acts, and looks afresh
    kind.value = "after"
    site.wait(1.0)
    assert reads.read(kind, {"a": ""}, 1.0)["a"].value == "after"


def test_an_answer_under_way_during_an_action_counts_as_from_before_it(site: Site) -> None:
    """The moment that counts is when AWS was asked, not when it answered."""
    kind = Asked("before", before=lambda: site.wait(5.0))
    site.reads().read(kind, {"a": ""}, 20.0)
    kind.value = "after"
    assert site.reads().read(kind, {"a": ""}, 2.0)["a"].value == "after"


def test_within_nothing_is_always_asked_now(site: Site) -> None:
    """Without leave to be old an answer is measured now."""
    kind, reads = Asked(), site.reads()
    reads.read(kind, {"a": ""}, 20.0)
    reads.read(kind, {"a": ""}, 0.0)
    assert len(kind.calls) == 2


def test_no_answer_is_older_than_its_kind_allows(site: Site) -> None:
    """However old an answer may be by the one who asks, the kind has its own limit."""
    kind = Asked()
    site.reads().read(kind, {"a": ""}, 1000.0)
    site.wait(21.0)
    assert site.reads().read(kind, {"a": ""}, 1000.0)["a"].asked == site.moment


def test_the_budget_stretches_the_looks_up_to_what_is_pressing(site: Site) -> None:
    """A hundred questions that each cost a call are asked at the rate of the budget, each in its turn."""
    kind, reads = Asked(size=1, pressed=60.0, longest=90.0), site.reads()
    wanted = [f"k{n}" for n in range(50)]
    ages = []
    for _ in range(60):
        ages = [site.moment - reads.read(kind, {key: ""}, 90.0)[key].asked for key in wanted]
        site.wait(2.0)
    assert 50 + 100 < len(kind.calls) < 50 + 120 * 2.8 + 20
    assert 10.0 < max(ages) < 40.0  # 50 questions at 2.8 a second


def test_a_poisoned_question_spoils_no_others(site: Site) -> None:
    """Where AWS refuses a call for one of its questions, the others are answered, and its owner is told."""
    kind, bad = Asked(poison={"bad"}), site.reads()
    readers = {key: site.reads() for key in ("a", "b", "c", "d")}
    for key, reads in readers.items():
        reads.read(kind, {key: ""}, 20.0)
    with pytest.raises(NotFoundError):
        bad.read(kind, {"bad": ""}, 20.0)
    site.wait(3.0)
    for key, reads in readers.items():
        assert reads.read(kind, {key: ""}, 2.0)[key].value == "fine"
    assert kind.calls[-1] == ["a", "b", "c", "d"]


def test_an_error_is_an_error_and_no_empty_answer(site: Site) -> None:
    """When AWS does not answer, everybody who needs an answer is told so."""
    kind = Asked(error=DOWN)
    for reads in (site.reads(), site.reads()):
        with pytest.raises(UnavailableError):
            reads.read(kind, {"a": ""}, 20.0)


def test_what_does_not_exist_is_told_as_that(site: Site) -> None:
    """A question AWS answers without an answer has None, also for who is told later."""
    kind = Asked(None)
    assert site.reads().read(kind, {"a": ""}, 20.0)["a"].value is None
    assert site.reads().read(kind, {"a": ""}, 20.0)["a"].value is None and len(kind.calls) == 1


def test_two_installations_with_other_credentials_do_not_mix(site: Site) -> None:
    """What one set of credentials was told is not told to another, in the same folder."""
    kind = Asked()
    site.reads().read(kind, {"a": ""}, 20.0)
    site.reads({**KEYS, "AWS_ACCESS_KEY_ID": "grace"}).read(kind, {"a": ""}, 20.0)
    assert len(kind.calls) == 2 and len(list(site.folder.glob("*.sqlite"))) == 2


def test_the_file_is_for_its_owner_alone_and_holds_no_key(site: Site) -> None:
    """Mode 0600, and neither name nor content tell a secret."""
    site.reads().read(Asked(), {"a": ""}, 20.0)
    for path in site.folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert b"lovelace" not in path.read_bytes() and "ada" not in path.name


def _corrupt(path: Path) -> None:
    """Garbage over all of it, under the feet of who has it open."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))


def _emptied(path: Path) -> None:
    """Nothing is left in it."""
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE look")


def _tampered(path: Path) -> None:
    """Another answer in place of the one that was stored."""
    with sqlite3.connect(path) as db:
        db.execute("UPDATE look SET answer = '\"wrong\"'")


@pytest.mark.parametrize("damage", [_corrupt, _emptied, _tampered, Path.unlink])
def test_a_damaged_file_gives_no_wrong_answer(site: Site, damage: Callable[[Path], object]) -> None:
    """Whatever happens to the file, answers come from AWS, and it is used again after a while."""
    kind, reads = Asked(), site.reads()
    reads.read(kind, {"a": ""}, 20.0)
    (path,) = site.folder.glob("*.sqlite")
    damage(path)
    kind.value = "asked again"
    assert reads.read(kind, {"a": ""}, 20.0)["a"].value == "asked again"
    assert site.reads().read(kind, {"a": ""}, 20.0)["a"].value == "asked again"
    site.wait(61.0)
    fresh = Asked("shared")
    for one in (reads, site.reads()):
        assert one.read(fresh, {"a": ""}, 20.0)["a"].value == "shared"
    assert len(fresh.calls) == 1


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    """Where no file can be made everybody asks for himself."""
    (tmp_path / "file").write_text("no folder")
    site, kind = Site(tmp_path / "file"), Asked()
    for _ in range(2):
        assert site.reads().read(kind, {"a": ""}, 20.0)["a"].value == "fine"
    assert len(kind.calls) == 2


def test_after_a_restart_what_is_young_enough_is_still_used(site: Site) -> None:
    """A new process goes on with the file of the one before."""
    kind = Asked()
    site.reads().read(kind, {"a": ""}, 20.0)
    site.wait(1.9)
    assert site.reads().read(kind, {"a": ""}, 20.0)["a"].value == "fine" and len(kind.calls) == 1


def test_a_clock_that_was_set_back_makes_answers_no_younger(site: Site) -> None:
    """An answer from the future is none."""
    kind = Asked()
    site.reads().read(kind, {"a": ""}, 20.0)
    site.moment -= 3600
    site.reads().read(kind, {"a": ""}, 20.0)
    assert len(kind.calls) == 2


def _hang(folder: Path, begun: str) -> None:
    """Take the question, and never come back."""

    def hang() -> None:
        Path(begun).touch()
        time.sleep(60)

    SharedReads(aws_for(), folder).read(Asked(before=hang), {"a": ""}, 20.0)


def test_a_killed_asker_is_not_waited_for(tmp_path: Path) -> None:
    """kill -9 in the middle of a call: the others ask for themselves, and later share again."""
    begun = tmp_path / "begun"
    process = in_process(_hang, tmp_path / "work", str(begun))
    while not begun.exists():
        time.sleep(0.01)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    ahead = [0.0]
    kind, clock = Asked(), lambda: time.time() + ahead[0]
    reads = SharedReads(aws_for(), tmp_path / "work", clock)
    assert reads.read(kind, {"a": ""}, 20.0)["a"].value == "fine"
    ahead[0] = LEASE + 1
    for one in (reads, SharedReads(aws_for(), tmp_path / "work", clock)):
        assert one.read(kind, {"a": ""}, 20.0)["a"].value == "fine"
    assert len(kind.calls) == 2


def _read_often(folder: Path, log: Path, number: int) -> None:
    """Forty looks at one question of its own and one of all."""
    kind = Counting(name="counting", soonest=0.4)
    kind.log = log
    reads = SharedReads(aws_for(), folder)
    for _ in range(40):
        found = reads.read(kind, {"all": "", f"own {number}": ""}, 20.0)
        assert {answer.value for answer in found.values()} == {"fine"}
        time.sleep(0.02)


def test_processes_side_by_side_ask_less_than_each_alone(tmp_path: Path) -> None:
    """Four processes that open the file at once all get their answers, most of them from another's call."""
    log = tmp_path / "log"
    log.touch()
    processes = [in_process(_read_often, tmp_path / "work", log, number) for number in range(4)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert len(log.read_text().splitlines()) < 4 * 40 / 4


def test_a_question_that_aws_always_refuses_is_never_taken_for_an_answer(site: Site) -> None:
    """Nor is it asked together with others for a while."""
    kind, reads = Asked(poison={"bad"}), site.reads()
    for _ in range(3):
        with pytest.raises(DeliveryError):
            reads.read(kind, {"bad": ""}, 20.0)
        site.reads().read(kind, {"a": ""}, 20.0)
        site.wait(3.0)
    assert ["a", "bad"] not in kind.calls
