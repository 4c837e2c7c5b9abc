"""The demo's commits: all pass the gates, and two of them fail their users all the same."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from delivery.adapters.docker.gates import DockerGates
from delivery.catalog.loader import load_services
from delivery.cli.demo.edits import FILE, POISON, bad, good_v1, good_v2, poisonable
from delivery.cli.demo.story import Edit
from delivery.core.build import GateStatus
from delivery_tests.conftest import clean_environment, free_ports

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples" / "web"
EDITS: dict[str, Callable[[], Edit]] = {
    "good_v1": good_v1, "good_v2": good_v2, "bad": bad, "poisonable": poisonable
}  # fmt: skip


def commit(folder: Path, edit: Edit) -> Path:
    """The sample service with that edit."""
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    for name, text in edit.files.items():
        (folder / name).write_text(text)
    return folder


@contextmanager
def running(folder: Path) -> Iterator[Callable[[str], int]]:
    """The service, as its image runs it; a function that asks for a page and gives the status."""
    port = free_ports(1)[0]
    environment = {**clean_environment(), "PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "app"], cwd=folder, env=environment, stderr=subprocess.DEVNULL
    )

    def ask(path: str) -> int:
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                connection.request("GET", path, headers={"Connection": "close"})
                return connection.getresponse().status
            except ConnectionRefusedError:
                assert process.poll() is None, "the service ended"
            finally:
                connection.close()

    try:
        yield ask
        process.terminate()
        assert process.wait(timeout=15) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.sandbox
@pytest.mark.parametrize("name", EDITS)
def test_every_commit_passes_the_samples_own_gates(name: str, tmp_path: Path, gates_image: str) -> None:
    """Lint and unit tests of the shipped defs.yaml, coverage above its minimum."""
    folder = commit(tmp_path / "web", EDITS[name]())
    service = next(s for s in load_services(ROOT / "delivery" / "defs") if s.name == "web")
    results = [DockerGates().run(gate, folder, lambda line: None) for gate in service.gates]
    assert {r.name: r.status for r in results} == dict.fromkeys(("lint", "unit"), GateStatus.PASSED), results
    covered = max(r.numbers.get("coverage", 0) for r in results)
    assert service.coverage_minimum is not None and covered > service.coverage_minimum


def test_the_first_commit_is_the_sample_as_it_stands() -> None:
    """What people read in `examples/web` is what the demo pushes first."""
    assert good_v1().files == {FILE: (SAMPLE / FILE).read_text()}


@pytest.mark.parametrize("name", ["good_v1", "good_v2"])
def test_good_commits_answer_everything(name: str, tmp_path: Path) -> None:
    """Whatever the demo's users ask for, also for the query of death of another release."""
    with running(commit(tmp_path / "web", EDITS[name]())) as ask:
        assert [ask(path) for path in ("/health", "/", "/checkout", POISON, "/")] == [200, 200, 200, 404, 200]


def test_the_bad_commit_is_healthy_and_fails_its_users(tmp_path: Path) -> None:
    """Health and preview see nothing; the checkout of real users answers 500, each time."""
    with running(commit(tmp_path / "web", bad())) as ask:
        assert [ask(path) for path in ("/health", "/", "/health", "/")] == [200] * 4
        assert [ask("/checkout") for _ in range(4)] == [500] * 4
        assert ask("/health") == 200


def test_the_poisonable_commit_is_good_until_it_is_asked(tmp_path: Path) -> None:
    """Good for long; after the query of death every other request fails, and its health page does not."""
    with running(commit(tmp_path / "web", poisonable())) as ask:
        assert {ask(path) for path in ("/", "/checkout") * 5} == {200}
        assert ask(POISON) == 200
        assert sorted(ask("/") for _ in range(10)) == [200] * 5 + [500] * 5
        assert [ask("/health") for _ in range(4)] == [200] * 4
