"""Which sandbox the commands speak to: the one of this project."""

from __future__ import annotations

import hashlib
from pathlib import Path

from delivery.cli.installation import Installation
from delivery.sandbox import lifecycle
from delivery.sandbox.config import SandboxConfig, SandboxError
from delivery.sandbox.control import Control

#: Its state, under the project's root; git ignores it.
FOLDER = ".sandbox"


def fresh(root: Path) -> SandboxConfig:
    """Two projects on one machine must not take each other's containers or addresses: each has its own."""
    mark = hashlib.sha256(str(root.resolve()).encode())
    prefix = f"127.{128 + mark.digest()[0] % 100}.{mark.digest()[1]}"
    return SandboxConfig(root / FOLDER, name=f"local-{mark.hexdigest()[:6]}", address_prefix=prefix)


def config_of(root: Path) -> SandboxConfig:
    """The one that runs there, with the ports it was started with; else the usual one."""
    path = root / FOLDER / "config.json"
    return SandboxConfig.read(path) if path.is_file() else fresh(root)


def control_of(installation: Installation) -> Control:
    """What breaks the project's sandbox; SandboxError when it does not run."""
    config = config_of(installation.settings.root)
    if not lifecycle.alive(config):
        raise SandboxError(
            "The sandbox is not up", f"no process runs it for {config.state_dir}",
            "Start it with `delivery sandbox up`.",
        )  # fmt: skip
    return Control(config.endpoints.aws)
