"""The network namespace that the containers of one task share, held by a container that only sleeps.

As in `awsvpc` mode, where ECS starts a pause container for the same purpose: containers of a task speak to
each other on localhost, and the address stays whoever of them ends. A task of one container needs none.
"""

from __future__ import annotations

import io
import platform
import struct
import tarfile

import docker
from docker.errors import ImageNotFound

PAUSE_IMAGE = "delivery/pause:local"
#: "Wait for a signal, for ever" as machine code, by processor: the system call `pause`, or `ppoll`.
_CODE = {
    "x86_64": (62, bytes.fromhex("b8220000000f05ebf7")),  # mov eax,34; syscall; jmp back
    "aarch64": (
        183,
        # mov x0..x4,0; mov x8,73 (ppoll); svc 0; b back
        b"".join(
            struct.pack("<I", word)
            for word in (*(0xD2800000 | n for n in range(5)), 0xD2800928, 0xD4000001, 0x17FFFFF9)
        ),
    ),
}


def pause_program(machine: str = "") -> bytes:
    """A whole ELF program that sleeps; KeyError for a processor nobody thought of."""
    number, code = _CODE[machine or platform.machine()]
    base, head = 0x400000, 64 + 56
    size = head + len(code)
    elf = b"\x7fELF\x02\x01\x01" + bytes(9)
    elf += struct.pack("<HHIQQQIHHHHHH", 2, number, 1, base + head, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    return elf + segment + code


def pause_image(client: docker.DockerClient) -> str:
    """Its image, made unless this machine has it."""
    try:
        client.images.get(PAUSE_IMAGE)
        return PAUSE_IMAGE
    except ImageNotFound:
        pass
    program = pause_program()
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        entry = tarfile.TarInfo("pause")
        entry.size, entry.mode = len(program), 0o755
        tar.addfile(entry, io.BytesIO(program))
    name, _, tag = PAUSE_IMAGE.partition(":")
    client.api.import_image_from_data(layer.getvalue(), repository=name, tag=tag)
    return PAUSE_IMAGE
