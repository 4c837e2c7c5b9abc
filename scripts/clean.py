"""Ends the processes and removes the containers, networks and images of this project."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from delivery.sandbox.cleaning import clean

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """All of it; safe when there is nothing."""
    _end_dagster()
    clean(ROOT)


def _end_dagster() -> None:
    """Dagster's processes of this project, known by their DAGSTER_HOME: asked first, then told."""
    homes = [f"DAGSTER_HOME={ROOT / name}".encode() for name in (".demo/dagster", ".dagster")]
    for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 2.0)):
        left = _with_environment(homes)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + patience
        while left and _with_environment(homes) and time.monotonic() < deadline:
            time.sleep(0.1)


def _with_environment(entries: list[bytes]) -> list[int]:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            with contextlib.suppress(OSError):
                if set(entries) & set((process / "environ").read_bytes().split(b"\0")):
                    found.append(int(process.name))
    return found


if __name__ == "__main__":
    main()
