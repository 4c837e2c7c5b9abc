"""A container for untrusted code: no network, no privileges, nothing to write to but its own folder.

What it can reach is a copy of the files, in an anonymous volume that is removed with it. There is no
Docker socket, no secret and no mount of this machine in it. The size of one file is limited; the sum of
all is not, for Docker has no quota on volumes: give the engine a disk of its own if that matters.
"""

from __future__ import annotations

import contextlib
import io
import posixpath
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import docker
import requests
from docker.errors import APIError, NotFound
from docker.types import LogConfig, Ulimit

from delivery.adapters.docker.reports import LARGEST, ReportProblem
from delivery.core.service import GateSpec

LABEL = "delivery.gate"
#: When a leftover of a killed worker may be removed by the next gate; UTC, ISO 8601.
EXPIRES = "delivery.gate.expires"
VOLUME, FOLDER = "/gate", "/gate/work"
#: `nobody` of distributions and `nonroot` of distroless images have other names; the number needs none.
USER = 65532
PROCESSES, LARGEST_FILE, TEMPORARY = 256, 512 * 2**20, "rw,nosuid,nodev,exec,mode=1777,size=256m"
OUTPUT_LINES, LINE_LENGTH = 60, 400
#: What is still there after so many tries is left to `sweep`.
REMOVALS = 5


@contextmanager
def gate_container(client: docker.DockerClient, gate: GateSpec) -> Iterator[Any]:
    """A container of the gate, created and not started; removed with its volume whatever happens."""
    container = client.containers.create(
        gate.image,
        entrypoint=[],
        command=list(gate.command),
        environment={"HOME": "/tmp", "CI": "true", "PYTHONDONTWRITEBYTECODE": "1", **gate.environment},
        labels={LABEL: gate.name, EXPIRES: _in(gate.timeout + 300)},
        working_dir=FOLDER,
        volumes=[VOLUME],
        user=f"{USER}:{USER}",
        network_mode="none",
        read_only=True,
        tmpfs={"/tmp": TEMPORARY},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        pids_limit=PROCESSES,
        mem_limit=f"{gate.memory_mb}m",
        memswap_limit=f"{gate.memory_mb}m",
        ulimits=[
            Ulimit(name="nofile", soft=4096, hard=4096),
            Ulimit(name="core", soft=0, hard=0),
            Ulimit(name="fsize", soft=LARGEST_FILE, hard=LARGEST_FILE),
        ],
        log_config=LogConfig(type="json-file", config={"max-size": "4m", "max-file": "1"}),
    )
    try:
        yield container
    finally:
        _remove(client, container)


def _remove(client: docker.DockerClient, container: Any) -> None:
    """Remove it and see that it is gone: the engine has called a container removed that stayed."""
    for _ in range(REMOVALS):
        with contextlib.suppress(NotFound):
            container.remove(force=True, v=True)
        try:
            client.api.inspect_container(container.id)
        except NotFound:
            return


def sweep(client: docker.DockerClient) -> None:
    """Remove what killed workers left behind, once its own time limit is long over."""
    for container in client.containers.list(all=True, filters={"label": EXPIRES}, ignore_removed=True):
        if container.labels[EXPIRES] < _in(0):
            with contextlib.suppress(APIError, requests.RequestException):  # another worker was first
                container.remove(force=True, v=True)


def copy_in(container: Any, folder: Path, without: Iterable[str]) -> None:
    """The folder's files, owned by the gate's user; without the named ones, which the gate must make."""
    left_out = {_relative(name) for name in without}

    def entry(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        name = _relative(info.name.removeprefix("work"))
        if name in left_out:
            return None
        info.uid = info.gid = USER
        info.uname = info.gname = ""
        info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
        return info

    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            tar.add(folder, arcname="work", filter=entry)
        file.seek(0)
        container.put_archive(VOLUME, file)


def copy_out(container: Any, name: str) -> bytes:
    """One report's bytes. ReportProblem when it is missing, not a plain file, empty or too big."""
    try:
        chunks, status = container.get_archive(posixpath.join(FOLDER, _relative(name)))
    except NotFound:
        raise ReportProblem("it is missing") from None
    if status["size"] > LARGEST:
        raise ReportProblem(f"it is larger than {LARGEST // 2**20} MB")
    with tarfile.open(fileobj=_bounded(chunks)) as tar:
        info = tar.next()
        file = tar.extractfile(info) if info is not None and info.isreg() else None
        content = file.read() if file is not None else None
    if content is None:
        raise ReportProblem("it is not a plain file")
    if not content.strip():
        raise ReportProblem("it is empty")
    return content


def output_of(container: Any) -> tuple[str, ...]:
    """The last lines of what it said, each of bounded length."""
    text = container.logs(tail=OUTPUT_LINES).decode(errors="replace")
    lines = [line.rstrip() for line in text.splitlines()]
    return tuple(line[:LINE_LENGTH] for line in lines if line)[-OUTPUT_LINES:]


def _bounded(chunks: Iterable[bytes]) -> IO[bytes]:
    found = io.BytesIO()
    for chunk in chunks:
        found.write(chunk)
        if found.tell() > LARGEST + 2**20:
            raise ReportProblem(f"it is larger than {LARGEST // 2**20} MB")
    found.seek(0)
    return found


def _relative(name: str) -> str:
    """A path inside the work folder, in one spelling."""
    return posixpath.normpath(posixpath.join("/", name)).lstrip("/")


def _in(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")
