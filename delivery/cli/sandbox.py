"""`delivery sandbox`: start, stop and look at the local AWS and GitHub."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live

from delivery import sandbox
from delivery.cli import sandbox_fault
from delivery.cli.installation import Installation, pass_installation
from delivery.cli.sandbox_at import FOLDER, config_of, fresh
from delivery.cli.sandbox_status import rendered
from delivery.cli.tables import PIPE, show, table_of
from delivery.sandbox.config import SandboxConfig
from delivery.sandbox.control import Control

_USUAL = SandboxConfig(Path(FOLDER))
#: Seconds between two looks of `status --watch`.
_WATCH = 1.0
#: The largest time scale, and the longest delay (AWS seconds): a day.
_FASTEST, _LONGEST = 1000, 86400


@click.group("sandbox")
def group() -> None:
    """A local AWS and GitHub to try delivery on: real containers, a real load balancer, a real registry.

    Everything listens on loopback addresses only.
    """


group.add_command(sandbox_fault.group)


def _option(name: str, what: str) -> Any:
    """An option for one field of the configuration, with its usual value."""
    usual = getattr(_USUAL, name)
    return click.option(
        f"--{name.replace('_', '-')}", type=type(usual), default=usual, show_default=True, help=what
    )


@group.command()
@_option("aws_port", "Port of its AWS.")
@_option("github_port", "Port of its GitHub.")
@_option("registry_port", "Port of its Docker registry.")
@_option("dns_port", "Port of its DNS.")
@_option("time_scale", "AWS seconds that pass in one of ours: with 20 a CloudWatch minute takes 3 s.")
@_option("metric_resolution", "Seconds of a datapoint of AWS/ApplicationELB and AWS/ECS; AWS has 60.")
@_option("metric_delay", "AWS seconds after a datapoint's end until CloudWatch knows it.")
@_option("propagation", "AWS seconds until a changed listener rule is seen in traffic.")
@_option("dns_delay", "AWS seconds a change of a DNS record is PENDING.")
@click.option("--enforce-iam", is_flag=True, help="Let the callers' IAM policies decide.")
@pass_installation
def up(installation: Installation, **settings: Any) -> None:
    """Start it in the background; it begins empty."""
    if not 0 < settings["time_scale"] <= _FASTEST or settings["metric_resolution"] < 1:
        raise click.UsageError(
            f"--time-scale must be above 0 and up to {_FASTEST}, --metric-resolution at least 1."
        )
    for name in ("metric_delay", "propagation", "dns_delay"):
        if not 0 <= settings[name] <= _LONGEST:
            raise click.UsageError(f"--{name.replace('_', '-')} must be 0 to {_LONGEST} seconds.")
    sandbox.up(replace(fresh(installation.settings.root), **settings))
    click.echo('The sandbox is up. Speak to it with: eval "$(delivery sandbox env)"', err=True)


@group.command()
@pass_installation
def down(installation: Installation) -> None:
    """Stop it and remove everything it made, its data too. Safe when nothing runs."""
    sandbox.down(config_of(installation.settings.root))
    click.echo("The sandbox is down.", err=True)


@group.command()
@click.option("--watch", is_flag=True, help="Keep it live until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@pass_installation
def status(installation: Installation, watch: bool, as_json: bool) -> None:
    """The world at a glance: services, weights, targets, tasks, alarms, faults, and where it listens."""
    config = config_of(installation.settings.root)
    if not sandbox.status(config)["running"]:
        _down(config, as_json)
        return
    control = Control(config.endpoints.aws)
    if as_json:
        click.echo(json.dumps({"running": True, **control.status()}, indent=2))
    elif watch:
        _watch(control)
    else:
        _console().print(rendered(control.status()))


def _down(config: SandboxConfig, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"running": False, "name": config.name}))
        return
    table = table_of("sandbox", config.name)
    table.add_row("state", "down")
    table.add_row("start it with", "delivery sandbox up")
    show(table)


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else PIPE)


def _watch(control: Control) -> None:
    """Look again and again until Ctrl-C, or until the sandbox ends. A pipe gets one look after another."""
    with contextlib.suppress(KeyboardInterrupt):
        if not sys.stdout.isatty():
            while True:
                _console().print(rendered(control.status()))
                time.sleep(_WATCH)
        with Live(rendered(control.status()), screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(_WATCH)
                live.update(rendered(control.status()), refresh=True)


@group.command()
@pass_installation
def env(installation: Installation) -> None:
    """Print the settings that make AWS's and GitHub's clients speak to it, for `eval` in a shell."""
    config = config_of(installation.settings.root)
    ours = {"DELIVERY_BUCKET": f"delivery-state-{config.account}"}
    for name, value in {**config.endpoints.environment(), **ours}.items():
        click.echo(f"export {name}={shlex.quote(value)}")
