"""The `delivery` command. Its parts are imported when they are called, so that `--help` answers at once."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Any

import click

from delivery.cli.errors import is_ours, report


@dataclass(frozen=True, slots=True)
class Part:
    """A command: the module it is in, its name there, and its line in `--help`."""

    module: str
    attribute: str
    help: str

    @property
    def exists(self) -> bool:
        """Whether this installation has it."""
        try:
            return importlib.util.find_spec(self.module) is not None
        except ModuleNotFoundError:  # the package around it is missing
            return False

    def load(self) -> click.Command:
        """Import it."""
        command: click.Command = getattr(importlib.import_module(self.module), self.attribute)
        return command


#: In the order of `--help`: look, set up, act, play.
PARTS: dict[str, Part] = {
    "validate": Part("delivery.cli.validate", "validate", "Check every service's file."),
    "status": Part("delivery.cli.status", "status", "What is live, in flight, held and quarantined."),
    "verdict": Part("delivery.cli.verdict", "verdict", "How a commit was judged, and on what evidence."),
    "bootstrap": Part("delivery.cli.bootstrap", "bootstrap", "Make the infrastructure of all services."),
    "approve": Part("delivery.cli.operate", "approve", "Approve a commit for an environment."),
    "hold": Part("delivery.cli.operate", "hold", "Make deployments wait."),
    "unhold": Part("delivery.cli.operate", "unhold", "Let deployments go on."),
    "unquarantine": Part("delivery.cli.operate", "unquarantine", "Allow a quarantined image again."),
    "pause": Part("delivery.cli.steer", "pause", "Stop a rollout where it stands."),
    "continue": Part("delivery.cli.steer", "go_on", "Let a paused rollout go on."),
    "abort": Part("delivery.cli.steer", "abort", "Give up a rollout: its traffic goes back."),
    "rollback": Part("delivery.cli.steer", "rollback", "Return to a verified release."),
    "sandbox": Part("delivery.cli.sandbox", "group", "A local AWS and GitHub to try it on."),
    "up": Part("delivery.cli.up", "up", "Dagster for this installation, until Ctrl-C."),
    "demo": Part("delivery.cli.demo.command", "demo", "Tell the story in four acts on the sandbox."),
}


class Delivery(click.Group):
    """The group: finds its commands by name, and prints what went wrong."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Those that this installation has."""
        return [name for name, part in PARTS.items() if part.exists]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name."""
        part = PARTS.get(cmd_name)
        return part.load() if part is not None and part.exists else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, PARTS[name].help) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        """Run; errors for people are printed here and nowhere else, others keep their traceback."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if not is_ours(error):
                raise
            ctx.exit(report(error))


@click.group(cls=Delivery, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="delivery")
def main() -> None:
    """Progressive delivery for Amazon ECS as a Dagster asset graph."""
