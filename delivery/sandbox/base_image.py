"""Base images from this machine's own Python, so that nothing has to be pulled from the internet.

An interpreter, its standard library and the shared libraries it links to, copied into an empty image:
about 2 s and 40 MB. `ensure_gates` adds the sample's gate tools.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

import docker
from docker.errors import BuildError, ImageNotFound

from delivery.sandbox.config import SandboxError

PYTHON_IMAGE = "delivery/python:local"
GATES_IMAGE = "delivery/gates:local"
GATE_TOOLS = ("ruff", "pytest", "pytest-cov")
_SKIPPED = {
    "site-packages",
    "dist-packages",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "ensurepip",
    "__pycache__",
}


def ensure(client: docker.DockerClient, tag: str = PYTHON_IMAGE) -> str:
    """The image of that tag, built if this machine does not have it."""
    if not _exists(client, tag):
        _build(client, tag, _python_files(), "")
    return tag


def ensure_gates(client: docker.DockerClient, tag: str = GATES_IMAGE) -> str:
    """Python with ruff, pytest and coverage, for gate containers that have no network."""
    if _exists(client, tag):
        return tag
    with tempfile.TemporaryDirectory() as folder:
        tools = Path(folder) / "tools"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(tools), *GATE_TOOLS]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SandboxError(
                "The image with the gate tools could not be built",
                (done.stderr.strip().splitlines() or ["pip failed"])[-1],
                "pip needs its package index once; later runs reuse the image.",
            )
        programs = _programs(tools / "bin")
        extra = [(path, f"/tools/{path.relative_to(tools)}") for path in tools.rglob("*") if path.is_file()]
        extra += [(path, str(path)) for path in _linked(programs)]
        _build(
            client,
            tag,
            [*_python_files(), *extra],
            "ENV PYTHONPATH=/tools PATH=/tools/bin:/usr/local/bin:/usr/bin:/bin",
        )
    return tag


def _programs(folder: Path) -> list[Path]:
    """The binaries in a folder of programs; its scripts are made to run with the image's own Python."""
    binaries = []
    for path in folder.iterdir():
        content = path.read_bytes()
        if content.startswith(b"\x7fELF"):
            binaries.append(path)
        elif content.startswith(b"#!"):
            # pip names this machine's interpreter: in one line, or in three by way of `sh` if it is long.
            lines = content.split(b"\n", 3)
            body = lines[3] if content.startswith(b"#!/bin/sh") else content.split(b"\n", 1)[1]
            path.write_bytes(b"#!/usr/local/bin/python\n" + body)
    return binaries


def _exists(client: docker.DockerClient, tag: str) -> bool:
    try:
        client.images.get(tag)
    except ImageNotFound:
        return False
    return True


def _build(client: docker.DockerClient, tag: str, files: Iterable[tuple[Path, str]], extra: str) -> None:
    lines = [
        "FROM scratch",
        "ADD files.tar /",
        "ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PATH=/usr/local/bin:/usr/bin:/bin",
        f"ENV PYTHONHOME={sys.base_prefix}",
        extra,
        'CMD ["python"]',
        "",
    ]
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        _add(tar, "files.tar", _layer(files))
        _add(tar, "Dockerfile", "\n".join(lines).encode())
    context.seek(0)
    try:
        client.images.build(fileobj=context, custom_context=True, tag=tag, rm=True, forcerm=True)
    except BuildError as error:
        raise SandboxError(f"The image {tag} could not be built", str(error)) from None


def _layer(files: Iterable[tuple[Path, str]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for folder, mode in (("tmp", 0o1777), ("app", 0o755), ("usr/local/bin", 0o755), ("etc", 0o755)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        seen: set[str] = set()
        for source, target in files:
            if target not in seen:
                seen.add(target)
                tar.add(os.path.realpath(source), target.lstrip("/"), recursive=False)
        _add(tar, "etc/passwd", b"root:x:0:0::/:/none\napp:x:1000:1000::/app:/none\n")
        _add(tar, "etc/group", b"root:x:0:\napp:x:1000:\n")
        for name in ("python", "python3"):
            link = tarfile.TarInfo(f"usr/local/bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, os.path.realpath(sys.executable)
            tar.addfile(link)
    return out.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    tar.addfile(entry, io.BytesIO(content))


def _python_files() -> list[tuple[Path, str]]:
    """Interpreter, standard library, shared libraries and the certificate file, with where they go."""
    interpreter = Path(os.path.realpath(sys.executable))
    library = Path(sysconfig.get_path("stdlib"))
    files = [(interpreter, str(interpreter))]
    for path in library.rglob("*"):
        if path.is_file() and not _SKIPPED & set(path.relative_to(library).parts):
            files.append((path, str(path)))
    dynamic = library / "lib-dynload"
    linked = _linked([interpreter, *dynamic.glob("*.so")])
    files += [(path, str(path)) for path in linked]
    certificates = ssl.get_default_verify_paths().cafile
    if certificates and Path(certificates).exists():
        files.append((Path(certificates), "/etc/ssl/certs/ca-certificates.crt"))
    return files


def _linked(programs: Iterable[Path]) -> set[Path]:
    """Every shared library `ldd` names for them, the loader included, at the path it is looked for."""
    ldd = shutil.which("ldd")
    if ldd is None:
        raise SandboxError(
            "The base image cannot be built", "the program ldd is missing", "Install libc-bin."
        )
    done = subprocess.run([ldd, *map(str, programs)], capture_output=True, text=True, check=False)
    found = re.findall(r"(?:=> )?(/\S+) \(0x", done.stdout)
    return {Path(name) for name in found if Path(name).exists()}
