"""What the loading of the definitions read, and whether it has changed since.

The interpreter tells of every file it opens and every folder it lists (PEP 578), so nobody has to keep a
list of what the definitions depend on: Python files, the services' YAML, a `.env`.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from types import TracebackType
from typing import Any, Self

Signature = tuple[object, ...] | None
#: Written by Python itself while it reads.
_CACHE = "__pycache__"
_NO_FILES = ("/proc/", "/dev/", "/sys/")


class Reading:
    """`with Reading() as reading:` load, then ask `changed()` as often as you like."""

    def __init__(self) -> None:
        self._paths: set[str] = set()
        self._listening = False
        self._signatures: dict[str, Signature] = {}
        self._began = 0

    def __enter__(self) -> Self:
        self._began = time.time_ns()
        self._listening = True
        sys.addaudithook(self._heard)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening = False  # a hook cannot be taken away
        self._paths.update(_modules())
        # The folders in which Python looks for modules fill with other things, our own data among them.
        self._paths -= {os.path.abspath(folder) for folder in sys.path}
        self._signatures = {path: _signature(path) for path in self._paths}

    def changed(self) -> str:
        """A path that is not as it was read, or was written after the reading began; empty when none is."""
        for path, before in self._signatures.items():
            now = _signature(path)
            if now != before or _written(now) >= self._began:
                return path
        return ""

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._listening or event not in ("open", "os.listdir", "os.scandir"):
            return
        path = arguments[0] if arguments[0] is not None else "."
        if event == "open" and (not isinstance(arguments[1], str) or set(arguments[1]) & set("wax+")):
            return  # opened to write, or by a call that does not say
        if not isinstance(path, str | os.PathLike):
            return
        name = os.path.abspath(os.fsdecode(path))
        if _CACHE not in name and not name.startswith(_NO_FILES):
            self._paths.add(name)


def _modules() -> set[str]:
    """The source of every module that is loaded: of most, Python opened only the compiled form."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return {os.path.abspath(file) for file in files if file}


def _signature(path: str) -> Signature:
    """What tells one state of a file, or of a folder's names, from another; None when it is not there."""
    try:
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            return tuple(sorted(name for name in os.listdir(path) if name != _CACHE))
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size)


def _written(signature: Signature) -> int:
    """When a file was written last, in nanoseconds; 0 of a folder and of what is not there."""
    return signature[0] if signature and isinstance(signature[0], int) else 0
