"""The port `Gates`: one quality gate, run on a copy of the commit's files in a hardened container."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from docker.errors import APIError, ImageNotFound

from delivery.adapters.docker import reports
from delivery.adapters.docker.container import copy_in, copy_out, gate_container, output_of, sweep
from delivery.adapters.docker.engine import engine
from delivery.adapters.docker.reports import ReportProblem
from delivery.core.build import GateResult, GateStatus
from delivery.core.service import GateSpec
from delivery.ports import Progress

_READERS: Mapping[str, Callable[[bytes], Mapping[str, float]]] = {
    "junit": reports.junit,
    "coverage": reports.cobertura,
    "sarif": reports.sarif,
}
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class _Judgement:
    status: GateStatus
    reason: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    output: tuple[str, ...] = ()


class DockerGates:
    """Gates in containers of the local Docker engine. Images are never pulled: a name that only means
    something on this machine must not fetch a stranger's image of that name."""

    def run(self, gate: GateSpec, folder: Path, progress: Progress) -> GateResult:
        """Run one gate. `error` (could not judge) for everything that is neither a pass nor a finding.

        PrerequisiteError and ProviderError only when the Docker engine itself fails.
        """
        begun = time.monotonic()
        progress(f"gate {gate.name}: running {gate.command[0]} in {gate.image}")
        with engine(f"The gate {gate.name} could not be run") as client:
            sweep(client)
            try:
                with gate_container(client, gate) as container:
                    found = _judge(container, gate, folder)
            except ImageNotFound:
                found = _error(f"the image {gate.image} is not on this machine (`docker pull` it)")
        seconds = time.monotonic() - begun
        progress(f"gate {gate.name}: {found.status}: {found.reason} ({seconds:.1f} s)")
        return GateResult(gate.name, found.status, found.reason, seconds, found.numbers, found.output)


def _judge(container: Any, gate: GateSpec, folder: Path) -> _Judgement:
    wanted = {kind: name for kind in _READERS if (name := getattr(gate, kind))}
    copy_in(container, folder, wanted.values())
    problem = _start(container)
    if problem:
        return _error(problem)
    code = _wait(container, gate.timeout)
    output = tuple(_COLOURS.sub("", line) for line in output_of(container))
    if code is None:
        return _error(f"it did not end within {gate.timeout:g} s and was stopped", output=output)
    container.reload()
    if container.attrs["State"].get("OOMKilled"):
        return _error(f"it needed more than its {gate.memory_mb} MB of memory", output=output)
    numbers, unread = _read(container, wanted)
    status, reason = verdict(code, numbers, unread)
    return _Judgement(status, reason, numbers, output)


def _start(container: Any) -> str:
    """Start it; why that is not possible, if so. A program that does not exist is told here."""
    try:
        container.start()
    except APIError as error:
        if error.is_server_error() and "OCI runtime" not in str(error.explanation):
            raise
        said = str(error.explanation).split("OCI runtime create failed: ")[-1]
        return f"its command cannot be started: {said.split('starting container process caused: ')[-1][:200]}"
    return ""


def _wait(container: Any, timeout: float) -> int | None:
    """Its exit code, or None when its time was over; then it is killed, with all it started."""
    try:
        return int(container.wait(timeout=timeout)["StatusCode"])
    except (requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError):
        container.reload()  # raises when it is the engine that is gone
    if container.status != "running":
        return int(container.attrs["State"]["ExitCode"])
    container.kill()
    return None


def _read(container: Any, wanted: Mapping[str, str]) -> tuple[dict[str, float], list[str]]:
    """The numbers of all reports, and what is wrong with those that say nothing."""
    numbers: dict[str, float] = {}
    unread: list[str] = []
    for kind, name in wanted.items():
        try:
            numbers |= _READERS[kind](copy_out(container, name))
        except ReportProblem as problem:
            unread.append(f"the {kind} report {name} does not judge: {problem}")
    return numbers, unread


def verdict(code: int, numbers: Mapping[str, float], unread: list[str]) -> tuple[GateStatus, str]:
    """What exit code and reports come to. Exit code 1 is a finding by custom; others are unexpected.

    Reports come first where they say what is bad: pytest ends with 2 when a test file cannot be read, and
    names the file as an error in its report.
    """
    bad = int(numbers.get("failures", 0) + numbers.get("errors", 0))
    if bad:
        return GateStatus.FAILED, f"{bad} of {int(numbers['tests'])} tests failed"
    if numbers.get("finding_errors"):
        return GateStatus.FAILED, f"{int(numbers['finding_errors'])} findings of level error"
    if code not in (0, 1):
        return GateStatus.ERROR, "; ".join([_exit(code), *unread])
    if unread:
        return GateStatus.ERROR, "; ".join(unread + ([_exit(code)] if code else []))
    if code == 1:
        return GateStatus.FAILED, _exit(code)
    return GateStatus.PASSED, _summary(numbers)


def _exit(code: int) -> str:
    words = {126: " (not executable)", 127: " (no such program)", 137: " (killed)", 139: " (crashed)"}
    return f"it ended with exit code {code}{words.get(code, '')}"


def _summary(numbers: Mapping[str, float]) -> str:
    parts = []
    if "tests" in numbers:
        parts.append(f"{int(numbers['tests'] - numbers['skipped'])} tests passed")
    if "coverage" in numbers:
        parts.append(f"{numbers['coverage']:g} % of lines covered")
    if "findings" in numbers:
        parts.append(f"{int(numbers['findings'])} findings below level error")
    return ", ".join(parts) or "passed"


def _error(reason: str, output: tuple[str, ...] = ()) -> _Judgement:
    return _Judgement(GateStatus.ERROR, reason, output=output)
