"""The sandbox itself: how soon it is ready, what it costs when nobody asks, how much it answers."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import docker
from botocore.config import Config
from rich.table import Table

from delivery.sandbox import SandboxConfig, down, up
from delivery.sandbox.base_image import ensure
from delivery.sandbox.github.repository import create_repository
from delivery_tests.conftest import RunningSandbox, clean_environment, sandbox_config
from delivery_tests.foreign.cloning import clone, commit
from delivery_tests.foreign.conftest import Shell
from delivery_tests.foreign.crowd import CALLERS, FOR_A_MINUTE, Crowd
from delivery_tests.sandbox.conftest import build_app
from delivery_tests.sandbox.stack import Stack

IDLE, CALLS, ASKED = 20.0, 400, 1000


def run() -> Table:
    """One sandbox from its start to its end, measured on the way."""
    table = Table("what", "measured", "wanted", title="The sandbox")
    with tempfile.TemporaryDirectory() as folder, _sandbox(Path(folder), table) as sandbox:
        _idle(sandbox, table, "idle, nothing in it")
        client = docker.from_env()
        stack = Stack(sandbox, build_app(client, ensure(client)))
        stack.group("blue")
        stack.route(blue=100)
        service = stack.service("blue", stack.revision(), count=2)
        stack.stable(service)
        _idle(sandbox, table, "idle, two tasks behind a load balancer")
        _answers(stack, service, table)
        _proxy(stack, table)
        stack.close()
        _crowd(sandbox, Path(folder), table)
    return table


@contextmanager
def _sandbox(folder: Path, table: Table) -> Iterator[RunningSandbox]:
    """Started three times, for the first start reads everything from the disk."""
    config = sandbox_config(folder / "state", f"bench-{os.getpid()}")
    try:
        starts = []
        for _ in range(3):
            down(config)
            begun = time.monotonic()
            endpoints = up(config)
            starts.append(time.monotonic() - begun)
        table.add_row("start to ready", f"{statistics.median(starts):.2f} s", "≤ 5 s")
        environment = {**clean_environment(), **endpoints.environment()}
        yield RunningSandbox(config, endpoints, environment)
    finally:
        down(config)


def _idle(sandbox: RunningSandbox, table: Table, what: str) -> None:
    """Processor time of its processes over some seconds, as a share of one core; and their memory."""
    pids = processes(sandbox.config)
    before = {pid: cpu_seconds(pid) for pid in pids}
    time.sleep(IDLE)
    used = sum(cpu_seconds(pid) - before[pid] for pid in pids)
    table.add_row(f"{what}: processor", f"{100 * used / IDLE:.1f} % of a core", "≤ 5 %")
    memory = sum(proportional_memory(pid) for pid in pids)
    table.add_row(f"{what}: memory ({len(pids)} processes)", f"{memory / 1024:.0f} MiB", "")


def processes(config: SandboxConfig) -> list[int]:
    """Its process, HAProxy, the registry: whose arguments name its state folder, and their children."""
    mark, parents = str(config.state_dir).encode(), {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = (
                    int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]),
                    mark in (entry / "cmdline").read_bytes(),
                )
            except OSError:
                continue  # it ended meanwhile
    ours = {pid for pid, (_, named) in parents.items() if named}
    return sorted(ours | {pid for pid, (parent, _) in parents.items() if parent in ours})


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, so far; 0 once it ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def proportional_memory(pid: int) -> int:
    """KiB of memory, shared pages divided among those who share them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _answers(stack: Stack, service: str, table: Table) -> None:
    """DescribeServices one after the other, and from eight threads."""
    ecs = boto3.client(
        "ecs", endpoint_url=stack.sandbox.endpoints.aws, region_name="us-east-1",
        aws_access_key_id="sandbox", aws_secret_access_key="sandbox",
        config=Config(max_pool_connections=8),
    )  # fmt: skip

    def look(_: int) -> None:
        ecs.describe_services(cluster=stack.name, services=[service])

    look(0)
    table.add_row("DescribeServices, one caller", f"{_rate(look, 1):.0f} /s", "")
    table.add_row("DescribeServices, eight callers", f"{_rate(look, 8):.0f} /s", "")


def _rate(call: Callable[[int], None], callers: int) -> float:
    begun = time.monotonic()
    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(call, range(CALLS)))
    return CALLS / (time.monotonic() - begun)


def _proxy(stack: Stack, table: Table) -> None:
    """A request to a task itself, and through the load balancer; medians."""
    found = stack.elb.describe_target_health(TargetGroupArn=stack.groups["blue"])
    target = found["TargetHealthDescriptions"][0]["Target"]
    straight = _median(f"http://{target['Id']}:{target['Port']}/health")
    through = _median(f"http://{stack.address}/health")
    table.add_row("one request to a task", f"{1000 * straight:.2f} ms", "")
    table.add_row("the same through the load balancer", f"{1000 * through:.2f} ms", "")


def _median(url: str) -> float:
    took = []
    for _ in range(ASKED):
        begun = time.monotonic()
        with urllib.request.urlopen(url, timeout=10) as answer:
            answer.read()
        took.append(time.monotonic() - begun)
    return statistics.median(took)


def _crowd(sandbox: RunningSandbox, folder: Path, table: Table) -> None:
    """Fifty callers for a minute: how much was done, and whether anything was wrong."""
    create_repository(sandbox.config.repositories, "acme/bench")
    (folder / "work").mkdir()
    shell = Shell({**sandbox.environment, "HOME": str(folder)}, folder)
    git: Any = clone(sandbox, shell, folder / "work", "acme/bench")
    commit(git, folder / "work", "n", "first")
    git("push", "-q", "origin", "main")

    def push(turn: int) -> None:
        commit(git, folder / "work", "n", str(turn))
        git("push", "-q", "origin", "main")

    crowd = Crowd(sandbox.endpoints, "acme/bench")
    crowd.prepare()
    crowd.hammer(FOR_A_MINUTE, push)
    counted = crowd.counters()
    lost = sum(abs(counted[key] - crowd.done[key]) for key in counted)
    acts = sum(number for what, number in crowd.done.items() if what in crowd.acts)
    what = f"{CALLERS} callers for {FOR_A_MINUTE:g} s"
    table.add_row(f"{what}: acts done", f"{acts}, the slowest in {crowd.slowest:.1f} s", "")
    table.add_row(f"{what}: wrong, lost", f"{len(crowd.wrong)}, {lost}", "0, 0")
    crowd.close()
