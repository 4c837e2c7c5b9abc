"""Who has a name: two sandboxes must not start in one folder at once, nor share load balancers' addresses.

A claim is a Linux socket without a file: it ends with its process, and tells which process that is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from delivery.sandbox.config import SandboxError

#: Loopback prefixes that are tried when one is taken.
_TRIES = 200
#: Addresses of a prefix that are asked whether somebody answers on port 80.
_ADDRESSES = range(1, 9)


class Taken(Exception):
    """Another process has it; its id, 0 when that cannot be told."""

    def __init__(self, pid: int) -> None:
        super().__init__(pid)
        self.pid = pid


def claim(name: str) -> socket.socket:
    """Have a name until the socket is closed or the process ends; `Taken` when another has it."""
    mine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        mine.bind(_place(name))
        mine.listen()
    except OSError:
        mine.close()
        raise Taken(holder(name)) from None
    return mine


def holder(name: str) -> int:
    """The process that has a name; 0 when none has."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(_place(name))
            said = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:
            return 0
    return int(struct.unpack("3i", said)[0])


def _place(name: str) -> str:
    return f"\0delivery-sandbox-{os.getuid()}-{hashlib.sha256(name.encode()).hexdigest()[:32]}"


@contextlib.contextmanager
def starting(state_dir: Path) -> Iterator[None]:
    """Only one `up` at once in a folder; SandboxError tells who is at it."""
    try:
        mine = claim(f"up {state_dir}")
    except Taken as taken:
        raise SandboxError(
            "The sandbox is being started already", f"process {taken.pid} is at it",
            "Wait for it, then look with `delivery sandbox status`.",
        ) from None  # fmt: skip
    with mine:
        yield


def free_prefix(wanted: str) -> str:
    """This prefix of loopback addresses, or another when a sandbox or anything else uses it.

    Two proxies can listen on one address, and the kernel gives each a share of the connections.
    """
    for prefix in _prefixes(wanted):
        if not holder(_addresses(prefix)) and not _answers(prefix):
            return prefix
    raise SandboxError(
        "The sandbox cannot start",
        f"something answers on port 80 of {wanted}.1 and of all other loopback addresses tried",
        "A web server on 0.0.0.0:80 does that: stop it, or bind it to one address "
        "(`ss -ltnp 'sport = :80'` names it).",
    )


def hold_prefix(prefix: str) -> socket.socket:
    """Have a prefix as long as this process lives; SandboxError when another sandbox was faster."""
    try:
        return claim(_addresses(prefix))
    except Taken as taken:
        raise SandboxError(
            "The sandbox cannot start", f"process {taken.pid} has just taken the addresses {prefix}.x",
            "Try again: another prefix is found then.",
        ) from None  # fmt: skip


def _addresses(prefix: str) -> str:
    return f"addresses {prefix}"


def _prefixes(wanted: str) -> Iterator[str]:
    first, second, third = (int(part) for part in wanted.split("."))
    for step in range(_TRIES):
        number = second * 256 + third + step
        yield f"{first}.{number // 256 % 256}.{number % 256}"


def _answers(prefix: str) -> bool:
    for address in (f"{prefix}.{n}" for n in _ADDRESSES):
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex((address, 80)) == 0:
                return True
    return False
