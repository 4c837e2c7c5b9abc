"""`delivery demo`: set up a world, tell the four acts in it, and clear it away."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from delivery.cli.demo import edits
from delivery.cli.demo.report import Act, Teller
from delivery.cli.demo.setting import Venue, staged
from delivery.cli.demo.story import Stage, bad_commit, canary, good_commit, late_failure
from delivery.sandbox.config import SandboxConfig


@click.command()
@click.option("--once", is_flag=True, help="End after the last act; exit code 0 only if every act went well.")
@click.option("--port", default=3000, show_default=True, help="Port of the Dagster UI on 127.0.0.1.")
@click.option("--rate", default=80.0, show_default=True, help="Requests a second on production.")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path(".demo"), show_default=True,
    help="Where the demo keeps its state; emptied at the start.",
)  # fmt: skip
def demo(once: bool, port: int, rate: float, folder: Path) -> None:
    """A commit travels to live traffic, and a bad one comes back: told by the running system."""
    signal.signal(signal.SIGTERM, _interrupt)
    root = Path.cwd()
    folder = folder.resolve()
    teller = Teller(Console())
    venue = Venue(root, folder, SandboxConfig(folder / "sandbox", name="demo"), port, dict(os.environ))
    try:
        with staged(venue, teller, rate) as (stage, plane):
            acts = tell(stage)
            teller.summary(acts, plane.url)
            if not once:
                teller.say(f"Everything keeps running: {plane.url}. Ctrl-C ends it.", "good")
                threading.Event().wait()
    except KeyboardInterrupt:
        teller.say("ended; nothing is left running", "note")
        return
    if not all(act.ok for act in acts):
        raise SystemExit(1)


def tell(stage: Stage) -> list[Act]:
    """The four acts, in order. The second commit carries the flaw that shows in the fourth."""
    return [
        good_commit(stage, edits.good_v1()),
        canary(stage, edits.poisonable()),
        bad_commit(stage, edits.bad()),
        late_failure(stage, edits.POISON),
    ]


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
