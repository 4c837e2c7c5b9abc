"""`delivery up`: Dagster's webserver and daemon for this installation, until Ctrl-C."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from types import FrameType

import click

from delivery.cli.control_plane import ControlPlane
from delivery.settings import Settings


@click.command()
@click.option("--port", default=3000, show_default=True, help="Port of the UI on 127.0.0.1; it has no login.")
@click.option(
    "--home", type=click.Path(path_type=Path), default=Path(".dagster"), show_default=True,
    help="DAGSTER_HOME: the runs and events that people look at.",
)  # fmt: skip
def up(port: int, home: Path) -> None:
    """Start Dagster here, with the endpoints and credentials of this environment. The bucket's ledger is
    what decisions read: losing DAGSTER_HOME loses history, not the last good release. A Dagster that dies is
    started again."""
    settings = Settings.read()
    bucket = settings.required_bucket
    plane = ControlPlane(settings.root, home.resolve(), dict(os.environ), port)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        click.echo(f"starting Dagster for the bucket {bucket} …", err=True)
        plane.start()
        click.echo(f"{plane.url}  (Ctrl-C ends it)", err=True)
        plane.keep(partial(click.echo, err=True))
    except KeyboardInterrupt:
        click.echo("ended", err=True)
    finally:
        plane.stop()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
