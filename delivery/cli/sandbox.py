"""`delivery sandbox`: start, stop and look at the local AWS and GitHub."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import replace
from pathlib import Path

import click

from delivery import sandbox
from delivery.cli.installation import Installation, pass_installation
from delivery.cli.tables import show, table_of
from delivery.sandbox.config import SandboxConfig

#: Its state, under the project's root; git ignores it.
FOLDER = ".sandbox"
_USUAL = SandboxConfig(Path(FOLDER))


@click.group("sandbox")
def group() -> None:
    """A local AWS and GitHub to try delivery on: real containers, a real load balancer, a real registry.

    Everything listens on loopback addresses only.
    """


def _port(what: str) -> str:
    return f"Port of its {what}."


@group.command()
@click.option("--aws-port", type=int, default=_USUAL.aws_port, show_default=True, help=_port("AWS"))
@click.option("--github-port", type=int, default=_USUAL.github_port, show_default=True, help=_port("GitHub"))
@click.option(
    "--registry-port", type=int, default=_USUAL.registry_port, show_default=True,
    help=_port("Docker registry"),
)  # fmt: skip
@click.option("--dns-port", type=int, default=_USUAL.dns_port, show_default=True, help=_port("DNS"))
@pass_installation
def up(
    installation: Installation, aws_port: int, github_port: int, registry_port: int, dns_port: int
) -> None:
    """Start it in the background; it begins empty."""
    config = replace(
        _fresh(installation.settings.root), aws_port=aws_port, github_port=github_port,
        registry_port=registry_port, dns_port=dns_port,
    )  # fmt: skip
    sandbox.up(config)
    click.echo('The sandbox is up. Speak to it with: eval "$(delivery sandbox env)"', err=True)


@group.command()
@pass_installation
def down(installation: Installation) -> None:
    """Stop it and remove everything it made, its data too. Safe when nothing runs."""
    sandbox.down(_config(installation.settings.root))
    click.echo("The sandbox is down.", err=True)


@group.command()
@pass_installation
def status(installation: Installation) -> None:
    """Whether it runs, where it listens, and the tasks it runs."""
    seen = sandbox.status(_config(installation.settings.root))
    table = table_of("sandbox", seen["name"])
    table.add_row("state", f"up (process {seen['pid']})" if seen["running"] else "down")
    for what, where in seen["endpoints"].items():
        table.add_row(what, where)
    table.add_row("folder", seen["state"])
    show(table)
    if seen["tasks"]:
        tasks = table_of("container", "status", "image")
        for task in seen["tasks"]:
            tasks.add_row(task["container"], task["status"], task["image"])
        show(tasks)


@group.command()
@pass_installation
def env(installation: Installation) -> None:
    """Print the settings that make AWS's and GitHub's clients speak to it, for `eval` in a shell."""
    config = _config(installation.settings.root)
    ours = {"DELIVERY_BUCKET": f"delivery-state-{config.account}"}
    for name, value in {**config.endpoints.environment(), **ours}.items():
        click.echo(f"export {name}={shlex.quote(value)}")


def _fresh(root: Path) -> SandboxConfig:
    """Two projects on one machine must not take each other's containers or addresses: each has its own."""
    mark = hashlib.sha256(str(root.resolve()).encode())
    prefix = f"127.{128 + mark.digest()[0] % 100}.{mark.digest()[1]}"
    return SandboxConfig(root / FOLDER, name=f"local-{mark.hexdigest()[:6]}", address_prefix=prefix)


def _config(root: Path) -> SandboxConfig:
    """The one that runs there, with the ports it was started with; else the usual one."""
    path = root / FOLDER / "config.json"
    return SandboxConfig.read(path) if path.is_file() else _fresh(root)
