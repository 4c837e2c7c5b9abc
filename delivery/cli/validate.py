"""`delivery validate`: every error of every service at once, as `file:line: field: message`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
from rich.table import Table

from delivery.cli.installation import Installation, pass_installation
from delivery.cli.tables import show, table_of
from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.core.wording import described


@click.command()
@click.option(
    "--defs", type=click.Path(path_type=Path), help="Folder of the services; default: DELIVERY_DEFS."
)
@pass_installation
@click.pass_context
def validate(ctx: click.Context, installation: Installation, defs: Path | None) -> None:
    """Check every service's file. Exit code 2 when anything is wrong.

    The Terraform files that they name must exist below DELIVERY_ROOT (default: the current folder).
    """
    from delivery.catalog.loader import read_catalog

    catalog = read_catalog(defs or installation.settings.defs, installation.settings.root)
    for problem in catalog.problems:
        click.echo(str(replace(problem, file=_here(problem.file))))
    if catalog.problems:
        wrong = len({problem.file for problem in catalog.problems})
        click.echo(f"{_count(len(catalog.problems), 'problem')} in {_count(wrong, 'file')}", err=True)
        ctx.exit(2)
    if not catalog.services:
        click.echo(f"There is no service in {defs or installation.settings.defs}", err=True)
        return
    show(_table(catalog.services))
    click.echo(f"{_count(len(catalog.services), 'service')}, nothing wrong", err=True)


def _table(services: tuple[ServiceSpec, ...]) -> Table:
    table = table_of("Service", "Repository", "Gates", "Environments")
    for service in services:
        table.add_row(
            service.name,
            f"{service.repository.github}@{service.repository.branch}",
            ", ".join(gate.name for gate in service.gates),
            "\n".join(_environment(environment) for environment in service.environments),
        )
    return table


def _environment(environment: EnvironmentSpec) -> str:
    """`production, after staging (soak, approvals): canary 10 % (judged 5 min) → …`."""
    after, text = environment.after, environment.name
    if after:
        gates = [name for name in ("soak", "approvals", "windows") if getattr(after, name)]
        text += f", after {after.environment}" + (f" ({', '.join(gates)})" if gates else "")
    return f"{text}: {described(environment)}"


def _here(file: Path) -> Path:
    """As short as it can be opened from here."""
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")
