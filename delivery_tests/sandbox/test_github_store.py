"""The sandbox's GitHub keeps what it answered for: many callers at once, restarts, a killed process.

Source: GitHub REST API, "REST API endpoints for commit statuses": a 201 says that the resource was created.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from delivery.sandbox.github.store import Store
from delivery_tests.conftest import free_ports
from delivery_tests.sandbox.forge import Forge
from delivery_tests.sandbox.stack import eventually

_PROGRAM = """
import sys, time
from pathlib import Path
from delivery.sandbox.github import GitHubServer
server = GitHubServer(int(sys.argv[1]), Path(sys.argv[2]))
server.start()
print("ready", flush=True)
time.sleep(600)
"""


def test_an_entry_is_found_changed_and_removed(tmp_path: Path) -> None:
    """By repository, kind and parent; ids are never used twice."""
    store = Store(tmp_path / "x.sqlite")
    one = store.add("a/b", "status", {"n": 1}, "sha")
    store.add("a/c", "status", {"n": 2}, "sha")
    assert store.all("a/b", "status", "sha") == [one]
    store.change("a/b", "status", one["id"], lambda known: {**known, "n": 3})
    assert (store.get("a/b", "status", one["id"]) or {})["n"] == 3
    assert store.remove("a/b", "status", one["id"]) and not store.remove("a/b", "status", one["id"])
    assert store.add("a/b", "status", {})["id"] > one["id"] + 1
    store.close()


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    """What fails half way leaves nothing, nested or not."""
    store = Store(tmp_path / "x.sqlite")
    with pytest.raises(ValueError, match="half way"), store.transaction():
        store.add("a/b", "x", {})
        with store.transaction():
            store.add("a/b", "x", {})
        raise ValueError("half way")
    assert store.all("a/b", "x") == []
    store.close()


def test_fifty_writers_lose_nothing(forge: Forge) -> None:
    """Statuses and comments written at once are all there, once each, and issues have every number."""
    project = forge.project()
    sha = project.push("one")

    def write(number: int) -> list[int]:
        answers = [
            project.call("POST", f"/statuses/{sha}", {"state": "success", "context": f"c{number}-{n}"})
            for n in range(4)
        ]
        answers.append(project.call("POST", "/issues", {"title": f"{number}"}))
        return [answer.status_code for answer in answers]

    with ThreadPoolExecutor(50) as pool:
        codes = [code for found in pool.map(write, range(50)) for code in found]
    assert codes == [201] * 250
    assert project.get("/commits/main/status")["total_count"] == 200
    pages = [project.get(f"/issues?per_page=30&page={n}") for n in (1, 2)]
    assert sorted(issue["number"] for page in pages for issue in page) == list(range(1, 51))


def test_of_fifty_equal_pull_requests_one_is_made(forge: Forge) -> None:
    """The same head and base at once: one 201, the others 422."""
    project = forge.project()
    project.push("one")
    project.feature()
    body = {"title": "T", "head": "feature", "base": "main"}
    with ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(lambda _: project.call("POST", "/pulls", body).status_code, range(20)))
    assert sorted(codes) == [201] + [422] * 19


def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    """Statuses, deployments, pull requests and hooks are there when it is up again."""
    forge = Forge(tmp_path)
    project = forge.project()
    sha = project.push("one")
    project.post(f"/statuses/{sha}", {"state": "success"})
    project.feature()
    project.pull()
    project.post("/deployments", {"ref": "main"})
    project.post("/hooks", {"config": {"url": "http://127.0.0.1:9/"}})
    forge.stop()
    again = Forge(tmp_path, forge.port)
    assert project.get("/commits/main/status")["state"] == "success"
    assert project.get("/pulls/1")["head"]["ref"] == "feature"
    assert len(project.get("/deployments")) == len(project.get("/hooks")) == 1
    again.stop()


def test_a_killed_process_loses_nothing_it_answered_for(tmp_path: Path) -> None:
    """`kill -9` in the middle of writing: every status that was 201 is there afterwards."""
    forge = Forge(tmp_path)
    project = forge.project()
    sha = project.push("one")
    forge.stop()
    forge.port = free_ports(1)[0]
    command = [sys.executable, "-c", _PROGRAM, str(forge.port), str(tmp_path / "hub")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=os.getcwd())
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    url = f"http://127.0.0.1:{forge.port}/repos/{project.full}/statuses/{sha}"
    kept = _write_until_killed(process, url)
    again = Forge(tmp_path, free_ports(1)[0])
    project.forge = again
    found = {s["context"] for s in again.server._hub.store.all(project.full, "status", sha)}
    assert set(kept) <= found and len(kept) >= 20
    again.stop()


def _write_until_killed(process: subprocess.Popen[bytes], url: str) -> list[str]:
    """The contexts that were answered with 201, of eight writers, until the process is killed."""
    kept: list[str] = []

    def write(number: int) -> None:
        for n in range(1000):
            context = f"c{number}-{n}"
            try:
                body = {"state": "success", "context": context}
                headers = {"Authorization": "Bearer ada-token"}
                if requests.post(url, json=body, headers=headers, timeout=10).status_code == 201:
                    kept.append(context)
            except requests.RequestException:
                return

    with ThreadPoolExecutor(8) as pool:
        for number in range(8):
            pool.submit(write, number)
        eventually(lambda: len(kept), lambda seen: seen >= 20, 20)
        process.send_signal(signal.SIGKILL)
        process.wait()
    return kept
