"""`python -m delivery_tests.bench [NAME …]`: run all benchmarks or the named ones, print their tables."""

from __future__ import annotations

import importlib

import click
from rich.console import Console

BENCHES = ("verdicts", "sandbox", "executors", "journey", "rollbacks", "calls")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(BENCHES))
def main(names: tuple[str, ...]) -> None:
    """Run benchmarks and print their tables."""
    console = Console()
    for name in names or BENCHES:
        console.print(f"[dim]measuring {name} …[/dim]")
        console.print(importlib.import_module(f"delivery_tests.bench.{name}").run())


if __name__ == "__main__":
    main()
